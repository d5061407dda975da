"""The visibility timeout of a message to retry."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.runtime.engine.backoff import MAX_BACKOFF_SECONDS, MAX_OUTLAST, Backoff, OutageBackoff, receives_for
from tests.support.check import survived_seconds


@pytest.mark.parametrize(
    ("backoff", "receive_count", "seconds"),
    [
        (Backoff(), 0, 2),
        (Backoff(), 1, 2),
        (Backoff(), 2, 4),
        (Backoff(), 5, 32),
        (Backoff(), 10, 900),
        (Backoff(), 10**9, 900),
        (Backoff(base=1, factor=1), 7, 1),
        (Backoff(base=10, factor=3, cap=10**6), 3, 90),
        (Backoff(cap=10**6), 1000, MAX_BACKOFF_SECONDS),
    ],
)
def test_the_bound_grows_with_each_receive(backoff: Any, receive_count: Any, seconds: Any) -> None:
    """Up to the cap, and never beyond the limit of SQS."""
    assert backoff.wait(receive_count, lambda: 1.0) == seconds


@given(st.integers(0, 2000), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_the_wait_is_random_below_its_bound(receive_count: Any, chance: Any) -> None:
    """Full jitter, but at least one second."""
    assert 1 <= Backoff().wait(receive_count, lambda: chance) <= Backoff().wait(receive_count, lambda: 1.0)


@given(st.integers(0, 10**7), st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_the_receives_span_the_outage(outlast: int, receives: int, chance: float) -> None:
    """At least `outlast` passes from the first receive to the last one allowed, unless SQS's maximum is too short."""
    backoff = OutageBackoff(outlast, receives)
    waits = [backoff.wait(count, lambda: chance) for count in range(1, receives)]

    possible = min(outlast, MAX_OUTLAST, MAX_BACKOFF_SECONDS * (receives - 1) - MAX_BACKOFF_SECONDS)
    assert all(1 <= wait <= MAX_BACKOFF_SECONDS for wait in waits)
    if receives > 1:
        assert sum(waits) >= survived_seconds(backoff) >= possible


@pytest.mark.parametrize(
    ("receives", "waits", "survived"),
    [
        (10, [30, 70, 161, 371, 858, 1984, 4588, 10608, 24530, 24530], 43_200),
        (5, [30, 329, 3589, 39252, 39252], 43_200),
        (3, [30, 42300, 42300], 42_330),
        (2, [42300, 42300], 42_300),
        (1, [42300], 0),
        (20, [30, 70, 161, 371, 858, 1984, 4588, 10608, 24530, 24530], 288_500),
        (0, [30, 70, 161, 371, 858, 1984, 4588, 10608, 24530, 24530], MAX_OUTLAST),
    ],
)
def test_waits_of_twelve_hours(receives: int, waits: list[int], survived: int) -> None:
    """The waits grow by one ratio from half a minute on, but with two receives there is only one wait."""
    backoff = OutageBackoff(12 * 60 * 60, receives)

    assert [backoff.wait(count, lambda: 0.0) for count in range(1, len(waits) + 1)] == waits
    assert survived_seconds(backoff) == survived


def test_the_wait_has_jitter() -> None:
    """It is up to a quarter longer than its bound, so that the bounds still span the outage."""
    assert [OutageBackoff(43_200, 5).wait(2, chance) for chance in (lambda: 0.0, lambda: 0.5, lambda: 1.0)] == [
        329,
        370,
        411,
    ]


def test_a_short_outage() -> None:
    """The first wait is no longer than it need be."""
    assert [OutageBackoff(60, 5).wait(count, lambda: 0.0) for count in range(1, 6)] == [15, 16, 16, 16, 16]


@pytest.mark.parametrize(
    ("outlast", "receives"),
    [(0, 10), (43_200, 10), (117390, 10), (117391, 11), (86_400, 10), (3 * 86_400, 14), (10**9, 36)],
)
def test_receives_for_an_outage(outlast: int, receives: int) -> None:
    """A longer outage needs more receives, since no wait is longer than 12 hours."""
    assert receives_for(outlast) == receives

"""How long a message that is to be retried stays hidden."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.engine.engine import MAX_BACKOFF_SECONDS, Backoff


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

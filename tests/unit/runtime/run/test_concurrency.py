"""Adaptive concurrency: how many receivers a queue gets."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.runtime.run.concurrency import (
    CPU_WINDOW_SECONDS,
    MAX_BATCH_CHARACTERS,
    SHARE_WINDOW,
    AdaptiveBatch,
    AdaptiveConcurrency,
    CpuShare,
    Round,
    ThrottledShare,
)

EMPTY = Round(seconds=10)
SPARSE = Round(received=4, seconds=0.1)
PARTIAL = Round(received=5, seconds=0.1)
FAILED = Round(failed=True)
FREQUENT = Round(received=1, seconds=0.1, frequent=True)
THROTTLED = Round(received=50, full=True, seconds=0.5, throttled=0.5)
HOT = Round(received=50, full=True, seconds=0.5, throttled=0.02)


def full(seconds: float = 0.5) -> Round:
    """A round of the largest batch with a backlog."""
    return Round(received=50, full=True, seconds=seconds)


def permitted() -> bool:
    """A further receiver is permitted."""
    return True


def targets_after(
    concurrency: AdaptiveConcurrency, *rounds: Round, may_grow: Callable[[], bool] = permitted
) -> list[int]:
    """Returns the target after each round."""
    targets = []
    for finished in rounds:
        concurrency.update(finished, may_grow)
        targets.append(concurrency.target)
    return targets


@pytest.mark.parametrize(
    ("rounds", "targets"),
    [
        ([full()] * 5, [2, 3, 4, 4, 4]),
        ([full()] * 3 + [PARTIAL] * 2, [2, 3, 4, 4, 4]),
        ([full()] * 3 + [SPARSE] * 4, [2, 3, 4, 3, 2, 1, 1]),
        ([full()] * 3 + [EMPTY] * 3, [2, 3, 4, 2, 1, 1]),
        ([full()] * 2 + [EMPTY], [2, 3, 1]),
        ([full()] * 3 + [FAILED] * 3, [2, 3, 4, 2, 1, 1]),
        ([full()] * 3 + [THROTTLED] * 3, [2, 3, 4, 2, 1, 1]),
        ([full(), HOT, HOT], [2, 3, 4]),
    ],
)
def test_targets(rounds: list[Round], targets: list[int]) -> None:
    """A full round adds one, a sparse one removes one, an empty, a failed or a throttled one halves the target."""
    assert targets_after(AdaptiveConcurrency(4), *rounds) == targets


@pytest.mark.parametrize(
    ("rounds", "targets"),
    [
        ([FREQUENT] * 3, [2, 2, 2]),
        ([FREQUENT, SPARSE, SPARSE], [2, 2, 2]),
        ([FREQUENT, EMPTY, SPARSE], [2, 1, 1]),
        ([*[full()] * 3, FREQUENT, SPARSE, SPARSE], [2, 3, 4, 3, 2, 2]),
    ],
)
def test_two_in_turn(rounds: list[Round], targets: list[int]) -> None:
    """While messages are frequent, a second receiver stays until a round is empty."""
    assert targets_after(AdaptiveConcurrency(4), *rounds) == targets


@pytest.mark.parametrize(
    ("limit", "share", "may_grow"), [(1, 0.0, True), (4, 0.8, True), (4, 0.0, False)], ids=["limit", "CPU", "leases"]
)
def test_no_second_one(limit: int, share: float, may_grow: bool) -> None:
    """Where no receiver may be added, and where the process is busy."""
    concurrency = AdaptiveConcurrency(limit, lambda: share)

    assert targets_after(concurrency, FREQUENT, FREQUENT, may_grow=lambda: may_grow) == [1, 1]


def test_growth_is_not_permitted() -> None:
    """If growth is not permitted, no receiver is added."""
    assert targets_after(AdaptiveConcurrency(4), full(), full(), may_grow=lambda: False) == [1, 1]


def test_contention() -> None:
    """Rounds slower than the baseline stop the growth; much slower ones remove a receiver per round of all."""
    concurrency = AdaptiveConcurrency(64)

    grown = targets_after(concurrency, *[full(0.5)] * 7)
    crowded = targets_after(concurrency, *[full(0.8)] * 3)
    overcrowded = targets_after(concurrency, *[full(2.0)] * 15)

    assert (grown, crowded, overcrowded) == (
        [2, 3, 4, 5, 6, 7, 8],
        [8] * 3,
        [8] * 7 + [7] * 7 + [6],
    )


def test_busy_cpu() -> None:
    """A busy CPU stops the growth, and an overloaded one removes a receiver per round of all."""
    shares = iter([0.75] * 3 + [0.9] * 4 + [1.0] * 4)
    concurrency = AdaptiveConcurrency(8, lambda: next(shares))
    assert targets_after(concurrency, *[full()] * 11) == [2, 3, 4, *[4] * 4, 4, 4, 4, 3]


def test_slow_growth_after_an_overload() -> None:
    """After an overload, one is added per round of all receivers; an empty round ends that."""
    shares = iter([0.5] * 3 + [1.0] * 4 + [0.5] * 50)
    concurrency = AdaptiveConcurrency(8, lambda: next(shares))
    targets_after(concurrency, *[full()] * 7)

    slowly = targets_after(concurrency, *[full()] * 12)
    again = targets_after(concurrency, EMPTY, *[full()] * 3)

    assert (slowly, again) == ([3, 3, 4, *[4] * 3, 5, *[5] * 4, 6], [3, 4, 5, 6])


def test_at_least_one() -> None:
    """However busy the CPU is, one receiver stays."""
    assert targets_after(AdaptiveConcurrency(8, lambda: 1.0), *[full()] * 3) == [1, 1, 1]


def test_new_baseline() -> None:
    """If every call becomes slower, a single receiver sets a new baseline, and the target grows again."""
    concurrency = AdaptiveConcurrency(8)
    targets_after(concurrency, *[full(0.1)] * 7)

    slower = targets_after(concurrency, *[full(2.0)] * 100)

    assert (1 in slower, slower[-1]) == (True, 8)


def test_baseline_expires() -> None:
    """The baseline of one unusually short round does not stop the growth indefinitely."""
    concurrency = AdaptiveConcurrency(4)
    targets_after(concurrency, full(0.5), full(0.2))

    assert targets_after(concurrency, *[full(0.4)] * 500)[-1] == 4


def test_baseline_grows() -> None:
    """The baseline grows by half a percent a second and receiver: rounds that are a little slower are normal later."""
    concurrency = AdaptiveConcurrency(4)
    targets_after(concurrency, full(0.2))

    targets = targets_after(concurrency, *[full(0.31)] * 50)

    assert (targets[39], targets[49]) == (2, 4)


def test_add() -> None:
    """The target is one more than are running, within the limit."""
    concurrency = AdaptiveConcurrency(3)
    targets = []
    for running in (1, 2, 3):
        concurrency.add(running)
        targets.append(concurrency.target)

    assert targets == [2, 3, 3]


CHARACTERS = MAX_BATCH_CHARACTERS // 40
"""Of a body of which a batch has forty."""


@pytest.mark.parametrize(
    ("most", "batches", "sizes"),
    [
        # Requested, received, characters of each body, seconds.
        (200, [(10, 10, 1, 0.0), (20, 12, 1, 0.0), (40, 40, 1, 0.0), (80, 48, 1, 0.0)], [20, 40, 80, 160]),
        (200, [(10, 9, 1, 0.0), (20, 11, 1, 0.0), (80, 31, 1, 0.0), (80, 1, 1, 0.0)], [10, 20, 40, 10]),
        (10, [(10, 10, 1, 0.0)], [10]),
        (200, [(40, 40, CHARACTERS, 0.0), (40, 40, CHARACTERS + 1, 0.0), (10, 10, 40 * CHARACTERS, 0.0)], [40, 30, 10]),
        (200, [(40, 40, 1, 0.5), (40, 40, 1, 0.67), (40, 40, 1, 9.0)], [80, 50, 10]),
    ],
    ids=["backlog", "no backlog", "single calls", "characters", "seconds"],
)
def test_batch_size(most: int, batches: list[tuple[int, int, int, float]], sizes: list[int]) -> None:
    """The next size is twice the last one or what was received, in full calls, and no more than the limits allow."""
    batch = AdaptiveBatch(most, 1.0)
    found = []
    for requested, received, characters, seconds in batches:
        batch.update(requested, received, received * characters, seconds)
        found.append(batch.size)

    assert (found, {type(size) for size in found}) == (sizes, {int})


def test_largest_batch() -> None:
    """Only a batch of the largest size tells of a backlog."""
    batch = AdaptiveBatch(40, 1.0)

    assert batch.size == 10
    assert [batch.update(*given, 1, 0.0) for given in ((20, 20), (40, 40), (40, 23), (40, 24))] == [
        False,
        True,
        False,
        True,
    ]


def test_add_before_the_first_full_round() -> None:
    """The first full round is the baseline, though another receiver was added before: the target grows from there."""
    concurrency = AdaptiveConcurrency(8)
    concurrency.add(1)

    assert targets_after(concurrency, *[full()] * 3) == [3, 4, 5]


rounds = st.builds(
    Round,
    received=st.integers(0, 50),
    full=st.booleans(),
    seconds=st.floats(0, 100),
    throttled=st.floats(0, 1),
    failed=st.booleans(),
)


@given(st.integers(1, 64), st.lists(rounds, max_size=50), st.booleans())
def test_bounds(limit: int, rounds_: list[Round], room: bool) -> None:
    """For all rounds, the target is from 1 to the limit."""
    assert all(
        1 <= target <= limit for target in targets_after(AdaptiveConcurrency(limit), *rounds_, may_grow=lambda: room)
    )


@pytest.mark.parametrize(
    ("batches", "shares"),
    [
        ([(0, 1), (1, 0)], [1.0, 0.0]),
        ([(1, 1)], [0.5]),
        ([(SHARE_WINDOW, 0), (0, 1), (0, 1)], [0.0, 0.01, 0.02]),
        ([(SHARE_WINDOW, 0), (0, SHARE_WINDOW)], [0.0, 1.0]),
        ([(0, SHARE_WINDOW), (SHARE_WINDOW, 0), (0, 1)], [1.0, 0.0, 0.01]),
        ([(198, 2)], [0.01]),
    ],
)
def test_throttled_share(batches: list[tuple[int, int]], shares: list[float]) -> None:
    """The share is that of the latest messages; it is 0 for a batch without throttled messages."""
    share = ThrottledShare()

    assert [share.add(*batch) for batch in batches] == pytest.approx(shares, abs=0.001)


def test_cpu_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """The share is that of the last complete window, and does not change within a window."""
    at = [(100.0, 7.0), (100.0, 7.0), (100.5, 7.25), (100.5 + CPU_WINDOW_SECONDS / 2, 9.0), (101.5, 7.75)]
    moments, spent = iter([now for now, _ in at]), iter([cpu_time for _, cpu_time in at])
    monkeypatch.setattr("router.runtime.run.concurrency.boottime", lambda: next(moments))
    monkeypatch.setattr("time.process_time", lambda: next(spent))
    share = CpuShare()

    assert [share() for _ in range(4)] == [0.0, 0.5, 0.5, 0.5]

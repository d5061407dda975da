"""How many receivers a queue is to have."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.run.concurrency import Pace, Round

EMPTY = Round(seconds=10)
SPARSE = Round(received=4, seconds=0.1)
PARTIAL = Round(received=17, seconds=0.1)
BAD = Round(received=50, full=True, seconds=0.5, well=False)


def full(seconds: float = 0.5) -> Round:
    """A round as full as it can be."""
    return Round(received=50, full=True, seconds=seconds)


def yes() -> bool:
    """There is room for more."""
    return True


def after(pace: Pace, *rounds: Round, may_grow: Callable[[], bool] = yes) -> list[int]:
    """What is wanted after each round."""
    wanted = []
    for made in rounds:
        pace.heed(made, may_grow)
        wanted.append(pace.wanted)
    return wanted


@pytest.mark.parametrize(
    ("rounds", "wanted"),
    [
        ([full()] * 5, [2, 3, 4, 4, 4]),
        ([full()] * 3 + [PARTIAL] * 2, [2, 3, 4, 4, 4]),
        ([full()] * 3 + [SPARSE] * 4, [2, 3, 4, 3, 2, 1, 1]),
        ([full()] * 3 + [EMPTY] * 3, [2, 3, 4, 2, 1, 1]),
        ([full()] * 3 + [BAD] * 3, [2, 3, 4, 2, 1, 1]),
    ],
)
def test_wanted(rounds: list[Round], wanted: list[int]) -> None:
    """One more after each full round, one fewer after a sparse one, half after an empty or bad one; from 1 to most."""
    assert after(Pace(4), *rounds) == wanted


def test_no_room() -> None:
    """Where there is no room for what one more would hold, there is none more."""
    assert after(Pace(4), full(), full(), may_grow=lambda: False) == [1, 1]


def test_crowded() -> None:
    """Where rounds take longer than those of one alone, they get no more; where much longer, fewer, one a round."""
    pace = Pace(64)

    grown = after(pace, *[full(0.5)] * 7)
    crowded = after(pace, *[full(0.8)] * 3)
    overcrowded = after(pace, *[full(2.0)] * 15)

    assert (grown, crowded, overcrowded) == (
        [2, 3, 4, 5, 6, 7, 8],
        [8] * 3,
        [8] * 7 + [7] * 7 + [6],
    )


def test_busy() -> None:
    """A busy process takes no further receivers, and an overworked one has fewer after each has had a round."""
    shares = iter([0.5] * 3 + [0.8] * 4 + [1.0] * 4)
    pace = Pace(8, lambda: next(shares))
    assert after(pace, *[full()] * 11) == [2, 3, 4, *[4] * 4, 4, 4, 4, 3]


def test_more_slowly_after_too_many() -> None:
    """Once there were too many there is one more after each has had a round; at once again when the queue was empty."""
    shares = iter([0.5] * 3 + [1.0] * 4 + [0.5] * 50)
    pace = Pace(8, lambda: next(shares))
    after(pace, *[full()] * 7)

    slowly = after(pace, *[full()] * 12)
    again = after(pace, EMPTY, *[full()] * 3)

    assert (slowly, again) == ([3, 3, 4, *[4] * 3, 5, *[5] * 4, 6], [3, 4, 5, 6])


def test_one_is_never_too_many() -> None:
    """However busy the process is, one receiver stays."""
    assert after(Pace(8, lambda: 1.0), *[full()] * 3) == [1, 1, 1]


def test_slower_for_good() -> None:
    """Where each call takes longer than it used to, one alone is the measure again, and they grow again."""
    pace = Pace(8)
    after(pace, *[full(0.1)] * 7)

    slower = after(pace, *[full(2.0)] * 100)

    assert (1 in slower, slower[-1]) == (True, 8)


def test_shortest_is_forgotten() -> None:
    """One round that was shorter than any other can be does not hold them for ever."""
    pace = Pace(4)
    after(pace, full(0.5), full(0.2))

    assert after(pace, *[full(0.4)] * 500)[-1] == 4


def test_relief() -> None:
    """One more than run are wanted, but no more than the most."""
    pace = Pace(2)
    wanted = []
    for running in (1, 2):
        pace.relieve(running)
        wanted.append(pace.wanted)

    assert wanted == [2, 2]


rounds = st.builds(
    Round,
    received=st.integers(0, 50),
    full=st.booleans(),
    seconds=st.floats(0, 100),
    well=st.booleans(),
)


@given(st.integers(1, 64), st.lists(rounds, max_size=50), st.booleans())
def test_bounds(most: int, made: list[Round], room: bool) -> None:
    """Whatever rounds are like, at least one is wanted, and never more than the most."""
    assert all(1 <= wanted <= most for wanted in after(Pace(most), *made, may_grow=lambda: room))

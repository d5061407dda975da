"""The checker of FIFO histories finds what is wrong, and nothing else."""

import pytest

from tests.faults.fifo_history import Event, FifoHistory, find_violations

SENT = {"g": [0, 1, 2]}


def at(number: int, moment: float, *, confirmed: bool = True) -> Event:
    """Return an event of a message that took one second."""
    return Event("g", number, moment, moment + 1, confirmed)


def all_at(*moments: float) -> list[Event]:
    """Return an event of each message."""
    return [at(number, moment) for number, moment in enumerate(moments)]


R, W, D = all_at(0, 0, 0), all_at(10, 20, 30), all_at(40, 50, 60)
"""Received together, then written, then deleted, in order."""
AGAIN = all_at(33, 33, 33)
RIGHT = {
    "plain": FifoHistory(SENT, R, W, D),
    "redelivered": FifoHistory(SENT, R + AGAIN, W + all_at(34.5, 36, 38), D),
    "a write repeated after a lost response": FifoHistory(SENT, R, [*W, at(1, 15, confirmed=False)], D),
    "a delete repeated after a lost response": FifoHistory(SENT, R, W, [*D, at(1, 45, confirmed=False)]),
    "receives and deletes unknown": FifoHistory(SENT, [], W, []),
}
WRONG = {
    "2 was not written": FifoHistory(SENT, R, W[:2], D[:2]),
    "1 was not written": FifoHistory(SENT, R, [W[0], at(1, 20, confirmed=False), W[2]], D),
    "the write of 2 began before that of 1 was confirmed": FifoHistory(SENT, R, all_at(10, 29.5, 30), D),
    # One worker received the messages and was paused; another one received and wrote them.
    "the write of 0 began after that of 1, without a new receive": FifoHistory(
        SENT, R + all_at(-9, -9, -9), [*W, at(0, 35)], D
    ),
    "the write of 1 began after that of 2, without a new receive": FifoHistory(SENT, R, [*W, at(1, 33), at(2, 35)], D),
    "2 was written, and not received": FifoHistory(SENT, R[:2], W, D),
    "the write of 2 began after its delete": FifoHistory(SENT, [*R, at(2, 62)], [*W, at(2, 70)], D),
    "the delete of 2 began before its write was confirmed": FifoHistory(SENT, R, W, [*D[:2], at(2, 30.5)]),
    "2 was deleted before 1": FifoHistory(SENT, R, W, all_at(40, 70, 60)),
    "1 was deleted before 0": FifoHistory(SENT, R, W, [at(0, 40, confirmed=False), *D[1:]]),
    "the last write is that of 1, not of 2": FifoHistory(SENT, [*R, at(1, 33)], [*W, at(1, 38)], D),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right(name: str) -> None:
    """Messages that are written and deleted in order, repeatedly if they are received again, are well."""
    assert find_violations(RIGHT[name]) == []


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong(sentence: str) -> None:
    """Each thing that must not happen is found."""
    assert f"g: {sentence}" in find_violations(WRONG[sentence])

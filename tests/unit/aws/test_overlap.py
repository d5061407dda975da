"""Several calls at a time, in one thread or in several."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from router.aws.client import Answer, Overlapping
from router.aws.dynamodb import DynamoTables
from router.aws.faults import Fault
from router.aws.http.tables import DirectTables
from router.aws.overlap import CALLS_AT_ONCE, OneThread, Threads
from router.aws.run_lock import Turns

LATE = Answer(fault=Fault("retry", "ReadTimeoutError"))


def answer(job: int) -> Answer:
    return Answer(position=job)


class Wire:
    """Calls that are answered when a test says so: `begun` in order, and `most` of them were under way at a time."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0
        self.ends: dict[int, socket.socket] = {}
        self.answers_at: dict[int, int] = {}
        """A job that is answered only when the other one has begun."""
        self.never: set[int] = set()
        self.refused: set[int] = set()

    def begin(self, job: int) -> "Sent":
        here, there = socket.socketpair()
        self.begun.append(job)
        self.ends[job] = there
        self.most = max(self.most, len(self.begun) - len(self.ended))
        for waiting in [job, *(each for each, other in self.answers_at.items() if other == job)]:
            if waiting not in self.never and self.answers_at.get(waiting, job) == job:
                self.ends[waiting].send(b"x")
        return Sent(self, job, here)

    def close(self) -> None:
        for each in self.ends.values():
            each.close()


class Sent:
    seconds = 0.05

    def __init__(self, wire: Wire, job: int, here: socket.socket) -> None:
        self.wire, self.job, self.here = wire, job, here

    def fileno(self) -> int:
        return -1 if self.job in self.wire.refused else self.here.fileno()

    def finish(self, late: bool = False) -> Answer:
        self.wire.ended.append(self.job)
        self.here.close()
        return LATE if late or self.job in self.wire.never else answer(self.job)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def never() -> float:
    return float("inf")


def test_each_job_has_its_answer(wire: Wire) -> None:
    """Many more jobs than may be under way: each is answered, in its place, and no more were under way than may."""
    jobs = range(5 * CALLS_AT_ONCE)
    answers = OneThread(wire.begin).make(jobs, never)
    assert (answers, wire.most) == ([answer(job) for job in jobs], CALLS_AT_ONCE)


def test_a_slow_one_holds_up_no_other(wire: Wire) -> None:
    """One that is answered only after the last has begun is ended last, and the others do not wait for it."""
    last = 3 * CALLS_AT_ONCE - 1
    wire.answers_at[0] = last
    answers = OneThread(wire.begin).make(range(last + 1), never)
    assert answers == [answer(job) for job in range(last + 1)]
    assert wire.ended.index(0) > last - CALLS_AT_ONCE


def test_one_that_never_answers_is_late(wire: Wire) -> None:
    """It is given up after its seconds, and the others are answered."""
    wire.never = {1}
    assert OneThread(wire.begin).make(range(3), never) == [answer(0), LATE, answer(2)]


def test_not_sent(wire: Wire) -> None:
    """One that cannot even be sent is answered at once."""
    wire.refused = {0, 2}
    assert OneThread(wire.begin).make(range(4), never) == [answer(job) for job in range(4)]


@pytest.mark.parametrize("overlap", ["one thread", "threads"])
def test_nothing_begins_after_the_deadline(wire: Wire, overlap: str) -> None:
    """What began before it is answered; what is left has no answer."""
    time_ = iter(range(1000))

    def clock() -> float:
        return next(time_)

    calls: Any = OneThread(wire.begin, clock) if overlap == "one thread" else Threads(answer, clock)
    assert (calls.make([0], lambda: 5), calls.make([1, 2], lambda: 0)) == ([answer(0)], [None, None])


def test_call_seconds(wire: Wire) -> None:
    """The longest call of late is remembered, and forgotten little by little."""
    times = iter([0.0, 10.0, 20.0, 21.0])
    calls: OneThread[int] = OneThread(wire.begin, lambda: next(times))
    calls.make([0], never)
    first = calls.call_seconds
    calls.make([1], never)
    assert (first, calls.call_seconds) == (10.0, 9.5)


def test_threads() -> None:
    """Calls that end with their answer overlap in threads: all of these wait for each other."""
    together = threading.Barrier(CALLS_AT_ONCE)

    def call(job: int) -> Answer:
        together.wait(10)
        return answer(job)

    jobs = range(2 * CALLS_AT_ONCE)
    assert Threads(call).make(jobs, never) == [answer(job) for job in jobs]


def test_which_overlap() -> None:
    """The router's own client overlaps in one thread; boto3's cannot."""
    client: Any = None
    assert isinstance(DirectTables(client), Overlapping)
    boto3: Any = type("Client", (), {"put_item": 0, "update_item": 0, "delete_item": 0})
    assert not isinstance(DynamoTables(boto3), Overlapping)


def test_turn_is_handed_over(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """While calls wait for their answers another thread has its turn."""
    monkeypatch.setattr("router.aws.run_lock.PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(Sent, "seconds", 5.0)
    wire.answers_at = {1: 3, 2: 3}
    turns = Turns()

    def work() -> None:
        with turns:
            for job in (1, 2):
                wire.ends[job].send(b"x")

    with turns:
        other = threading.Thread(target=work)
        other.start()
        answers = OneThread(wire.begin).make([1, 2], lambda: float("inf"))
    other.join(5)

    assert answers == [answer(1), answer(2)]

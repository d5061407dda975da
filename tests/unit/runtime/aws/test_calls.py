"""Several calls at a time, in one thread or in several, none of which starts too late."""

import queue
import socket
import threading
import time
from collections.abc import Iterator
from operator import methodcaller
from select import POLLIN, POLLOUT
from typing import Any

import pytest
from msgspec import Struct

from router.runtime.aws.boto import DynamoTables
from router.runtime.aws.calls import (
    CONCURRENT_CALLS,
    MOST_CALLS,
    PolledCalls,
    ThreadedCalls,
    boottime,
    overlap,
    result_of_write,
    run_within,
)
from router.runtime.aws.http.tables import DirectTables
from router.runtime.aws.protocols import AwsFault, NonBlockingTables, WriteResponse
from tests.support.run import RunLock

SECONDS = 60.0
"""No busy machine delays anything here so much."""
LATE = WriteResponse(fault=AwsFault("retry", "ReadTimeoutError"))


def answer(job: int, timeout: float = 0) -> WriteResponse:
    return WriteResponse(position=job)


class Wire:
    """Calls with scripted responses: `begun` in order; `most` of them were under way at a time."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0
        self.ends: dict[int, socket.socket] = {}
        self.answers_at: dict[int, int] = {}
        """By job, the other job that must have begun before its response comes."""
        self.never: set[int] = set()
        self.refused: set[int] = set()
        self.instead: dict[int, WriteResponse] = {}
        self.slow = False
        """Responses come only once no further call begins, although there is always something to read."""
        self.seconds = SECONDS
        """How long a response may take."""

    def begin(self, job: int, timeout: float) -> "Sent":
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
    events = POLLIN

    def __init__(self, wire: Wire, job: int, here: socket.socket) -> None:
        self.wire, self.job, self.here = wire, job, here
        self.seconds = wire.seconds
        self.begun = 0

    def arrived(self) -> bool:
        waits, self.begun = self.begun == len(self.wire.begun), len(self.wire.begun)
        return waits or not self.wire.slow

    def fileno(self) -> int:
        return -1 if self.job in self.wire.refused else self.here.fileno()

    def finish(self, late: bool = False) -> WriteResponse:
        self.wire.ended.append(self.job)
        self.here.close()
        if late or self.job in self.wire.never:
            return LATE
        return self.wire.instead.get(self.job, answer(self.job))


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


class Until(Struct):
    """Calls start until a moment, and may take as long."""

    moment: float

    def timeout(self, now: float) -> float:
        return self.moment - now


NO_LIMIT = Until(float("inf"))


def test_each_job_has_its_answer(wire: Wire) -> None:
    """Each of many jobs has its response, in its place; the limit of concurrent calls holds."""
    jobs = range(5 * CONCURRENT_CALLS)
    wire.slow = True
    answers = PolledCalls(wire.begin, result_of_write).make(jobs, NO_LIMIT)
    assert (answers, wire.most) == ([answer(job) for job in jobs], CONCURRENT_CALLS)


THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException"))
LEFT = WriteResponse([{"PutRequest": {"Item": {}}}])


@pytest.mark.parametrize(
    ("response", "most"),
    [(None, [20, 20, 20, 20, 20]), (THROTTLED, [20, 8, 8, 16, 20]), (LEFT, [20, 8, 8, 16, 20])],
)
def test_a_table_at_its_capacity_has_few_calls_at_a_time(wire: Wire, response: Any, most: Any) -> None:
    """They are at their bound at first, and after a throttled call double with each batch that has use for more."""
    calls = PolledCalls(wire.begin, result_of_write, lambda: 1.0, 20)
    wire.slow = True

    found = []
    for number, count in enumerate([30, 8, 30, 30, 30]):
        wire.most, wire.begun, wire.ended = 0, [], []
        jobs = range(30 * number, 30 * number + count)
        wire.instead = {jobs[3]: response} if number == 0 and response else {}
        calls.make(jobs, NO_LIMIT)
        found.append(wire.most)

    assert found == [min(each, 8) if number == 1 else each for number, each in enumerate(most)]


def test_after_a_throttled_call_a_batch_goes_on_with_few(wire: Wire) -> None:
    """The calls that are under way end, and from then on there are no more than CONCURRENT_CALLS."""
    wire.slow, wire.instead = True, {0: THROTTLED}
    begun: list[int] = []

    def begin(job: int, timeout: float) -> Sent:
        begun.append(len(wire.begun) - len(wire.ended))
        return wire.begin(job, timeout)

    PolledCalls(begin, result_of_write, lambda: 1.0, 20).make(range(60), NO_LIMIT)

    assert begun == [*range(20), *([*range(8)] * 5)]


@pytest.mark.parametrize(
    ("response", "rounds"),
    [(None, [40, 120, 40, 120]), (WriteResponse(fault=AwsFault("retry", "InternalServerError")), [40] * 8)],
)
def test_a_table_that_accepts_calls_has_more_at_a_time(wire: Wire, response: Any, rounds: list[int]) -> None:
    """Two more with each that has succeeded; later batches begin with as many."""
    wire.slow = True
    wire.instead = dict.fromkeys(range(320), response) if response else {}
    begun: list[int] = []

    def begin(job: int, timeout: float) -> Sent:
        begun.append(len(wire.begun) - len(wire.ended))
        return wire.begin(job, timeout)

    calls = PolledCalls(begin, result_of_write, lambda: 1.0, 160)
    calls.make(range(200), NO_LIMIT)
    calls.make(range(200, 320), NO_LIMIT)

    assert begun == [number for count in rounds for number in range(count)]


@pytest.mark.parametrize(
    ("throttled", "rounds"), [(None, [40, 120, 146]), (0, [40] + [8] * 33 + [2]), (40, [40, 120] + [8] * 18 + [2])]
)
def test_the_largest_event_takes_three_rounds(wire: Wire, throttled: int | None, rounds: list[int]) -> None:
    """A table that throttles in one of them is then met by few calls at a time."""
    wire.slow = True
    wire.instead = {} if throttled is None else {throttled: THROTTLED}
    begun: list[int] = []

    def begin(job: int, timeout: float) -> Sent:
        begun.append(len(wire.begun) - len(wire.ended))
        return wire.begin(job, timeout)

    PolledCalls(begin, result_of_write, lambda: 1.0, MOST_CALLS).make(range(306), NO_LIMIT)

    assert begun == [number for count in rounds for number in range(count)]


def test_a_response_frees_its_connection_before_another_is_opened(wire: Wire) -> None:
    """Calls that are answered at once need one connection, however many may be under way."""
    jobs = range(3 * CONCURRENT_CALLS)
    answers = PolledCalls(wire.begin, result_of_write, most=40).make(jobs, NO_LIMIT)
    assert (answers, wire.most) == ([answer(job) for job in jobs], 1)


class Connecting:
    """A call whose connection is opened in two steps, writable before it is readable; `steps` keeps what was polled."""

    def __init__(self, steps: list[int], fails: bool) -> None:
        self.here, self.there = socket.socketpair()
        self.seconds = SECONDS
        self.events = POLLOUT
        self._steps = steps
        self._fails = fails

    def fileno(self) -> int:
        return self.here.fileno()

    def arrived(self) -> bool:
        self._steps.append(self.events)
        if self.events == POLLIN or self._fails:
            return True
        self.events = POLLIN
        self.there.send(b"x")
        return False

    def finish(self, late: bool = False) -> WriteResponse:
        self.here.close()
        self.there.close()
        return LATE if self._fails else answer(0)


@pytest.mark.parametrize(
    ("fails", "polled", "response"), [(False, [POLLOUT, POLLIN], answer(0)), (True, [POLLOUT], LATE)]
)
def test_connections_are_opened_while_others_are_waited_for(
    wire: Wire, fails: bool, polled: list[int], response: WriteResponse
) -> None:
    """A connection goes on to open when it is ready for what it polls for; one that cannot be opened ends its call."""
    steps: list[int] = []
    wire.answers_at = {1: 2}

    def begin(job: int, timeout: float) -> Any:
        return wire.begin(job, timeout) if job else Connecting(steps, fails)

    assert PolledCalls(begin, result_of_write).make(range(3), NO_LIMIT) == [response, answer(1), answer(2)]
    assert steps == polled


def test_a_slow_one_holds_up_no_other(wire: Wire) -> None:
    """A call whose response comes after the last has begun is read last; the others do not wait for it."""
    last = 3 * CONCURRENT_CALLS - 1
    wire.answers_at[0] = last
    answers = PolledCalls(wire.begin, result_of_write).make(range(last + 1), NO_LIMIT)
    assert answers == [answer(job) for job in range(last + 1)]
    assert wire.ended.index(0) > last - CONCURRENT_CALLS


def test_one_that_never_answers_is_late(wire: Wire) -> None:
    """It times out, and the others have their responses."""
    wire.never, wire.seconds = {1}, 0.05
    assert PolledCalls(wire.begin, result_of_write).make(range(3), NO_LIMIT) == [answer(0), LATE, answer(2)]


class Moving:
    """A call that is sent once more over another connection, when there is something to read over the first."""

    events = POLLIN
    seconds = SECONDS

    def __init__(self) -> None:
        self.ends = [socket.socketpair() for _ in range(2)]
        self.ends[0][1].send(b"x")

    def fileno(self) -> int:
        return self.ends[0][0].fileno()

    def arrived(self) -> bool:
        if len(self.ends) == 1:
            return True
        for end in self.ends.pop(0):
            end.close()
        self.ends[0][1].send(b"x")
        return False

    def finish(self, late: bool = False) -> WriteResponse:
        for end in self.ends[0]:
            end.close()
        return LATE if late else answer(0)


def test_a_call_that_goes_on_over_another_connection(wire: Wire) -> None:
    """It is polled there, and the others where they were."""
    wire.answers_at = {1: 2}

    def begin(job: int, timeout: float) -> Any:
        return wire.begin(job, timeout) if job else Moving()

    assert PolledCalls(begin, result_of_write).make(range(3), NO_LIMIT) == [answer(job) for job in range(3)]


def test_each_call_is_late_at_its_own_time(wire: Wire) -> None:
    """Also while one that began before it has more time."""
    wire.never = {1}
    wire.answers_at = {0: 3}

    class WithOwnTime(Sent):
        def finish(self, late: bool = False) -> WriteResponse:
            if self.job == 1:
                wire.ends[0].send(b"x")
            return super().finish(late)

    def begin(job: int, timeout: float) -> Sent:
        sent = wire.begin(job, timeout)
        found = WithOwnTime(wire, job, sent.here)
        found.seconds = 0.05 if job == 1 else SECONDS
        return found

    assert PolledCalls(begin, result_of_write).make(range(3), NO_LIMIT) == [answer(0), LATE, answer(2)]


def test_not_sent(wire: Wire) -> None:
    """A call that cannot be sent has its response at once."""
    wire.refused = {0, 2}
    assert PolledCalls(wire.begin, result_of_write).make(range(4), NO_LIMIT) == [answer(job) for job in range(4)]


@pytest.mark.parametrize("overlap", ["one thread", "threads"])
def test_nothing_begins_after_the_deadline(wire: Wire, overlap: str) -> None:
    """Calls that began before it have responses; the others have none."""
    time_ = iter(range(1000))

    def clock() -> float:
        return next(time_)

    calls: Any = (
        PolledCalls(wire.begin, result_of_write, clock) if overlap == "one thread" else ThreadedCalls(answer, clock)
    )
    assert (calls.make([0], Until(5)), calls.make([1, 2], Until(0))) == ([answer(0)], [None, None])


def test_call_seconds(wire: Wire) -> None:
    """The longest recent duration is kept, and decays."""
    times = iter([0.0, 10.0, 20.0, 21.0])
    calls: PolledCalls[int, WriteResponse] = PolledCalls(wire.begin, result_of_write, lambda: next(times))
    calls.make([0], NO_LIMIT)
    first = calls.duration.seconds
    calls.make([1], NO_LIMIT)
    assert (first, calls.duration.seconds) == (10.0, 9.5)


def test_threads() -> None:
    """Blocking calls overlap in threads: all of these wait for each other."""
    together = threading.Barrier(CONCURRENT_CALLS)

    def call(job: int, timeout: float) -> WriteResponse:
        together.wait(SECONDS)
        return answer(job)

    jobs = range(2 * CONCURRENT_CALLS)
    assert ThreadedCalls(call).make(jobs, NO_LIMIT) == [answer(job) for job in jobs]


def test_non_blocking_tables() -> None:
    """The router's own client overlaps in one thread; boto3's cannot."""
    client: Any = None
    assert isinstance(DirectTables(client), NonBlockingTables)
    boto3: Any = type("Client", (), {"put_item": 0, "update_item": 0, "delete_item": 0})
    assert not isinstance(DynamoTables(boto3), NonBlockingTables)


def test_lock_is_released(wire: Wire) -> None:
    """While calls wait for their responses another thread runs."""
    wire.answers_at = {1: 3, 2: 3}
    lock = RunLock(methodcaller("acquire")).group()

    def work() -> None:
        with lock:
            for job in (1, 2):
                wire.ends[job].send(b"x")

    with lock:
        other = threading.Thread(target=work)
        other.start()
        answers = PolledCalls(wire.begin, result_of_write).make([1, 2], NO_LIMIT)
    other.join(SECONDS)

    assert answers == [answer(1), answer(2)]


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has this clock")
def test_clock_counts_suspended_time() -> None:
    """Deadlines are by a clock that goes on while the machine is suspended, as visibility timeouts do."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)

    assert before <= boottime() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_time_of_each_call(wire: Wire) -> None:
    """Each call that starts may take the time that is left then."""
    clock, timeouts = iter([10.0, 12.0, *[13.0] * 9]), list[float]()
    wire.slow = True

    def begin(job: int, timeout: float) -> Sent:
        timeouts.append(timeout)
        return wire.begin(job, timeout)

    PolledCalls(begin, result_of_write, lambda: next(clock)).make([1, 2], Until(20.0))

    assert timeouts == [10.0, 8.0]


def test_within() -> None:
    """What the function returns or raises."""
    assert run_within(SECONDS, lambda: 1) == 1
    with pytest.raises(ValueError, match=r"^such$"):
        run_within(SECONDS, _raise)


def _raise() -> None:
    raise ValueError("such")


def test_within_too_long() -> None:
    """After the time the caller goes on; the result is discarded when it comes."""
    go_on, discarded = threading.Event(), queue.SimpleQueue[str]()

    def late() -> str:
        go_on.wait(SECONDS)
        return "late"

    with pytest.raises(TimeoutError):
        run_within(0.01, late, discarded.put)
    go_on.set()

    assert discarded.get(timeout=SECONDS) == "late"


def test_overlap() -> None:
    """Calls overlap in as many threads as are given, no more, and their results are in the order of the jobs."""
    together = threading.Barrier(3)
    threads: set[int] = set()

    def double(job: int) -> int:
        threads.add(threading.get_ident())
        together.wait(SECONDS)
        return 2 * job

    assert (overlap(double, range(6), 3), len(threads), overlap(double, (), 3)) == ([0, 2, 4, 6, 8, 10], 3, [])


def test_error_of_overlapping_calls() -> None:
    """The first job's error is raised, though another one failed before, and a call that hangs is not waited for."""
    failed, hung = threading.Event(), threading.Event()
    all_begun = threading.Barrier(3)
    begun: list[int] = []

    def call(job: int) -> None:
        begun.append(job)
        all_begun.wait(SECONDS)
        if job == 2:
            hung.wait(SECONDS)
            return
        if job == 0:
            failed.wait(SECONDS)
        failed.set()
        raise ValueError(f"job {job}")

    with pytest.raises(ValueError, match=r"^job 0$"):
        overlap(call, range(3), 3)
    waited = hung.is_set()
    hung.set()

    assert (sorted(begun), waited) == ([0, 1, 2], False)

"""Calls that overlap, each started only if it can end before a deadline.

Calls overlap in one thread if the client can send now and read later, else in several threads.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from select import poll
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from router.runtime.aws.protocols import AwsFault, PendingResponse, WriteResponse

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    # A start does without them: a protocol costs as much as two classes.
    class ThreadLock(Protocol):
        """A lock that a thread holds while it runs, such as the run lock of a worker."""

        def acquire(self) -> None:
            """Wait for it."""

        def release(self) -> None:
            """Let another thread run."""

    class Limit(Protocol):
        """Until when calls may start, and how long each may take."""

        @property
        def moment(self) -> float:
            """The moment, by the clock, from which on no call may start."""

        def timeout(self, now: float) -> float:
            """Return how many seconds a call may take that starts now."""


CONCURRENT_CALLS = 8
"""The most calls that are under way at a time, unless there may be more while no service throttles."""
UNTRIED_CALLS = 40
"""The most that are under way at first, if there may be more: each successful call then allows GROWTH more."""
GROWTH = 2
"""With 2, the writes of Lambda's largest event take three rounds instead of four: of 40, 120 and 146 calls."""
MOST_CALLS = 160
"""The most under way at a time: half of the writes of Lambda's largest event, whose wall time is billed."""
EXIT_COPY = 70
"""The exit code of a copy of the process, by a plugin that forked."""
IDLE_SECONDS = 15
"""A connection that was idle for longer is not reused: AWS closes those after 20 seconds or so, and a request on one
that is closed meanwhile is lost."""

Clock = Callable[[], float]
"""Seconds, growing: `boottime`, or a test's."""
Sleep = Callable[[float], None]
"""Waits so many seconds."""
boottime: Clock = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""The time since the machine was started, its suspensions included: visibility timeouts end during them too.

Linux's monotonic clock does not count them, that of macOS does. All deadlines are by this clock.
"""
CallResult = Literal["succeeded", "throttled", "failed"]
"""What a response means for how many calls may be under way: "failed" is for another reason than many calls."""
Job = TypeVar("Job")
R = TypeVar("R")
T = TypeVar("T")


class CallTimeout(Struct, frozen=True):
    """How long a call may wait.

    `seconds` limits each wait, until the server takes more of the request or more of the response comes, and the whole
    response unless it is large. `until`, a moment of `boottime`, limits the whole call.
    """

    seconds: float
    until: float = float("inf")

    def left(self) -> float:
        """Return how many seconds a wait that starts now may take."""
        left = self.until - boottime()
        return self.seconds if left > self.seconds else max(0.0, left)


class _Blocking(threading.local):
    """A context that releases the thread's lock, if it has one, while the thread blocks.

    A thread-local, since it is used deep in the HTTP client, which has no other way to know its caller.
    """

    lock: "ThreadLock | None" = None

    def __enter__(self) -> None:
        if self.lock is not None:
            self.lock.release()

    def __exit__(self, *error: object) -> None:
        if self.lock is not None:
            self.lock.acquire()


blocking = _Blocking()
"""That of the current thread."""


class Duration:
    """How long calls of one kind take."""

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0
        """The longest recent duration; each later call reduces it by 5 %."""

    def add(self, seconds: float) -> None:
        """Add the duration of a call."""
        self.seconds = max(seconds, self.seconds * 0.95)


class ConcurrencyWindow:
    """How many calls of a batch may be under way at a time: `calls`, at most `most`."""

    __slots__ = ("_count", "_most", "_throttled", "calls")

    def __init__(self, calls: int, most: int, count: int) -> None:
        """`count` is how many calls the batch has."""
        self.calls = calls
        self._most = most
        self._count = count
        self._throttled = False

    def note(self, result: CallResult) -> None:
        """Allow fewer calls once a service throttles, and more while they succeed and more are left."""
        if result == "throttled":
            self.calls, self._throttled = CONCURRENT_CALLS, True
        elif result == "succeeded" and UNTRIED_CALLS <= self.calls < min(self._most, self._count):
            self.calls = min(self.calls + GROWTH, self._most, self._count)

    def for_next_batch(self) -> int:
        """Return with how many calls the next batch begins."""
        if self._throttled or self._count <= self.calls or self.calls >= UNTRIED_CALLS:
            return self.calls
        return min(self._most, UNTRIED_CALLS, 2 * self.calls)


def result_of(fault: AwsFault | None) -> CallResult:
    """Return the result of a call with this fault; None is a success."""
    if fault is None:
        return "succeeded"
    return "throttled" if fault.is_throttling else "failed"


def result_of_write(response: WriteResponse) -> CallResult:
    """Return the result of a write. A table that leaves a part of a batch unprocessed is at its capacity, too."""
    if response.fault is None:
        return "throttled" if response.unprocessed else "succeeded"
    return "throttled" if response.is_throttled else "failed"


class CallUnderWay(Struct, Generic[R]):
    """A call that has begun: its number among the calls of its batch, and when it began."""

    number: int
    pending: PendingResponse[R]
    began: float

    @property
    def due(self) -> float:
        """The moment from which on it is late."""
        return self.began + self.pending.seconds


class CallsUnderWay(Generic[R]):
    """The calls of a batch that are under way: each goes on when its connection is ready, and holds up no other."""

    def __init__(self, clock: Clock = boottime) -> None:
        self._calls: dict[int, CallUnderWay[R]] = {}
        """By file descriptor."""
        self._clock = clock
        self._due = float("inf")
        """No call is late before this moment. A call that makes progress has more time."""
        self._new: list[CallUnderWay[R]] = []
        """The calls that `_due` knows nothing of."""
        self._poller = poll()

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[CallUnderWay[R]]:
        return iter(self._calls.values())

    @property
    def last_descriptor(self) -> int:
        """The file descriptor of the call that began last; -1 if there is none."""
        return next(reversed(self._calls), -1)

    def add(self, call: CallUnderWay[R]) -> bool:
        """Add a call; return False if there is nothing to wait for."""
        descriptor = call.pending.fileno()
        if descriptor < 0:
            return False
        self._poller.register(descriptor, call.pending.events)
        self._calls[descriptor] = call
        self._new.append(call)
        return True

    def advance(self, seconds: float = 0.0) -> list[CallUnderWay[R]]:
        """Wait until a connection is ready, for some seconds; let the calls go on whose connections are.

        Return, and remove, those that have ended.
        """
        if seconds:
            with blocking:
                ready = self._poller.poll(seconds * 1000)
        else:
            ready = self._poller.poll(0)
        ended = []
        for descriptor, _ in ready:
            call = self._calls[descriptor]
            if call.pending.arrived():
                self._remove(descriptor)
                ended.append(call)
            elif call.pending.fileno() == descriptor:
                self._poller.register(descriptor, call.pending.events)
            else:
                # It has another connection: the address is known now, or it is sent once more.
                self._remove(descriptor)
                self.add(call)
        return ended

    def wait(self) -> list[tuple[CallUnderWay[R], bool]]:
        """Wait until a call goes on or is late.

        Return, and remove, those that have ended or are late, and whether they are late. There may be none.
        """
        ended = self.advance()
        if not ended:
            now = self._clock()
            self._due = min([self._due, *[call.due for call in self._new]])
            self._new = []
            if now >= self._due:
                return [(call, True) for call in self._remove_late(now)]
            ended = self.advance(self._due - now)
        return [(call, False) for call in ended]

    def _remove_late(self, now: float) -> list[CallUnderWay[R]]:
        late = {descriptor: call for descriptor, call in self._calls.items() if call.due <= now}
        for descriptor in late:
            self._remove(descriptor)
        self._due = min([call.due for call in self], default=float("inf"))
        return [*late.values()]

    def _remove(self, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        del self._calls[descriptor]


class PolledCalls(Generic[Job, R]):
    """Sends calls one after another and reads each response as it comes; safe to use from several threads.

    A response that has come is read before the next call begins: its connection is free then, so that a new one is
    opened only while there is nothing to do but wait.

    At most `most` calls are under way at a time: UNTRIED_CALLS at first, and GROWTH more with each call that succeeds.
    Once a service throttles, it is CONCURRENT_CALLS. Each later `make` that has use for more, and is not throttled,
    doubles that again.
    """

    def __init__(
        self,
        begin: Callable[[Job, float], PendingResponse[R]],
        result: Callable[[R], CallResult],
        clock: Clock = boottime,
        most: int = CONCURRENT_CALLS,
    ) -> None:
        """`begin` sends a call, with its time-out in seconds."""
        self._begin = begin
        self._result = result
        self._clock = clock
        self._most = most
        self._allowed = min(most, UNTRIED_CALLS)
        self.duration = Duration()

    def make(self, jobs: Sequence[Job], limit: "Limit") -> list[R | None]:
        """Return the response to each call; None where it was too late to start it."""
        allowed = ConcurrencyWindow(self._allowed, self._most, len(jobs))
        responses: list[R | None] = [None] * len(jobs)
        under_way: CallsUnderWay[R] = CallsUnderWay(self._clock)
        left: Iterator[tuple[int, Job | None]] = iter(enumerate(jobs))
        while True:
            arrived: list[CallUnderWay[R]] = []
            while len(under_way) < allowed.calls and not arrived:
                number, job = next(left, (-1, None))
                if job is None:
                    break
                began = self._clock()
                if began >= limit.moment:
                    left = iter(())
                    break
                pending = self._begin(job, limit.timeout(began))
                if not under_way.add(CallUnderWay(number, pending, began)):
                    responses[number] = pending.finish()
                elif number + 1 < len(jobs):
                    arrived = under_way.advance()
            if not under_way and not arrived:
                self._allowed = allowed.for_next_batch()
                return responses
            for call, late in [(each, False) for each in arrived] or under_way.wait():
                response = responses[call.number] = call.pending.finish(late)
                allowed.note(self._result(response))
                self.duration.add(self._clock() - call.began)


class ThreadedCalls(Generic[Job, R]):
    """Makes each call in a thread, for clients whose calls block; a single one in the caller's own thread."""

    def __init__(self, call: Callable[[Job, float], R], clock: Clock = boottime) -> None:
        """`call` makes a call, with its time-out in seconds."""
        self._call = call
        self._clock = clock
        self.duration = Duration()

    def make(self, jobs: Sequence[Job], limit: "Limit") -> list[R | None]:
        """Return the response to each call; None where it was too late to start it."""

        def call(job: Job) -> R | None:
            began = self._clock()
            if began >= limit.moment:
                return None
            response = self._call(job, limit.timeout(began))
            self.duration.add(self._clock() - began)
            return response

        return [call(jobs[0])] if len(jobs) == 1 else list(self._pool.map(call, jobs))

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # a cold start does without it

        return ThreadPoolExecutor(CONCURRENT_CALLS, "write")


def end_copy(process: int) -> None:
    """End this process if it is not `process`, but a copy of it: a plugin has forked, and returned in both.

    Both would deliver the same messages, and read each other's responses from the connections that they share.
    """
    if os.getpid() != process:
        os._exit(EXIT_COPY)


class NoThreadError(OSError):
    """The system has no further thread for this process."""


def start_thread(thread: threading.Thread) -> None:
    """Start a thread; raises NoThreadError."""
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThreadError(str(error)) from None


def run_within(
    seconds: float, function: Callable[[], T], discard: Callable[[T], object] = lambda result: None
) -> T:
    """Return the result of a function that blocks, run in a thread of its own.

    Raises TimeoutError after `seconds`, and NoThreadError if there is no thread for it.

    After a time-out, the thread goes on until the function ends by itself; its result is given to `discard`. The thread
    does not keep the process alive.
    """
    results: list[T] = []
    errors: list[BaseException] = []
    late = False
    lock = threading.Lock()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # raised in the thread that waits
            errors.append(error)
            return
        with lock:
            if not late:
                results.append(result)
                return
        discard(result)

    thread = threading.Thread(target=run, name="within", daemon=True)
    start_thread(thread)
    with blocking:
        thread.join(max(0.0, min(seconds, threading.TIMEOUT_MAX)))
    with lock:
        late = not results
    if results:
        return results[0]
    raise errors[0] if errors else TimeoutError


def overlap(function: Callable[[Job], T], jobs: Iterable[Job], threads: int) -> list[T]:
    """Return the results of a function that blocks, called for each job in some threads; raises the first job's error.

    After an error, no further call begins. Those under way go on until they end by themselves, without keeping the
    process alive.
    """
    from concurrent.futures import Future  # a cold start does without it

    calls: list[tuple[Job, Future[T]]] = [(job, Future()) for job in jobs]
    left = deque(calls)

    def run() -> None:
        while True:
            try:
                job, future = left.popleft()
            except IndexError:
                return
            try:
                future.set_result(function(job))
            except BaseException as error:  # raised in the thread that waits
                future.set_exception(error)

    for _ in range(min(threads, len(calls))):
        threading.Thread(target=run, name="overlap", daemon=True).start()
    try:
        return [future.result() for _, future in calls]
    finally:
        left.clear()

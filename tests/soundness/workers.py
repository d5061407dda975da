"""Runs tasks in processes of their own, each within a time and an amount of memory, and says which did not end."""

import logging
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any, Generic, TypeVar

from msgspec import Struct

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
MAX_BYTES = 3 * 1024**3
"""The address space of a process: what takes more is ended, instead of the machine."""
_TIMEOUT_FACTOR = 20
"""How many times the processor time of a task it may last: on a busy machine, others take the processor."""


class Ended(Struct, frozen=True):
    """A task that did not end as it should: `timeout`, `processor time`, or `crash` with the exit code or exception."""

    reason: str


class _Worker:
    """A process that performs up to `most` tasks."""

    def __init__(self, perform: Callable[[Any], Any], seconds: float, most: int) -> None:
        # Each process starts as a copy of a small server, not of this one, which has threads and has grown.
        context = get_context("forkserver")
        context.set_forkserver_preload(["tests.soundness.jobs"])
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(perform, theirs, seconds), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()  # it has started: that does not count as time of a task
        self.seconds = seconds
        self.left = most
        self.task: Any = None
        self.deadline = 0.0

    def start(self, task: Any) -> None:
        self.task, self.deadline, self.left = task, monotonic() + _TIMEOUT_FACTOR * self.seconds, self.left - 1
        self.connection.send(task)

    def take(self) -> Any:
        """Return the result of the task."""
        with suppress(EOFError, OSError):
            return self.connection.recv()
        self.process.join(5)
        self.left = 0
        code = self.process.exitcode
        return Ended("processor time" if code == -signal.SIGPROF else f"crash: exit code {code}")

    def close(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


def _serve(perform: Callable[[Any], Any], tasks: Connection, seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    logging.disable(logging.CRITICAL)
    tasks.send(None)
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            task = tasks.recv()
            signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends the process, also within the library
            try:
                result = perform(task)
            except Exception as error:
                result = Ended(f"crash: {type(error).__name__}: {error}")
            signal.setitimer(signal.ITIMER_PROF, 0)
            tasks.send(result)


class Pool(Generic[TaskT, ResultT]):
    """Performs tasks in `jobs` processes, each of which ends after `most` tasks.

    A task may take `seconds` of processor time, whatever else the machine does.
    """

    def __init__(self, perform: Callable[[TaskT], ResultT], jobs: int, seconds: float, most: int) -> None:
        self._perform = perform
        self._jobs = jobs
        self._seconds = seconds
        self._most = most

    def run(self, tasks: Iterable[TaskT], until: float) -> Iterator[tuple[TaskT, ResultT | Ended]]:
        """Yield each task with its result as it ends; start none after `until`, a time of `monotonic`."""
        waiting = iter(tasks)
        idle: list[_Worker] = []
        busy: dict[Connection, _Worker] = {}
        try:
            while True:
                while len(busy) < self._jobs and monotonic() < until and (task := next(waiting, None)) is not None:
                    worker = idle.pop() if idle else _Worker(self._perform, self._seconds, self._most)
                    worker.start(task)
                    busy[worker.connection] = worker
                if not busy:
                    return
                soonest = min(worker.deadline for worker in busy.values())
                ready = wait(list(busy), max(0.0, soonest - monotonic()))
                ended = [each for each in busy if each in ready or busy[each].deadline <= monotonic()]
                for connection in ended:
                    worker = busy.pop(connection)
                    result = worker.take() if connection in ready else Ended("timeout")
                    if worker.left and connection in ready:
                        idle.append(worker)
                    else:
                        worker.close()
                    yield worker.task, result
        finally:
            for worker in (*idle, *busy.values()):
                worker.close()

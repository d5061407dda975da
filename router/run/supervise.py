"""Runs a crew until a signal ends it: SIGTERM and SIGINT stop, SIGHUP loads the config again."""

import gc
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType

from msgspec import Struct

from router.aws.client import Aws, connect
from router.aws.faults import Fault
from router.aws.overlap import CALLS_AT_ONCE
from router.deliver.log import LOGGER
from router.engine.engine import CompiledQueue
from router.errors import ConfigError, RouterError, UsageError
from router.program.load import Program, load_program
from router.program.local_names import with_bare_names
from router.run.control import Control
from router.run.http import serve
from router.run.leases import Held
from router.run.limits import allow_files
from router.run.prometheus import Counters
from router.run.receiver import HAND_MESSAGES, MAX_MESSAGES, Polled
from router.run.receiver_pool import Crew
from router.run.state import State, is_alive, is_ready

LOOK_SECONDS = 0.5
COLLECT_AFTER = 20_000
"""Objects that were made and are still there, before the garbage collector looks at the youngest: Python has 700."""
FILES_OF_A_RECEIVER = HAND_MESSAGES // MAX_MESSAGES + CALLS_AT_ONCE
"""Connections: of receives, which deletes use again, and of writes."""
OTHER_FILES = 200
"""What else is open: the log, plugins, who asks for health and metrics."""
RELEASE_SECONDS = 2.0
"""What is kept of the grace period for showing unfinished messages to others again."""


class WorkerOptions(Struct, frozen=True):
    """How a worker runs: `queues` by name, all if empty; `receivers` of each at most; `wait` and `grace` in seconds.

    `listen` is HOST:PORT for health and metrics, or "". With `bare_names`, queues and tables go by name alone.
    `control` is the file descriptor of the line to the process that started this one of several, if there is one.
    """

    config: Path
    queues: tuple[str, ...] = ()
    receivers: int = 32
    wait: int = 10
    grace: int = 20
    listen: str = ""
    bare_names: bool = False
    control: int | None = None


class Worker:
    """A process that routes messages until it is told to stop."""

    def __init__(self, options: WorkerOptions, env: Mapping[str, str]) -> None:
        self._options = options
        self._env = env
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._control = None if options.control is None else Control(options.control)
        self._program = self._load()
        chosen = _choose(self._program, options.queues)
        allow_files(len(chosen) * options.receivers * FILES_OF_A_RECEIVER + OTHER_FILES)
        # A call of each receiver, the writes at once, and some for renewing.
        self._aws = connect(max_connections=len(chosen) * options.receivers + CALLS_AT_ONCE + 4)
        self._held = Held(self._aws.queues)
        self._counters = Counters()
        self._crew = self._hire(self._program)

    def run(self) -> int:
        """Route until stopped; the exit code: 0, or 1 if something begun could not be finished in time."""
        _spare_collector()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        ended = threading.Event()
        threading.Thread(target=self._held.keep, args=(ended,), name="renewer", daemon=True).start()
        with serve(self._options.listen, self.look):
            self._crew.start()
            LOGGER.info("worker started", extra={"fields": {"queues": self._crew.queues}})
            if self._control:
                self._control.serve(self.look)
            while self._next_signal() == signal.SIGHUP:
                self._reload()
            finished = self._stop()
        ended.set()
        LOGGER.info("worker stopped", extra={"fields": {"finished": finished}})
        return 0 if finished else 1

    def look(self) -> State:
        """How it is now."""
        crew = self._crew
        return State(is_alive(crew, time.monotonic()), is_ready(crew), self._counters.totals())

    def _next_signal(self) -> int:
        """The next signal. The system may hand one to another thread, whose handler runs when this one wakes up."""
        while True:
            with suppress(Empty):
                return self._signals.get(timeout=LOOK_SECONDS)
            self._crew.tend()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP and self._crew.stopping:
            if self._control:
                # Whoever stops a whole group of processes and the process that started this one may both tell it.
                return
            # The second time somebody means it: what is not finished comes again.
            os._exit(128 + number)
        self._signals.put(number)

    def _stop(self) -> bool:
        LOGGER.info("stopping: finishing what has begun")
        until = time.monotonic() + self._options.grace - RELEASE_SECONDS
        self._crew.stop(until - time.monotonic())
        finished = self._crew.join(until)
        if not finished:
            # Where SQS does not answer either, nothing is waited for beyond the grace period.
            releaser = threading.Thread(target=self._held.release_all, name="releaser", daemon=True)
            releaser.start()
            releaser.join(RELEASE_SECONDS)
        return finished

    def _reload(self) -> None:
        """Go on with the config as it is now, or as it was if that has faults."""
        try:
            program = self._load()
            crew = self._hire(program)
            crew.start()
        except ConfigError as error:
            for finding in error.findings:
                LOGGER.error(str(finding))
            LOGGER.error("the config has faults: going on with the old one")
        except RouterError as error:
            LOGGER.error("cannot reload: %s", error)
        else:
            old, self._crew, self._program = self._crew, crew, program
            old.stop(self._options.grace)
            old.join(time.monotonic() + self._options.grace)
            _spare_collector()
            LOGGER.info("config reloaded", extra={"fields": {"queues": crew.queues}})

    def _load(self) -> Program:
        program = load_program(self._options.config, self._env)
        return with_bare_names(program) if self._options.bare_names else program

    def _hire(self, program: Program) -> Crew:
        options = self._options
        # A poll that is under way when the worker is to stop cannot be called back, and must end in time.
        wait = min(options.wait, max(0, options.grace // 2))
        polled = [_poll(self._aws, queue, wait) for queue in _choose(program, options.queues)]
        return Crew(program, polled, options.receivers, self._aws, self._held, self._counters.record)


def _spare_collector() -> None:
    """Let the garbage collector look at what stays for ever no more, and at the rest less often.

    A batch makes thousands of objects that go with it, without a cycle among them.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _choose(program: Program, names: Sequence[str]) -> list[CompiledQueue]:
    queues = program.engine.queues
    for name in names:
        if name not in queues:
            raise UsageError(f"no route reads the queue '{name}'; there are {', '.join(queues)}")
    return [queues[name] for name in names or queues]


def _poll(aws: Aws, queue: CompiledQueue, wait: int) -> Polled:
    url = aws.queues.url(queue.reference)
    visibility = url if isinstance(url, Fault) else aws.queues.visibility(url)
    if isinstance(url, Fault) or isinstance(visibility, Fault):
        fault = url if isinstance(url, Fault) else visibility
        code = fault.code if isinstance(fault, Fault) else ""
        raise UsageError(f"queue '{queue.reference}' cannot be polled: {code}")
    return Polled(queue, url, visibility, wait)

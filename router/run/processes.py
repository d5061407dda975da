"""Several worker processes as one: started, watched, restarted, told of signals, and one address for all of them."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

from router.deliver.log import LOGGER
from router.run.children import Child
from router.run.http import serve
from router.run.state import State, add_up

LOOK_SECONDS = 0.1
KILL_SECONDS = 5.0
"""What a process is given besides its grace period before it is killed."""


class Processes:
    """Runs `count` workers, each by `command`, which is the one that started this process; `grace` is in seconds."""

    def __init__(self, command: Sequence[str], count: int, grace: float, listen: str) -> None:
        self._children = [Child(number, command) for number in range(count)]
        self._grace = grace
        self._listen = listen
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._lock = threading.Lock()
        """Held while a child's state changes, so that nothing is counted twice, or not at all."""
        self._begun = False
        self._stopping = False

    def run(self) -> int:
        """Run until stopped; the exit code: 0, 1 if one could not finish, or that of the first if it cannot start."""
        for handled in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(handled, self._on_signal)
        with serve(self._listen, self.look):
            while True:
                code = self._tend(time.monotonic())
                if code is not None:
                    return code
                number = self._next_signal()
                if number == signal.SIGHUP:
                    for child in self._children:
                        child.send(number)
                elif number is not None:
                    return self._stop()

    def look(self) -> State:
        """How all are together: alive if none of them hangs, ready if all of them are; what has died has counted."""
        now = time.monotonic()
        with self._lock:
            states = [child.state for child in self._children]
            lost = [child.lost for child in self._children]
        known = [state for state in states if state is not None]
        return State(
            alive=all(state.alive for state in known) and not any(child.is_silent(now) for child in self._children),
            ready=not self._stopping and len(known) == len(states) and all(state.ready for state in known),
            totals=add_up([*[state.totals for state in known], *lost]),
        )

    def _tend(self, now: float) -> int | None:
        """Start what does not run; the exit code of the first if it ends before any has worked.

        It goes ahead of the others, so that the faults of a config are said once.
        """
        for child in self._children if self._begun else self._children[:1]:
            with self._lock:
                code = child.look(now)
            if code is not None and not self._begun and code >= 0:
                return code
            if code is not None:
                LOGGER.error("process ended", extra={"fields": {"process": child.number, "exit_code": code}})
            child.start(now)
        if not self._begun and self._children[0].state is not None:
            self._begun = True
            LOGGER.info("processes started", extra={"fields": {"processes": len(self._children)}})
        return None

    def _next_signal(self) -> int | None:
        with suppress(Empty):
            return self._signals.get(timeout=LOOK_SECONDS)
        return None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP and self._stopping:
            # The second time somebody means it: what is not finished comes again.
            for child in self._children:
                child.send(signal.SIGKILL)
            os._exit(128 + number)
        self._signals.put(number)

    def _stop(self) -> int:
        """Stop all, and wait for them."""
        self._stopping = True
        LOGGER.info("stopping the processes")
        for child in self._children:
            child.send(signal.SIGTERM)
        until = time.monotonic() + self._grace + KILL_SECONDS
        codes = [self._end(child, until) for child in self._children]
        # One that had not started yet is ended by the signal itself.
        finished = all(code in (None, 0, -signal.SIGTERM) for code in codes)
        LOGGER.info("processes stopped", extra={"fields": {"finished": finished}})
        return 0 if finished else 1

    def _end(self, child: Child, until: float) -> int | None:
        """The exit code of a process that has been told to stop; None if there was none."""
        while child.pid:
            now = time.monotonic()
            code = child.look(now)
            if code is not None:
                return code
            if now >= until:
                child.send(signal.SIGKILL)
            time.sleep(LOOK_SECONDS)
        return None

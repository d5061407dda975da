"""The parent of several worker processes: starts, restarts and signals them, and serves their health and metrics."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import FrameType

from router.deliver.telemetry import LOGGER
from router.run.child import ChildProcess
from router.run.monitoring import WorkerStatus, add_totals, serve

POLL_SECONDS = 0.1
KILL_SECONDS = 5.0
"""The time after its grace period until a child is killed."""


class Supervisor:
    """Runs `count` worker processes by `command`, the command of this process; `grace` is in seconds."""

    def __init__(self, command: Sequence[str], count: int, grace: float, listen: str) -> None:
        self._children = [ChildProcess(number, command) for number in range(count)]
        self._grace = grace
        self._listen = listen
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._lock = threading.Lock()
        """Held while the status of a child changes, so that totals are counted exactly once."""
        self._first_started = False
        self._stopping = False

    def run(self) -> int:
        """Run until stopped; returns 0, 1 if a child did not finish, or the code of a first child that cannot start."""
        for handled in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(handled, self._on_signal)
        with serve(self._listen, self.status):
            while True:
                code = self._poll(time.monotonic())
                if code is not None:
                    return code
                number = self._next_signal()
                if number == signal.SIGHUP:
                    for child in self._children:
                        child.send(number)
                elif number is not None:
                    return self._stop()

    def status(self) -> WorkerStatus:
        """Returns the status of all processes: alive if none is stuck, ready if all are; totals include former ones."""
        now = time.monotonic()
        with self._lock:
            statuses = [child.status for child in self._children]
            past = [child.past_totals for child in self._children]
        known = [status for status in statuses if status is not None]
        return WorkerStatus(
            alive=all(status.alive for status in known) and not any(child.is_silent(now) for child in self._children),
            ready=not self._stopping and len(known) == len(statuses) and all(status.ready for status in known),
            totals=add_totals([*[status.totals for status in known], *past]),
        )

    def _poll(self, now: float) -> int | None:
        """Poll the children and start those that do not run; returns the first one's exit code if it cannot start.

        The first child starts alone, so that configuration errors are logged once.
        """
        for child in self._children if self._first_started else self._children[:1]:
            with self._lock:
                code = child.poll(now)
            if code is not None and not self._first_started and code >= 0:
                return code
            if code is not None:
                LOGGER.error("process ended", extra={"fields": {"process": child.number, "exit_code": code}})
            child.start(now)
        if not self._first_started and self._children[0].status is not None:
            self._first_started = True
            LOGGER.info("processes started", extra={"fields": {"processes": len(self._children)}})
        return None

    def _next_signal(self) -> int | None:
        with suppress(Empty):
            return self._signals.get(timeout=POLL_SECONDS)
        return None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP and self._stopping:
            # The second signal stops at once: unfinished messages are received again.
            for child in self._children:
                child.send(signal.SIGKILL)
            os._exit(128 + number)
        self._signals.put(number)

    def _stop(self) -> int:
        """Stop all children and wait for them; returns the exit code."""
        self._stopping = True
        LOGGER.info("stopping the processes")
        for child in self._children:
            child.send(signal.SIGTERM)
        until = time.monotonic() + self._grace + KILL_SECONDS
        codes = [self._wait(child, until) for child in self._children]
        # A child that is still starting has no handler yet and ends by the signal itself.
        finished = all(code in (None, 0, -signal.SIGTERM) for code in codes)
        LOGGER.info("processes stopped", extra={"fields": {"finished": finished}})
        return 0 if finished else 1

    def _wait(self, child: ChildProcess, until: float) -> int | None:
        """Returns the exit code of a child, killed at `until`; None if it was not running."""
        while child.pid:
            now = time.monotonic()
            code = child.poll(now)
            if code is not None:
                return code
            if now >= until:
                child.send(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        return None

"""The parent of several worker processes.

It starts, restarts and signals them, and serves their health and metrics.

The parent writes `?` to a control socket for each question; the child answers with its status as a
line of JSON. On `!`, or when the parent's end is closed, the child stops as on SIGTERM. The parent
reads the child's metrics from a file that both have open.

The parent sends no signal to a child that has started. Where a service manager signals all
processes, that would be the second signal, which ends the child at once.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from logging import ERROR, INFO
from queue import Empty, SimpleQueue
from threading import Lock
from types import FrameType

import msgspec

from router.runtime.aws.calls import boottime
from router.runtime.deliver.metrics import LINES_DROPPED
from router.runtime.deliver.telemetry import LOGGER, log
from router.runtime.run.counters import (
    Totals,
    add_totals,
    of_ended,
    open_counters_file,
    read_counters,
)
from router.runtime.run.log_queue import LogQueue
from router.runtime.run.monitoring import WorkerStatus, serve
from router.runtime.run.threads import start_daemon

POLL_SECONDS = 0.1
KILL_SECONDS = 1.0
"""The time after its grace period until a child is killed."""
QUESTION_SECONDS = 0.5
"""How often the parent asks a child for its status."""
SILENT_SECONDS = 30
"""A child that has not answered for this long is stuck."""
RESTART_SECONDS = 0.5
RESTART_CAP = 60.0
"""Seconds; the delay before a child is restarted, doubled up to RESTART_CAP …"""
SETTLED_SECONDS = 60
"""… and reset once it has run for this long."""
QUESTION = b"?\n"
STOP = b"!\n"
_READ_BYTES = 65536


class ControlServer:
    """The child's end of the control socket, given by its file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)

    def start(self, status: Callable[[], WorkerStatus], stop: Callable[[], None]) -> None:
        """Answer questions in a thread.

        The first answer tells the parent that the worker has started.

        `stop` begins to stop the worker; it may be called several times.
        """
        start_daemon("control", self._serve, status, stop)

    def _serve(self, status: Callable[[], WorkerStatus], stop: Callable[[], None]) -> None:
        # An error of the connection is its end, too.
        with suppress(OSError), self._socket as connection:
            while received := connection.recv(_READ_BYTES):
                if STOP in received:
                    stop()
                for _ in range(received.count(QUESTION)):
                    connection.sendall(msgspec.json.encode(status()) + b"\n")
        # The parent is gone. Nothing else would stop this process, and a new parent starts its own.
        stop()


class ChildProcess:
    """A worker process as its parent sees it, restarted when it ends; times are by `boottime`.

    `status` is its last answer, or None if it has not answered since it was started.
    """

    def __init__(self, number: int, command: Sequence[str]) -> None:
        self.number = number
        self.status: WorkerStatus | None = None
        self.past_totals: Totals = {}
        """The totals of its former processes."""
        self.start_at = 0.0
        """The earliest time of the next start."""
        self._command = command
        self._counters = open_counters_file()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._unread = b""
        """The beginning of an answer."""
        self._started_at = 0.0
        self._asked_at = 0.0
        self._answered_at = 0.0
        self._awaits_answer = False
        self._reload_pending = False
        self._exits = 0
        """How often it ended before it had run for SETTLED_SECONDS."""

    @property
    def pid(self) -> int:
        """The process id, or 0 if no process is running."""
        return self._process.pid if self._process else 0

    def start(self, now: float) -> None:
        """Start the process unless it is running or `start_at` is later."""
        if self._process or now < self.start_at:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                self._process = self._popen(theirs.fileno())
            except OSError as error:
                # Out of memory or of process ids, which can be temporary.
                ours.close()
                LOGGER.error("cannot start process %d: %s", self.number, error)
                self._delay_restart(now)
                return
        self._socket = ours
        self._started_at = now
        self._answered_at = now
        self._awaits_answer = False
        self._reload_pending = False
        self._unread = b""

    def poll(self, now: float) -> int | None:
        """Exchange messages with the process.

        Return its exit code once, after it has ended; a negative one is a signal.
        """
        if self._process is None or self._socket is None:
            return None
        code = self._process.poll()
        self._exchange(self._socket, now)
        if code is None:
            return None
        self._socket.close()
        self._socket = None
        self._process = None
        self.past_totals = of_ended(self.totals())
        os.ftruncate(self._counters, 0)
        self.status = None
        if now - self._started_at >= SETTLED_SECONDS:
            self._exits = 0
        self._delay_restart(now)
        return code

    def totals(self) -> Totals:
        """Return the totals of this process and its former ones, as they are now."""
        return add_totals([self.past_totals, read_counters(self._counters)])

    def is_silent(self, now: float) -> bool:
        """Return whether it has started, but has not answered for long."""
        if self.status is None or not self._awaits_answer:
            return False
        return now - self._answered_at >= SILENT_SECONDS

    def send(self, number: int) -> None:
        """Send a signal.

        SIGHUP waits until the process has started: it may have read the old config already.
        """
        if self._process is None:
            return
        if number == signal.SIGHUP and self.status is None:
            self._reload_pending = True
        else:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Stop the process: by the control socket once it has started, before by SIGTERM."""
        if self._socket is not None and self.status is not None:
            # A full socket means that the child reads nothing.
            with suppress(OSError):
                self._socket.sendall(STOP)
                return
        self.send(signal.SIGTERM)

    def _popen(self, control: int) -> "subprocess.Popen[bytes]":
        # Its own process group: Ctrl-C in a terminal reaches the parent only, which forwards it
        # once.
        return subprocess.Popen(  # noqa: S603 — the command that this process was started by
            [
                *self._command,
                "--control",
                str(control),
                "--counters",
                str(self._counters),
                "--number",
                str(self.number),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[control, self._counters],
            process_group=0,
        )

    def _delay_restart(self, now: float) -> None:
        self.start_at = now + min(RESTART_CAP, RESTART_SECONDS * 2**self._exits)
        self._exits += 1

    def _exchange(self, connection: socket.socket, now: float) -> None:
        # An error means that no more data is there, or that the process has ended. Its exit code
        # tells that.
        with suppress(OSError):
            while data := connection.recv(_READ_BYTES):
                self._unread += data
        *answers, self._unread = self._unread.split(b"\n")
        for answer in answers:
            self.status = msgspec.json.decode(answer, type=WorkerStatus)
            self._answered_at = now
            self._awaits_answer = False
        if not self._awaits_answer and now - self._asked_at >= QUESTION_SECONDS:
            with suppress(OSError):
                connection.sendall(QUESTION)
                self._asked_at = now
                self._awaits_answer = True
        if self._reload_pending and self.status is not None:
            self._reload_pending = False
            self.send(signal.SIGHUP)


class Supervisor:
    """Runs `count` worker processes by `command`, the command of this process.

    `grace` is in seconds.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        grace: float,
        listen: str,
        log: LogQueue,
    ) -> None:
        self._children = [ChildProcess(number, command) for number in range(count)]
        self._grace = grace
        self._listen = listen
        self._log = log
        self._signals: SimpleQueue[int] = SimpleQueue()
        self._lock = Lock()
        """Held while a child ends, so that its totals are counted exactly once."""
        self._first_started = False
        self._stopped_at: float | None = None

    def run(self) -> int:
        """Run until stopped; returns the exit code.

        It is 0, or 1 if a child did not finish, or the code of a first child that cannot start.
        """
        for handled in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(handled, self._on_signal)
        with serve(self._listen, self.status, self.totals):
            while True:
                code = self._poll(boottime())
                if code is not None:
                    return code
                number = None
                with suppress(Empty):
                    number = self._signals.get(timeout=POLL_SECONDS)
                if number == signal.SIGHUP:
                    for child in self._children:
                        child.send(number)
                elif self._stopped_at is not None:
                    return self._stop(self._stopped_at)

    def status(self) -> WorkerStatus:
        """Return the status of all processes: alive if none is stuck, ready if all are."""
        now = boottime()
        with self._lock:
            statuses = [child.status for child in self._children]
        known = [status for status in statuses if status is not None]
        is_running = self._stopped_at is None and len(known) == len(statuses)
        any_silent = any(child.is_silent(now) for child in self._children)
        blocked = [self._log.blocked, *[status.log_blocked for status in known]]
        return WorkerStatus(
            alive=not any_silent and all(status.alive for status in known),
            ready=is_running and all(status.ready for status in known),
            log_blocked=any(blocked),
            config=",".join(sorted({status.config for status in known})),
            paused=tuple(sorted({queue for status in known for queue in status.paused})),
        )

    def totals(self) -> Totals:
        """Return the metrics of all processes, those included that have ended."""
        with self._lock:
            totals = [child.totals() for child in self._children]
        if self._log.dropped:
            totals.append({LINES_DROPPED: {("",): self._log.dropped}})
        return add_totals(totals)

    def _poll(self, now: float) -> int | None:
        """Poll the children and start those that do not run.

        Return the first one's exit code if it cannot start. It starts alone, so that configuration
        errors are logged once.
        """
        children = self._children if self._first_started else self._children[:1]
        for child in children:
            with self._lock:
                code = child.poll(now)
            if code is not None:
                was_ended_by_signal = code < 0
                if not self._first_started and not was_ended_by_signal:
                    return code
                log(ERROR, "process ended", process=child.number, exit_code=code)
            child.start(now)
        if not self._first_started and self._children[0].status is not None:
            self._first_started = True
            log(INFO, "processes started", processes=len(self._children))
        return None

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGHUP:
            if self._stopped_at is not None:
                # The second signal stops at once: unfinished messages are received again.
                for child in self._children:
                    child.send(signal.SIGKILL)
                os._exit(128 + number)
            self._stopped_at = boottime()
        self._signals.put(number)

    def _stop(self, requested_at: float) -> int:
        """Stop all children and wait for them; returns the exit code."""
        LOGGER.info("stopping the processes")
        for child in self._children:
            child.stop()
        until = requested_at + self._grace + KILL_SECONDS
        codes = [self._wait(child, until) for child in self._children]
        # A child that is still starting has no handler yet and ends by the signal itself.
        finished = all(code in (None, 0, -signal.SIGTERM) for code in codes)
        log(INFO, "processes stopped", finished=finished)
        return 0 if finished else 1

    def _wait(self, child: ChildProcess, until: float) -> int | None:
        """Return the exit code of a child, killed at `until`; None if it was not running."""
        while child.pid:
            now = boottime()
            with self._lock:
                code = child.poll(now)
            if code is not None:
                return code
            if now >= until:
                child.send(signal.SIGKILL)
            time.sleep(POLL_SECONDS)
        return None

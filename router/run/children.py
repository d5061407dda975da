"""One of several worker processes, as the process that started it sees it."""

import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from router.deliver.log import LOGGER
from router.run.control import QUESTION
from router.run.state import State, Totals, add_up

ASK_SECONDS = 0.5
SILENT_SECONDS = 30
"""A worker that has not answered for so long hangs."""
RESTART_SECONDS = 0.5
RESTART_CAP = 60.0
"""The wait before a process is started again, doubled each time up to RESTART_CAP …"""
SETTLED_SECONDS = 60
"""… until it has run for so long."""
_READ_BYTES = 65536


class Child:
    """A worker process by its number, started again when it has died; times are of the monotonic clock.

    `state` is what it said last, or None if it has not started to work since it was last started.
    """

    def __init__(self, number: int, command: Sequence[str]) -> None:
        self.number = number
        self.state: State | None = None
        self.lost: Totals = {}
        """What earlier processes of this number counted, as far as they told."""
        self.start_at = 0.0
        """When it may be started, again or for the first time."""
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._unread = b""
        self._asked_at = self._heard_at = self._started_at = 0.0
        self._waits_for_answer = self._reloads = False
        self._deaths = 0

    @property
    def pid(self) -> int:
        """The process, or 0 while there is none."""
        return self._process.pid if self._process else 0

    def start(self, now: float) -> None:
        """Start it, if it is time to."""
        if self._process or now < self.start_at:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                # A process group of its own: a terminal's Ctrl-C is for who started it alone, which hands it on once.
                self._process = subprocess.Popen(  # noqa: S603 — the command that this process was started by
                    [*self._command, "--control", str(theirs.fileno()), "--number", str(self.number)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    process_group=0,
                )
            except OSError as error:
                # No memory, or too many processes: that may pass.
                ours.close()
                LOGGER.error("cannot start process %d: %s", self.number, error)
                self._put_off(now)
                return
        self._socket = ours
        self._started_at = self._heard_at = now
        self._waits_for_answer = self._reloads = False
        self._unread = b""

    def look(self, now: float) -> int | None:
        """Ask it and hear it; its exit code once it has ended, negative for a signal, and then it is None again."""
        if self._process is None or self._socket is None:
            return None
        code = self._process.poll()
        self._talk(self._socket, now)
        if code is None:
            return None
        self._socket.close()
        self._process = self._socket = None
        if self.state:
            self.lost = add_up([self.lost, self.state.totals])
        self.state = None
        if now - self._started_at >= SETTLED_SECONDS:
            self._deaths = 0
        self._put_off(now)
        return code

    def is_silent(self, now: float) -> bool:
        """Whether it works, but has not answered for long."""
        return self.state is not None and self._waits_for_answer and now - self._heard_at >= SILENT_SECONDS

    def send(self, number: int) -> None:
        """Hand a signal on; SIGHUP waits until it has started, as it may have read the old config already."""
        if self._process is None:
            return
        if number == signal.SIGHUP and self.state is None:
            self._reloads = True
        else:
            self._process.send_signal(number)

    def _put_off(self, now: float) -> None:
        self.start_at = now + min(RESTART_CAP, RESTART_SECONDS * 2**self._deaths)
        self._deaths += 1

    def _talk(self, line: socket.socket, now: float) -> None:
        # An error: there is nothing more for now, or the process has ended, which its exit code tells.
        with suppress(OSError):
            while heard := line.recv(_READ_BYTES):
                self._unread += heard
        *whole, self._unread = self._unread.split(b"\n")
        for said in whole:
            self.state = msgspec.json.decode(said, type=State)
            self._heard_at, self._waits_for_answer = now, False
        if not self._waits_for_answer and now - self._asked_at >= ASK_SECONDS:
            with suppress(OSError):
                line.sendall(QUESTION)
                self._asked_at, self._waits_for_answer = now, True
        if self._reloads and self.state is not None:
            self._reloads = False
            self.send(signal.SIGHUP)

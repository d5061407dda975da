"""The log of a worker, written by a thread of its own.

A log that nobody reads does not stop delivery.
"""

import logging
import os
import select
import time
from collections import deque
from threading import Event

from router.runtime.aws.calls import boottime
from router.runtime.deliver.telemetry import LOGGER
from router.runtime.run.threads import start_daemon

QUEUE_BYTES = 1024 * 1024
"""The most that is queued; further lines are dropped."""
BLOCKED_SECONDS = 1.0
"""The log is not read if the writing of a few lines takes longer."""
FLUSH_SECONDS = 1.0
"""The longest time to write what is queued when the process ends."""
_GATHER_SECONDS = 0.02
"""Lines that follow a first one within this time are written with it.

That takes fewer switches between threads.
"""
_REPORT_SECONDS = 1.0


class LogQueue(logging.Handler):
    """Queues lines for the thread that writes them to a file descriptor.

    `dropped` is the number of lines for which there was no room, or that could not be written. It
    is logged as soon as a line can be written again.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._any = Event()
        """Set while there are lines that the thread has not taken."""
        self._writing_since: float | None = None
        """When the thread began to write what it has taken; None while it waits for lines."""
        self._reported = 0
        """How many dropped lines were logged, the last of them at `_reported_at`."""
        self._reported_at = 0.0
        start_daemon("log", self._run)

    @property
    def blocked(self) -> bool:
        """Whether nobody reads the log."""
        since = self._writing_since
        return since is not None and boottime() - since >= BLOCKED_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; never blocks."""
        try:
            line = self.format(record).encode() + b"\n"
        except Exception:
            # Arguments that do not fit the message, for example in a plugin.
            self.dropped += 1
            return
        if self._size + len(line) > QUEUE_BYTES:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._any.is_set():
            self._any.set()

    def flush(self) -> None:
        """Wait until all lines are written, at most FLUSH_SECONDS."""
        end = boottime() + FLUSH_SECONDS
        while boottime() < end:
            if not self._any.is_set() and self._writing_since is None:
                return
            time.sleep(0.005)

    def _run(self) -> None:
        while self._any.wait():
            time.sleep(_GATHER_SECONDS)
            self._writing_since = boottime()
            self._any.clear()
            while lines := self._take():
                if not self._write(b"".join(lines)):
                    self.acquire()
                    self.dropped += len(lines)
                    self.release()
                elif boottime() - self._reported_at >= _REPORT_SECONDS:
                    self._report_dropped()
            self._report_dropped()
            self._writing_since = None

    def _take(self) -> list[bytes]:
        """Return the next lines, at least one, and as many as a pipe takes at once.

        Processes that share a pipe do not mix their lines then.
        """
        taken: list[bytes] = []
        size = 0
        self.acquire()
        while self._lines:
            size_with_next = size + len(self._lines[0])
            if taken and size_with_next > select.PIPE_BUF:
                break
            taken.append(self._lines.popleft())
            size = size_with_next
        self._size -= size
        self.release()
        return taken

    def _write(self, lines: bytes) -> bool:
        """Write lines, however long it takes; return whether that succeeded."""
        self._writing_since = boottime()
        left = memoryview(lines)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                # Another process has made the shared pipe non-blocking.
                select.select([], [self._descriptor], [])
            except OSError:
                # The other end is closed, or the disk is full.
                return False
        return True

    def _report_dropped(self) -> None:
        """Write how many lines were dropped since this was reported last, if any were."""
        dropped = self.dropped
        if dropped == self._reported:
            return
        # Not by the logger, whose lines would be queued, and dropped too.
        record = LOGGER.makeRecord(
            LOGGER.name,
            logging.WARNING,
            fn="",
            lno=0,
            msg="log lines dropped",
            args=(),
            exc_info=None,
            extra={"fields": {"dropped": dropped - self._reported}},
        )
        self.filter(record)
        if self._write(self.format(record).encode() + b"\n"):
            self._reported = dropped
            self._reported_at = boottime()

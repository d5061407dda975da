"""The log of a worker, written by a thread of its own: a log that nobody reads does not stop delivery."""

import logging
import os
import select
import time
from collections import deque
from threading import Event, Thread

from router.runtime.aws.calls import boottime
from router.runtime.deliver.telemetry import LOGGER

QUEUE_BYTES = 1024 * 1024
"""The most that is queued; further lines are dropped."""
BLOCKED_SECONDS = 1.0
"""The log is not read if the writing of a few lines takes longer."""
FLUSH_SECONDS = 1.0
"""The longest time to write what is queued when the process ends."""
_GATHER_SECONDS = 0.02
"""Lines that follow a first one within this time are written with it: fewer switches between threads."""
_REPORT_SECONDS = 1.0


class LogQueue(logging.Handler):
    """Queues lines for the thread that writes them to a file descriptor.

    `dropped` is the number of lines for which there was no room, or that could not be written. It is logged as soon as
    a line can be written again.
    """

    def __init__(self, descriptor: int, limit: int = QUEUE_BYTES) -> None:
        super().__init__()
        self.dropped = 0
        self._descriptor = descriptor
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._any = Event()
        self._writing_since: float | None = None
        self._reported = 0
        self._reported_at = 0.0
        Thread(target=self._run, name="log", daemon=True).start()

    @property
    def blocked(self) -> bool:
        """Whether nobody reads the log."""
        since = self._writing_since
        return since is not None and boottime() - since >= BLOCKED_SECONDS

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; never blocks."""
        try:
            line = self.format(record).encode() + b"\n"
        except Exception:  # arguments that do not fit the message, for example in a plugin
            self.dropped += 1
            return
        if self._size + len(line) > self._limit:
            self.dropped += 1
            return
        self._lines.append(line)
        self._size += len(line)
        if not self._any.is_set():
            self._any.set()

    def flush(self) -> None:
        """Wait until all lines are written, at most FLUSH_SECONDS."""
        end = boottime() + FLUSH_SECONDS
        while (self._any.is_set() or self._writing_since is not None) and boottime() < end:
            time.sleep(0.005)

    def _run(self) -> None:
        while self._any.wait():
            time.sleep(_GATHER_SECONDS)
            self._writing_since = boottime()
            self._any.clear()
            while lines := self._take():
                if not self._write(b"".join(lines)):
                    self._count_dropped(len(lines))
                elif boottime() - self._reported_at >= _REPORT_SECONDS:
                    self._report_dropped()
            self._report_dropped()
            self._writing_since = None

    def _take(self) -> list[bytes]:
        """Return the next lines, as many as a pipe takes at once: processes that share it do not mix their lines."""
        taken: list[bytes] = []
        size = 0
        self.acquire()
        while self._lines and (not taken or size + len(self._lines[0]) <= select.PIPE_BUF):
            taken.append(self._lines.popleft())
            size += len(taken[-1])
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
            except BlockingIOError:  # another process has made the shared pipe non-blocking
                select.select([], [self._descriptor], [])
            except OSError:  # the other end is closed, or the disk is full
                return False
        return True

    def _count_dropped(self, lines: int) -> None:
        self.acquire()
        self.dropped += lines
        self.release()

    def _report_dropped(self) -> None:
        """Write how many lines were dropped since this was reported last, if any were."""
        dropped = self.dropped
        if dropped == self._reported:
            return
        fields = {"fields": {"dropped": dropped - self._reported}}
        record = LOGGER.makeRecord(LOGGER.name, logging.WARNING, "", 0, "log lines dropped", (), None, None, fields)
        self.filter(record)
        if self._write(self.format(record).encode() + b"\n"):
            self._reported, self._reported_at = dropped, boottime()

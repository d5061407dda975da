"""The log of a function on the embedded AWS, read to the end of each invocation.

ministack reads a function's standard error by a thread, and logs what this thread has read as soon
as no line came for 5 ms. On a busy machine that is not all: later lines are logged with the next
invocation, or never.
"""

import os
import time
import uuid
from collections.abc import Callable
from queue import Empty
from typing import Any

READ_SECONDS = 30
"""The longest wait for the log of an invocation, which usually takes a millisecond."""
_END_SECONDS = 1
"""The longest wait for the log of a process that has ended; a child of it could keep its standard
error open.
"""
_POLL_SECONDS = 0.2
_USED = ("_drain_stderr", "_drain_stderr_bounded")


def read_whole_logs(worker: Any) -> None:
    """Make ministack's class `Worker` log all that a function has written before it answered.

    A version of ministack that reads in another way is left alone.
    """
    if not all(hasattr(worker, name) for name in _USED):
        return
    bounded: Callable[..., str] = worker._drain_stderr_bounded

    def drain(self: Any, *args: Any, **kwargs: Any) -> str:
        process, thread, lines = (
            getattr(self, name, None) for name in ("_proc", "_stderr_thread", "_stderr_queue")
        )
        if thread is None or lines is None:
            return bounded(self, *args, **kwargs)
        if process is None or not thread.is_alive():
            thread.join(_END_SECONDS)
            return str(self._drain_stderr())
        mark = uuid.uuid4().hex
        # Some runtimes write to one pipe for both outputs.
        if process.stderr is None or not _write_after(process.stderr.fileno(), mark):
            return bounded(self, *args, **kwargs)
        return "\n".join(_read_until(mark, lines.get, thread.is_alive))

    worker._drain_stderr_bounded = drain


def _write_after(pipe: int, mark: str) -> bool:
    """Write a line into a pipe by the end that is read, behind what is in it; return whether the
    system can do that.
    """
    try:
        writable = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(writable, f"{mark}\n".encode())
    finally:
        os.close(writable)
    return True


def _read_until(mark: str, take: Callable[..., str], is_read: Callable[[], bool]) -> list[str]:
    """Take lines until the one that ends with `mark`, as long as a thread reads them."""
    lines: list[str] = []
    end = time.monotonic() + READ_SECONDS
    while time.monotonic() < end:
        reading = is_read()
        try:
            line = take(timeout=_POLL_SECONDS)
        except Empty:
            if not reading:
                break
            continue
        if line.endswith(mark):
            # What was written without the end of a line.
            return [*lines, line.removesuffix(mark)] if line != mark else lines
        lines.append(line)
    return lines

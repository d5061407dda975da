"""The log of a worker, into a pipe that is read now and then."""

import fcntl
import json
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.runtime.run.log_queue import FLUSH_SECONDS, LogQueue
from tests.support.deliver import JsonLines

TIMEOUT = 60.0
PIPE_BYTES = 4096
LOGGER = logging.getLogger("tests.log")


class Pipe:
    """A small pipe, and the log that writes into it."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()
        fcntl.fcntl(self.theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.log = LogQueue(self.theirs)
        self.log.setFormatter(JsonLines())

    def read(self, count: int) -> list[dict[str, Any]]:
        """The next lines, at least so many."""
        data = b""
        end = time.monotonic() + TIMEOUT
        while data.count(b"\n") < count or not data.endswith(b"\n"):
            assert time.monotonic() < end
            if select.select([self.ours], [], [], 0.1)[0]:
                data += os.read(self.ours, 65536)
        return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Pipe]]:
    """Makes a pipe that the test's logger writes into, with a limit of what is queued."""
    made: list[Pipe] = []

    def make(limit: int = 1024 * 1024) -> Pipe:
        monkeypatch.setattr("router.runtime.run.log_queue.QUEUE_BYTES", limit)
        pipe = Pipe()
        made.append(pipe)
        LOGGER.handlers = [pipe.log]
        return pipe

    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    yield make
    LOGGER.handlers = []
    for each in made:
        # Ends a write that nobody reads.
        os.close(each.ours)


def wait_until(look: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + TIMEOUT
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_lines_in_order(pipe: Callable[..., Pipe]) -> None:
    """All lines are written, in order."""
    opened = pipe()
    for number in range(200):
        LOGGER.info("line %d", number)

    assert [line["message"] for line in opened.read(200)] == [f"line {number}" for number in range(200)]


def test_dropped(pipe: Callable[..., Pipe]) -> None:
    """Lines beyond the limit are dropped without blocking; how many is logged once the log is read again."""
    opened = pipe(limit=10_000)
    for _ in range(1000):
        LOGGER.info("a line")
    dropped = opened.log.dropped

    written, reports = 0, list[dict[str, Any]]()
    while written + sum(report["dropped"] for report in reports) < 1000:
        lines = opened.read(1)
        written += [line["message"] for line in lines].count("a line")
        reports += [line for line in lines if line["message"] != "a line"]

    assert (0 < dropped < 1000, written, sum(report["dropped"] for report in reports)) == (
        True,
        1000 - dropped,
        dropped,
    )
    assert {(report["level"], report["message"]) for report in reports} == {("WARNING", "log lines dropped")}
    # There is room again for as much as before.
    for _ in range(2):
        opened.log.flush()
        for _ in range(30):
            LOGGER.info("a line")
        opened.read(30)
    assert opened.log.dropped == dropped


def size_of(message: str, fields: Any = ()) -> int:
    """The bytes of a line."""
    record = logging.makeLogRecord({"levelname": "INFO", "msg": message, "fields": dict(fields)})
    return len(JsonLines().format(record)) + 1


def test_limit(pipe: Callable[..., Pipe]) -> None:
    """A line that just fits is written; one that does not is dropped at once. The thread ends with the process."""
    opened = pipe(limit=size_of("a line"))
    LOGGER.info("a longer line")
    dropped = opened.log.dropped
    LOGGER.info("a line")

    lines = opened.read(2)

    assert (dropped, opened.log.dropped) == (1, 1)
    assert [line["message"] for line in lines] == ["a line", "log lines dropped"]
    # There is room again for as much as before, and no more.
    opened.log.flush()
    LOGGER.info("a line.")
    LOGGER.info("a line")
    assert [line.get("dropped") for line in opened.read(2)] == [None, 1]
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "log"} == {True}


def test_limit_while_a_line_is_written(pipe: Callable[..., Pipe]) -> None:
    """A line that is being written takes no room from those that wait."""
    line = "x" * 3 * PIPE_BYTES
    opened = pipe(limit=size_of(line))
    LOGGER.info(line)
    assert select.select([opened.ours], [], [], TIMEOUT)[0]
    LOGGER.info(line)
    LOGGER.info("a line")

    assert [each["message"] for each in opened.read(3)] == [line, "log lines dropped", line]


def test_reports_of_a_log_that_is_read_too_slowly(pipe: Callable[..., Pipe], monkeypatch: pytest.MonkeyPatch) -> None:
    """While lines are dropped again and again, that is reported once a second."""
    now = 100.0
    monkeypatch.setattr("router.runtime.run.log_queue.boottime", lambda: now)
    opened = pipe(limit=10_000)

    def count_reports(moment: float, reads: int = 10) -> int:
        nonlocal now
        now, found = moment, 0
        for _ in range(reads):
            dropped = opened.log.dropped
            while opened.log.dropped == dropped:
                LOGGER.info("a line")
            found += [line["message"] for line in opened.read(1)].count("log lines dropped")
        return found

    wait_until(lambda: count_reports(100.0, 1))

    assert [*map(count_reports, (100.0, 100.875, 101.0, 101.875, 102.0))] == [0, 0, 1, 0, 1]


def test_long_line(pipe: Callable[..., Pipe]) -> None:
    """A line that is longer than what a pipe takes at once is written too, and those beside it."""
    opened = pipe()
    lines = ["before", "x" * 3 * PIPE_BYTES, "after"]
    for line in lines:
        LOGGER.info(line)

    assert [line["message"] for line in opened.read(3)] == lines


def test_blocked(pipe: Callable[..., Pipe]) -> None:
    """The log is blocked while a write takes long, and no longer once it is read."""
    opened = pipe()
    before = opened.log.blocked
    for _ in range(200):
        LOGGER.info("a line")
    wait_until(lambda: opened.log.blocked)

    opened.read(200)

    wait_until(lambda: not opened.log.blocked)
    assert before is False


def test_flush(pipe: Callable[..., Pipe]) -> None:
    """Flushing waits until all is written."""
    opened = pipe()
    LOGGER.info("a line")

    opened.log.flush()

    assert (len(os.read(opened.ours, 65536).splitlines()), opened.log.blocked) == (1, False)


def test_flush_is_bounded(pipe: Callable[..., Pipe]) -> None:
    """Flushing a log that nobody reads takes a second, not for ever."""
    opened = pipe()
    for _ in range(200):
        LOGGER.info("a line")
    began = time.monotonic()

    opened.log.flush()

    assert FLUSH_SECONDS <= time.monotonic() - began < TIMEOUT


def test_non_blocking_pipe(pipe: Callable[..., Pipe]) -> None:
    """A pipe that another process has made non-blocking loses no line."""
    opened = pipe()
    os.set_blocking(opened.theirs, False)
    for number in range(200):
        LOGGER.info("line %d", number)

    assert [line["message"] for line in opened.read(200)] == [f"line {number}" for number in range(200)]


def test_closed_pipe(pipe: Callable[..., Pipe]) -> None:
    """Lines that cannot be written are counted, each once."""
    opened = pipe()
    os.close(opened.ours)
    opened.ours = os.open(os.devnull, os.O_RDONLY)
    for number in range(3):
        LOGGER.info("a line")
        wait_until(lambda: opened.log.dropped > number)  # noqa: B023 — called within the loop

    opened.log.flush()

    assert opened.log.dropped == 3


def test_line_that_cannot_be_made(pipe: Callable[..., Pipe]) -> None:
    """Arguments that do not fit the message cost that line only."""
    opened = pipe()
    for _ in range(2):
        LOGGER.info("%d", "text")
    LOGGER.info("a line")

    lines = opened.read(2)

    assert (opened.log.dropped, [line["message"] for line in lines]) == (2, ["a line", "log lines dropped"])
    # A later report has what was dropped since.
    LOGGER.info("%d", "text")
    LOGGER.info("a line")
    assert [line.get("dropped") for line in [lines[1], *opened.read(2)]] == [2, None, 1]


def test_the_report_passes_the_filters(pipe: Callable[..., Pipe]) -> None:
    """As the other lines do: one of several processes adds its number to each."""

    def add_number(record: logging.LogRecord) -> bool:
        record.fields = {**getattr(record, "fields", {}), "process": 2}
        return True

    opened = pipe(limit=size_of("a line", {"process": 2}))
    opened.log.addFilter(add_number)
    LOGGER.info("a longer line")
    LOGGER.info("a line")

    lines = opened.read(2)

    assert [(line["message"], line.get("dropped"), line["process"]) for line in lines] == [
        ("a line", None, 2),
        ("log lines dropped", 1, 2),
    ]


def test_a_filter_reads_the_level_of_the_report(pipe: Callable[..., Pipe]) -> None:
    """A filter of a plugin may compare the level and the name of the logger, which the report has as any record."""
    seen: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            seen.append(record.name)
        return True

    opened = pipe(limit=size_of("a line"))
    opened.log.addFilter(note)
    LOGGER.info("a longer line")
    LOGGER.info("a line")

    lines = opened.read(2)

    assert ([line["message"] for line in lines], seen) == (["a line", "log lines dropped"], ["router"])


@pytest.mark.parametrize("size", [100, 128])
def test_whole_lines_at_a_time(pipe: Callable[..., Pipe], size: int) -> None:
    """What is written at once consists of whole lines and is not more than a pipe takes: processes may share it."""
    opened = pipe()
    for _ in range(200):
        LOGGER.info("x" * (size - size_of("")))

    read: list[int] = []
    while sum(read) < 200 * size:
        assert select.select([opened.ours], [], [], TIMEOUT)[0]
        read.append(len(os.read(opened.ours, 65536)))

    assert (max(read), {number % size for number in read}) == (PIPE_BYTES // size * size, {0})

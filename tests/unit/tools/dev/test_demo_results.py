"""What became of the messages of a demo: only what the log, the queues and the tables say."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from router.tools.dev.demo import WorkerProcess
from router.tools.dev.demo_results import (
    DemoState,
    LogLine,
    MessageLog,
    evaluate,
    find_unseen,
    read_log,
    without_retried,
)
from router.tools.dev.samples import Expected, Sample

QUEUE = "q"


def line(id_: str, outcome: str) -> LogLine:
    """A line about a message."""
    return {"message_id": id_, "outcome": outcome, "code": "RT8xx", "reason": "why"}


def batch(queue: str = QUEUE, **counts: int) -> LogLine:
    """A line about a batch."""
    return {"service": "demo", "queue": queue, "counts": counts}


def sample(outcome: str = "written", *items: Expected, fault: str = "") -> Sample:
    """A message with the outcome that it should have."""
    return Sample(QUEUE, "a message", "{}", {}, outcome, items, fault)


def results(
    sent: Sequence[Sample], lines: Sequence[LogLine], left: int = 0, tables: Mapping[str, list[Any]] | None = None
) -> list[tuple[str, str, bool]]:
    """The outcome, the reason and whether it is the expected one, of messages with the ids 0, 1 …"""
    by_id = {str(number): each for number, each in enumerate(sent)}
    log = without_retried(by_id, read_log(lines), {QUEUE: left})
    state = DemoState(log, {QUEUE: left}, find_unseen(by_id, log), tables or {}, (), {})
    return [(each.outcome, each.reason, each.expected) for each in evaluate(by_id, state).results]


WRITTEN = ("written", "", True)
UNKNOWN = ("unknown", "the log does not say what became of it", False)
DROPPED = ("dropped", "RT8xx why", True)
RETRY = ("retry", "RT8xx why", False)


def test_complete_log() -> None:
    """A message without a line is written if the batches count it."""
    lines = [batch(written=1), line("1", "dropped"), batch(dropped=1, written=1)]

    assert results([sample(), sample("dropped"), sample()], lines) == [WRITTEN, DROPPED, WRITTEN]


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [batch(written=1)],
        [batch(dropped=1, written=1)],
        [batch(written=1), batch("another", written=1)],
    ],
)
def test_lost_lines(lines: list[LogLine]) -> None:
    """If the log has neither lines about messages nor counts as many written ones, nothing is claimed of them."""
    assert results([sample(), sample("dropped")], lines) == [UNKNOWN, UNKNOWN]


def test_lines_of_plugins() -> None:
    """Other lines with some of the members say nothing."""
    lines: list[LogLine] = [
        {"counts": 3},
        {"service": "s", "queue": QUEUE, "counts": 1},
        {"message_id": "0", "outcome": "done"},
        {"message_id": ["0"], "outcome": "done", "code": "c", "reason": "r"},
        {"service": "s", "queue": [QUEUE], "counts": {"written": 1}},
        {"service": "s", "queue": QUEUE, "counts": {"written": "one"}},
    ]

    assert results([sample()], [*lines, batch(written=1)]) == [WRITTEN]


def test_text_of_plugins(tmp_path: Path) -> None:
    """What a plugin prints may look like a line without being JSON."""
    log = tmp_path / "log"
    log.write_bytes(b"{not JSON}\n" + b'{"a": "\xff"}\n' + json.dumps(line("0", "dropped")).encode() + b"\n{")
    with (
        subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process,
        log.open("rb") as stream,
    ):
        found = WorkerProcess(process, stream).log()

    assert found == MessageLog({"0": line("0", "dropped")}, {})


def test_lost_lines_of_a_message_with_a_fault() -> None:
    """Nothing is claimed of a message whose test fails without AWS, either."""
    assert results([sample(fault="router test: name")], []) == [("unknown", "router test: name", False)]


def test_fault() -> None:
    """The outcome of a message whose test fails without AWS is that of the log."""
    sent = [sample(fault="router test: name"), sample("rejected", fault="router test: code")]

    assert results(sent, [line("1", "rejected"), batch(written=1, rejected=1)]) == [
        ("written", "router test: name", False),
        ("rejected", "router test: code", False),
    ]


def test_still_on_its_queue() -> None:
    """A message that no batch has is on its queue; of several, some of which are written, it is not known which."""
    assert results([sample()], [], left=1) == [("retry", "it is still on its queue", False)]
    assert results([sample(), sample()], [batch(written=1)], left=1) == [UNKNOWN, UNKNOWN]


def test_written_and_still_on_its_queue() -> None:
    """A message that is written should leave its queue."""
    assert results([sample()], [batch(written=1)], left=1) == [("written", "its queue is not empty", False)]


def test_written_after_a_retry() -> None:
    """A message whose last line is about a retry is written if it left its queue and is counted."""
    lines = [line("0", "retry"), batch(retry=1), batch(written=1)]

    assert results([sample()], lines) == [WRITTEN]


@pytest.mark.parametrize(("more", "left"), [([], 0), ([batch(written=1)], 1)])
def test_retried(more: list[LogLine], left: int) -> None:
    """It is retried if it is not counted as written, or if a message is left."""
    assert results([sample()], [line("0", "retry"), batch(retry=1), *more], left) == [RETRY]


def test_retry_as_expected() -> None:
    """A message that should stay on its queue is no written one, whatever others are."""
    lines = [line("0", "retry"), batch(retry=1, written=1), batch(written=1)]

    assert results([sample("retry"), sample()], lines) == [("retry", "RT8xx why", True), WRITTEN]


def test_item_is_missing() -> None:
    """A message that is counted as written, but whose item is not stored, did not end as it should."""
    item = Expected("t", ("t", "1"), {"id": "1"})

    found = results([sample("written", item)], [batch(written=1)], tables={"t": [{"id": "2"}]})

    assert found == [("written", "its item is not in t", False)]

"""The worker process, on real queues and tables of both servers."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

QUEUES = ("plain", "ordered", "unwatched")
"""Those that the worker of most tests reads."""


class RunningWorker:
    """A running worker, and the lines that it wrote."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, wait: Callable[..., Any]) -> None:
        self.process = process
        self._log = log
        self._wait = wait

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log that are written wholly; each must be JSON, so no traceback can be among them."""
        return [json.loads(line) for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def wait_for_line(self, **fields: Any) -> dict[str, Any]:
        """The first line with these fields, once it is there."""

        def look() -> dict[str, Any] | None:
            return next((line for line in self.lines() if fields.items() <= line.items()), None)

        line: dict[str, Any] = self._wait(look, f"a log line with {fields}")
        return line

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(
    flows: Any, log: Path, wait: Callable[..., Any], queues: Sequence[str], *more: str
) -> Iterator[RunningWorker]:
    chosen = [word for queue in queues for word in ("--queue", queue)]
    # A grace period that no busy machine uses up.
    options = ["--wait", "1", "--grace", "50", *chosen, *more]
    command = [sys.executable, "-m", "router", "worker", "-c", str(flows.config), *options]
    with log.open("wb") as stderr, subprocess.Popen(command, env=flows.environment, stderr=stderr) as process:
        worker = RunningWorker(process, log, wait)
        try:
            worker.wait_for_line(message="worker started")
            yield worker
        finally:
            process.kill()


@pytest.fixture(scope="module")
def worker(flows: Any, wait: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    """A worker that runs as long as the tests of this file."""
    with running(flows, tmp_path_factory.mktemp("worker") / "log", wait, QUEUES, "--receivers", "2") as worker:
        yield worker
        assert worker.stop() == 0


def test_writes_and_deletes(flows: Any, worker: RunningWorker, wait: Callable[..., Any], name: str) -> None:
    """A message is written, with its attributes, and then it is gone from its queue, without a line about it."""
    attributes = {
        "colour": {"DataType": "String", "StringValue": "grün"},
        "picture": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    message_id = flows.send("plain", {"id": name, "number": 1.5}, MessageAttributes=attributes)

    item = wait(lambda: flows.item(name))

    sent_at = item.pop("sent_at")
    assert (item, sent_at["S"].endswith("Z")) == (
        {
            "id": {"S": name},
            "number": {"N": "1.5"},
            "queue": {"S": "plain"},
            "colour": {"S": "grün"},
            "picture": {"B": b"\x00\xff"},
        },
        True,
    )
    wait(lambda: flows.left("plain") == 0)
    assert [line for line in worker.lines() if line.get("message_id") == message_id] == []


def test_rejected(flows: Any, worker: RunningWorker, wait: Callable[..., Any], name: str) -> None:
    """A message that can never succeed is a dead letter, and gone from its queue."""
    message_id = flows.send("plain", {"id": name, "number": "x"})

    letter, details = flows.letter_about(message_id)

    for member in ("failed_at", "first_failed_at", "sent_at", "first_received_at", "sender_id", "source", "config"):
        assert details.pop(member)
    assert (json.loads(letter["Body"]), details) == (
        {"id": name, "number": "x"},
        {
            "code": "RT806",
            "reason": "fails 'type' at /properties/number/type",
            "queue": "plain",
            "route": "plain",
            "pointer": "/number",
            "message_id": message_id,
            "receive_count": 1,
        },
    )
    wait(lambda: flows.left("plain") == 0)


def test_dropped(flows: Any, worker: RunningWorker, wait: Callable[..., Any], name: str) -> None:
    """A dropped message is logged, and gone from its queue, unwritten."""
    message_id = flows.send("plain", {"id": name, "mood": "drop"})

    line = worker.wait_for_line(message_id=message_id)

    assert (line["level"], line["outcome"], line["reason"]) == ("INFO", "dropped", "nobody wants it")
    wait(lambda: flows.left("plain") == 0)
    assert flows.item(name) is None


def test_retry(flows: Any, worker: RunningWorker, wait: Callable[..., Any], name: str) -> None:
    """A message to retry, and one without a dead-letter queue to go to, stay on their queue; others are deleted."""
    later = flows.send("unwatched", {"id": f"{name}-1", "mood": "retry"})
    bad = flows.send("unwatched", {"id": 1})
    flows.send("unwatched", {"id": f"{name}-2"})

    lines = [worker.wait_for_line(message_id=message_id) for message_id in (later, bad)]

    wait(lambda: flows.item(f"{name}-2") and flows.left("unwatched") == 2)
    assert ([(line["outcome"], line["code"]) for line in lines], flows.item(f"{name}-1")) == (
        [("retry", "RT812"), ("rejected", "RT806")],
        None,
    )


def test_fifo(flows: Any, worker: RunningWorker, wait: Callable[..., Any], name: str) -> None:
    """Messages of a group are written in order; after one that stays, the rest of its group stays, unwritten."""

    def send(id_: str, number: int, group: str, mood: str = "") -> None:
        body = {"id": id_, "number": number, "mood": mood}
        flows.send("ordered.fifo", body, MessageGroupId=f"{name}-{group}", MessageDeduplicationId=f"{name}-{number}")

    for number in range(4):
        send(f"{name}-a", number, "a")
    send(f"{name}-b1", 4, "b")
    send(f"{name}-b2", 5, "b", "retry")
    send(f"{name}-b3", 6, "b")

    # Whatever is left of group b is hidden with the one that failed, or follows it.
    wait(lambda: flows.left("ordered.fifo") == 2)

    last = flows.item(f"{name}-a")
    written = [n for n in (1, 2, 3) if flows.item(f"{name}-b{n}")]
    assert (last and last["number"], written) == ({"N": "3"}, [1])


def test_stops_in_the_middle(flows: Any, wait: Callable[..., Any], name: str, tmp_path: Path) -> None:
    """On SIGTERM it finishes what it has begun: each message is written and deleted, or still on its queue."""
    ids = [f"{name}-{n}" for n in range(300)]
    for id_ in ids:
        flows.send("loose", {"id": id_, "mood": "slow"})

    with running(flows, tmp_path / "log", wait, ["loose"], "--receivers", "1") as worker:
        worker.wait_for_line(message="batch done")
        code = worker.stop()

    written = sum(flows.item(id_) is not None for id_ in ids)
    assert (code, written + flows.left("loose"), written < len(ids)) == (0, len(ids), True)
    assert [line["message"] for line in worker.lines()][-1] == "worker stopped"


def test_missing_table(flows: Any, wait: Callable[..., Any], tmp_path: Path) -> None:
    """Without its table nothing is dead-lettered and nothing deleted: polling pauses, and the log says why."""
    bodies = [f'{{"id": "{n}"}}' for n in range(3)]
    sent = [flows.send("lost", body) for body in bodies]

    with running(flows, tmp_path / "log", wait, ["lost"]) as worker:
        lines = [worker.wait_for_line(message_id=message_id) for message_id in sent]
        code = worker.stop()

    outcomes = {(line["outcome"], line["code"], line["reason"]) for line in lines}
    assert (code, outcomes, flows.left("lost")) == (
        0,
        {("retry", "RT816", f"table '{flows.prefix}-absent': ResourceNotFoundException")},
        3,
    )
    assert flows.letter("plain-dlq", lambda letter: letter["Body"] in bodies) is None


def test_missing_queue(flows: Any, tmp_path: Path) -> None:
    """A queue that is not there is said in a sentence, with exit code 2."""
    (tmp_path / "routes.yaml").write_text(
        'version: 1\ntables: {items: {key: {id: S}}}\nroutes: {r: {queue: "no-such-queue", table: items}}\n'
    )

    done = subprocess.run(
        [sys.executable, "-m", "router", "worker"], cwd=tmp_path, env=flows.environment, capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, "Traceback" in done.stderr, "queue 'no-such-queue'" in done.stderr) == (
        2,
        "",
        False,
        True,
    )

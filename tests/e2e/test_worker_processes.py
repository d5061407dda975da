"""Several worker processes as one, on a real queue and table."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from router.model import Table
from tests.support.dev import (
    LocalAws,
    clients,
    create_queues,
    create_table,
    local_aws,
    scan_table,
)

CONFIG = """
version: 1
tables: {items: {name: "${NAME}", key: {id: S}}}
queues: {work: {name: "${NAME}", dead_letter: "${NAME}-dlq"}}
routes: {r: {queue: work, table: items, when: "`true`"}}
"""

HANGS = """
import time
from pathlib import Path
from router import hookimpl

@hookimpl
def router_transform_message(message, route):
    Path(__file__).with_suffix(".mark").touch()
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def ministack() -> Iterator[LocalAws]:
    """One of the servers: what is tested here is not AWS."""
    with local_aws() as server:
        yield server


class WorkerStack:
    """A queue, a table, and several workers that move messages from one to the other."""

    def __init__(self, server: LocalAws, name: str, folder: Path, wait: Callable[..., Any]) -> None:
        self.name = name
        self.config = folder / "routes.yaml"
        self.config.write_text(CONFIG)
        self.environment = server.environment() | {"NAME": name}
        self._dynamodb, self._sqs = clients(server)
        self.url = create_queues(self._sqs, {name: f"{name}-dlq"})[name]
        self._sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": "3"})
        create_table(self._dynamodb, Table(name, (("id", "S"),)))
        self._log = folder / "log"
        self._wait = wait
        self.process: Any = None
        self.port = 0

    def send(self, count: int, first: int = 0) -> None:
        """Send messages with numbers."""
        for start in range(first, first + count, 10):
            entries: list[Any] = [{"Id": str(n), "MessageBody": json.dumps({"id": str(start + n)})} for n in range(10)]
            self._sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def items(self) -> int:
        """How many are in the table."""
        return len(scan_table(self._dynamodb, self.name))

    def left(self) -> int:
        """How many are on the queue, those that are worked on included."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(int(number) for number in answer["Attributes"].values())

    def lines(self, **fields: Any) -> list[dict[str, Any]]:
        """The lines of the log with these fields; each must be JSON."""
        whole = [line for line in self._log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in map(json.loads, whole) if fields.items() <= line.items()]

    def wait_for_lines(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """So many lines with these fields, once they are there."""
        found: list[dict[str, Any]] = self._wait(
            lambda: len(self.lines(**fields)) >= count and self.lines(**fields), f"{count} lines with {fields}"
        )
        return found

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a page."""
        try:
            with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def written(self) -> float:
        """The metric of what was written."""
        found = re.search(
            r'^router_messages_written_total\{queue="work",service="message-router"\} (\S+)$',
            self.get("/metrics")[1],
            re.M,
        )
        return float(found[1]) if found else 0.0

    def children(self) -> list[int]:
        """The processes that do the work."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]

    @contextmanager
    def running(self, *more: str) -> Iterator[None]:
        """Two processes."""
        # A grace period that no busy machine uses up.
        options = ["--processes", "2", "--wait", "1", "--grace", "50", "--listen", "127.0.0.1:0", *more]
        command = [sys.executable, "-m", "router", "worker", "-c", str(self.config), *options]
        with self._log.open("wb") as stderr, subprocess.Popen(command, env=self.environment, stderr=stderr) as process:
            self.process = process
            try:
                self.port = self.wait_for_lines(1, message="listening")[0]["port"]
                self.wait_for_lines(2, message="worker started")
                yield
            finally:
                process.kill()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        code: int = self.process.wait(60)
        return code


@pytest.fixture
def stack(ministack: LocalAws, name: str, tmp_path: Path, wait: Callable[..., Any]) -> WorkerStack:
    """With nothing sent yet."""
    return WorkerStack(ministack, name, tmp_path, wait)


def test_work_as_one(stack: WorkerStack, wait: Callable[..., Any]) -> None:
    """They share the work, have one address for health and metrics, reload together, and stop together."""
    with stack.running():
        wait(lambda: stack.get("/readyz")[0] == 200)
        alive = stack.get("/healthz")
        sent, shares = 0, set[int]()
        # Who receives what is for the queue to say.
        while len(shares) < 2:
            stack.send(50, first=sent)
            sent += 50
            wait(lambda sent=sent: stack.items() == sent and stack.left() == 0)
            shares = {line["process"] for line in stack.lines(message="batch done")}
        # A message whose visibility timeout was over before its delete is written, and counted, again.
        wait(lambda: stack.written() >= sent)
        stack.process.send_signal(signal.SIGHUP)
        reloaded = stack.wait_for_lines(2, message="config reloaded")
        code = stack.stop()

    (config,) = {line["config"] for line in reloaded}
    assert (alive, sorted(line["process"] for line in reloaded), code) == ((200, f"ok\nconfig {config}\n"), [0, 1], 0)
    assert sorted(line["process"] for line in stack.lines(message="worker stopped", finished=True)) == [0, 1]
    assert stack.lines(level="ERROR") == []


def test_metrics_for_cloudwatch(stack: WorkerStack, wait: Callable[..., Any]) -> None:
    """Each process logs what it counted, in the embedded metric format, at the latest when it stops."""
    stack.environment["ROUTER_METRICS"] = "cloudwatch"
    with stack.running():
        stack.send(40)
        wait(lambda: stack.items() == 40 and stack.left() == 0, "the items")
        code = stack.stop()

    lines = stack.lines(message="metrics", queue="work", service="message-router")
    written = [line.get("router_messages_written_total", 0) for line in lines]
    directives = [line["_aws"]["CloudWatchMetrics"] for line in lines]
    assert (code, sum(written)) == (0, 40), lines
    assert [(each["Namespace"], each["Dimensions"]) for (each,) in directives] == [
        ("MessageRouter", [["service", "queue"]])
    ] * len(lines)


def test_killed(stack: WorkerStack, wait: Callable[..., Any]) -> None:
    """One that is killed is started again, nothing is lost, and what it had counted still counts."""
    with stack.running():
        stack.send(200)
        wait(lambda: stack.written() >= 50)
        os.kill(stack.children()[0], signal.SIGKILL)
        counted = stack.written()
        stack.wait_for_lines(3, message="worker started")
        stack.send(100, first=200)
        wait(lambda: stack.items() == 300 and stack.left() == 0)
        wait(lambda: stack.get("/readyz")[0] == 200)
        counted_then = stack.written()
        code = stack.stop(signal.SIGINT)

    (ended,) = stack.lines(message="process ended")
    assert (code, ended["exit_code"], counted_then >= counted) == (0, -9, True)


def test_counts_of_killed_processes(stack: WorkerStack, wait: Callable[..., Any]) -> None:
    """Each scrape has what all processes did, at once, those included that were killed right after; none goes back."""
    with stack.running():
        sent, counted = 0, [0.0]
        for _ in range(3):
            children = set(stack.children())
            started = len(stack.lines(message="worker started"))
            stack.send(60, first=sent)
            sent += 60
            wait(lambda sent=sent: stack.items() == sent and stack.left() == 0)
            for child in children:
                os.kill(child, signal.SIGKILL)
            counted.append(stack.written())
            stack.wait_for_lines(started + 2, message="worker started")
            counted.append(stack.written())
        code = stack.stop()

    # A message whose delete was not confirmed before the kill is written, and counted, again.
    assert (code, counted == sorted(counted), [counted[round_ * 2] >= round_ * 60 for round_ in (1, 2, 3)]) == (
        0,
        True,
        [True] * 3,
    )


def test_second_signal(stack: WorkerStack, wait: Callable[..., Any]) -> None:
    """A second signal ends all at once, though a batch is not finished."""
    stack.config.write_text(CONFIG.replace("version: 1", "version: 1\nplugins: [hangs.py]"))
    stack.config.with_name("hangs.py").write_text(HANGS)
    stack.send(10)
    with stack.running():
        wait(stack.config.with_name("hangs.mark").exists, "a batch in progress")
        children = stack.children()
        stack.process.send_signal(signal.SIGTERM)
        stack.wait_for_lines(2, message="stopping: finishing the batches in progress")
        code = stack.stop()

        assert (code, len(children)) == (128 + signal.SIGTERM, 2)
        wait(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in children))


def test_killed_parent(stack: WorkerStack) -> None:
    """Where the process that started them is killed, they stop as on SIGTERM."""
    with stack.running():
        stack.process.kill()

        stopped = stack.wait_for_lines(2, message="worker stopped")

    assert [line["finished"] for line in stopped] == [True, True]


def test_cannot_start(stack: WorkerStack) -> None:
    """What is wrong with a config is said once, with exit code 2."""
    stack.config.write_text(CONFIG.replace("table: items", "table: item"))

    done = subprocess.run(
        [sys.executable, "-m", "router", "worker", "--processes", "3", "-c", str(stack.config)],
        env=stack.environment,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr.count("RT2"), "Traceback" in done.stderr) == (2, 1, False)

"""`router console` on an embedded AWS, and on one of the environment: what runs is on the graph."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.console import RunningConsole, running_console
from tests.support.dev import LocalAws, clients, clients_of, create_queues, create_table, local_aws

CONFIG = """\
version: 1
queues:
  users: {dead_letter: users-dlq}
tables:
  users: {key: {id: S}}
routes:
  users: {queue: users, table: users, item: {id: id}}
telemetry: {metrics: route}
"""
Wait = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def worker_of(console: RunningConsole) -> int:
    """The id of the process of the worker that a console started."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(console.process.pid) and b"\0worker\0" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise AssertionError("there is no worker")


def live(console: RunningConsole) -> Any:
    reply = console.call("routes/live")
    assert reply.status == 200, reply.body
    return reply.json


def counted(status: Any, messages: int) -> Any:
    """The status once so many messages have their outcomes, and the rejected ones are on the dead-letter queue."""
    outcomes = status["outcomes"]["queue"].get("users", {})
    arrived = status["queues"][0]["dead_letters"] >= outcomes.get("rejected", 0)
    return status if sum(outcomes.values()) == messages and arrived else None


def test_on_the_embedded_aws(folder: Path, wait: Wait) -> None:
    """Messages are stored by its worker, and counted; a worker that is killed is started again."""
    with running_console(folder, "--local") as console:
        log = folder / "console.log"
        endpoint = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())[0]
        _, sqs = clients(LocalAws(endpoint))
        url = sqs.get_queue_url(QueueName="users")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody='{"id": "a"}')
        sqs.send_message(QueueUrl=url, MessageBody="no JSON")

        found = wait(lambda: counted(live(console), 2))
        os.kill(worker_of(console), signal.SIGKILL)
        # A receive of the one that was killed may still take a message: send when it is over.
        wait(lambda: log.read_text().count("worker started") == 2)
        sqs.send_message(QueueUrl=url, MessageBody='{"id": "b"}')
        again = wait(lambda: counted(live(console), 1))["outcomes"]

    (queue,) = found["queues"]
    assert again == {"queue": {"users": {"written": 1}}, "route": {"users": {"written": 1}}}
    assert (found["outcomes"], queue["waiting"], queue["dead_letters"], found["minutes"], found["unknown"]) == (
        {"queue": {"users": {"written": 1, "rejected": 1}}, "route": {"users": {"written": 1}}},
        0,
        1,
        0,
        [],
    )
    # The bound of a bucket of the histogram.
    assert (found["retries"], [*found["ages"]], found["ages"]["users"] >= 0.1) == ({}, ["users"], True)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An AWS that the console did not start."""
    with local_aws() as local:
        yield local


def test_on_the_aws_of_the_environment(folder: Path, aws: LocalAws) -> None:
    """Depth, and what functions measured in the last minutes; nothing may be written."""
    dynamodb, sqs = clients(aws)
    urls = create_queues(sqs, {"users": "users-dlq"})
    create_table(dynamodb, Table("users", (("id", "S"),)))
    sqs.send_message(QueueUrl=urls["users"], MessageBody="{}")
    dimensions = [{"Name": "service", "Value": "flows"}, {"Name": "queue", "Value": "users"}]
    metric = {"MetricName": "router_messages_written_total", "Dimensions": dimensions, "Timestamp": datetime.now(UTC)}
    throttled = {
        "MetricName": "router_retries_total",
        "Dimensions": [*dimensions, {"Name": "cause", "Value": "throttled"}],
    }
    age = {"MetricName": "router_message_age_seconds"}
    clients_of(aws)("cloudwatch").put_metric_data(
        Namespace="MessageRouter",
        MetricData=[
            {**metric, "Value": 3},
            {**metric, "Value": 4},
            {**metric, **throttled, "Value": 2},
            {**metric, **age, "Value": 2.5},
        ],
    )
    with running_console(folder, "--aws", env=aws.environment()) as console:
        found, setting = live(console), console.call("setting").json

    (queue,) = found["queues"]
    assert (setting, found["outcomes"], queue["waiting"], found["minutes"], found["tables"]) == (
        {"config": "routes.yaml", "is_there": True, "target": "aws", "writes": False},
        {"queue": {"users": {"written": 7}}, "route": {}},
        1,
        15,
        [{"table": "users", "throttled": 0, "write_units": 0}],
    )
    assert (found["retries"], found["ages"]) == ({"users": {"throttled": 2}}, {"users": 2.5})


def test_a_queue_that_is_missing(folder: Path, aws: LocalAws) -> None:
    """What cannot be read is unknown, with the reason."""
    (folder / "routes.yaml").write_text(
        CONFIG.replace("queues:\n  users:", "queues:\n  gone:").replace("queue: users", "queue: gone")
    )
    with running_console(folder, "--aws", env=aws.environment()) as console:
        found = live(console)

    assert (found["queues"][0]["waiting"], found["queues"][0]["unknown"]) == (
        None,
        ["queue gone: sqs:GetQueueUrl: NonExistentQueue: there is none of this name in this account and region"],
    )


def test_writing_needs_aws(router: Any, folder: Path) -> None:
    """`--write` says what it is for."""
    done = router("console", "--write")

    assert (done.returncode, "--write needs --aws" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("routes.yaml", "File 'routes.yaml' does not exist"),
        ("--local", "there is no routes.yaml here"),
        ("--aws", "there is no routes.yaml here"),
    ],
)
def test_without_a_config(router: Any, word: str, why: str) -> None:
    """A config that is named, or that runs, must be there."""
    done = router("console", word)

    assert (done.returncode, why in done.stderr) == (2, True)


def test_a_config_that_is_made(tmp_path: Path) -> None:
    """Messages become a project, as with `router new`; a config that is there is never touched."""
    samples = '{"id": "a", "total": 1}\n{"id": "b", "total": 2}'
    with running_console(tmp_path) as console:
        before = console.call("setting").json["is_there"]
        bad = console.call("first_run/new", {"samples": "no JSON", "queue": "orders"})
        made = console.call("first_run/new", {"samples": samples, "queue": "orders", "key": "id"})
        again = console.call("first_run/new", {"samples": samples, "queue": "orders"})
        checked = console.call("edit/check", {}).json

    assert (before, bad.status, made.status, again.status) == (False, 400, 200, 409)
    assert "JSON" in bad.json["message"]
    assert (checked["findings"], (tmp_path / "routes.yaml").exists()) == ([], True)


def test_the_browser_that_is_opened(folder: Path, wait: Wait) -> None:
    """It gets a token that is accepted once: the command line of a browser is visible to other users."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {folder}/opened\n', encoding="utf-8")
    browser.chmod(0o755)
    with running_console(folder, browser=True, env={"BROWSER": f"{browser} %s"}) as console:
        opened = wait(lambda: (folder / "opened").exists() and (folder / "opened").read_text().strip())
        path = opened.removeprefix(console.origin)

        codes = [console.request("GET", path, {"Cookie": None}).status for _ in range(2)]

    assert (codes, path == f"/?token={console.token}") == ([200, 403], False)

"""A Lambda function whose servers hang: it responds before its time is over, whatever call hangs."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.faults.hanging import Way, hanging_server
from tests.support.dev import LocalAws, clients, create_queues, create_table, scan_table

DRIVER = Path(__file__).parents[1] / "e2e" / "lambda_driver.py"
MILLISECONDS = 2500
"""The time of an invocation; by default, a call waits longer for its response."""
CONFIG = """
version: 1
queues:
  q: {name: "${NAME}", dead_letter: "${NAME}-dlq", retry: {lambda: true}}
  pointers: {name: "${NAME}-p", dead_letter: "${NAME}-dlq", envelope: [s3_pointer], s3_pointer: {buckets: [bucket]}}
tables: {items: {name: "${NAME}", key: {id: S}}, absent: {name: "${NAME}-absent", key: {id: S}}}
routes:
  good: {queue: q, table: items, when: "kind != 'absent'", schema: {properties: {id: {type: string}}}}
  absent: {queue: q, table: absent, when: "kind == 'absent'"}
  pointers: {queue: pointers, table: items}
"""
POINTER = '["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "bucket", "s3Key": "k"}]'
Answer = tuple[list[str], int]
"""The ids that failed, and the milliseconds that were left."""


class Function:
    """The Lambda function as a process; `environment` overrides that of its server."""

    def __init__(self, server: LocalAws, name: str, folder: Path) -> None:
        self.name = name
        (folder / "routes.yaml").write_text(CONFIG)
        self.environment = server.environment() | {"NAME": name, "ROUTER_CONFIG": str(folder / "routes.yaml")}
        self.log = folder / "log"
        self.dynamodb, sqs = clients(server)
        create_queues(sqs, {name: f"{name}-dlq"})
        create_table(self.dynamodb, Table(name, (("id", "S"),)))

    @contextmanager
    def running(self, **environment: str) -> Iterator[Callable[..., Answer]]:
        """Run it while the context lasts; call what is returned with bodies by message id."""
        with (
            self.log.open("w") as stderr,
            subprocess.Popen(
                [sys.executable, str(DRIVER)],
                env=self.environment | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as process,
        ):
            try:
                yield lambda *args, **bodies: self._invoke(process, *args, **bodies)
            finally:
                process.kill()

    def _invoke(self, process: Any, milliseconds: int, queue: str = "", **bodies: str) -> Answer:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.name}{queue}"
        records = [
            {"messageId": id_, "receiptHandle": "handle", "body": body, "attributes": {}, "eventSourceARN": arn}
            for id_, body in bodies.items()
        ]
        invocation = {"event": {"Records": records}, "milliseconds": milliseconds, "timed": True}
        process.stdin.write(json.dumps(invocation) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, self.log.read_text()
        answer = json.loads(line)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]], answer["milliseconds_left"]


@pytest.fixture
def function(ministack: LocalAws, name: str, tmp_path: Path) -> Function:
    """A function with queues and a table of its own."""
    return Function(ministack, name, tmp_path)


GOOD = {f"m{number}": json.dumps({"id": f"i{number}"}) for number in range(9)}
WAYS: tuple[Way, ...] = ("silent", "dripping", "black hole")


@pytest.fixture(params=WAYS)
def hanging(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that hangs."""
    with hanging_server(request.param) as endpoint:
        yield endpoint


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_writes(function: Function, hanging: str, transport: str) -> None:
    """Every message is reported if the table does not respond."""
    with function.running(AWS_ENDPOINT_URL_DYNAMODB=hanging, ROUTER_TRANSPORT=transport) as invoke:
        # More writes than one call takes, and writes of several kinds, which are several calls.
        failed, left = invoke(MILLISECONDS, **GOOD, m9='{"id": "i", "kind": "absent"}')

    assert (sorted(failed), left > 0) == ([*GOOD, "m9"], True), left


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_dead_letters(function: Function, hanging: str, transport: str) -> None:
    """A message whose dead letter cannot be sent is reported; the others are written."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging, ROUTER_TRANSPORT=transport) as invoke:
        failed, left = invoke(MILLISECONDS, **GOOD, bad='{"id": 1}')

    stored = len(scan_table(function.dynamodb, function.name))
    assert (failed, stored, left > 0) == (["bad"], len(GOOD), True), left


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_hiding(function: Function, hanging: str, transport: str) -> None:
    """A message that is to be retried later is reported, though its visibility timeout cannot be set."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging, ROUTER_TRANSPORT=transport) as invoke:
        failed, left = invoke(MILLISECONDS, **GOOD, late='{"id": "i", "kind": "absent"}')

    stored = len(scan_table(function.dynamodb, function.name))
    assert (failed, stored, left > 0) == (["late"], len(GOOD), True), left


def test_unknown_queue(function: Function, hanging: str) -> None:
    """Messages of a queue that the config does not know are reported."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging) as invoke:
        failed, left = invoke(MILLISECONDS, "-other", **GOOD)

    assert (failed, left > 0) == ([*GOOD], True), left


def test_payloads(function: Function, hanging: str) -> None:
    """Messages whose payloads cannot be fetched are reported."""
    with function.running(AWS_ENDPOINT_URL_S3=hanging) as invoke:
        invoke(0, "-p", first=POINTER)
        failed, left = invoke(MILLISECONDS, "-p", a=POINTER, b=POINTER)

    assert (failed, left > 0) == (["a", "b"], True), left


def test_large_batch(function: Function) -> None:
    """The largest batch of Lambda has time for the log of each message, though all servers hang."""
    bodies = {f"m{number}": '{"id": 1}' if number % 100 == 0 else f'{{"id": "{number}"}}' for number in range(10_000)}
    with hanging_server("silent") as hanging, function.running(AWS_ENDPOINT_URL=hanging) as invoke:
        failed, left = invoke(3 * MILLISECONDS, **bodies)

    assert (len(failed), left > 0) == (10_000, True), left


def test_next_invocation(function: Function, ministack: LocalAws) -> None:
    """After an invocation that ran out of time, the next one has the time that it needs."""
    with hanging_server("silent") as hanging, function.running(AWS_ENDPOINT_URL_SQS=hanging) as invoke:
        first = invoke(MILLISECONDS, bad='{"id": 1}')
        began = time.monotonic()
        second, _ = invoke(MILLISECONDS, **GOOD)

    assert (first[0], second, time.monotonic() - began < 2) == (["bad"], [], True)

"""A Lambda function whose servers hang: it responds before its time is over, whatever call hangs."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.faults.hanging import Way, hanging_server
from tests.support.dev import LocalAws, clients, create_queues, create_table, scan_table

ROOT = Path(__file__).parents[2]
DRIVER = "tests.faults.timed_driver"
MILLISECONDS = 4000
"""The time of an invocation."""
TRIES = 4
"""The invocations that must leave time for a write, of which a machine that stops for seconds takes all."""
AMPLE_MILLISECONDS = 60_000
"""The time of an invocation that must not be short of it on a busy machine."""
LATE_SECONDS = 50
"""No busy machine delays an answer so much; a call that is not ended in time waits for longer."""
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
Answer = tuple[list[str], str]
"""The ids that failed; and how the time was exceeded, or ""."""


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
                [sys.executable, "-m", DRIVER],
                cwd=ROOT,
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
        invocation = {"event": {"Records": records}, "milliseconds": milliseconds}
        process.stdin.write(json.dumps(invocation) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, self.log.read_text()
        answer = json.loads(line)
        exceeded = answer["late"] > LATE_SECONDS or answer["busy"] > answer["reserve"]
        failed = answer.pop("failed")
        return failed, f"{answer}" if exceeded else ""


@pytest.fixture
def function(ministack: LocalAws, name: str, tmp_path: Path) -> Function:
    """A function with queues and a table of its own."""
    return Function(ministack, name, tmp_path)


def connect(invoke: Callable[..., Answer]) -> None:
    """Let a function make its clients and connect to DynamoDB, which can take seconds on a busy machine."""
    assert invoke(AMPLE_MILLISECONDS, first='{"id": "first"}') == ([], "")


def serve(invoke: Callable[..., Answer], **bodies: str) -> Answer:
    """Invoke a function with one message that fails and others; again if the machine stopped, and more have failed."""
    answer = invoke(MILLISECONDS, **bodies)
    for _ in range(TRIES - 1):
        if len(answer[0]) > 1:
            answer = invoke(MILLISECONDS, **bodies)
    return answer


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
        failed, exceeded = invoke(MILLISECONDS, **GOOD, m9='{"id": "i", "kind": "absent"}')

    assert (sorted(failed), exceeded) == ([*GOOD, "m9"], "")


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_dead_letters(function: Function, hanging: str, transport: str) -> None:
    """A message whose dead letter cannot be sent is reported; the others are written."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging, ROUTER_TRANSPORT=transport) as invoke:
        connect(invoke)
        failed, exceeded = serve(invoke, **GOOD, bad='{"id": 1}')

    stored = len(scan_table(function.dynamodb, function.name))
    assert (failed, stored, exceeded) == (["bad"], len(GOOD) + 1, "")


@pytest.mark.parametrize("transport", ["direct", "boto3"])
def test_hiding(function: Function, hanging: str, transport: str) -> None:
    """A message that is to be retried later is reported, though its visibility timeout cannot be set."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging, ROUTER_TRANSPORT=transport) as invoke:
        connect(invoke)
        failed, exceeded = serve(invoke, **GOOD, late='{"id": "i", "kind": "absent"}')

    stored = len(scan_table(function.dynamodb, function.name))
    assert (failed, stored, exceeded) == (["late"], len(GOOD) + 1, "")


def test_unknown_queue(function: Function, hanging: str) -> None:
    """Messages of a queue that the config does not know are reported."""
    with function.running(AWS_ENDPOINT_URL_SQS=hanging) as invoke:
        failed, exceeded = invoke(MILLISECONDS, "-other", **GOOD)

    assert (failed, exceeded) == ([*GOOD], "")


def test_payloads(function: Function, hanging: str) -> None:
    """Messages whose payloads cannot be fetched are reported."""
    with function.running(AWS_ENDPOINT_URL_S3=hanging) as invoke:
        invoke(0, "-p", first=POINTER)
        failed, exceeded = invoke(MILLISECONDS, "-p", a=POINTER, b=POINTER)

    assert (failed, exceeded) == (["a", "b"], "")


def test_large_batch(function: Function) -> None:
    """The largest batch of Lambda has time for the log of each message, though all servers hang."""
    bodies = {f"m{number}": '{"id": 1}' if number % 100 == 0 else f'{{"id": "{number}"}}' for number in range(10_000)}
    with hanging_server("silent") as hanging, function.running(AWS_ENDPOINT_URL=hanging) as invoke:
        failed, exceeded = invoke(2 * MILLISECONDS, **bodies)

    assert (len(failed), exceeded) == (10_000, "")


def test_next_invocation(function: Function, ministack: LocalAws) -> None:
    """After an invocation that ran out of time, the next one has the time that it needs."""
    with hanging_server("silent") as hanging, function.running(AWS_ENDPOINT_URL_SQS=hanging) as invoke:
        connect(invoke)
        first = invoke(MILLISECONDS, bad='{"id": 1}')
        second = invoke(AMPLE_MILLISECONDS, **GOOD)

    assert (first, second) == ((["bad"], ""), ([], ""))

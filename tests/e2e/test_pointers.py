"""Messages whose payload is in S3, through the whole delivery, on both servers."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.aws import Aws, boottime, connect
from tests.support.deliver import (
    Delivery,
    FixedDeadline,
)
from tests.support.dev import LocalAws, create_queues, create_table
from tests.support.program import load_program

CONFIG = """\
version: 1
queues:
  direct: {{name: {name}-direct, dead_letter: {name}-dlq, envelope: [s3_pointer], s3_pointer: &pointer
    {{buckets: [{name}], max_bytes: 2000000}}}}
  topic: {{name: {name}-topic, dead_letter: {name}-dlq, envelope: [sns, s3_pointer], s3_pointer: *pointer}}
  lost: {{name: {name}-lost, dead_letter: {name}-dlq, envelope: [s3_pointer], s3_pointer:
    {{buckets: [{name}-absent]}}}}
tables: {{things: {{name: {name}-things, key: {{id: S}}}}}}
routes:
  direct: {{queue: direct, table: things, item: &item {{id: id, size: length(text), kind: {{meta: attribute.kind}}}}}}
  topic: {{queue: topic, table: things, item: *item}}
  lost: {{queue: lost, table: things, item: *item}}
"""
CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"
LARGE = "x" * 1_500_000
"""More than any message of SQS can have."""


class Flow:
    """Queues, a table and a bucket under a name of their own, and a delivery between them."""

    def __init__(self, name: str, folder: Path, aws: Aws, clients: tuple[Any, Any, Any]) -> None:
        self.name = name
        self.dynamodb, self.sqs, self.s3 = clients
        path = folder / "routes.yaml"
        path.write_text(CONFIG.format(name=name))
        self._program = load_program(path, {})
        self._aws = aws
        queues = self._program.engine.queues.values()
        self.urls = create_queues(self.sqs, {queue.reference: queue.dead_letter for queue in queues})
        create_table(self.dynamodb, Table(f"{name}-things", (("id", "S"),)))
        self.s3.create_bucket(Bucket=name)

    def put(self, key: str, content: str) -> str:
        """Put an object; the body of the message that points to it."""
        self.s3.put_object(Bucket=self.name, Key=key, Body=content.encode())
        return self.pointer(key)

    def pointer(self, key: str, suffix: str = "") -> str:
        """The body of a message that points to an object."""
        return json.dumps([CLASS, {"s3BucketName": self.name + suffix, "s3Key": key}])

    def deliver(self, queue: str, *bodies: str) -> list[tuple[str, str, bool]]:
        """Send, receive and deliver; outcome, code and whether it is acknowledged, in the order of sending."""
        url = self.urls[f"{self.name}-{queue}"]
        size = {"DataType": "Number", "StringValue": "1500000"}
        sent = [
            self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes={"ExtendedPayloadSize": size})
            for body in bodies
        ]
        records: dict[str, Any] = {}
        end = boottime() + 60
        while len(records) < len(bodies) and boottime() < end:
            received = self._aws.queues.receive(url, 10, 1, 30)
            assert isinstance(received, list)
            records |= {record.message_id: record for record in received}
        delivery = Delivery(self._program, self._aws)
        delivered = delivery.deliver(
            self._program.engine.queues[queue], [records[each["MessageId"]] for each in sent], FixedDeadline(end)
        )
        return [(each.outcome.kind, each.outcome.code, each.acknowledged) for each in delivered]

    def items(self) -> list[Any]:
        """What the table has, by id."""
        items = self.dynamodb.scan(TableName=f"{self.name}-things", ConsistentRead=True)["Items"]
        return sorted(items, key=lambda item: item["id"]["S"])

    def letters(self) -> list[tuple[str, str]]:
        """Bodies and codes of the dead letters."""
        answer = self.sqs.receive_message(
            QueueUrl=self.urls[f"{self.name}-dlq"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (letter["Body"], json.loads(letter["MessageAttributes"]["router"]["StringValue"])["code"])
            for letter in answer.get("Messages", ())
        ]


@pytest.fixture
def flow(
    server: LocalAws, dynamodb: Any, sqs: Any, s3: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Flow:
    """A flow in the environment of the server alone, as the client of S3 is made when it is first needed."""
    for variable, value in server.environment().items():
        monkeypatch.setenv(variable, value)
    return Flow(name, tmp_path, connect(8), (dynamodb, sqs, s3))


WRITTEN = ("written", "", True)


def test_large_and_small(flow: Flow) -> None:
    """One queue has both; the object stays where it is."""
    large = flow.put("a/1", json.dumps({"id": "1", "text": LARGE}))

    outcomes = flow.deliver("direct", large, json.dumps({"id": "2", "text": "x"}))

    kept = flow.s3.head_object(Bucket=flow.name, Key="a/1")["ContentLength"]
    assert (outcomes, flow.items(), kept > len(LARGE)) == (
        [WRITTEN, WRITTEN],
        [{"id": {"S": "1"}, "size": {"N": "1500000"}}, {"id": {"S": "2"}, "size": {"N": "1"}}],
        True,
    )


def test_through_sns(flow: Flow) -> None:
    """The envelope around the pointer still gives its attributes."""
    large = flow.put("1", json.dumps({"id": "1", "text": LARGE}))
    kind = {"kind": {"Type": "String", "Value": "report"}}
    bodies = [
        json.dumps({"Type": "Notification", "Message": message, "MessageAttributes": kind})
        for message in (large, '{"id": "2", "text": ""}')
    ]

    outcomes = flow.deliver("topic", *bodies)

    assert (outcomes, flow.items()) == (
        [WRITTEN, WRITTEN],
        [
            {"id": {"S": "1"}, "size": {"N": "1500000"}, "kind": {"S": "report"}},
            {"id": {"S": "2"}, "size": {"N": "0"}, "kind": {"S": "report"}},
        ],
    )


def test_what_cannot_be_followed(flow: Flow) -> None:
    """Each is a dead letter with its untouched pointer, and the good one among them is written."""
    gone, foreign = flow.pointer("gone"), flow.pointer("k", "-other")
    huge, bad = flow.put("huge", "x" * 2_000_001), flow.put("bad", "no JSON")
    good = flow.put("good", '{"id": "1", "text": ""}')

    outcomes = flow.deliver("direct", gone, foreign, good, huge, bad)

    refused = [("rejected", code, True) for code in ("RT823", "RT823", "RT803", "RT801")]
    assert (outcomes, len(flow.items())) == ([*refused[:2], WRITTEN, *refused[2:]], 1)
    letters: set[tuple[str, str]] = set()
    end = boottime() + 60
    while len(letters) < 4 and boottime() < end:
        letters.update(flow.letters())
    assert letters == {(gone, "RT823"), (foreign, "RT823"), (huge, "RT803"), (bad, "RT801")}


def test_no_such_bucket(flow: Flow) -> None:
    """A configuration error dead-letters nothing; messages without a pointer are written."""
    outcomes = flow.deliver("lost", flow.pointer("k", "-absent"), '{"id": "1", "text": ""}')

    assert (outcomes, len(flow.items()), flow.letters()) == ([("retry", "RT816", False), WRITTEN], 1, [])

"""A redriven letter is the message that it was: its id, its times and its time to live, by each way back."""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_dlq import OnCall
from tests.support.dev import LocalAws

CONFIG = """
version: 1
queues:
  orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}
tables:
  orders: {name: PREFIX-orders, key: {id: S}}
routes:
  orders:
    queue: orders
    table: orders
    item: {id: id, message: {meta: message_id}, at: {meta: sent_at}, expires: {ttl: 1d}}
"""
DRIVER = Path(__file__).parent / "lambda_driver.py"
FAILURE = {
    "code": "RT806",
    "reason": "fails 'type' at /properties/total/type",
    "queue": "orders",
    "route": "orders",
    "pointer": "/total",
    "message_id": "0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11",
    "receive_count": 1,
    "failed_at": "2026-01-02T00:00:00.000Z",
    "sent_at": "2026-01-01T00:00:00.000Z",
}
SENT_SECONDS = 1_767_225_600


class IdentityOnCall(OnCall):
    """A route that stores the identity of its messages."""

    def use(self, type_: str) -> None:
        self.config.write_text(CONFIG.replace("PREFIX", self.prefix))

    def invoke(self, attribute: str) -> dict[str, Any]:
        """Call the function with a letter that a tool has moved to its queue; its response."""
        record = {
            "messageId": str(uuid.uuid4()),
            "receiptHandle": "h",
            "body": '{"id": "o"}',
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
            "messageAttributes": {"router": {"dataType": "String", "stringValue": attribute}},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{self.prefix}-orders",
        }
        done = subprocess.run(
            [sys.executable, str(DRIVER)],
            input=json.dumps({"event": {"Records": [record]}, "milliseconds": 30_000}) + "\n",
            env=self.environment | {"ROUTER_CONFIG": str(self.config)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        response: dict[str, Any] = json.loads(done.stdout)
        return response


@pytest.fixture
def on_call(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> IdentityOnCall:
    return IdentityOnCall(server, dynamodb, sqs, tmp_path)


@pytest.mark.parametrize("way", ["redrive", "to-queue", "function"])
def test_identity(on_call: IdentityOnCall, way: str) -> None:
    """The item expires when it would have, had the message not failed."""
    attribute = json.dumps(FAILURE)
    if way == "function":
        assert on_call.invoke(attribute) == {"batchItemFailures": []}
    else:
        attributes = {"router": {"DataType": "String", "StringValue": attribute}}
        on_call.send({"id": "o"}, "dlq", MessageAttributes=attributes)
        on_call.run("redrive", "--yes", *(["--to-queue"] if way == "to-queue" else []))
    if way == "to-queue":
        on_call.work(lambda: on_call.item("o") is not None)

    assert on_call.item("o") == {
        "id": {"S": "o"},
        "message": {"S": FAILURE["message_id"]},
        "at": {"S": FAILURE["sent_at"]},
        "expires": {"N": str(SENT_SECONDS + 86_400)},
    }


def test_the_source_of_a_letter(on_call: IdentityOnCall) -> None:
    """SQS does not name the queue of what was sent, so that no move task finds it: the letter has its URL."""
    on_call.send("not JSON")
    on_call.work(lambda: on_call.count("dlq")[0] == 1)
    url = on_call.urls[f"{on_call.prefix}-dlq"]

    (letter,) = on_call.sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])[
        "Messages"
    ]

    source = json.loads(letter["MessageAttributes"]["router"]["StringValue"])["source"]
    assert ("DeadLetterQueueSourceArn" in letter["Attributes"], source.rpartition("/")[2]) == (
        False,
        f"{on_call.prefix}-orders",
    )
    assert "://" in source

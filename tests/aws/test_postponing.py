"""A postponed message on both servers: its copy is the message that it was, even beside the message itself."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from router.runtime.aws.protocols import Aws
from tests.support.deliver import IN_FLIGHT_MOST, Delivery, FixedDeadline, postpone
from tests.support.dev import create_table
from tests.support.program import load_program

CONFIG = """version: 1
queues: {{q: {{name: {name}, dead_letter: {name}-letters}}}}
tables: {{sums: {{name: {name}, key: {{id: S}}}}, marks: {{name: {name}-marks, key: {{id: S}}}}}}
routes:
  r:
    queue: q
    table: sums
    item: {{id: id, n: n, message: {{meta: message_id}}, sent: {{meta: sent_at}}}}
    write: {{mode: update, add: [n], once: marks}}
"""


@pytest.fixture
def delivery(aws: Aws, sqs: Any, name: str, tmp_path: Path) -> tuple[Delivery, Any, str]:
    """Delivers a queue into a table that there is not yet."""
    (tmp_path / "routes.yaml").write_text(CONFIG.format(name=name), encoding="utf-8")
    program = load_program(tmp_path / "routes.yaml", {})
    sqs.create_queue(QueueName=f"{name}-letters")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return Delivery(program, aws), program.engine.queues["q"], url


def receive(aws: Aws, url: str, done: Callable[[list[Any]], bool]) -> list[Any]:
    """Receive until enough messages have come."""
    found: list[Any] = []
    end = time.monotonic() + 60
    while not done(found) and time.monotonic() < end:
        records = aws.queues.receive(url, 10, 1, 60)
        assert isinstance(records, list)
        found += records
    return found


def test_a_copy_beside_its_message(
    aws: Aws, sqs: Any, dynamodb: Any, delivery: tuple[Delivery, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes after its delay, and is added once, although the message was not deleted: a function was killed."""
    delivers, queue, url = delivery
    monkeypatch.setattr("router.runtime.deliver.postponing.jitter", lambda low, high: 2)
    sqs.send_message(QueueUrl=url, MessageBody='{"id": "a", "n": 5}')
    (first,) = receive(aws, url, bool)
    failed = delivers.deliver(queue, [first], FixedDeadline(float("inf")))
    assert [each.outcome.code for each in failed] == ["RT816"]

    assert postpone(aws.queues, queue, url, failed, IN_FLIGHT_MOST + 1, 60, "") == {first.message_id}

    attributes = aws.queues.attributes(url, 60)
    assert getattr(attributes, "in_flight", attributes) == 1
    delayed = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert delayed["ApproximateNumberOfMessagesDelayed"] == "1"
    aws.queues.change_visibility(url, [(first.message_id, first.receipt_handle, 3)], 60)
    records = receive(aws, url, lambda found: len(found) == 2)
    assert len({record.message_id for record in records}) == 2
    for table in ("sums", "marks"):
        name = queue.reference if table == "sums" else f"{queue.reference}-marks"
        create_table(dynamodb, Table(name, (("id", "S"),)), "")
    for record in records:
        (done,) = delivers.deliver(queue, [record], FixedDeadline(float("inf")))
        assert done.outcome.kind in ("written", "duplicate"), done
    (item,) = dynamodb.scan(TableName=queue.reference)["Items"]
    assert (item["n"], item["message"]) == ({"N": "5"}, {"S": first.message_id})

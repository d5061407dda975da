"""Making queues and tables, on both servers."""

import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from router.errors import MissingExtra, UsageError
from router.model import Table
from tests.support.dev import (
    LocalAws,
    QueueSettings,
    clients,
    create_queues,
    create_table,
    refuse_foreign,
    scan_table,
)


def test_table(dynamodb: Any, name: str) -> None:
    """A table gets its key and its time to live."""
    create_table(dynamodb, Table(name, (("pk", "S"), ("sk", "B"))), "expires")

    table = dynamodb.describe_table(TableName=name)["Table"]
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert (
        table["KeySchema"],
        sorted((each["AttributeName"], each["AttributeType"]) for each in table["AttributeDefinitions"]),
        table["BillingModeSummary"]["BillingMode"],
        ttl,
    ) == (
        [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        [("pk", "S"), ("sk", "B")],
        "PAY_PER_REQUEST",
        {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"},
    )


def test_scan(dynamodb: Any, name: str) -> None:
    """A table reads back in Python's types, exact, all pages of it."""
    create_table(dynamodb, Table(name, (("n", "N"),)))
    filler = "x" * 300_000
    for n in range(5):
        dynamodb.put_item(TableName=name, Item={"n": {"N": f"{n}.5"}, "raw": {"B": b"\0"}, "filler": {"S": filler}})

    items = scan_table(dynamodb, name)

    assert sorted(items, key=lambda item: item["n"]) == [
        {"n": Decimal(f"{n}.5"), "raw": b"\0", "filler": filler} for n in range(5)
    ]


def test_queues(sqs: Any, name: str) -> None:
    """A queue gets its dead-letter queue, which is made first, and a visibility timeout."""
    urls = create_queues(sqs, {f"arn:aws:sqs:eu-west-1:1:{name}": f"{name}-dlq", f"{name}-dlq": ""})

    attributes = sqs.get_queue_attributes(QueueUrl=urls[name], AttributeNames=["All"])["Attributes"]
    dead_letters = sqs.get_queue_attributes(QueueUrl=urls[f"{name}-dlq"], AttributeNames=["All"])["Attributes"]
    policy = json.loads(attributes["RedrivePolicy"])
    assert (
        list(urls),
        attributes["VisibilityTimeout"],
        policy["deadLetterTargetArn"],
        int(policy["maxReceiveCount"]),
        "RedrivePolicy" in dead_letters,
    ) == ([f"{name}-dlq", name], "30", dead_letters["QueueArn"], 5, False)


def test_settings_of_queues(sqs: Any, name: str) -> None:
    """Settings are those that are given, also of a queue that exists."""
    made = {name: f"{name}-dlq"}
    settings = {name: QueueSettings(7, 60, 86_400), f"{name}-dlq": QueueSettings(retention=864_000)}
    create_queues(sqs, made)

    urls = create_queues(sqs, made, settings)

    found = {
        queue: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for queue, url in urls.items()
    }
    assert (
        int(json.loads(found[name]["RedrivePolicy"])["maxReceiveCount"]),
        found[name]["VisibilityTimeout"],
        found[name]["MessageRetentionPeriod"],
        found[f"{name}-dlq"]["MessageRetentionPeriod"],
    ) == (7, "60", "86400", "864000")


def test_fifo_queues(sqs: Any, name: str) -> None:
    """Queues named so are FIFO, and take messages without a deduplication id."""
    urls = create_queues(sqs, {f"{name}.fifo": f"https://sqs.eu-west-1.amazonaws.com/1/{name}-dlq.fifo"})

    kinds = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"] for url in urls.values()]
    assert (list(urls), [(kind["FifoQueue"], kind["ContentBasedDeduplication"]) for kind in kinds]) == (
        [f"{name}-dlq.fifo", f"{name}.fifo"],
        [("true", "true")] * 2,
    )


def test_clients_ignore_the_environment(in_environment: Callable[..., None]) -> None:
    """Neither a profile nor an endpoint of the environment leads the clients away."""
    in_environment(AWS_PROFILE="absent", AWS_ENDPOINT_URL_SQS="https://example.com", AWS_REGION="eu-west-1")

    made = clients(LocalAws("http://127.0.0.1:9"))

    assert [(client.meta.endpoint_url, client.meta.region_name) for client in made] == [
        ("http://127.0.0.1:9", "us-east-1")
    ] * 2


def test_clients_without_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without boto3 the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(MissingExtra, match=r"message-router\[local\]"):
        clients(LocalAws("http://127.0.0.1:9"))


def test_own_endpoint() -> None:
    """The endpoint of the embedded AWS is no foreign one."""
    refuse_foreign("http://127.0.0.1:4000/", LocalAws("http://127.0.0.1:4000"))


@pytest.mark.parametrize("endpoint", ["https://sqs.eu-west-1.amazonaws.com", "http://127.0.0.1:40000", ""])
def test_foreign_endpoint(endpoint: str) -> None:
    """Any other endpoint is refused, another local one too."""
    with pytest.raises(UsageError, match=r"^this runs on the embedded AWS at http://127\.0\.0\.1:4000 only, not on "):
        refuse_foreign(endpoint, LocalAws("http://127.0.0.1:4000"))

"""The DynamoDB clients, on both servers."""

from typing import Any

import pytest

from router.model import Table
from router.runtime.aws.protocols import Aws, AwsFault, WriteResponse
from tests.support.dev import create_table

ITEM = {
    "pk": {"S": "a"},
    "sk": {"N": "1"},
    "raw": {"B": b"\x00\xff"},
    "deep": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}, {"NS": ["1", "2"]}]}}},
}
KEY = {"pk": ITEM["pk"], "sk": ITEM["sk"]}


@pytest.fixture
def table(dynamodb: Any, name: str) -> str:
    dynamodb.create_table(
        TableName=name,
        # The sort key first, to show that nothing depends on the order.
        AttributeDefinitions=[
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "pk", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def test_put(aws: Aws, dynamodb: Any, table: str) -> None:
    """A put stores the item unchanged, with bytes."""
    answer = aws.tables.batch_write(table, [{"PutRequest": {"Item": ITEM}}], 60)

    stored = dynamodb.get_item(TableName=table, Key=KEY)["Item"]
    assert (answer, stored) == (WriteResponse([], None), ITEM)


def test_delete(aws: Aws, dynamodb: Any, table: str) -> None:
    """A delete removes one item and leaves the others."""
    other = {"pk": {"S": "a"}, "sk": {"N": "2"}}
    dynamodb.put_item(TableName=table, Item=ITEM)
    dynamodb.put_item(TableName=table, Item=other)

    answer = aws.tables.batch_write(table, [{"DeleteRequest": {"Key": KEY}}], 60)

    assert (answer, dynamodb.scan(TableName=table)["Items"]) == (WriteResponse([], None), [other])


def test_full_batch(aws: Aws, dynamodb: Any, table: str) -> None:
    """25 puts and deletes fit into one call."""
    dynamodb.put_item(TableName=table, Item=ITEM)
    puts = [{"PutRequest": {"Item": {"pk": {"S": "b"}, "sk": {"N": str(n)}}}} for n in range(24)]

    answer = aws.tables.batch_write(table, [*puts, {"DeleteRequest": {"Key": KEY}}], 60)

    assert (answer, dynamodb.scan(TableName=table)["Count"]) == (WriteResponse([], None), 24)


def test_refused_item(aws: Aws, dynamodb: Any, table: str) -> None:
    """An item without its key is refused, with the whole batch."""
    answer = aws.tables.batch_write(
        table, [{"PutRequest": {"Item": {"other": {"S": "x"}}}}, {"PutRequest": {"Item": ITEM}}], 60
    )

    assert answer == WriteResponse([], AwsFault("refused", "ValidationException", 400))
    assert dynamodb.scan(TableName=table)["Items"] == []


def test_no_such_table(aws: Aws, name: str) -> None:
    """A table that does not exist is a configuration error."""
    answer = aws.tables.batch_write(name, [{"PutRequest": {"Item": ITEM}}], 60)

    assert answer == WriteResponse([], AwsFault("configuration", "ResourceNotFoundException", 400))


def test_key_schema(aws: Aws, table: str) -> None:
    """The partition key is first, each key has its type."""
    assert aws.tables.key_schema(table, 60) == (("pk", "S"), ("sk", "N"))


def test_key_schema_of_a_recreated_table(aws: Aws, dynamodb: Any, table: str) -> None:
    """A table is described anew each time: it can be deleted and created with another key."""
    before = aws.tables.key_schema(table, 60)
    dynamodb.delete_table(TableName=table)
    create_table(dynamodb, Table(table, (("id", "S"),)))

    assert (before, aws.tables.key_schema(table, 60)) == ((("pk", "S"), ("sk", "N")), (("id", "S"),))


def test_key_schema_of_no_table(aws: Aws, name: str) -> None:
    """The key of a table that does not exist is a configuration error."""
    assert aws.tables.key_schema(name, 60) == AwsFault("configuration", "ResourceNotFoundException", 400)


def test_unprocessed(scripted: Any, scripted_aws: Aws) -> None:
    """Unprocessed items are returned as requests, with raw bytes."""
    first = {"PutRequest": {"Item": {"pk": {"S": "a"}, "raw": {"B": "AP8="}}}}
    scripted.answers({"UnprocessedItems": {"some-table": [first]}})

    answer = scripted_aws.tables.batch_write(
        "some-table",
        [
            {"PutRequest": {"Item": {"pk": {"S": "a"}, "raw": {"B": b"\x00\xff"}}}},
            {"DeleteRequest": {"Key": {"pk": {"S": "b"}}}},
        ],
        60,
    )

    assert answer == WriteResponse([{"PutRequest": {"Item": {"pk": {"S": "a"}, "raw": {"B": b"\x00\xff"}}}}], None)
    assert scripted.asked == [{"RequestItems": {"some-table": [first, {"DeleteRequest": {"Key": {"pk": {"S": "b"}}}}]}}]


@pytest.mark.parametrize(
    ("status", "answer", "fault"),
    [
        (
            400,
            {"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", "message": "m"},
            AwsFault("retry", "ProvisionedThroughputExceededException", 400),
        ),
        (
            400,
            {"__type": "com.amazon.coral.service#AccessDeniedException"},
            AwsFault("configuration", "AccessDeniedException", 400),
        ),
        (500, {"__type": "InternalServerError"}, AwsFault("retry", "InternalServerError", 500)),
        (503, b"<html>busy</html>", AwsFault("retry", "503", 503)),
        (400, {"__type": "SomethingNew"}, AwsFault("retry", "SomethingNew", 400)),
        (200, b"<html>a proxy's page</html>", AwsFault("retry", "UnreadableAnswer", 200)),
    ],
)
def test_faults(scripted: Any, scripted_aws: Aws, status: int, answer: Any, fault: AwsFault) -> None:
    """Each failure is one fault after one call, without retries in the client."""
    scripted.answers(answer, status)

    written = scripted_aws.tables.batch_write("some-table", [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}], 60)

    assert (written, len(scripted.asked)) == (WriteResponse([], fault), 1)


def test_unreachable(unreachable: Aws) -> None:
    """An endpoint where no server listens is a transient fault."""
    answer = unreachable.tables.batch_write("some-table", [{"PutRequest": {"Item": ITEM}}], 60)

    assert answer == WriteResponse([], AwsFault("retry", "EndpointConnectionError", 0))


def test_measured(aws: Aws, table: str) -> None:
    """A measured write tells the write units that it has consumed, if the server does: moto not for each kind."""
    put = {"TableName": table, "Item": ITEM}
    answers = [
        aws.tables.batch_write(table, [{"PutRequest": {"Item": ITEM}}], 60, measured=True),
        aws.tables.write("Put", put, 60, measured=True),
        aws.tables.transact(
            [("Put", put), ("Put", {"TableName": table, "Item": {**ITEM, "pk": {"S": "b"}}})], 60, True
        ),
    ]

    assert ([answer.fault for answer in answers], {type(answer.consumed) for answer in answers} - {type(None)}) == (
        [None] * 3,
        {float},
    )

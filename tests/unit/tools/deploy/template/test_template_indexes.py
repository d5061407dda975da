"""Indexes of tables in a template."""

from typing import Any

LETTERS = "queues: {q: {dead_letter: letters}}\n"
INDEXES = """\
tables:
  things:
    key: {id: S}
    indexes:
      by_status: {key: {status: S, at: N}, projection: keys}
      by_region: {key: {region: S, status: S, at: N}, partition: 2, projection: [total, id, total]}
      by_at: {key: {at: N}, projection: [id]}
CAPACITYroutes: {r: {queue: q, table: things}}
"""
CAPACITY = "    capacity: {write: {min: 10, max: 500}, read: {min: 5}}\n"


def test_indexes(make: Any, resolve: Any) -> None:
    """With keys of several attributes, the attributes of all keys, and projections without key attributes."""
    table = resolve(make(LETTERS + INDEXES.replace("CAPACITY", ""))).resources("DynamoDB::Table")["TableThings"]

    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    assert types == {"id": "S", "status": "S", "at": "N", "region": "S"}
    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "by_status",
            "KeySchema": [
                {"AttributeName": "status", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
        {
            "IndexName": "by_region",
            "KeySchema": [
                {"AttributeName": "region", "KeyType": "HASH"},
                {"AttributeName": "status", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["total"]},
        },
        {
            "IndexName": "by_at",
            "KeySchema": [{"AttributeName": "at", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        },
    ]


def test_capacity_of_indexes(make: Any, resolve: Any) -> None:
    """Each index has the units of its table, and is scaled as the table is."""
    template = resolve(make(LETTERS + INDEXES.replace("CAPACITY", CAPACITY)))

    table = template.resources("DynamoDB::Table")["TableThings"]
    assert [each["ProvisionedThroughput"] for each in table["GlobalSecondaryIndexes"]] == [
        {"ReadCapacityUnits": 5, "WriteCapacityUnits": 10}
    ] * 3
    targets = template.resources("ApplicationAutoScaling::ScalableTarget").values()
    assert sorted((each["ResourceId"], each["ScalableDimension"]) for each in targets) == [
        ("table/TableThings", "dynamodb:table:WriteCapacityUnits"),
        ("table/TableThings/index/by_at", "dynamodb:index:WriteCapacityUnits"),
        ("table/TableThings/index/by_region", "dynamodb:index:WriteCapacityUnits"),
        ("table/TableThings/index/by_status", "dynamodb:index:WriteCapacityUnits"),
    ]


def test_indexes_on_the_dashboard(make: Any) -> None:
    """CloudWatch does not count the units and the throttled writes of an index in those of its table."""
    text = str(make(LETTERS + INDEXES.replace("CAPACITY", "")).body)

    assert text.count("GlobalSecondaryIndexName") == 6

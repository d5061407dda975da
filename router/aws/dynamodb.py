"""DynamoDB through boto3's low-level client."""

from typing import TYPE_CHECKING, cast

from router.aws.calls import call
from router.aws.client import BatchAnswer, KeySchema, Request
from router.aws.faults import Fault

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoTables:
    """The `Tables` of the seam."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._schemas: dict[str, KeySchema] = {}

    def batch_write(self, table: str, requests: list[Request]) -> BatchAnswer:
        """One BatchWriteItem; items go through as they are."""
        answer = call(self._client.batch_write_item, "UnprocessedItems", RequestItems={table: requests})
        if isinstance(answer, Fault):
            return BatchAnswer(fault=answer)
        # One table was asked for, so only its requests can come back.
        return BatchAnswer([request for left in answer["UnprocessedItems"].values() for request in left])

    def key_schema(self, table: str) -> KeySchema | Fault:
        """DescribeTable, kept if it succeeds: a table's key never changes."""
        if table in self._schemas:
            return self._schemas[table]
        answer = call(self._client.describe_table, "Table", TableName=table)
        if isinstance(answer, Fault):
            return answer
        description = answer["Table"]
        types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
        # "HASH" (the partition key) comes before "RANGE" (the sort key).
        parts = sorted(description["KeySchema"], key=lambda part: part["KeyType"])
        schema = tuple((part["AttributeName"], types[part["AttributeName"]]) for part in parts)
        self._schemas[table] = cast("KeySchema", schema)
        return self._schemas[table]

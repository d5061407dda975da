"""DynamoDB through boto3's low-level client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from router.aws.answers import cancelled, read_key_schema
from router.aws.calls import ERRORS, call, fault_of
from router.aws.client import Answer, KeySchema, Request
from router.aws.faults import Fault
from router.model import Action, Operation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoTables:
    """The `Tables` of the seam."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._schemas: dict[str, KeySchema] = {}
        self._operations: dict[Operation, Callable[..., Any]] = {
            "Put": client.put_item,
            "Update": client.update_item,
            "Delete": client.delete_item,
        }

    def batch_write(self, table: str, requests: list[Request]) -> Answer:
        """One BatchWriteItem; items go through as they are."""
        answer = call(self._client.batch_write_item, "UnprocessedItems", RequestItems={table: requests})
        if isinstance(answer, Fault):
            return Answer(fault=answer)
        # One table was asked for, so only its requests can come back.
        return Answer([request for left in answer["UnprocessedItems"].values() for request in left])

    def write(self, operation: Operation, parameters: dict[str, Any]) -> Answer:
        """One PutItem, UpdateItem or DeleteItem."""
        try:
            self._operations[operation](**parameters)
        except ERRORS as error:
            response: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
            return Answer(fault=fault_of(error), stored=response.get("Item"))
        return Answer()

    def transact(self, actions: Sequence[Action]) -> Answer:
        """One TransactWriteItems."""
        try:
            self._client.transact_write_items(
                TransactItems=[{operation: parameters} for operation, parameters in actions]  # type: ignore[misc]
            )
        except ERRORS as error:
            response: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
            return cancelled(response.get("CancellationReasons", ())) or Answer(fault=fault_of(error))
        return Answer()

    def key_schema(self, table: str) -> KeySchema | Fault:
        """DescribeTable, kept if it succeeds: a table's key never changes."""
        if table in self._schemas:
            return self._schemas[table]
        answer = call(self._client.describe_table, "Table", TableName=table)
        if isinstance(answer, Fault):
            return answer
        self._schemas[table] = read_key_schema(answer["Table"])
        return self._schemas[table]

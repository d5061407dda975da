"""DynamoDB through boto3's low-level client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from router.aws.calls import ERRORS, call, fault_of
from router.aws.client import Answer, KeySchema, Request
from router.aws.faults import Fault, FaultKind, translate
from router.engine.requests import Action, Operation

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
            return _cancelled(response.get("CancellationReasons", ())) or Answer(fault=fault_of(error))
        return Answer()

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


# Of the reasons why a transaction was cancelled, the first kind in this order decides: what can never succeed, or has
# had its effect, is not worth another try for the sake of what was merely throttled.
_DECIDING: tuple[FaultKind, ...] = ("condition", "refused", "setup", "retry")


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> Answer | None:
    """The answer of a cancelled transaction, from one reason an action; None if none of them says why."""
    found = [
        (translate(reason["Code"], 400), position, reason.get("Item"))
        for position, reason in enumerate(reasons)
        if reason.get("Code", "None") != "None"
    ]
    for kind in _DECIDING:
        for fault, position, stored in found:
            if fault.kind == kind:
                return Answer(fault=fault, position=position, stored=stored)
    return None

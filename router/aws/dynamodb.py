"""DynamoDB through boto3's low-level client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from router.aws.boto import ERRORS, call, fault_of
from router.aws.faults import read_cancellation
from router.aws.protocols import AwsFault, KeySchema, Request, WriteResponse, read_key_schema
from router.model import Action, Operation

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TIMEOUT = 10
"""Seconds to wait for a response: a healthy DynamoDB responds in milliseconds."""


class DynamoTables:
    """The `Tables` of the interface."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._schemas: dict[str, KeySchema] = {}
        self._operations: dict[Operation, Callable[..., Any]] = {
            "Put": client.put_item,
            "Update": client.update_item,
            "Delete": client.delete_item,
        }

    def batch_write(self, table: str, requests: list[Request]) -> WriteResponse:
        """Call BatchWriteItem."""
        response = call(self._client.batch_write_item, "UnprocessedItems", RequestItems={table: requests})
        if isinstance(response, AwsFault):
            return WriteResponse(fault=response)
        # The call names one table, so only its requests can be returned.
        return WriteResponse([request for left in response["UnprocessedItems"].values() for request in left])

    def write(self, operation: Operation, parameters: dict[str, Any]) -> WriteResponse:
        """Call PutItem, UpdateItem or DeleteItem."""
        try:
            self._operations[operation](**parameters)
        except ERRORS as error:
            response: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
            return WriteResponse(fault=fault_of(error), stored=response.get("Item"))
        return WriteResponse()

    def transact(self, actions: Sequence[Action]) -> WriteResponse:
        """Call TransactWriteItems."""
        try:
            self._client.transact_write_items(
                TransactItems=[{operation: parameters} for operation, parameters in actions]  # type: ignore[misc]
            )
        except ERRORS as error:
            response: Mapping[str, Any] = error.response if isinstance(error, ClientError) else {}
            return read_cancellation(response.get("CancellationReasons", ())) or WriteResponse(fault=fault_of(error))
        return WriteResponse()

    def key_schema(self, table: str) -> KeySchema | AwsFault:
        """Call DescribeTable, and cache its result: a table's key never changes."""
        if table in self._schemas:
            return self._schemas[table]
        response = call(self._client.describe_table, "Table", TableName=table)
        if isinstance(response, AwsFault):
            return response
        self._schemas[table] = read_key_schema(response["Table"])
        return self._schemas[table]

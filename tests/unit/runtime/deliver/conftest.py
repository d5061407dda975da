"""A little DynamoDB in memory, under the router's own `DynamoTables`, that fails as a test tells it to.

It knows what the router's writes ask of the real one: conditions, updates, transactions with their reasons, the limits
of a batch, a secondary index whose key must be text.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from router.runtime.deliver.telemetry import LINE_FIELDS
from tests.support.aws import Aws, DynamoTables
from tests.support.testing import Refused, Store, batch_actions, target

INDEX_KEY = "index"
"""The key of a secondary index of every table: an item that has it as anything but text is refused."""
_REASONS = {"ConditionalCheckFailedException": "ConditionalCheckFailed", "ValidationException": "ValidationError"}

Key = tuple[tuple[str, Any], ...]
Injected = str | None
"""An error code; "lost" (the work is done, its answer is not heard); "unprocessed" (every second of a batch); None."""


class Dynamo(Store):
    """Has the methods of boto3's client that the router uses.

    `fault` is asked before each call, with the name of its operation. `calls` are (operation, keys), `made` the writes
    that were done, each as table, key, and the item it left or None. `units` are the write units of each write.
    """

    def __init__(self, **keys: Key) -> None:
        super().__init__(keys)
        self.clear()

    def clear(self) -> None:
        self.items: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in self.keys}
        self.fault: Callable[[str], Injected] = lambda operation: None
        self.calls: list[tuple[str, list[Any]]] = []
        self.made: list[tuple[str, Any, dict[str, Any] | None]] = []
        self.under_way = self.most_under_way = 0
        self.during: Callable[[], None] = lambda: None
        self.units = 1.0
        self._lock = Lock()

    @property
    def tables(self) -> DynamoTables:
        client: Any = self
        return DynamoTables(client)

    def batch_write_item(self, RequestItems: Mapping[str, list[dict[str, Any]]], **measured: str) -> Any:
        ((table, requests),) = RequestItems.items()

        def work(fault: Injected) -> dict[str, Any]:
            actions = batch_actions(table, requests)
            if len(requests) > 25:
                raise Refused("ValidationException")
            done = self.plan(actions)
            if fault == "unprocessed":
                self.apply(done[1::2])
                return {"UnprocessedItems": {table: requests[::2]}} | self._consumed(measured, len(done[1::2]))
            self.apply(done)
            return {"UnprocessedItems": {}} | self._consumed(measured, len(done))

        return self._call("BatchWriteItem", [(table, self.key(table, target(each))) for each in requests], work)

    def put_item(self, **parameters: Any) -> Any:
        return self._write("Put", parameters)

    def update_item(self, **parameters: Any) -> Any:
        return self._write("Update", parameters)

    def delete_item(self, **parameters: Any) -> Any:
        return self._write("Delete", parameters)

    def transact_write_items(self, TransactItems: list[dict[str, Any]], **measured: str) -> Any:
        actions = [next(iter(each.items())) for each in TransactItems]
        keys = [(each["TableName"], self.key(each["TableName"], target(each))) for _, each in actions]

        def work(fault: Injected) -> dict[str, Any]:
            if any(operation == "Update" and "UpdateExpression" not in each for operation, each in actions):
                raise Refused("ValidationException")
            done, refusals = self.plan_each(actions)
            reasons: list[Any] = [_reason(refused) for refused in refusals]
            if len(done) < len(actions):
                raise ClientError(
                    {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
                    "TransactWriteItems",
                )
            if len({(table, key) for table, key, _ in done}) < len(done):
                raise Refused("ValidationException")
            self.apply(done)
            return self._consumed(measured, 2 * len(done))

        return self._call("TransactWriteItems", keys, work)

    def describe_table(self, TableName: str) -> Any:
        def work(fault: Injected) -> dict[str, Any]:
            key = self.keys[TableName]
            return {
                "Table": {
                    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": kind} for n, kind in key],
                    "KeySchema": [
                        {"AttributeName": n, "KeyType": "RANGE" if at else "HASH"} for at, (n, _) in enumerate(key)
                    ],
                }
            }

        return self._call("DescribeTable", [TableName], work)

    def _write(self, operation: str, parameters: dict[str, Any]) -> Any:
        table = parameters["TableName"]
        key = (table, self.key(table, target(parameters)))

        def work(fault: Injected) -> dict[str, Any]:
            self.apply(self.plan([(operation, parameters)]))
            return self._consumed(parameters, 1)

        return self._call(operation, [key], work)

    def _consumed(self, parameters: Mapping[str, Any], writes: int) -> dict[str, Any]:
        if parameters.get("ReturnConsumedCapacity") != "TOTAL":
            return {}
        return {"ConsumedCapacity": [{"CapacityUnits": writes * self.units}]}

    def _call(self, operation: str, keys: list[Any], work: Callable[[Injected], Any]) -> Any:
        with self._lock:
            self.calls.append((operation, keys))
            fault = self.fault(operation)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            self.during()
            if fault and fault not in ("lost", "unprocessed"):
                raise Refused(fault)
            with self._lock:
                answer = work(fault)
            if fault == "lost":
                raise ReadTimeoutError(endpoint_url="https://dynamodb")
            return answer
        except Refused as refused:
            response: Any = {"Error": {"Code": refused.code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(response | ({"Item": refused.item} if refused.item else {}), operation) from None
        finally:
            with self._lock:
                self.under_way -= 1

    def plan(self, actions: Any) -> list[Any]:
        effects = super().plan(actions)
        if any("S" not in (item or {}).get(INDEX_KEY, {"S": ""}) for _, _, item in effects):
            raise Refused("ValidationException")
        return effects

    def apply(self, effects: Any) -> None:
        self.made += effects
        super().apply(effects)


def _reason(refused: Refused | None) -> dict[str, Any]:
    if refused is None:
        return {"Code": "None"}
    reason: dict[str, Any] = {"Code": _REASONS.get(refused.code, refused.code)}
    return reason | ({"Item": refused.item} if refused.item else {})


@pytest.fixture(scope="session")
def dynamo_of() -> Callable[..., Dynamo]:
    """Makes a DynamoDB of tables, each with its key."""
    return Dynamo


@pytest.fixture
def handler(
    request: pytest.FixtureRequest, compile_: Any, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Any, Any], dict[str, Any]]:
    """The Lambda handler of the smallest program, or of one that `compile_` makes, on a connection in memory."""
    compile_(**getattr(request, "param", {}))
    monkeypatch.setenv("ROUTER_CONFIG", str(tmp_path / "routes.yaml"))
    monkeypatch.delitem(sys.modules, "router.lambda_handler", raising=False)
    monkeypatch.setattr("router.runtime.deliver.telemetry.set_up_logging", lambda **options: None)
    for name in ("aws_request_id", "config"):
        # What the handler sets is gone afterwards: other tests count the bytes of lines.
        monkeypatch.setitem(LINE_FIELDS, name, "")
    import router.lambda_handler as function

    monkeypatch.setattr(function, "connect", lambda max_connections, fetches: aws)
    return function.handler

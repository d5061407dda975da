"""DynamoDB without an SDK: the `Tables` of the seam."""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import msgspec

from router.aws.answers import cancelled, read_key_schema
from router.aws.client import Answer, KeySchema, Pending, Request
from router.aws.faults import Fault
from router.aws.http.service import UNREADABLE, Call, Failed, Service
from router.model import Action, AttributeValue, Operation

SECONDS = 10
"""To wait for an answer: DynamoDB answers in milliseconds when it is well."""
PREFIX = "DynamoDB_20120810"

_encode = msgspec.json.encode


class DirectTables:
    """Calls DynamoDB; each method makes one call, and those that begin one can have several under way in a thread."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._schemas: dict[str, KeySchema] = {}

    def batch_write(self, table: str, requests: list[Request]) -> Answer:
        """BatchWriteItem."""
        return self.begin_batch_write(table, requests).finish()

    def write(self, operation: Operation, parameters: dict[str, Any]) -> Answer:
        """PutItem, UpdateItem or DeleteItem."""
        return self.begin_actions([(operation, parameters)]).finish()

    def transact(self, actions: Sequence[Action]) -> Answer:
        """TransactWriteItems."""
        return _Pending(self._begin_transact(actions), _transact_answer).finish()

    def begin_batch_write(self, table: str, requests: list[Request]) -> Pending:
        """Send a BatchWriteItem whose answer is read later."""
        body = _encode({"RequestItems": {table: requests}})
        return _Pending(self._service.begin("BatchWriteItem", body, SECONDS), _batch_answer)

    def begin_actions(self, actions: Sequence[Action]) -> Pending:
        """Send a PutItem, UpdateItem or DeleteItem, or of several actions a TransactWriteItems."""
        if len(actions) > 1:
            return _Pending(self._begin_transact(actions), _transact_answer)
        ((operation, parameters),) = actions
        return _Pending(self._service.begin(f"{operation}Item", _encode(parameters), SECONDS), _write_answer)

    def _begin_transact(self, actions: Sequence[Action]) -> Call:
        body = {"TransactItems": [{operation: parameters} for operation, parameters in actions]}
        return self._service.begin("TransactWriteItems", _encode(body), SECONDS)

    def key_schema(self, table: str) -> KeySchema | Fault:
        """DescribeTable, kept if it succeeds."""
        if table not in self._schemas:
            answer = self._service.call("DescribeTable", _encode({"TableName": table}), SECONDS)
            if isinstance(answer, Failed):
                return answer.fault
            if "Table" not in answer:
                return UNREADABLE
            self._schemas[table] = read_key_schema(answer["Table"])
        return self._schemas[table]


class _Pending:
    """The `Pending` of the seam: a call, and what its answer means."""

    __slots__ = ("_call", "_read")

    def __init__(self, call: Call, read: Callable[[dict[str, Any] | Failed], Answer]) -> None:
        self._call = call
        self._read = read

    @property
    def seconds(self) -> float:
        return SECONDS

    def fileno(self) -> int:
        return self._call.fileno()

    def finish(self, late: bool = False) -> Answer:
        return self._read(self._call.finish(late))


def _batch_answer(answer: dict[str, Any] | Failed) -> Answer:
    if isinstance(answer, Failed):
        return Answer(fault=answer.fault)
    left = answer.get("UnprocessedItems")
    if not isinstance(left, dict):
        return Answer(fault=UNREADABLE)
    return Answer([_read_request(request) for requests in left.values() for request in requests])


def _write_answer(answer: dict[str, Any] | Failed) -> Answer:
    if isinstance(answer, Failed):
        stored = answer.details.get("Item")
        return Answer(fault=answer.fault, stored=read_item(stored) if stored else None)
    return Answer()


def _transact_answer(answer: dict[str, Any] | Failed) -> Answer:
    if not isinstance(answer, Failed):
        return Answer()
    found = cancelled(answer.details.get("CancellationReasons") or ())
    if found is None:
        return Answer(fault=answer.fault)
    return found if found.stored is None else msgspec.structs.replace(found, stored=read_item(found.stored))


def read_item(item: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """An item of an answer, its binaries as bytes."""
    return {name: _read_value(value) for name, value in item.items()}


def _read_value(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": b64decode(content)}
        case "BS":
            return {"BS": [b64decode(each) for each in content]}
        case "M":
            return {"M": read_item(content)}
        case "L":
            return {"L": [_read_value(each) for each in content]}
        case _:
            return value


def _read_request(request: Mapping[str, Any]) -> Request:
    for kind, target in (("PutRequest", "Item"), ("DeleteRequest", "Key")):
        if kind in request:
            return {kind: {target: read_item(request[kind][target])}}
    return cast("Request", request)

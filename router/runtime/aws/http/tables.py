"""DynamoDB without an SDK: the `Tables` of the interface."""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from router.model import Action, AttributeValue, Operation
from router.runtime.aws import RESPONSE_SECONDS
from router.runtime.aws.calls import CallTimeout, boottime
from router.runtime.aws.faults import read_cancellation
from router.runtime.aws.http.service import FailedCall, JsonService, PendingCall, decode_object
from router.runtime.aws.protocols import (
    MEASURED,
    UNREADABLE,
    UNREADABLE_ERRORS,
    AwsFault,
    KeySchema,
    Request,
    WriteResponse,
    read_consumed,
    read_key_schema,
)

SECONDS = RESPONSE_SECONDS

_encode = msgspec.json.encode
_Reader = Callable[[dict[str, Any] | FailedCall], WriteResponse]


class DirectTables:
    """Calls DynamoDB, without retries. A thread may have several calls under way by the methods that begin one."""

    def __init__(self, service: JsonService) -> None:
        self._service = service

    def batch_write(
        self, table: str, requests: list[Request], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Call BatchWriteItem."""
        return self.begin_batch_write(table, requests, timeout, measured).finish()

    def write(
        self,
        operation: Operation,
        parameters: dict[str, Any],
        timeout: float,
        measured: bool = False,
    ) -> WriteResponse:
        """Call PutItem, UpdateItem or DeleteItem."""
        return self.begin_actions([(operation, parameters)], timeout, measured).finish()

    def transact(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Call TransactWriteItems."""
        return self._begin_transact(actions, timeout, measured).finish()

    def begin_batch_write(
        self, table: str, requests: Sequence[Request | Raw], timeout: float, measured: bool = False
    ) -> PendingCall[WriteResponse]:
        """Send a BatchWriteItem, whose response is read later."""
        parameters = {"RequestItems": {table: requests}}
        return self._begin("BatchWriteItem", parameters, timeout, measured, _batch_response)

    def begin_actions(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> PendingCall[WriteResponse]:
        """Send a PutItem, UpdateItem or DeleteItem, or for several actions a TransactWriteItems."""
        if len(actions) > 1:
            return self._begin_transact(actions, timeout, measured)
        ((operation, parameters),) = actions
        return self._begin(f"{operation}Item", parameters, timeout, measured, _write_response)

    def _begin_transact(
        self, actions: Sequence[Action], timeout: float, measured: bool
    ) -> PendingCall[WriteResponse]:
        items = [{operation: parameters} for operation, parameters in actions]
        parameters = {"TransactItems": items}
        return self._begin("TransactWriteItems", parameters, timeout, measured, _transact_response)

    def _begin(
        self,
        operation: str,
        parameters: dict[str, Any],
        timeout: float,
        measured: bool,
        read: _Reader,
    ) -> PendingCall[WriteResponse]:
        """Send a call, whose response `read` is given; what a measured one consumed is added to the result."""
        if measured:
            parameters = parameters | MEASURED
            read = _with_consumed(read)
        body = _encode(parameters)
        return PendingCall(self._service, operation, body, _timeout(timeout), read)

    def key_schema(self, table: str, timeout: float) -> KeySchema | AwsFault:
        """Call DescribeTable."""
        body = _encode({"TableName": table})
        response = self._service.begin(
            "DescribeTable", body, _timeout(timeout), decode_object
        ).finish()
        if isinstance(response, FailedCall):
            return response.fault
        try:
            return read_key_schema(response["Table"])
        except UNREADABLE_ERRORS:
            return UNREADABLE


def _timeout(seconds: float) -> CallTimeout:
    return CallTimeout(SECONDS, boottime() + seconds)


def _with_consumed(read: _Reader) -> _Reader:
    """Return a function that reads a response as `read` does, and what the call consumed."""

    def read_measured(response: dict[str, Any] | FailedCall) -> WriteResponse:
        consumed = None if isinstance(response, FailedCall) else read_consumed(response)
        return msgspec.structs.replace(read(response), consumed=consumed)

    return read_measured


def _batch_response(response: dict[str, Any] | FailedCall) -> WriteResponse:
    if isinstance(response, FailedCall):
        return WriteResponse(fault=response.fault)
    left = response.get("UnprocessedItems")
    if not isinstance(left, dict):
        return WriteResponse(fault=UNREADABLE)
    return WriteResponse(
        [_read_request(request) for requests in left.values() for request in requests]
    )


def _write_response(response: dict[str, Any] | FailedCall) -> WriteResponse:
    if isinstance(response, FailedCall):
        stored = response.details.get("Item")
        return WriteResponse(fault=response.fault, stored=read_item(stored) if stored else None)
    return WriteResponse()


def _transact_response(response: dict[str, Any] | FailedCall) -> WriteResponse:
    if not isinstance(response, FailedCall):
        return WriteResponse()
    found = read_cancellation(response.details.get("CancellationReasons") or ())
    if found is None:
        # Without its reasons it is not known which condition failed.
        fault = UNREADABLE if response.fault.kind == "condition" else response.fault
        return WriteResponse(fault=fault)
    if found.stored is None:
        return found
    return msgspec.structs.replace(found, stored=read_item(found.stored))


def read_item(item: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Return an item of a response with its binaries as bytes."""
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


def _read_request(request: Request) -> Request:
    for kind, target in (("PutRequest", "Item"), ("DeleteRequest", "Key")):
        if kind in request:
            return {kind: {target: read_item(request[kind][target])}}
    return request

"""AWS by boto3: its sessions and clients, its errors as faults, and DynamoDB and S3 as the router uses them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoRegionError
from botocore.parsers import ResponseParserError

from router.errors import UsageError
from router.model import Action, Operation
from router.runtime.aws import RESPONSE_SECONDS
from router.runtime.aws.calls import NoThreadError, run_within
from router.runtime.aws.faults import read_cancellation, translate
from router.runtime.aws.protocols import (
    MEASURED,
    OUT_OF_TIME,
    TIMED_OUT,
    TOO_LARGE,
    UNREADABLE,
    UNREADABLE_ERRORS,
    AwsFault,
    KeySchema,
    Request,
    WriteResponse,
    read_consumed,
    read_key_schema,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


CONNECT_TIMEOUT = 5
DYNAMODB_TIMEOUT = S3_TIMEOUT = RESPONSE_SECONDS
SQS_TIMEOUT = 30
"""Longer than the longest poll, 20 seconds."""
SQS_ATTEMPTS = 3
_PART_BYTES = 256 * 1024
ANSWERED_REQUESTS = 1000
"""So many request ids a client keeps, of the last calls over all of its connections."""
ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""The exceptions of a boto3 client: AWS's own errors, and those for when there was no readable response."""

_Operation = Callable[..., Mapping[str, Any]]
T = TypeVar("T")


def open_session() -> boto3.session.Session:
    """Open a session with the credentials, region and profile of the environment."""
    # Lambda and the other SDKs read the region from AWS_REGION, boto3 alone does not.
    return boto3.session.Session(region_name=os.environ.get("AWS_REGION"))


def make_client(
    session: boto3.session.Session,
    service: str,
    *,
    timeout: int,
    attempts: int,
    connections: int,
    validates: bool,
) -> Any:
    """Make the client of a service.

    `timeout` is how many seconds a response may take. Parameters are validated for the control plane only: the engine
    makes valid ones, and checking them again would double the CPU time of a full BatchWriteItem.
    """
    # boto3's types know services by literal names only.
    make: Callable[..., Any] = session.client
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        tcp_keepalive=True,
        parameter_validation=validates,
        user_agent_extra="message-router",
    )
    client = make(service, config=config)
    if not validates:
        client.meta.events.register("after-call", _Answered(client).check)
    return client


class _NoAnswerError(ResponseParserError):
    """A response has a status of success, and is not one of the operation."""


class _Answered:
    """The ids of the last requests that a client of the data plane has a response to.

    botocore takes a second copy of a response for the response to the next request of the connection.
    """

    def __init__(self, client: BaseClient) -> None:
        self._client = client
        self._has_json = client.meta.service_model.metadata["protocol"] == "json"
        self._ids: dict[str, None] = {}
        self._lock = Lock()

    def check(self, parsed: Mapping[str, Any], http_response: Any, **_: Any) -> None:
        """Raise HTTPClientError for a response with the id of an earlier one, and close the connections.

        Raises _NoAnswerError for a page with status 200, which botocore takes for a success without members.
        """
        if (
            self._has_json
            and http_response.status_code < 300
            and not _is_json_answer(http_response.content)
        ):
            raise _NoAnswerError
        id_ = parsed.get("ResponseMetadata", {}).get("RequestId", "")
        if not id_:
            return
        with self._lock:
            comes_again = id_ in self._ids
            self._ids[id_] = None
            if len(self._ids) > ANSWERED_REQUESTS:
                del self._ids[next(iter(self._ids))]
        if comes_again:
            # The response to this request is still to come, over one of the connections.
            self._client.close()
            raise HTTPClientError(error="a second copy of an answer")


def _is_json_answer(body: bytes) -> bool:
    """Whether a body is a JSON object, and not the document of an error."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "__type" not in found


@contextmanager
def settings_errors() -> Iterator[None]:
    """Raise UsageError for errors of boto3 about the settings of the environment."""
    try:
        yield
    except NoRegionError:
        raise UsageError(
            "there is no AWS region: set AWS_REGION, e.g. AWS_REGION=eu-west-1"
        ) from None
    except BotoCoreError as error:
        raise UsageError(f"the AWS settings of this environment do not work: {error}") from None


def call(
    operation: _Operation, member: str = "", /, **parameters: Any
) -> Mapping[str, Any] | AwsFault:
    """Call an operation of a boto3 client; return its response, or the fault.

    `member` is one that every response of the operation has: botocore takes any page with status 200, a proxy's for
    example, for an empty response, which must not pass for a confirmation.
    """
    try:
        response = operation(**parameters)
    except ERRORS as error:
        return fault_of(error)
    return UNREADABLE if member and member not in response else response


def _within(timeout: float, function: Callable[[], T]) -> T | AwsFault:
    """Return the result of a function that calls a client, or the fault if it takes longer than `timeout` seconds.

    The time-outs of a client are the same for all calls, and limit each wait of each attempt, not the whole call. A
    call that takes too long goes on in a thread of its own, and its result is dropped.
    """
    if timeout <= 0:
        return OUT_OF_TIME
    try:
        return function() if timeout == float("inf") else run_within(timeout, function)
    except TimeoutError:
        return TIMED_OUT
    except NoThreadError:
        return AwsFault("retry", "NoThread")
    except UNREADABLE_ERRORS:
        # Raised by botocore too, where it reads the response.
        return UNREADABLE


def fault_of(error: Exception) -> AwsFault:
    """Return the fault for one of `ERRORS`."""
    if isinstance(error, _NoAnswerError):
        return UNREADABLE
    if not isinstance(error, ClientError):
        return translate(type(error).__name__)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return translate(error.response.get("Error", {}).get("Code", ""), status)


def _response_of(error: Exception) -> Mapping[str, Any]:
    return error.response if isinstance(error, ClientError) else {}


def caller(
    client: BaseClient,
) -> Callable[[str, Mapping[str, Any], float], Mapping[str, Any] | AwsFault]:
    """Return a function that calls an operation of a client by AWS's name for it, with its parameters and time-out."""

    def call_within(
        operation: str, parameters: Mapping[str, Any], timeout: float
    ) -> Mapping[str, Any] | AwsFault:
        return _within(timeout, lambda: call(getattr(client, xform_name(operation)), **parameters))

    return call_within


class DynamoTables:
    """The `Tables` of the interface."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client = client
        self._operations: dict[Operation, Callable[..., Any]] = {
            "Put": client.put_item,
            "Update": client.update_item,
            "Delete": client.delete_item,
        }

    def batch_write(
        self, table: str, requests: list[Request], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Call BatchWriteItem."""
        parameters = _measured({"RequestItems": {table: requests}}, measured)

        def write() -> WriteResponse:
            response = call(self._client.batch_write_item, "UnprocessedItems", **parameters)
            if isinstance(response, AwsFault):
                return WriteResponse(fault=response)
            # Those of all tables: the call names one.
            unprocessed = list(chain.from_iterable(response["UnprocessedItems"].values()))
            consumed = read_consumed(response) if measured else None
            return WriteResponse(unprocessed, consumed=consumed)

        return _write_within(timeout, write)

    def write(
        self,
        operation: Operation,
        parameters: dict[str, Any],
        timeout: float,
        measured: bool = False,
    ) -> WriteResponse:
        """Call PutItem, UpdateItem or DeleteItem."""

        def write() -> WriteResponse:
            try:
                response = self._operations[operation](**_measured(parameters, measured))
            except ERRORS as error:
                return WriteResponse(fault=fault_of(error), stored=_response_of(error).get("Item"))
            return WriteResponse(consumed=read_consumed(response) if measured else None)

        return _write_within(timeout, write)

    def transact(
        self, actions: Sequence[Action], timeout: float, measured: bool = False
    ) -> WriteResponse:
        """Call TransactWriteItems."""
        items = [{operation: parameters} for operation, parameters in actions]

        def write() -> WriteResponse:
            try:
                response = self._client.transact_write_items(
                    **_measured({"TransactItems": items}, measured)
                )
            except ERRORS as error:
                found = read_cancellation(_response_of(error).get("CancellationReasons", ()))
                if found is not None:
                    return found
                fault = fault_of(error)
                # Without its reasons it is not known which condition failed.
                return WriteResponse(fault=UNREADABLE if fault.kind == "condition" else fault)
            return WriteResponse(consumed=read_consumed(response) if measured else None)

        return _write_within(timeout, write)

    def key_schema(self, table: str, timeout: float) -> KeySchema | AwsFault:
        """Call DescribeTable."""

        def read() -> KeySchema | AwsFault:
            response = call(self._client.describe_table, "Table", TableName=table)
            if isinstance(response, AwsFault):
                return response
            return read_key_schema(response["Table"])

        return _within(timeout, read)


def _measured(parameters: dict[str, Any], measured: bool) -> dict[str, Any]:
    return parameters | MEASURED if measured else parameters


def _write_within(timeout: float, write: Callable[[], WriteResponse]) -> WriteResponse:
    found = _within(timeout, write)
    return WriteResponse(fault=found) if isinstance(found, AwsFault) else found


class S3Objects:
    """The `Objects` of the interface."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """Call GetObject; the body of an object whose declared length is too large is not read."""
        return _within(timeout, lambda: self._fetch(bucket, key, max_bytes))

    def _fetch(self, bucket: str, key: str, max_bytes: int) -> bytes | AwsFault:
        # Every object has an entity tag; a proxy's page with status 200 most likely has none.
        response = call(self._client.get_object, "ETag", Bucket=bucket, Key=key)
        if isinstance(response, AwsFault):
            return response
        body = response["Body"]
        try:
            if response.get("ContentLength", 0) > max_bytes:
                return TOO_LARGE
            return _read(body, max_bytes)
        except ERRORS as error:
            return fault_of(error)
        finally:
            body.close()


def _read(body: Any, max_bytes: int) -> bytes | AwsFault:
    """Read a whole body: its checksum and length are verified at the end only."""
    parts: list[bytes] = []
    size = 0
    while part := body.read(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > max_bytes:
            return TOO_LARGE
    return b"".join(parts)

"""Calls of a service with a JSON protocol, one or several: requests are signed and sent, responses verified and read.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import time
from binascii import crc32
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from router.runtime.aws.calls import CallsUnderWay, CallTimeout, CallUnderWay
from router.runtime.aws.faults import translate
from router.runtime.aws.http.connections import Connections, Exchange, PendingRequest
from router.runtime.aws.http.endpoints import ServiceName, find_endpoint
from router.runtime.aws.http.opening import Trust
from router.runtime.aws.http.responses import HttpResponse
from router.runtime.aws.http.signing import (
    Credentials,
    GetCredentials,
    SignedHead,
    SigningClock,
    SigningScope,
    begin_head,
    read_keys,
)
from router.runtime.aws.protocols import (
    DAMAGED,
    OUT_OF_TIME,
    UNREADABLE,
    UNREADABLE_ERRORS,
    AwsFault,
)

_TARGET_PREFIXES = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
"""The first part of X-Amz-Target, by service."""
CONCURRENT_CALLS = 20
"""The most calls that are sent together."""

OPENING_SECONDS = 0.5
"""How long a thread waits that begins calls, at most, until they are sent."""

T = TypeVar("T")
R = TypeVar("R")

decode_object: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
"""Decodes a response of any shape; raises msgspec.DecodeError, UnicodeDecodeError."""


class FailedCall(Struct, frozen=True):
    """A call that failed: the fault, and the other members of the error (`Item`, `CancellationReasons`)."""

    fault: AwsFault
    details: Mapping[str, Any] = {}


class _OperationHead(Struct, frozen=True):
    """What requests of an operation have in common within a second."""

    second: int
    credentials: Credentials
    head: SignedHead


class JsonService:
    """One service in one region, called by a JSON protocol."""

    def __init__(
        self,
        scope: SigningScope,
        host: str,
        connections: Connections,
        credentials: GetCredentials,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._scope = scope
        self._target_prefix = _TARGET_PREFIXES[scope.service]
        self._host = host
        self._connections = connections
        self._credentials = credentials
        self._clock = SigningClock(now)
        self._heads: dict[str, _OperationHead] = {}
        """The latest of each operation: many calls are made in its second."""

    def open_early(self, seconds: float) -> None:
        """Open a connection for the first call, waiting for some seconds at most; raises nothing."""
        self._connections.open_early(seconds)

    def begin(
        self, operation: str, body: bytes, timeout: CallTimeout, decode: Callable[[bytes], T]
    ) -> "PendingCall[T | FailedCall]":
        """Begin a call whose response is read later; `decode` is as `decode_object`."""
        return PendingCall(self, operation, body, timeout, lambda response: response, decode)

    def send(self, operation: str, body: bytes, timeout: CallTimeout) -> Exchange | AwsFault:
        """Sign a call and send it, or begin to open a connection for it."""
        credentials = read_keys(self._credentials, timeout)
        if isinstance(credentials, AwsFault):
            return credentials
        second = int(self._clock.now())
        latest = self._heads.get(operation)
        if latest is None or latest.second != second or latest.credentials != credentials:
            head = self._head(operation, second, credentials)
            latest = self._heads[operation] = _OperationHead(second, credentials, head)
        return self._connections.send(latest.head.lines(body), body, timeout)

    def _head(self, operation: str, second: int, credentials: Credentials) -> SignedHead:
        headers = {
            "Host": self._host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{self._target_prefix}.{operation}",
        }
        return begin_head(credentials, self._scope, second, "POST", "/", headers)

    def correct_clock(self, request: bytes, response: HttpResponse) -> bool:
        """Correct the clock of signatures if it was the cause of an error; return whether it was."""
        date = response.headers.get(b"date", b"")
        return self._clock.correct(_error_code(response), request, date)


class PendingCall(PendingRequest[T]):
    """A call under way; `read` returns what its response means.

    `decode` is as `decode_object`; a response that it cannot decode is a failed call.
    """

    __slots__ = ("_body", "_decode", "_is_corrected", "_operation", "_read", "_service", "_timeout")

    def __init__(
        self,
        service: JsonService,
        operation: str,
        body: bytes,
        timeout: CallTimeout,
        read: Callable[[Any], T],
        decode: Callable[[bytes], object] = decode_object,
    ) -> None:
        super().__init__(service.send(operation, body, timeout))
        self._service = service
        self._operation = operation
        self._body = body
        self._decode = decode
        self._is_corrected = False
        self._read = read
        self._timeout = timeout

    def _send_again(self, request: bytes, response: HttpResponse) -> Exchange | AwsFault | None:
        """Send it signed by the right clock."""
        if (
            response.status == 200
            or self._is_corrected
            or not self._service.correct_clock(request, response)
        ):
            return None
        self._is_corrected = True
        return self._service.send(self._operation, self._body, self._timeout)

    def _result(self, response: HttpResponse | AwsFault) -> T:
        if isinstance(response, AwsFault):
            return self._read(FailedCall(response))
        content = _content(response, self._decode)
        try:
            return self._read(content)
        except UNREADABLE_ERRORS:
            # What it confirms is not known, and the other calls of the batch go on.
            return self._read(FailedCall(UNREADABLE))


NOT_BEGUN = FailedCall(OUT_OF_TIME)
"""Of a call whose time was up before it began."""


class OverlappingCalls(Generic[R, T]):
    """Calls of an operation in one thread, up to CONCURRENT_CALLS at a time, which have the time of one together."""

    def __init__(
        self,
        service: JsonService,
        clock: Callable[[], float],
        operation: str,
        bodies: Sequence[bytes],
        timeout: CallTimeout,
        decode: Callable[[bytes], R],
        read: Callable[[list[R | FailedCall]], T],
    ) -> None:
        """Send the first of the calls; `decode` gets the body of each response, `read` all responses."""
        self._service = service
        self._clock = clock
        self._operation = operation
        self._bodies = bodies
        self._timeout = timeout
        self._decode = decode
        self._read = read
        self._responses: list[R | FailedCall] = []
        self._under_way: CallsUnderWay[R | FailedCall] = CallsUnderWay(clock)
        self._begin()

    def fileno(self) -> int:
        """Return the file descriptor of the last call: the others most likely have their responses before it."""
        return self._under_way.last_descriptor

    def arrived(self) -> bool:
        """Read what has come, without waiting; return whether all responses are there."""
        self._settle([(call, False) for call in self._under_way.advance()])
        return not self._under_way

    def finish(self) -> T:
        """Wait for the responses, and return what they mean."""
        while True:
            while self._under_way:
                self._settle(self._under_way.wait())
            if len(self._responses) == len(self._bodies):
                return self._read(self._responses)
            self._begin()

    def _begin(self) -> None:
        """Send the next calls."""
        start = len(self._responses)
        bodies = self._bodies[start : start + CONCURRENT_CALLS]
        self._responses += [NOT_BEGUN] * len(bodies)
        begun = []
        for number, body in enumerate(bodies, start):
            began = self._clock()
            if began >= self._timeout.until:
                break
            pending = self._service.begin(self._operation, body, self._timeout, self._decode)
            begun.append(pending)
            call = CallUnderWay(number, pending, began)
            if not self._under_way.add(call):
                self._settle([(call, False)])
        # Their connections are opened together. The caller does something else before it waits for the responses: it is
        # worth a moment that the service has all requests by then, but not the time of a name server that hangs.
        until = self._clock() + OPENING_SECONDS
        while not all(pending.is_sent for pending in begun):
            left = until - self._clock()
            if left <= 0:
                break
            self._settle([(call, False) for call in self._under_way.advance(left)])
        self.until = self._clock() + self._timeout.seconds

    def _settle(self, ended: Iterable[tuple[CallUnderWay[R | FailedCall], bool]]) -> None:
        for call, late in ended:
            self._responses[call.number] = call.pending.finish(late)


def connect_service(
    name: ServiceName,
    region: str,
    credentials: GetCredentials,
    env: Mapping[str, str],
    trust: Trust,
) -> JsonService:
    """Make the client of a service; raises UsageError for invalid settings of the environment."""
    endpoint = find_endpoint(name, region, env)
    connections = Connections(endpoint, env, trust=trust)
    return JsonService(SigningScope(region, name), endpoint.host, connections, credentials)


def _content(response: HttpResponse, decode: Callable[[bytes], R]) -> R | FailedCall:
    crc = response.headers.get(b"x-amz-crc32")
    if crc is not None and crc != b"%d" % crc32(response.body):
        return FailedCall(DAMAGED)
    if response.status == 200:
        try:
            found = decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return FailedCall(UNREADABLE)
        # An error that was given the status of a success on its way confirms nothing.
        return FailedCall(UNREADABLE) if isinstance(found, dict) and "__type" in found else found
    code = _error_code(response)
    if not code:
        # Not from the service, but from a proxy or load balancer before it.
        return FailedCall(AwsFault("retry", str(response.status), response.status))
    return FailedCall(translate(code, response.status), _document(response) or {})


def _error_code(response: HttpResponse) -> str:
    # SQS adds the older protocol's error code, which the SDKs report: `CODE;Sender`.
    older = response.headers.get(b"x-amzn-query-error", b"").partition(b";")[0]
    if older:
        return older.decode("latin-1")
    code = (_document(response) or {}).get("__type")
    return code.rpartition("#")[2] if isinstance(code, str) else ""


def _document(response: HttpResponse) -> dict[str, Any] | None:
    try:
        return decode_object(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None

"""Calls of a service with a JSON protocol, one or several: requests are signed and sent, responses verified and read.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.faults import translate
from router.runtime.aws.http.connections import Connections, Exchange, HttpResponse
from router.runtime.aws.http.endpoints import ServiceName, find_endpoint
from router.runtime.aws.http.opening import CONNECT_SECONDS, NoResponseError, Trust
from router.runtime.aws.http.signing import (
    Credentials,
    CredentialsError,
    GetCredentials,
    Signer,
    SigningClock,
    SigningScope,
)
from router.runtime.aws.protocols import OUT_OF_TIME, UNREADABLE, AwsFault

_TARGET_PREFIXES = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS"}
"""The first part of X-Amz-Target, by service."""
CONCURRENT_CALLS = 20
"""The most calls that are sent together."""
CHECKSUM = AwsFault("retry", "ChecksumError", 200)

T = TypeVar("T")
R = TypeVar("R")

decode_object: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode
"""Decodes a response of any shape; raises msgspec.DecodeError, UnicodeDecodeError."""


class FailedCall(Struct, frozen=True):
    """A call that failed: the fault, and the other members of the error (`Item`, `CancellationReasons`)."""

    fault: AwsFault
    details: Mapping[str, Any] = {}


class _SignedHead(Struct, frozen=True):
    """What requests of an operation have in common within a second: the lines of their heads up to the signature."""

    second: int
    credentials: Credentials
    start: bytes
    signer: Signer


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
        self._heads: dict[str, _SignedHead] = {}
        """The latest of each operation: many calls are made in its second."""

    def begin(
        self, operation: str, body: bytes, timeout: CallTimeout, decode: Callable[[bytes], T]
    ) -> "PendingCall[T | FailedCall]":
        """Begin a call whose response is read later; `decode` is as `decode_object`."""
        return PendingCall(self, operation, body, timeout, lambda response: response, decode)

    def send(self, operation: str, body: bytes, timeout: CallTimeout) -> Exchange | FailedCall:
        """Sign a call and send it, or begin to open a connection for it."""
        try:
            credentials = self._credentials(timeout.left())
        except CredentialsError:
            return FailedCall(AwsFault("configuration", "NoCredentialsError"))
        except TimeoutError:
            return FailedCall(translate("CredentialRetrievalError"))
        second = int(self._clock.now())
        head = self._heads.get(operation)
        if head is None or head.second != second or head.credentials != credentials:
            head = self._heads[operation] = self._head(operation, second, credentials)
        lines = head.start + head.signer.authorization(body).encode()
        try:
            return self._connections.send(lines, body, timeout)
        except NoResponseError as error:
            return FailedCall(translate(str(error)))

    def _head(self, operation: str, second: int, credentials: Credentials) -> "_SignedHead":
        moment = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "Host": self._host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": moment,
            "X-Amz-Target": f"{self._target_prefix}.{operation}",
        }
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        start = f"{lines}User-Agent: message-router\r\nAuthorization: ".encode("latin-1")
        return _SignedHead(second, credentials, start, Signer(credentials, self._scope, moment, "POST", "/", headers))

    def wait_until_sent(self, exchange: Exchange) -> Exchange | FailedCall:
        """Wait until a call is sent whose connection was to be opened first."""
        try:
            self._connections.wait_until_sent(exchange)
        except NoResponseError as error:
            return FailedCall(translate(str(error)))
        return exchange

    def receive(self, exchange: Exchange, late: bool) -> HttpResponse | FailedCall:
        """Read the response to a call that was sent."""
        try:
            return self._connections.receive(exchange, late)
        except NoResponseError as error:
            return FailedCall(translate(str(error)))

    def correct_clock(self, request: bytes, response: HttpResponse) -> bool:
        """Correct the clock of signatures if it was the cause of an error; return whether it was."""
        date = response.headers.get(b"date", b"")
        return response.status != 200 and self._clock.correct(_error_code(response), request, date)


class PendingCall(Generic[T]):
    """A call under way, sent when it is made or its connection is open; `finish` reads its response, once, by `read`.

    `decode` is as `decode_object`; a response that it cannot decode is a failed call.
    """

    __slots__ = ("_body", "_decode", "_operation", "_read", "_seconds", "_sent", "_service", "_timeout")

    def __init__(
        self,
        service: JsonService,
        operation: str,
        body: bytes,
        timeout: CallTimeout,
        read: Callable[[Any], T],
        decode: Callable[[bytes], object] = decode_object,
    ) -> None:
        self._service = service
        self._operation = operation
        self._body = body
        self._decode = decode
        self._read = read
        self._timeout = timeout
        self._seconds = timeout.left()
        self._sent = service.send(operation, body, timeout)

    @property
    def seconds(self) -> float:
        """How long the response may take, or before it the connection."""
        opens = isinstance(self._sent, Exchange) and self._sent.opening is not None
        return min(self._seconds, CONNECT_SECONDS) if opens else self._seconds

    @property
    def events(self) -> int:
        """What to poll for."""
        return self._sent.events if isinstance(self._sent, Exchange) else 0

    def wait_until_sent(self) -> None:
        """Wait until the connection is open and the call sent."""
        if isinstance(self._sent, Exchange) and self._sent.opening is not None:
            self._sent = self._service.wait_until_sent(self._sent)

    def fileno(self) -> int:
        """Return the file descriptor to poll for the response; -1 if the request could not be sent."""
        return self._sent.connection.fileno() if isinstance(self._sent, Exchange) else -1

    def arrived(self) -> bool:
        """Whether what can be read is the response, or the end of the connection; before it, opens the connection."""
        return not isinstance(self._sent, Exchange) or self._sent.arrived()

    def finish(self, late: bool = False) -> T:
        """Wait for the response and return it; with `late`, do not wait."""
        sent, service = self._sent, self._service
        if not isinstance(sent, Exchange):
            return self._read(sent)
        response = service.receive(sent, late)
        if isinstance(response, HttpResponse) and service.correct_clock(sent.request, response):
            again = service.send(self._operation, self._body, self._timeout)
            response = service.receive(again, late=False) if isinstance(again, Exchange) else again
        return self._read(_content(response, self._decode) if isinstance(response, HttpResponse) else response)


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
        self.until = float("inf")
        self._begun = self._begin(0)

    def _begin(self, start: int) -> list[PendingCall[R | FailedCall] | FailedCall]:
        begun = [
            NOT_BEGUN
            if self._clock() >= self._timeout.until
            else self._service.begin(self._operation, body, self._timeout, self._decode)
            for body in self._bodies[start : start + CONCURRENT_CALLS]
        ]
        # Nobody polls all of them; their connections are opened together.
        for call in begun:
            if not isinstance(call, FailedCall):
                call.wait_until_sent()
        self.until = self._clock() + self._timeout.seconds
        return begun

    def fileno(self) -> int:
        """Return the file descriptor of the last call: the others most likely have their responses before it."""
        last = self._begun[-1]
        return -1 if isinstance(last, FailedCall) else last.fileno()

    def arrived(self) -> bool:
        """Whether what can be read from it is a response, or the end of the connection. Does not wait."""
        last = self._begun[-1]
        return isinstance(last, FailedCall) or last.arrived()

    def finish(self) -> T:
        """Read all responses, and return what they mean; from `until` on, wait for none."""
        responses: list[R | FailedCall] = []
        while self._begun:
            # The last one first: once its response is there the others most likely are too, and need no wait.
            ended = [
                call if isinstance(call, FailedCall) else call.finish(late=self._clock() >= self.until)
                for call in reversed(self._begun)
            ]
            responses += reversed(ended)
            self._begun = self._begin(len(responses))
        return self._read(responses)


def connect_service(
    name: ServiceName, region: str, credentials: GetCredentials, env: Mapping[str, str], trust: Trust
) -> JsonService:
    """Make the client of a service; raises UsageError for invalid settings of the environment."""
    endpoint = find_endpoint(name, region, env)
    connections = Connections(endpoint, env, trust=trust)
    return JsonService(SigningScope(region, name), endpoint.host, connections, credentials)


def _content(response: HttpResponse, decode: Callable[[bytes], R]) -> R | FailedCall:
    crc = response.headers.get(b"x-amz-crc32")
    if crc is not None and crc != b"%d" % zlib.crc32(response.body):
        return FailedCall(CHECKSUM)
    if response.status == 200:
        try:
            return decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return FailedCall(UNREADABLE)
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
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

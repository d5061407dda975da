"""Calls of a service with a JSON protocol: signed, sent, and its answer checked and read.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

import time
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from router.aws.faults import Fault, translate
from router.aws.http.connections import Connections, Exchange, HttpAnswer, NoAnswerError
from router.aws.http.credentials import CredentialsError, GetCredentials
from router.aws.http.sigv4 import Scope, sign

_SKEWED = frozenset(
    {"RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"}
)
"""Errors that a wrong clock of this machine causes, among other things."""
SKEW_SECONDS = 240
"""From this difference to AWS's clock on, the clock is taken for the cause; AWS allows 5 minutes."""
UNREADABLE = Fault("retry", "UnreadableAnswer", 200)
CHECKSUM = Fault("retry", "ChecksumError", 200)


class Failed(Struct, frozen=True):
    """A call that failed: the fault, and what the error's document says besides (`Item`, `CancellationReasons`)."""

    fault: Fault
    details: Mapping[str, Any] = {}


class Service:
    """One service in one region. `prefix` begins X-Amz-Target, e.g. `DynamoDB_20120810`."""

    def __init__(
        self,
        scope: Scope,
        prefix: str,
        host: str,
        connections: Connections,
        credentials: GetCredentials,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._scope = scope
        self._prefix = prefix
        self._host = host
        self._connections = connections
        self._credentials = credentials
        self._now = now
        self._skew = 0.0

    def call(self, operation: str, body: bytes, seconds: float) -> dict[str, Any] | Failed:
        """Call an operation with a JSON body: the answer as it is, or why there is none."""
        return self.begin(operation, body, seconds).finish()

    def begin(self, operation: str, body: bytes, seconds: float) -> "Call":
        """Send a call whose answer is read later."""
        return Call(self, operation, body, seconds)

    def send(self, operation: str, body: bytes, seconds: float) -> Exchange | Failed:
        """Sign a call and send it."""
        try:
            credentials = self._credentials()
        except CredentialsError:
            return Failed(Fault("setup", "NoCredentialsError"))
        moment = _moment(int(self._now() + self._skew))
        headers = {
            "Host": self._host,
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": moment,
            "X-Amz-Target": f"{self._prefix}.{operation}",
        }
        if credentials.token:
            headers["X-Amz-Security-Token"] = credentials.token
        headers["Authorization"] = sign(credentials, self._scope, moment, "POST", "/", headers, body)
        headers["User-Agent"] = "message-router"
        try:
            return self._connections.begin(headers, body, seconds)
        except NoAnswerError as error:
            return Failed(translate(str(error)))

    def was_skewed(self, answer: HttpAnswer) -> bool:
        """Whether this machine's clock was the cause of an error, and is corrected now."""
        return answer.status != 200 and self._correct_clock(answer)

    def _correct_clock(self, answer: HttpAnswer) -> bool:
        if _error_code(answer) not in _SKEWED or "date" not in answer.headers:
            return False
        # Hardly ever needed, and not quick to import.
        from email.utils import parsedate_to_datetime

        try:
            there = parsedate_to_datetime(answer.headers["date"]).timestamp()
        except ValueError:
            return False
        skew = there - self._now()
        if abs(skew - self._skew) < SKEW_SECONDS:
            return False
        self._skew = skew
        return True


class Call:
    """A call under way: sent when it is made, and ended by `finish`, once."""

    __slots__ = ("_body", "_operation", "_seconds", "_sent", "_service")

    def __init__(self, service: Service, operation: str, body: bytes, seconds: float) -> None:
        self._service = service
        self._operation = operation
        self._body = body
        self._seconds = seconds
        self._sent = service.send(operation, body, seconds)

    def fileno(self) -> int:
        """What to poll for the answer; -1 if there is nothing to wait for."""
        return -1 if isinstance(self._sent, Failed) else self._sent.fileno()

    def finish(self, late: bool = False) -> dict[str, Any] | Failed:
        """The answer as it is, or why there is none; with `late` it is not waited for any more."""
        answer = self._answer(late)
        if isinstance(answer, HttpAnswer) and self._service.was_skewed(answer):
            self._sent = self._service.send(self._operation, self._body, self._seconds)
            answer = self._answer(late=False)
        return answer if isinstance(answer, Failed) else _read(answer)

    def _answer(self, late: bool) -> HttpAnswer | Failed:
        if isinstance(self._sent, Failed):
            return self._sent
        try:
            return self._sent.finish(late)
        except NoAnswerError as error:
            return Failed(translate(str(error)))


def _read(answer: HttpAnswer) -> dict[str, Any] | Failed:
    crc = answer.headers.get("x-amz-crc32")
    if crc is not None and crc != str(zlib.crc32(answer.body)):
        return Failed(CHECKSUM)
    if answer.status != 200:
        return _failed(answer)
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Failed(UNREADABLE)
    return content if isinstance(content, dict) else Failed(UNREADABLE)


@lru_cache(maxsize=1)
def _moment(second: int) -> str:
    """A second since 1970 as X-Amz-Date has it; calls come many a second."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")


def _failed(answer: HttpAnswer) -> Failed:
    code = _error_code(answer)
    if not code:
        # Not from the service itself, but from something on the way to it.
        return Failed(Fault("retry", str(answer.status), answer.status))
    return Failed(translate(code, answer.status), _document(answer))


def _error_code(answer: HttpAnswer) -> str:
    # SQS says what its older protocol called the error, and so do the SDKs: `CODE;Sender`.
    older = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    if older:
        return older
    code = _document(answer).get("__type")
    return code.rpartition("#")[2] if isinstance(code, str) else ""


def _document(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        content = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}

"""Calls of a service: against a server that answers, breaks off or lies as a test wants it."""

import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.connections import Connections
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.service import FailedCall, JsonService, decode_object
from router.runtime.aws.http.signing import Credentials, CredentialsError, Signer, SigningScope
from router.runtime.aws.protocols import AwsFault

Script = list[Callable[[bytes], bytes | None]]
SECONDS = 60.0
"""No busy machine delays a response so much."""


class Server:
    """Responds to each request with the next bytes of its script, or closes the connection for None.

    If it `hangs_up`, it closes the connection after a response, too.
    """

    def __init__(self) -> None:
        self.script: Script = []
        self.hangs_up = False
        self.requests: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # A thread that still accepts could accept from the next socket that has the same file descriptor.
        if self._thread.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while head := read_head(stream):
                length = int(next(line for line in head if line.lower().startswith(b"content-length"))[15:])
                self.requests.append(b"\n".join(head) + b"\n\n" + stream.read(length))
                answer = self.script.pop(0)(self.requests[-1])
                if answer is None:
                    return
                connection.sendall(answer)
                if self.hangs_up:
                    return


def read_head(stream: Any) -> list[bytes]:
    head = []
    while (line := stream.readline()) not in (b"", b"\r\n"):
        head.append(line.strip())
    return head


def says(body: Any, status: int = 200, **headers: str) -> Callable[[bytes], bytes]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{lines}\r\n".encode()
    return lambda request: head + content


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def service(server: Server) -> JsonService:
    return make(server)


def make(server: Server, now: Callable[[], float] = lambda: 1_767_323_045.0, token: str = "") -> JsonService:
    connections = Connections(Endpoint("127.0.0.1", server.port, False), {})
    keys = Credentials("AKID", "secret", token)
    return JsonService(SigningScope("eu-west-1", "dynamodb"), "host", connections, lambda timeout: keys, now)


def test_request(server: Server) -> None:
    """The request has its target, its date, the token, and a signature."""
    server.script = [says({"a": 1})]
    service = make(server, token="a-token")

    answer = service.begin("PutItem", b'{"x":1}', CallTimeout(SECONDS), decode_object).finish()

    head, _, body = server.requests[0].partition(b"\n\n")
    lines = head.decode().split("\n")
    signed = next(line for line in lines if line.startswith("Authorization"))
    assert (answer, lines[0], body) == ({"a": 1}, "POST / HTTP/1.1", b'{"x":1}')
    assert {
        "Host: host",
        "Content-Type: application/x-amz-json-1.0",
        "X-Amz-Date: 20260102T030405Z",
        "X-Amz-Target: DynamoDB_20120810.PutItem",
        "X-Amz-Security-Token: a-token",
    } <= set(lines)
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target" in signed


def test_time_zone(server: Server, service: JsonService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The date of a request is in UTC, wherever the machine is; its response is decoded as the caller says."""
    server.script = [says({})]
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        answer = service.begin("A", b"{}", CallTimeout(SECONDS), bytes.decode).finish()
    finally:
        monkeypatch.undo()
        time.tzset()

    assert answer == "{}"
    assert b"X-Amz-Date: 20260102T030405Z" in server.requests[0].split(b"\n")


def test_what_is_signed_once_a_second(server: Server) -> None:
    """Calls of another second, with other keys or of another operation are signed as such, and the others alike."""
    server.script = [says({})] * 6
    moments = iter([0, 0, 1, 1, 1, 1])
    keys = [Credentials("AKID", "secret", token) for token in ("one", "one", "one", "two", "two", "one")]
    given = iter(keys)
    connections = Connections(Endpoint("127.0.0.1", server.port, False), {})
    scope = SigningScope("eu-west-1", "dynamodb")
    service = JsonService(
        scope, "host", connections, lambda timeout: next(given), lambda: 1_767_323_045.9 + next(moments)
    )

    for operation in "AAAABA":
        service.begin(operation, b"{}", CallTimeout(SECONDS), decode_object).finish()

    expected = []
    for operation, second, key in zip("AAAABA", (5, 5, 6, 6, 6, 6), keys, strict=True):
        moment = f"20260102T03040{second}Z"
        headers = {
            "Host": "host",
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "X-Amz-Date": moment,
            "X-Amz-Security-Token": key.token,
        }
        signature = Signer(key, scope, moment, "POST", "/", headers).authorization(b"{}")
        expected.append([f"{name}: {value}" for name, value in headers.items()] + [f"Authorization: {signature}"])
    sent = [request.partition(b"\n\n")[0].decode().split("\n") for request in server.requests]
    kept = ("Host", "Content-Type", "X-Amz", "Authorization")
    assert [[line for line in lines if line.startswith(kept)] for lines in sent] == expected


def test_connection_is_kept(server: Server, service: JsonService) -> None:
    """Consecutive calls use one connection."""
    server.script = [says({}), says({}), says({})]
    for _ in range(3):
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()
    assert server.connections == 1


def test_connection_close(server: Server, service: JsonService) -> None:
    """After a server closes, the next call opens a new connection."""
    server.script = [says({}, Connection="close"), says({})]
    answers = [
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
    ]
    assert (answers, server.connections) == ([{}, {}], 2)


def test_idle_connection_was_closed(server: Server, service: JsonService) -> None:
    """A connection that the server closed while it was idle causes no fault."""
    server.script = [says({}), lambda request: None, says({"again": True})]
    answers = [
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
    ]
    assert (answers, server.connections) == ([{}, {"again": True}], 2)


def test_broken_off(server: Server, service: JsonService) -> None:
    """No response on a new connection is a transient fault."""
    server.script = [lambda request: None]
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(
        AwsFault("retry", "ConnectionClosedError")
    )


def test_cut_short(server: Server, service: JsonService) -> None:
    """An incomplete response is a transient fault."""
    server.script = [lambda request: b"HTTP/1.1 200 X\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{}"]
    server.hangs_up = True
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(
        AwsFault("retry", "IncompleteReadError")
    )


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
        b'HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    ],
    ids=["interim", "chunked", "old"],
)
def test_forms(answer: bytes, server: Server, service: JsonService) -> None:
    """A response may have each form that HTTP allows."""
    server.script = [lambda request: answer]
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == {"a": 1}


def test_until_close(server: Server, service: JsonService) -> None:
    """A response without a length ends when the server closes."""
    head = b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{}"
    server.script = [lambda request: head]
    server.hangs_up = True
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
)
def test_no_http(answer: bytes, server: Server, service: JsonService) -> None:
    """A response that is no HTTP, or of which the rest is none, is a transient fault."""
    server.script = [lambda request: answer]
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(
        AwsFault("retry", "HTTPClientError")
    )


def test_too_slow(server: Server, service: JsonService) -> None:
    """A response that does not come in time is a transient fault."""
    done = threading.Event()
    server.script = [says({}), lambda request: None if done.wait(SECONDS) else b""]
    # So that the time is not over before there is a connection.
    service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()
    answer = service.begin("A", b"{}", CallTimeout(0.2), decode_object).finish()
    done.set()
    assert answer == FailedCall(AwsFault("retry", "ReadTimeoutError"))


def test_refused_connection(server: Server) -> None:
    """A refused connection is a transient fault."""
    server.close()
    # Taken, so that nobody else listens there.
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server.port = unused.getsockname()[1]
        assert make(server).begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(
            AwsFault("retry", "EndpointConnectionError")
        )


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (
            says({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": {"a": 1}}, 400),
            AwsFault("condition", "ConditionalCheckFailedException", 400),
        ),
        (
            says(
                {"__type": "com.amazonaws.sqs#QueueDoesNotExist"},
                400,
                x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
            ),
            AwsFault("configuration", "NonExistentQueue", 400),
        ),
        (says(b"<html>", 502), AwsFault("retry", "502", 502)),
        (says([], 500), AwsFault("retry", "500", 500)),
        (says(b"<html>", 200), AwsFault("retry", "UnreadableAnswer", 200)),
        (says([]), AwsFault("retry", "UnreadableAnswer", 200)),
        (says({}, x_amz_crc32="1"), AwsFault("retry", "ChecksumError", 200)),
    ],
)
def test_faults(answer: Callable[[bytes], bytes], failed: AwsFault, server: Server, service: JsonService) -> None:
    """Errors by their code; a response that is not the service's is a transient fault."""
    server.script = [answer]
    result = service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()
    assert isinstance(result, FailedCall)
    assert result.fault == failed


def test_details(server: Server, service: JsonService) -> None:
    """The other members of an error are kept."""
    document = {"__type": "x#ConditionalCheckFailedException", "Item": {"id": {"S": "a"}}}
    server.script = [says(document, 400)]
    result = service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()
    assert isinstance(result, FailedCall)
    assert result.details["Item"] == {"id": {"S": "a"}}


def test_checksum(server: Server, service: JsonService) -> None:
    """A body with the right checksum is accepted."""
    server.script = [says(b'{"a":1}', x_amz_crc32=str(zlib.crc32(b'{"a":1}')))]
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == {"a": 1}


def test_wrong_clock(server: Server) -> None:
    """A clock that is wrong by an hour is corrected by AWS's clock, and stays corrected."""
    there = 1_767_323_045
    date = format_datetime(datetime.fromtimestamp(there, UTC), usegmt=True)
    refused = says({"__type": "x#InvalidSignatureException"}, 400, Date=date)
    server.script = [refused, says({"first": True}), says({"second": True})]
    service = make(server, now=lambda: there - 3600.0)

    answers = [
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
        service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish(),
    ]

    moments = [line for request in server.requests for line in request.split(b"\n") if line.startswith(b"X-Amz-Date")]
    assert answers == [{"first": True}, {"second": True}]
    assert moments == [
        b"X-Amz-Date: 20260102T020405Z",
        b"X-Amz-Date: 20260102T030405Z",
        b"X-Amz-Date: 20260102T030405Z",
    ]


def test_wrong_clock_of_calls_at_a_time(server: Server) -> None:
    """Each call that was under way is sent again, though the first of them has corrected the clock."""
    date = format_datetime(datetime.fromtimestamp(1_767_323_045, UTC), usegmt=True)
    refused = says({"__type": "x#InvalidSignatureException"}, 400, Date=date)
    answer = says({"sent": "again"})
    server.script = [lambda request: (refused if b"T020405Z" in request else answer)(request)] * 4
    service = make(server, now=lambda: 1_767_323_045 - 3600.0)
    calls = [service.begin("A", b"{}", CallTimeout(SECONDS), decode_object) for _ in range(2)]

    assert [call.finish() for call in calls] == [{"sent": "again"}] * 2


def test_corrected_clock(server: Server) -> None:
    """A clock that was corrected is not the cause of the next error, which is not retried."""
    there = 1_767_323_045
    date = format_datetime(datetime.fromtimestamp(there, UTC), usegmt=True)
    refused = says({"__type": "x#InvalidSignatureException"}, 400, Date=date)
    server.script = [refused, says({}), refused, says({"retried": True})]
    service = make(server, now=lambda: there - 3600.0)
    service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()

    answer = service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()

    assert isinstance(answer, FailedCall)
    assert (answer.fault.code, len(server.requests)) == ("InvalidSignatureException", 3)


@pytest.mark.parametrize("date", ["Fri, 02 Jan 2026 03:04:05 GMT", "yesterday"])
def test_right_clock(date: str, server: Server, service: JsonService) -> None:
    """A wrong signature for another reason is not retried."""
    server.script = [says({"__type": "x#InvalidSignatureException"}, 400, Date=date)]
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(
        AwsFault("configuration", "InvalidSignatureException", 400), {"__type": "x#InvalidSignatureException"}
    )


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 99999999999999",
        "Sat, 01 Jan 0100 00:00:00 GMT",
    ],
)
def test_a_date_that_is_no_time(date: str, server: Server) -> None:
    """It does not correct the clock: no call could be signed after it."""
    server.script = [says({"__type": "x#InvalidSignatureException"}, 400, Date=date), says({"next": True})]
    service = make(server, now=lambda: 1_767_323_045.0)

    answers = [service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() for _ in range(2)]

    assert isinstance(answers[0], FailedCall)
    assert (answers[0].fault.code, answers[1]) == ("InvalidSignatureException", {"next": True})


@pytest.mark.parametrize(
    ("code", "date"),
    [("InvalidSignatureException", {}), ("ValidationException", {"Date": "Fri, 02 Jan 2026 01:04:05 GMT"})],
    ids=["no date", "another error"],
)
def test_errors_of_no_clock(code: str, date: dict[str, str], server: Server, service: JsonService) -> None:
    """An error without a date tells nothing of the clock, nor does one that no wrong clock causes."""
    server.script = [says({"__type": f"x#{code}"}, 400, **date), says({"retried": True})]

    answer = service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()

    assert isinstance(answer, FailedCall)
    assert answer.fault.code == code


def test_no_keys_once_the_clock_is_corrected(server: Server) -> None:
    """The call that is sent again may fail to be sent."""
    date = format_datetime(datetime.fromtimestamp(1_767_323_045, UTC), usegmt=True)
    server.script = [says({"__type": "x#InvalidSignatureException"}, 400, Date=date)]
    service = make(server, now=lambda: 0.0)
    call = service.begin("A", b"{}", CallTimeout(SECONDS), decode_object)

    def none(timeout: CallTimeout) -> Credentials:
        raise CredentialsError

    service._credentials = none

    assert call.finish() == FailedCall(AwsFault("configuration", "NoCredentialsError"))


def test_late(server: Server, service: JsonService) -> None:
    """A call that is late is not waited for, however long it may take."""
    done = threading.Event()
    server.script = [says({}), lambda request: None if done.wait(SECONDS) else b""]
    # A call that is late before there is a connection is another fault.
    service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish()

    answer = service.begin("A", b"{}", CallTimeout(1000), decode_object).finish(late=True)
    done.set()

    assert answer == FailedCall(AwsFault("retry", "ReadTimeoutError"))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (CredentialsError, AwsFault("configuration", "NoCredentialsError")),
        (TimeoutError, AwsFault("retry", "CredentialRetrievalError")),
    ],
)
def test_no_keys(service: JsonService, error: type[Exception], fault: AwsFault) -> None:
    """Without keys nothing is sent: a configuration error, or a transient one while they are refreshed."""

    def none(timeout: CallTimeout) -> Credentials:
        raise error

    service._credentials = none
    assert service.begin("A", b"{}", CallTimeout(SECONDS), decode_object).finish() == FailedCall(fault)

"""HTTP connections that are reused: sockets of the standard library, responses read by llhttp."""

import socket
import ssl
import weakref
from collections.abc import Callable, Mapping
from select import POLLIN, POLLOUT, poll
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpResponseParser
from msgspec import Struct

from router.aws.calls import IDLE_SECONDS, boottime, run_within
from router.aws.http.endpoints import Endpoint, find_proxy, open_tunnel
from router.aws.run_lock import blocking
from router.errors import UsageError

CONNECT_SECONDS = 5
LATE_SECONDS = 0.001
"""How long to wait for a response that is late already."""
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""No response is longer: 16 MB of items, in JSON."""
READ_BYTES = 64 * 1024
_STALE_ERRORS = 2
"""So often a read that fails as only a write can is tried again, once there is something to read."""
_TLS_WAITS: Mapping[type[OSError], int] = {ssl.SSLWantReadError: POLLIN, ssl.SSLWantWriteError: POLLOUT}
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Trust = Callable[[str], ssl.SSLContext]
"""Returns what verifies certificates: by a file of them, or by those of the system if its name is empty."""


class HttpResponse(Struct, frozen=True):
    """Status, headers by lower-case name as they were sent, body."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class NoResponseError(Exception):
    """No complete response was received: `args[0]` is botocore's name for the failure."""


class CallTimeout(NamedTuple):
    """How long a call may wait.

    `seconds` limits each wait: until the server takes more of the request, and until more of the response comes.
    `until`, a moment of `boottime`, limits the whole call.
    """

    seconds: float
    until: float = float("inf")

    def left(self) -> float:
        """Return how many seconds a wait that starts now may take."""
        return max(0.0, min(self.seconds, self.until - boottime()))


class Exchange(Struct):
    """A request that was sent, whose response is still to be read; `reused` is whether its connection was.

    `begun` is what was read of the response by `arrived`.
    """

    connection: socket.socket
    request: bytes
    timeout: CallTimeout
    reused: bool
    begun: bytes = b""

    def arrived(self) -> bool:
        """Whether what can be read is the response, or the end of the connection.

        With TLS 1.3 it may be a session ticket, which servers send after each handshake; it is read here.
        """
        if not isinstance(self.connection, ssl.SSLSocket):
            return True
        try:
            self.begun += self.connection.recv(READ_BYTES)
        except _WOULD_BLOCK:
            return False
        except OSError:
            pass  # `receive` meets it again
        return True


class Connections:
    """Connections to one endpoint, safe to use from several threads; each is used by one at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        env: Mapping[str, str],
        clock: Callable[[], float] = boottime,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        trust: Trust | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._max_response_bytes = max_response_bytes
        self._proxy = find_proxy(endpoint, env)
        self._tls = (trust or read_certificates)(env.get("AWS_CA_BUNDLE", "")) if endpoint.secure else None
        # A list needs no lock: each thread calls only `pop` and `append`.
        self._idle: list[tuple[socket.socket, float]] = []
        weakref.finalize(self, _close, self._idle)

    def send(self, headers: bytes, body: bytes, timeout: CallTimeout) -> Exchange:
        """Send a POST to `/`, whose response `receive` reads; raises NoResponseError if it cannot be sent.

        `headers` are lines, without the end of the last one, and without the length of the body.
        """
        request = b"POST / HTTP/1.1\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)
        connection = self._take()
        if connection is not None:
            try:
                return _send(Exchange(connection, request, timeout, reused=True))
            except _ClosedError:
                # The server closed it while it was idle.
                pass
        return self._send_anew(request, timeout)

    def receive(self, exchange: Exchange, late: bool = False) -> HttpResponse:
        """Read the response, once; raises NoResponseError if no complete one comes. With `late`, do not wait for it."""
        timeout = exchange.timeout
        try:
            limit = CallTimeout(LATE_SECONDS, timeout.until) if late else timeout
            return self._read(exchange.connection, limit, exchange.begun)
        except _ClosedError:
            if not exchange.reused:
                raise
        # Most likely the server closed the connection while it was idle, and has not seen the request.
        again = self._send_anew(exchange.request, timeout)
        return self._read(again.connection, timeout)

    def _send_anew(self, request: bytes, timeout: CallTimeout) -> Exchange:
        if not timeout.left():
            raise NoResponseError("ConnectTimeoutError")
        try:
            # In a thread: nothing else limits the time that name servers, addresses, TLS and a proxy take together.
            connection = run_within(timeout.left(), self._connect, socket.socket.close)
        except TimeoutError as error:
            raise NoResponseError("ConnectTimeoutError") from error
        return _send(Exchange(connection, request, timeout, reused=False))

    def _read(self, connection: socket.socket, timeout: CallTimeout, begun: bytes = b"") -> HttpResponse:
        reader = _ResponseReader(self._max_response_bytes)
        try:
            response = reader.read(connection, timeout, begun)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError | HttpParserError):
                raise _failure(error, reader.begun) from error
            raise
        if reader.keeps:
            self._idle.append((connection, self._clock()))
        else:
            connection.close()
        return response

    def _take(self) -> socket.socket | None:
        oldest = self._clock() - IDLE_SECONDS
        while True:
            try:
                # The one used last: the others may become too old.
                connection, used_at = self._idle.pop()
            except IndexError:
                return None
            if used_at >= oldest:
                return connection
            connection.close()

    def _connect(self) -> socket.socket:
        # A name as text would be encoded by tables for other alphabets, whose import a cold start does without.
        name: Any = self._endpoint.name.encode("ascii")
        try:
            if self._proxy is None:
                plain = socket.create_connection((name, self._endpoint.port), CONNECT_SECONDS)
            else:
                plain = open_tunnel(self._proxy, self._endpoint.name, self._endpoint.port, CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=name)
            connection.setblocking(False)
            return connection
        except ssl.SSLError as error:
            raise NoResponseError("SSLError") from error
        except TimeoutError as error:
            raise NoResponseError("ConnectTimeoutError") from error
        except OSError as error:
            raise NoResponseError("EndpointConnectionError") from error


class _ResponseReader:
    """Collects a response; llhttp's parser calls the methods that begin with `on_`."""

    __slots__ = ("begun", "complete", "headers", "keeps", "max_bytes", "parts")

    def __init__(self, max_bytes: int) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.max_bytes = max_bytes
        self.parts: list[bytes] = []
        self.begun = False
        self.complete = False
        self.keeps = False

    def read(self, connection: socket.socket, timeout: CallTimeout, begun: bytes = b"") -> HttpResponse:
        """Read the response, of which there is `begun`.

        Raises OSError, HttpParserError, or NoResponseError if it is incomplete or too long.
        """
        parser = HttpResponseParser(self)
        size = 0
        while not (self.complete and parser.get_status_code() >= 200):
            data, begun = begun or receive_bytes(connection, timeout), b""
            if not data:
                if self.headers and not self.headers.keys() & {b"content-length", b"transfer-encoding"}:
                    break  # the end of the connection ends the body
                raise NoResponseError("IncompleteReadError") if self.begun else _ClosedError
            self.begun = True
            size += len(data)
            if size > self.max_bytes:
                raise NoResponseError("HTTPClientError")
            parser.feed_data(data)
        closes = self.headers.get(b"connection", b"").lower() == b"close" or parser.get_http_version() == "1.0"
        self.keeps = self.complete and not closes
        return HttpResponse(parser.get_status_code(), self.headers, b"".join(self.parts))

    def on_message_begin(self) -> None:
        # The one before was an interim response, such as 100 (Continue).
        self.headers, self.parts, self.complete = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.complete = True


class _ClosedError(NoResponseError):
    """The server closed the connection before it sent anything."""

    def __init__(self) -> None:
        super().__init__("ConnectionClosedError")


def send_all(connection: socket.socket, request: bytes, timeout: CallTimeout) -> None:
    """Send over a non-blocking socket; raises OSError, which includes TimeoutError.

    The time is looked at as late as possible: after a pause of the process the request may be an outdated write.
    """
    left = memoryview(request)
    while left:
        if not timeout.left():
            raise TimeoutError
        try:
            left = left[connection.send(left) :]
        except _WOULD_BLOCK as error:
            _wait(connection, error, POLLOUT, timeout)


def receive_bytes(connection: socket.socket, timeout: CallTimeout) -> bytes:
    """Receive from a non-blocking socket, b"" at its end; raises OSError, which includes TimeoutError."""
    broken = 0
    while True:
        try:
            return connection.recv(READ_BYTES)
        except BrokenPipeError as error:
            # A read breaks no pipe. With TLS, Python 3.13 reports the failed write of another connection of the thread
            # again where a read would block.
            broken += 1
            if broken > _STALE_ERRORS:
                raise
            _wait(connection, error, POLLIN, timeout)
        except _WOULD_BLOCK as error:
            _wait(connection, error, POLLIN, timeout)


def _wait(connection: socket.socket, why: OSError, usual: int, timeout: CallTimeout) -> None:
    """Wait until a socket is ready: with TLS perhaps for the other direction; raises TimeoutError."""
    poller = poll()
    poller.register(connection, _TLS_WAITS.get(type(why), usual))
    with blocking:
        if not poller.poll(timeout.left() * 1000):
            raise TimeoutError from why


def _send(exchange: Exchange) -> Exchange:
    try:
        send_all(exchange.connection, exchange.request, exchange.timeout)
    except OSError as error:
        exchange.connection.close()
        raise _failure(error) from error
    return exchange


def read_certificates(bundle: str) -> ssl.SSLContext:
    """Verify certificates by a file of them, or by the system's; raises UsageError."""
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        raise UsageError(f"AWS_CA_BUNDLE: no certificates in '{bundle}': {error.strerror or error}") from None


def _close(idle: list[tuple[socket.socket, float]]) -> None:
    for connection, _ in idle:
        connection.close()


def _is_end(error: ssl.SSLError) -> bool:
    """Whether the error only means that the connection is closed; `SYS` if the other end has reset it."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error.library == "SYS"


def _failure(error: Exception, begun: bool = False) -> NoResponseError:
    """The error for a failed connection, by botocore's name for it, which the table of faults knows."""
    if isinstance(error, ssl.SSLError) and not _is_end(error):
        return NoResponseError("SSLError")
    if isinstance(error, TimeoutError):
        return NoResponseError("ReadTimeoutError")
    if isinstance(error, HttpParserError):
        return NoResponseError("HTTPClientError")
    return NoResponseError("ConnectionClosedError") if begun else _ClosedError()

"""HTTP connections that are kept and used again: sockets of the standard library, answers read by llhttp."""

import socket
import ssl
import time
import weakref
from collections.abc import Callable, Mapping

from httptools import HttpParserError, HttpResponseParser
from msgspec import Struct

from router.aws.http.endpoints import Endpoint
from router.aws.http.proxies import find_proxy, tunnel
from router.aws.http.wire import receive, send_all
from router.aws.run_lock import away
from router.errors import UsageError

CONNECT_SECONDS = 5
IDLE_SECONDS = 15
"""A connection that was idle for longer is not used again: AWS closes those after 20 seconds or so, and a request on
one that is closed meanwhile is lost."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""No answer is longer: 16 MB of items, in JSON."""


class HttpAnswer(Struct, frozen=True):
    """What came back: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """No whole answer came: `args[0]` names the failure, as botocore would."""


class Connections:
    """Connections to one endpoint, safe to use from several threads; each is used by one at a time."""

    def __init__(self, endpoint: Endpoint, env: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._proxy = find_proxy(endpoint, env)
        self._tls = _trust(env.get("AWS_CA_BUNDLE", "")) if endpoint.secure else None
        # Used from either end by one call each, which needs no lock.
        self._idle: list[tuple[socket.socket, float]] = []
        weakref.finalize(self, _close, self._idle)

    def begin(self, headers: Mapping[str, str], body: bytes, seconds: float) -> "Exchange":
        """Send a POST to `/`; its answer is read later. Raises NoAnswerError if it cannot be sent.

        `seconds` is for each wait: until the server takes more of the request, and until more of the answer comes.
        """
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        connection = self._take()
        if connection is not None:
            try:
                return self._send(connection, request, seconds, kept=True)
            except _ClosedError:
                # It was closed while it was idle; whoever asked would only ask again.
                pass
        return self.again(request, seconds)

    def again(self, request: bytes, seconds: float) -> "Exchange":
        """Send a request as it is, on a new connection; raises NoAnswerError."""
        with away:
            connection = self._connect()
        return self._send(connection, request, seconds, kept=False)

    def give_back(self, connection: socket.socket) -> None:
        """A connection may be used again."""
        self._idle.append((connection, self._clock()))

    def _send(self, connection: socket.socket, request: bytes, seconds: float, kept: bool) -> "Exchange":
        try:
            send_all(connection, request, seconds)
        except OSError as error:
            connection.close()
            raise _failure(error) from error
        return Exchange(self, connection, request, seconds, kept)

    def _take(self) -> socket.socket | None:
        oldest = self._clock() - IDLE_SECONDS
        while True:
            try:
                # The one used last: the others may grow old.
                connection, used_at = self._idle.pop()
            except IndexError:
                return None
            if used_at >= oldest:
                return connection
            connection.close()

    def _connect(self) -> socket.socket:
        name = self._endpoint.name
        try:
            if self._proxy is None:
                plain = socket.create_connection((name, self._endpoint.port), CONNECT_SECONDS)
            else:
                plain = tunnel(self._proxy, name, self._endpoint.port, CONNECT_SECONDS)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=name)
            made.setblocking(False)
            return made
        except ssl.SSLError as error:
            raise NoAnswerError("SSLError") from error
        except TimeoutError as error:
            raise NoAnswerError("ConnectTimeoutError") from error
        except OSError as error:
            raise NoAnswerError("EndpointConnectionError") from error


def _trust(bundle: str) -> ssl.SSLContext:
    """Checks certificates by a file of them, or by the system's; raises UsageError."""
    try:
        return ssl.create_default_context(cafile=bundle or None)
    except OSError as error:
        raise UsageError(f"AWS_CA_BUNDLE: no certificates in '{bundle}': {error.strerror or error}") from None


class Exchange:
    """A request that was sent, and its answer, which is still to be read: once, by `finish`."""

    __slots__ = ("_connection", "_connections", "_kept", "_request", "_seconds")

    def __init__(
        self, connections: Connections, connection: socket.socket, request: bytes, seconds: float, kept: bool
    ) -> None:
        self._connections = connections
        self._connection = connection
        self._request = request
        self._seconds = seconds
        self._kept = kept

    def fileno(self) -> int:
        """What to poll for the answer."""
        return self._connection.fileno()

    def finish(self, late: bool = False) -> HttpAnswer:
        """The answer; raises NoAnswerError if no whole one comes. With `late`, only what is there already."""
        try:
            return self._read(0.001 if late else self._seconds)
        except _ClosedError:
            if not self._kept:
                raise
        # It was closed while it was idle, most likely; whoever asked would only ask again.
        return self._connections.again(self._request, self._seconds).finish()

    def _read(self, seconds: float) -> HttpAnswer:
        reading, connection = _Reading(), self._connection
        try:
            answer = reading.read(connection, seconds)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError | HttpParserError):
                raise _failure(error, reading.begun) from error
            raise
        if reading.keeps:
            self._connections.give_back(connection)
        else:
            connection.close()
        return answer


class _Reading:
    """An answer as it comes: llhttp's parser calls what begins with `on_`."""

    __slots__ = ("begun", "complete", "headers", "keeps", "parts")

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.begun = False
        self.complete = False
        self.keeps = False

    def read(self, connection: socket.socket, seconds: float) -> HttpAnswer:
        """The whole answer; raises OSError, HttpParserError, or NoAnswerError for one that is cut short or too long."""
        parser = HttpResponseParser(self)
        size = 0
        while not (self.complete and parser.get_status_code() >= 200):
            data = receive(connection, seconds)
            if not data:
                if self.headers and not self.headers.keys() & {"content-length", "transfer-encoding"}:
                    break  # its end is that of the connection
                raise NoAnswerError("IncompleteReadError") if self.begun else _ClosedError
            self.begun = True
            size += len(data)
            if size > MAX_ANSWER_BYTES:
                raise NoAnswerError("HTTPClientError")
            parser.feed_data(data)
        closes = self.headers.get("connection", "").lower() == "close" or parser.get_http_version() == "1.0"
        self.keeps = self.complete and not closes
        return HttpAnswer(parser.get_status_code(), self.headers, b"".join(self.parts))

    def on_message_begin(self) -> None:
        # The one before was an interim answer, as 100 (Continue).
        self.headers, self.parts, self.complete = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.complete = True


class _ClosedError(NoAnswerError):
    """The server closed the connection before anything of an answer came."""

    def __init__(self) -> None:
        super().__init__("ConnectionClosedError")


def _close(idle: list[tuple[socket.socket, float]]) -> None:
    for connection, _ in idle:
        connection.close()


def _is_end(error: ssl.SSLError) -> bool:
    """Whether TLS only tells that the connection is no more; with `SYS`, since the other end has reset it."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error.library == "SYS"


def _failure(error: Exception, begun: bool = False) -> NoAnswerError:
    """What it means that a connection fails, by the name that botocore has for it, which the table of faults knows."""
    if isinstance(error, ssl.SSLError) and not _is_end(error):
        return NoAnswerError("SSLError")
    if isinstance(error, TimeoutError):
        return NoAnswerError("ReadTimeoutError")
    if isinstance(error, HttpParserError):
        return NoAnswerError("HTTPClientError")
    return NoAnswerError("ConnectionClosedError") if begun else _ClosedError()

"""HTTP connections that are reused: sockets of the standard library, and responses that llhttp reads as they come."""

import socket
import ssl
import weakref
from collections.abc import Mapping
from select import POLLIN, POLLOUT, poll

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

from router.runtime.aws.calls import IDLE_SECONDS, CallTimeout, Clock, blocking, boottime
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.opening import (
    CONNECT_SECONDS,
    STALE_ERRORS,
    TLS_WAITS,
    NoResponseError,
    Opener,
    Opening,
    Trust,
)

LATE_SECONDS = 0.001
"""How long to wait for a response that is late already."""
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
"""No response is longer: 16 MB of items, in JSON."""
READ_BYTES = 64 * 1024
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class HttpResponse(Struct, frozen=True):
    """Status, headers by lower-case name as they were sent, body."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


class ClosedError(NoResponseError):
    """The server closed the connection before it sent anything."""

    def __init__(self) -> None:
        super().__init__("ConnectionClosedError")


class ResponseReader:
    """Collects a response; llhttp's parser calls the methods that begin with `on_`."""

    __slots__ = ("_complete", "_headers", "_max_bytes", "_parser", "_parts", "_size", "begun", "keeps", "response")

    def __init__(self, max_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._max_bytes = max_bytes
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._size = 0
        self._complete = False
        self.begun = False
        self.keeps = False
        """Whether the connection can be used again after the response."""
        self.response: HttpResponse | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes, b"" for the end of the connection; with the last ones `response` is there.

        Raises NoResponseError if it is incomplete, too long or not HTTP.
        """
        if not data:
            if not self._headers or self._headers.keys() & {b"content-length", b"transfer-encoding"}:
                raise NoResponseError("IncompleteReadError") if self.begun else ClosedError
            # The end of the connection ends the body.
            self._end()
            return
        self.begun = True
        self._size += len(data)
        if self._size > self._max_bytes:
            raise NoResponseError("HTTPClientError")
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            raise NoResponseError("HTTPClientError") from error
        if self._complete and self._parser.get_status_code() >= 200:
            self._end()

    def _end(self) -> None:
        parser = self._parser
        closes = self._headers.get(b"connection", b"").lower() == b"close" or parser.get_http_version() == "1.0"
        self.keeps = self._complete and not closes
        self.response = HttpResponse(parser.get_status_code(), self._headers, b"".join(self._parts))
        # It refers to this object: without it, both are freed at once.
        del self._parser

    def on_message_begin(self) -> None:
        """A response begins."""
        # The one before was an interim response, such as 100 (Continue).
        self._headers, self._parts, self._complete = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._headers[name.lower()] = value

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The response is complete."""
        self._complete = True


class Exchange(Struct):
    """A request whose response is still to be read; it is sent once its connection is open.

    `reused` is whether its connection was, `opening` is there while it is not open; `arrived` keeps what it has read of
    the response in `begun`, and in `failure` why there will be none. With a `reader` it reads all that is there, for
    responses that take a while; `read_at` is when it last read something.
    """

    connection: socket.socket
    request: bytes
    timeout: CallTimeout
    reused: bool
    opening: Opening | None = None
    failure: NoResponseError | None = None
    begun: bytes = b""
    reader: ResponseReader | None = None
    read_at: float = 0.0

    @property
    def events(self) -> int:
        """What to poll for."""
        return POLLIN if self.opening is None else self.opening.events

    def arrived(self) -> bool:
        """Whether what can be read is the response, or the end of the connection. Does what is to be done before it.

        With TLS 1.3 it may be a session ticket, which servers send after each handshake; it is read here.
        """
        if self.opening is not None:
            try:
                self.advance(self.opening)
            except NoResponseError as error:
                self.failure = error
            return self.failure is not None
        if self.reader is not None:
            return self._read(self.reader)
        if not isinstance(self.connection, ssl.SSLSocket):
            return True
        try:
            self.begun += self.connection.recv(READ_BYTES)
        except _WOULD_BLOCK:
            return False
        except OSError:
            pass  # `receive` meets it again
        return True

    def _read(self, reader: ResponseReader) -> bool:
        """Read what has come; return whether that is all."""
        try:
            while data := self.connection.recv(READ_BYTES):
                self.read_at = boottime()
                reader.feed(data)
                if reader.response is not None:
                    return True
        except _WOULD_BLOCK:
            return False
        except OSError:
            pass  # `receive` meets it again, as the end of the connection
        except NoResponseError as error:
            self.connection.close()
            self.failure = error
        return True

    def advance(self, opening: Opening) -> None:
        """Go on opening the connection, and send the request if it is open; raises NoResponseError."""
        is_open = opening.advance()
        # With TLS it is another object, of the same file descriptor.
        self.connection = opening.connection
        if is_open:
            self.opening = None
            _send(self)


class Connections:
    """Connections to one endpoint, safe to use from several threads; each is used by one at a time."""

    def __init__(
        self, endpoint: Endpoint, env: Mapping[str, str], clock: Clock = boottime, trust: Trust | None = None
    ) -> None:
        self._clock = clock
        self._opener = Opener(endpoint, env, clock, trust)
        # A list needs no lock: each thread calls only `pop` and `append`.
        self._idle: list[tuple[socket.socket, float]] = []
        weakref.finalize(self, _close, self._idle)

    def send(self, headers: bytes, body: bytes, timeout: CallTimeout) -> Exchange:
        """Send a POST to `/`, whose response `receive` reads; raises NoResponseError if it cannot be sent.

        `headers` are lines, without the end of the last one, and without the length of the body. If a connection has to
        be opened for it, that may only have begun: `arrived` goes on with it, and so does `wait_until_sent`.
        """
        request = b"POST / HTTP/1.1\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (headers, len(body), body)
        return self._send(request, timeout)

    def get(self, path: bytes, headers: bytes, timeout: CallTimeout, reader: ResponseReader) -> Exchange:
        """Send a GET as `send` does a POST; `arrived` reads as much of its response as has come."""
        return self._send(b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (path, headers), timeout, reader)

    def _send(self, request: bytes, timeout: CallTimeout, reader: ResponseReader | None = None) -> Exchange:
        connection = self._take()
        if connection is not None:
            try:
                return _send(Exchange(connection, request, timeout, reused=True, reader=reader))
            except ClosedError:
                # The server closed it while it was idle.
                pass
        return self._send_anew(request, timeout, reader)

    def wait_until_sent(self, exchange: Exchange) -> None:
        """Wait until the connection is open and the request sent; raises NoResponseError."""
        timeout = CallTimeout(CONNECT_SECONDS, exchange.timeout.until)
        while exchange.opening is not None:
            try:
                _wait(exchange.connection, exchange.events, timeout)
            except TimeoutError as error:
                exchange.connection.close()
                raise NoResponseError("ConnectTimeoutError") from error
            exchange.advance(exchange.opening)

    def receive(self, exchange: Exchange, late: bool = False) -> HttpResponse:
        """Read the response, once; raises NoResponseError if no complete one comes. With `late`, do not wait for it."""
        timeout = exchange.timeout
        if exchange.failure is not None:
            raise exchange.failure
        if exchange.opening is not None and late:
            exchange.connection.close()
            raise NoResponseError("ConnectTimeoutError")
        if exchange.opening is not None:
            self.wait_until_sent(exchange)
        try:
            limit = CallTimeout(LATE_SECONDS, timeout.until) if late else timeout
            return self._read(exchange, limit)
        except ClosedError:
            if not exchange.reused:
                raise
        # Most likely the server closed the connection while it was idle, and has not seen the request.
        again = self._send_anew(exchange.request, timeout, exchange.reader)
        self.wait_until_sent(again)
        return self._read(again, timeout)

    def _send_anew(self, request: bytes, timeout: CallTimeout, reader: ResponseReader | None = None) -> Exchange:
        if not timeout.left():
            raise NoResponseError("ConnectTimeoutError")
        opening = self._opener.begin(timeout.left())
        exchange = Exchange(opening.connection, request, timeout, reused=False, opening=opening, reader=reader)
        exchange.advance(opening)
        return exchange

    def _read(self, exchange: Exchange, timeout: CallTimeout) -> HttpResponse:
        connection, begun = exchange.connection, exchange.begun
        reader = exchange.reader or ResponseReader()
        try:
            while reader.response is None:
                data, begun = begun or receive_bytes(connection, timeout), b""
                reader.feed(data)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError):
                raise _failure(error, reader.begun) from error
            raise
        if reader.keeps:
            self._idle.append((connection, self._clock()))
        else:
            connection.close()
        return reader.response

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
            _wait(connection, TLS_WAITS.get(type(error), POLLOUT), timeout)


def receive_bytes(connection: socket.socket, timeout: CallTimeout) -> bytes:
    """Receive from a non-blocking socket, b"" at its end; raises OSError, which includes TimeoutError."""
    broken = 0
    while True:
        try:
            return connection.recv(READ_BYTES)
        except BrokenPipeError:
            broken += 1
            if broken > STALE_ERRORS:
                raise
            _wait(connection, POLLIN, timeout)
        except _WOULD_BLOCK as error:
            _wait(connection, TLS_WAITS.get(type(error), POLLIN), timeout)


def _wait(connection: socket.socket, events: int, timeout: CallTimeout) -> None:
    """Wait until a socket is ready, with TLS perhaps for the other direction; raises TimeoutError."""
    poller = poll()
    poller.register(connection, events)
    with blocking:
        if not poller.poll(timeout.left() * 1000):
            raise TimeoutError


def _send(exchange: Exchange) -> Exchange:
    try:
        send_all(exchange.connection, exchange.request, exchange.timeout)
    except OSError as error:
        exchange.connection.close()
        raise _failure(error) from error
    return exchange


def _close(idle: list[tuple[socket.socket, float]]) -> None:
    for connection, _ in idle:
        connection.close()


def _is_end(error: ssl.SSLError) -> bool:
    """Whether the error only means that the connection is closed; `SYS` if the other end has reset it."""
    return isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error.library == "SYS"


def _failure(error: OSError, begun: bool = False) -> NoResponseError:
    """The error for a failed connection, by botocore's name for it, which the table of faults knows."""
    if isinstance(error, ssl.SSLError) and not _is_end(error):
        return NoResponseError("SSLError")
    if isinstance(error, TimeoutError):
        return NoResponseError("ReadTimeoutError")
    return NoResponseError("ConnectionClosedError") if begun else ClosedError()

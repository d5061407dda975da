"""HTTP connections that are reused, and what is exchanged over them: sockets of the standard library.

An exchange goes on when its connection is ready, and waits only if its caller says so: while one response is slow, the
caller reads others.
"""

import os
import socket
import ssl
import weakref
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from select import POLLIN, POLLOUT, poll
from typing import Generic, TypeVar

from router.runtime.aws.calls import IDLE_SECONDS, CallTimeout, Clock, blocking, boottime, end_copy
from router.runtime.aws.faults import translate
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
from router.runtime.aws.http.responses import ClosedError, HttpResponse, ResponseReader
from router.runtime.aws.protocols import AwsFault

LATE_SECONDS = 0.001
"""How long to wait for a response that is late already."""
READ_BYTES = 64 * 1024
CALLS_OF_A_CONNECTION = 500
"""A connection is closed after so many calls: the ids of all its requests are kept, which take up to 80 KB."""
SLOWEST_BYTES = 1024
"""Bytes a second. A request or response may take a second longer for so many: a slow network is no peer that stalls."""
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

T = TypeVar("T")


class OpenConnection:
    """A connection; `answered` are the ids of the requests that were answered over it, `used_at` when the last was."""

    __slots__ = ("_poller", "answered", "socket", "used_at")

    def __init__(self, connection: socket.socket) -> None:
        self.answered: set[bytes] = set()
        self.socket = connection
        self.used_at = 0.0
        self._poller = poll()
        self._poller.register(connection, POLLIN)

    def read_early(self) -> bytes | None:
        """Return what has come without a request, b"" for the end, None for nothing; raises OSError.

        A session ticket of TLS 1.3 is nothing: servers send them after each handshake. It is read here.
        """
        if not self._poller.poll(0):
            return None
        try:
            return self.socket.recv(1)
        except _WOULD_BLOCK:
            return None


class Connections:
    """Connections to one endpoint, safe to use from several threads; each is used by one at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        env: Mapping[str, str],
        clock: Clock = boottime,
        trust: Trust | None = None,
    ) -> None:
        self._clock = clock
        self._opener = Opener(endpoint, env, clock, trust)
        self._process = os.getpid()
        # A list needs no lock: each thread calls only `pop` and `append`.
        self._idle: list[OpenConnection] = []
        weakref.finalize(self, _close, self._idle)

    def send(self, headers: bytes, body: bytes, timeout: CallTimeout) -> "Exchange":
        """Send a POST to `/`, or begin to: to open a connection for it, or to send what is more than is taken at once.

        `headers` are lines, without the end of the last one, and without the length of the body.
        """
        request = b"POST / HTTP/1.1\r\n%b\r\nContent-Length: %d\r\n\r\n%b" % (
            headers,
            len(body),
            body,
        )
        return Exchange(self, request, timeout, ResponseReader())

    def get(
        self, path: bytes, headers: bytes, timeout: CallTimeout, reader: ResponseReader
    ) -> "Exchange":
        """Send a GET as `send` does a POST."""
        return Exchange(self, b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (path, headers), timeout, reader)

    def receive(self, exchange: "Exchange") -> HttpResponse:
        """Wait for the response; raises NoResponseError if no complete one comes."""
        while not exchange.arrived():
            exchange.wait()
        return exchange.response()

    def take(self) -> OpenConnection | None:
        """Return an open connection that nobody uses and that is quiet, None if there is none."""
        end_copy(self._process)
        oldest = self._clock() - IDLE_SECONDS
        while True:
            try:
                # The one used last: the others may become too old.
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.used_at >= oldest:
                try:
                    early = connection.read_early()
                except OSError:
                    early = b""
                if early is None:
                    return connection
            # It is too old, or closed, or has brought more than the last response.
            connection.socket.close()

    def open(self) -> Opening:
        """Begin to open a connection, without waiting; raises NoResponseError."""
        return self._opener.begin()

    def open_early(self, seconds: float) -> None:
        """Open a connection for the first request, waiting for some seconds; else that request opens its own."""
        until = self._clock() + seconds
        # The request says what is wrong.
        with suppress(NoResponseError):
            opening = self.open()
            connection = opening.advance()
            while connection is None:
                poller = poll()
                poller.register(opening.fileno(), opening.events)
                left = until - self._clock()
                if left <= 0 or not poller.poll(left * 1000):
                    opening.close()
                    return
                connection = opening.advance()
            self.keep(OpenConnection(connection))

    def keep(self, connection: OpenConnection) -> None:
        """Keep a connection for further requests."""
        connection.used_at = self._clock()
        self._idle.append(connection)


class Exchange:
    """A request and its response, which `arrived` goes on with, without waiting, when `events` can be polled.

    The server may have closed a connection that was used before. Most likely it has not seen the request then: if
    nothing has come, the request is sent once more, over a new connection.
    """

    __slots__ = (
        "_connection",
        "_connections",
        "_failure",
        "_is_over",
        "_is_reused",
        "_moved_at",
        "_opening",
        "_reader",
        "_since",
        "_stale",
        "_timeout",
        "_unsent",
        "began",
        "events",
        "request",
    )

    def __init__(
        self, connections: Connections, request: bytes, timeout: CallTimeout, reader: ResponseReader
    ) -> None:
        self.began = self._moved_at = self._since = boottime()
        self.events = POLLIN
        """What to poll for: it changes only with a call of `arrived`."""
        self.request = request
        self._connections = connections
        self._failure: NoResponseError | None = None
        self._is_over = False
        self._opening: Opening | None = None
        self._reader = reader
        self._stale = 0
        self._timeout = timeout
        self._unsent = memoryview(request)
        self._connection = connections.take()
        self._is_reused = self._connection is not None
        try:
            if self._connection is None:
                self._open()
            else:
                self._send(self._connection)
        except NoResponseError as error:
            self._end(error)

    @property
    def due_at(self) -> float:
        """The moment by `boottime` at which its current step is late: to open a connection, to send, or to receive."""
        seconds = self._timeout.seconds
        if self._opening is not None:
            if not self._opening.is_looking_up:
                seconds = CONNECT_SECONDS
            return min(self._since + seconds, self._timeout.until)
        size = len(self.request) - len(self._unsent) if self._unsent else self._reader.size
        return min(
            self._moved_at + seconds,
            self._since + seconds + size / SLOWEST_BYTES,
            self._timeout.until,
        )

    @property
    def is_sent(self) -> bool:
        """Whether the server has all of the request, or will never have it."""
        return self._is_over or not (self._unsent or self._opening)

    def fileno(self) -> int:
        """Return the file descriptor to poll, which may change with a call of `arrived`; -1 if it is over."""
        if self._opening is not None:
            return self._opening.fileno()
        return -1 if self._connection is None else self._connection.socket.fileno()

    def arrived(self) -> bool:
        """Do what can be done without waiting; return whether the response is complete, or none will come."""
        if self._is_over:
            return True
        try:
            if self._opening is not None:
                self._go_on_opening(self._opening)
            elif self._connection is not None and self._unsent:
                self._send(self._connection)
            elif self._connection is not None:
                self._read(self._connection)
        except NoResponseError as error:
            self._end(error)
        return self._is_over

    def wait(self, until: float = float("inf")) -> None:
        """Wait until it can go on; if that is not until it is late, or until a moment before, no response comes."""
        seconds = min(self.due_at, until) - boottime()
        if seconds > 0:
            poller = poll()
            poller.register(self.fileno(), self.events)
            with blocking:
                if poller.poll(seconds * 1000):
                    return
        self._end(
            NoResponseError("ReadTimeoutError" if self._opening is None else "ConnectTimeoutError")
        )

    def response(self) -> HttpResponse:
        """Return the response, once it has arrived; raises NoResponseError if none has."""
        if self._failure is not None:
            raise self._failure
        assert self._reader.response is not None
        return self._reader.response

    def _open(self) -> None:
        if not self._timeout.left():
            raise NoResponseError("ConnectTimeoutError")
        self._since = boottime()
        self._is_reused = False
        self._unsent = memoryview(self.request)
        self._opening = self._connections.open()
        self._go_on_opening(self._opening)

    def _go_on_opening(self, opening: Opening) -> None:
        was_looking_up = opening.is_looking_up
        connection = opening.advance()
        self.events = opening.events
        if connection is None:
            if was_looking_up and not opening.is_looking_up:
                # The handshake has its own time, however long the look-up took.
                self._since = boottime()
            return
        self._opening = None
        self._connection = OpenConnection(connection)
        self._moved_at = self._since = boottime()
        try:
            early = self._connection.read_early()
        except OSError as error:
            raise _failure(error) from error
        if early is not None:
            # What comes before the request does not answer it.
            raise NoResponseError("HTTPClientError") if early else ClosedError
        self._send(self._connection)

    def _send(self, connection: OpenConnection) -> None:
        unsent = len(self._unsent)
        try:
            while self._unsent:
                # As late as possible: after a pause of the process the request may be an outdated write.
                if not self._timeout.left():
                    raise TimeoutError
                self._unsent = self._unsent[connection.socket.send(self._unsent) :]
        except _WOULD_BLOCK as error:
            self.events = TLS_WAITS.get(type(error), POLLOUT)
            if len(self._unsent) < unsent:
                self._moved_at = boottime()
            return
        except OSError as error:
            self._lose(_failure(error))
            return
        if self.events != POLLIN:
            self.events = POLLIN
            self._moved_at = self._since = boottime()

    def _read(self, connection: OpenConnection) -> None:
        try:
            # Once: the rest waits, so that a fast server does not keep the caller from its other connections.
            data = connection.socket.recv(READ_BYTES)
            self.events = POLLIN
            self._reader.feed(data)
        except _WOULD_BLOCK as error:
            self.events = TLS_WAITS.get(type(error), POLLIN)
            return
        except BrokenPipeError as error:
            self._stale += 1
            if self._stale > STALE_ERRORS:
                self._lose(_failure(error, self._reader.size > 0))
            return
        except OSError as error:
            self._lose(_failure(error, self._reader.size > 0))
            return
        except ClosedError as error:
            self._lose(error)
            return
        response = self._reader.response
        if response is None:
            self._moved_at = boottime()
        else:
            self._finish(connection, response)

    def _lose(self, failure: NoResponseError) -> None:
        """Send the request again after the loss of its connection, if the server has most likely not seen it."""
        if not (self._is_reused and isinstance(failure, ClosedError)):
            raise failure
        if self._connection is not None:
            self._connection.socket.close()
            self._connection = None
        self._open()

    def _finish(self, connection: OpenConnection, response: HttpResponse) -> None:
        """Give the connection back, if the response is that to this request."""
        id_ = response.request_id
        if id_:
            if id_ in connection.answered:
                # The response to an earlier request, sent again.
                raise NoResponseError("HTTPClientError")
            connection.answered.add(id_)
        self._connection = None
        self._is_over = True
        if self._reader.keeps and len(connection.answered) < CALLS_OF_A_CONNECTION:
            self._connections.keep(connection)
        else:
            connection.socket.close()

    def _end(self, failure: NoResponseError) -> None:
        self._failure = failure
        self._is_over = True
        if self._opening is not None:
            self._opening.close()
            self._opening = None
        if self._connection is not None:
            self._connection.socket.close()
            self._connection = None


class PendingRequest(ABC, Generic[T]):
    """Goes on with an exchange; a subclass says whether to send another request, and what the final response means."""

    __slots__ = ("_began", "_response", "_sent")

    def __init__(self, sent: Exchange | AwsFault) -> None:
        """`sent` is a fault if nothing could be sent."""
        self._sent = sent
        self._began = sent.began if isinstance(sent, Exchange) else 0.0
        self._response: HttpResponse | AwsFault | None = None

    @property
    def seconds(self) -> float:
        """How many seconds after its beginning it is late."""
        return self._sent.due_at - self._began if isinstance(self._sent, Exchange) else 0.0

    @property
    def events(self) -> int:
        """What to poll for."""
        return self._sent.events if isinstance(self._sent, Exchange) else 0

    @property
    def is_sent(self) -> bool:
        """Whether the server has all of the request, or will never have it."""
        return not isinstance(self._sent, Exchange) or self._sent.is_sent

    def fileno(self) -> int:
        """Return the file descriptor to poll; -1 if there is nothing to wait for."""
        return self._sent.fileno() if isinstance(self._sent, Exchange) else -1

    def arrived(self) -> bool:
        """Do what can be done without waiting; return whether the final response is there, or none will come."""
        while self._response is None:
            sent = self._sent
            if not isinstance(sent, Exchange):
                self._response = sent
                break
            if not sent.arrived():
                return False
            try:
                response = sent.response()
            except NoResponseError as error:
                self._response = translate(str(error))
                break
            again = self._send_again(sent.request, response)
            if again is None:
                self._response = response
            else:
                self._sent = again
        return True

    def finish(self, late: bool = False) -> T:
        """Wait for the response and return what it means; with `late`, do not wait."""
        if self._response is None:
            until = boottime() + LATE_SECONDS if late else float("inf")
            while not self.arrived():
                # A fault needs no waiting: with one, `arrived` is true.
                assert isinstance(self._sent, Exchange)
                self._sent.wait(until)
        assert self._response is not None
        return self._result(self._response)

    @abstractmethod
    def _send_again(self, request: bytes, response: HttpResponse) -> Exchange | AwsFault | None:
        """Send another request if the response asks for it."""

    @abstractmethod
    def _result(self, response: HttpResponse | AwsFault) -> T:
        """Return what the final response means."""


def _close(idle: list[OpenConnection]) -> None:
    for connection in idle:
        connection.socket.close()


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

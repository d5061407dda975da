"""Health and metrics of a worker over HTTP: `/healthz`, `/readyz` and `/metrics`.

The server stays reachable whatever its clients and the process do. One thread serves all
connections. Their number and the time of each are bounded, and file descriptors are reserved.
"""

import errno
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from logging import INFO

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import boottime
from router.runtime.deliver.telemetry import LOGGER, log, service_name
from router.runtime.run.counters import Totals, exposition
from router.runtime.run.threads import start_daemon

MAX_CONNECTIONS = 64
"""For one more, the oldest is closed; a client that has sent its request is served before."""
CONNECTION_SECONDS = 5.0
"""From the connection until the client has read the response; later it is closed."""
MAX_REQUEST_BYTES = 8192
RESERVED_FILES = 8
"""File descriptors that are opened for connections only where the process has no others left."""
ACCEPT_PAUSE = 0.1
"""Seconds without accepting connections if the system has no file descriptor or memory for one."""
_ACCEPTS = 16
"""Connections that are accepted before others are served.

They are fewer than MAX_CONNECTIONS, so that each new one is read.
"""
_POLL_SECONDS = 1.0
"""How often connections are looked for that are to be closed."""
_MAX_PORT = 65535

Page = tuple[HTTPStatus, str, bytes]
"""A response: status, content type, body."""


class _Connection:
    """A client's connection: its request so far, then what is left of the response."""

    __slots__ = ("request", "response", "socket", "until")

    def __init__(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        self.socket = accepted
        self.until = boottime() + CONNECTION_SECONDS
        self.request = b""
        self.response = memoryview(b"")


class PageServer:
    """Serves GET requests: `page` returns the page for a path.

    Raises OSError or OverflowError if it cannot listen.
    """

    def __init__(self, host: str, port: int, page: Callable[[str], Page]) -> None:
        if not 0 <= port <= _MAX_PORT:
            raise OverflowError(f"the port must be 0 to {_MAX_PORT}")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._page = page
        self._reserve: list[int] = []
        self._connections: dict[_Connection, None] = {}
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._woken, self._wake = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        # Here: once the thread runs, the process may have used up its file descriptors.
        self._refill_reserve()
        self._thread = start_daemon("http", self._run)

    def close(self) -> None:
        """Stop, and close all connections."""
        self._stopping = True
        self._wake.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._refill_reserve()
            for key, _ in self._selector.select(_POLL_SECONDS):
                if isinstance(key.data, _Connection):
                    self._serve(key.data)
                elif key.fileobj is self._listener:
                    self._accept()
            now = boottime()
            late = [each for each in self._connections if each.until <= now]
            for connection in late:
                self._close(connection)
        for connection in list(self._connections):
            self._close(connection)
        self._selector.close()
        self._listener.close()
        self._woken.close()
        while self._reserve:
            os.close(self._reserve.pop())

    def _refill_reserve(self) -> None:
        while len(self._reserve) < RESERVED_FILES:
            try:
                self._reserve.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return

    def _accept(self) -> None:
        # For a new connection an older one is closed. Those that are accepted here are not: their
        # requests are not read yet.
        older = list(self._connections)
        for _ in range(_ACCEPTS):
            try:
                accepted, _ = self._listener.accept()
            except OSError as error:
                lacks_files = error.errno in (errno.EMFILE, errno.ENFILE)
                if lacks_files and self._release_file(older):
                    continue
                if error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                    # The client still waits, so that the next poll would return at once.
                    time.sleep(ACCEPT_PAUSE)
                return
            if len(self._connections) >= MAX_CONNECTIONS:
                self._make_room(older.pop(0))
            connection = _Connection(accepted)
            self._connections[connection] = None
            self._selector.register(accepted, selectors.EVENT_READ, connection)

    def _release_file(self, older: list[_Connection]) -> bool:
        """Close a reserved file descriptor, or else the first of some connections.

        Return whether there was one.
        """
        if self._reserve:
            os.close(self._reserve.pop())
        elif older:
            self._make_room(older.pop(0))
        else:
            return False
        return True

    def _make_room(self, connection: _Connection) -> None:
        """Close a connection for a new one.

        If its request has come, it is served before: it may not have been read yet.
        """
        self._serve(connection)
        if connection in self._connections:
            self._close(connection)

    def _serve(self, connection: _Connection) -> None:
        """Read what has come of a request, or write what can be written of the response."""
        if connection not in self._connections:
            # Closed for another one since the poll.
            return
        try:
            if not connection.response and not self._read(connection):
                return
            if connection.response:
                sent = connection.socket.send(connection.response)
                connection.response = connection.response[sent:]
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        if not connection.response:
            self._close(connection)

    def _read(self, connection: _Connection) -> bool:
        """Read what has come of a request; return False if it is not complete.

        The response is empty if the client has closed the connection.
        """
        received = connection.socket.recv(MAX_REQUEST_BYTES)
        connection.request += received
        request = connection.request
        if received:
            ended = b"\r\n\r\n" in request or b"\n\n" in request
            if not ended and len(request) < MAX_REQUEST_BYTES:
                return False
            connection.response = memoryview(self._respond(request, ended))
        self._selector.modify(connection.socket, selectors.EVENT_WRITE, connection)
        return True

    def _respond(self, request: bytes, ended: bool) -> bytes:
        line = request.partition(b"\n")[0].decode("latin-1").split()
        if not ended:
            page = _error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif len(line) != 3 or not line[2].startswith("HTTP/"):
            page = _error(HTTPStatus.BAD_REQUEST)
        elif line[0] not in ("GET", "HEAD"):
            page = _error(HTTPStatus.METHOD_NOT_ALLOWED)
        else:
            try:
                page = self._page(line[1].partition("?")[0])
            except Exception:
                # The next request may succeed.
                LOGGER.exception("unexpected error in a page")
                page = _error(HTTPStatus.INTERNAL_SERVER_ERROR)
        status, content_type, body = page
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            f"Content-Type: {content_type}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if line[:1] == ["HEAD"]:
            return head
        return head + body

    def _close(self, connection: _Connection) -> None:
        del self._connections[connection]
        self._selector.unregister(connection.socket)
        connection.socket.close()


def _error(status: HTTPStatus) -> Page:
    return status, "text/plain", b""


class WorkerStatus(Struct, frozen=True):
    """The status of one or several worker processes.

    `alive` says that every receiver runs and none is stuck, `ready` that messages of every queue
    are received, `log_blocked` that nobody reads the log. `config` is the hash of the running
    config; of several, each once, with commas. `paused` are the queues that are not polled for now,
    because of an outage.
    """

    alive: bool = False
    ready: bool = False
    log_blocked: bool = False
    config: str = ""
    paused: tuple[str, ...] = ()


@contextmanager
def serve(
    listen: str,
    status: Callable[[], WorkerStatus],
    totals: Callable[[], Totals],
) -> Iterator[int]:
    """Serve the pages on HOST:PORT, or nothing if it is empty; yields the port.

    Raises UsageError.
    """
    if not listen:
        yield 0
        return

    def page(path: str) -> Page:
        match path:
            case "/healthz":
                now = status()
                return _probe(now.alive, _remarks(now))
            case "/readyz":
                return _probe(status().ready)
            case "/metrics":
                text = exposition(totals(), service_name(), status().config)
                return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", text
            case _:
                return HTTPStatus.NOT_FOUND, "text/plain", b"pages: /healthz, /readyz, /metrics\n"

    host, _, port = listen.rpartition(":")
    try:
        server = PageServer(host.strip("[]"), int(port), page)
    except (OSError, ValueError, OverflowError) as error:
        hint = "give HOST:PORT, e.g. 127.0.0.1:9090"
        raise UsageError(f"cannot listen on '{listen}': {error}; {hint}") from None
    log(INFO, "listening", port=server.port)
    try:
        yield server.port
    finally:
        server.close()


def _remarks(status: WorkerStatus) -> str:
    """Return what `/healthz` says besides.

    Nothing of it is a reason to end the worker: a restart would not help.
    """
    lines = [f"paused {queue}\n" for queue in status.paused]
    if status.config:
        lines.insert(0, f"config {status.config}\n")
    if status.log_blocked:
        lines.append("the log is not read: its lines are queued, then dropped\n")
    return "".join(lines)


def _probe(passes: bool, remarks: str = "") -> Page:
    if passes:
        return HTTPStatus.OK, "text/plain", f"ok\n{remarks}".encode()
    return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"no\n{remarks}".encode()

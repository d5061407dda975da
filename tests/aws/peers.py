"""Servers of this machine that answer as a test wants it, byte by byte, with and without TLS."""

import json
import socket
import ssl
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from threading import Lock, Thread
from typing import Any

SECONDS = 20.0
"""No busy machine delays anything here so much."""
_numbers = count(1)


class Request:
    """A request; `number` counts those of its connection from 1 on."""

    def __init__(self, head: bytes, body: bytes, number: int) -> None:
        self.head = head
        self.body = body
        self.number = number

    @property
    def content(self) -> Any:
        """What its JSON says."""
        return json.loads(self.body)


class Wire:
    """A connection from a client."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._data = b""
        self._number = 0

    def read(self) -> Request:
        """Read a request; raises ConnectionError once the client has closed the connection."""
        while b"\r\n\r\n" not in self._data:
            self._data += self._some()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
        parts = [self._data]
        while sum(map(len, parts)) < length:
            parts.append(self._some())
        data = b"".join(parts)
        body, self._data = data[:length], data[length:]
        self._number += 1
        return Request(head, body, self._number)

    def send(self, data: bytes) -> None:
        """Send bytes; raises OSError."""
        self._connection.sendall(data)

    def await_end(self) -> None:
        """Wait until the client closes the connection; what it sends is read."""
        with suppress(OSError):
            while self._connection.recv(65536):
                pass

    def _some(self) -> bytes:
        data = self._connection.recv(1 << 20)
        if not data:
            raise ConnectionError("the client has gone")
        return data


Serve = Callable[[Wire], None]
"""Serves a connection, which is closed afterwards."""


class Peer:
    """Serves each connection in a thread; `taken` counts them."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self.taken = 0
        self._serve_one = serve
        self._context = context
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """End all connections and threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(SECONDS)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.taken += 1
            with self._lock:
                self._open.append(connection)
            self._threads.append(Thread(target=self._handle, args=(connection,), daemon=True))
            self._threads[-1].start()

    def _handle(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                self._serve_one(Wire(connection))
                return
            with self._context.wrap_socket(connection, server_side=True) as secure:
                with self._lock:
                    self._open.append(secure)
                self._serve_one(Wire(secure))


def render(
    body: bytes, status: int = 200, *, id_: str | None = "", header: str = "x-amzn-RequestId", more: Iterable[str] = ()
) -> bytes:
    """A complete answer, with a request id of its own unless one is given; with None it has none."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *more]
    if id_ is not None:
        lines.append(f"{header}: {id_ or f'request-{next(_numbers)}'}")
    return "\r\n".join([*lines, "", ""]).encode() + body

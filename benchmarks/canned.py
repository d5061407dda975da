"""A server of canned answers for SQS and DynamoDB, in its own process, so that the client alone is measured.

`python benchmarks/canned.py CERTIFICATE` prints its ports, for HTTP and for TLS, and serves until its standard input
ends. One thread polls all connections; a call costs little more than the system calls that transfer its bytes. It is
controlled by GET:

- `/reset` deletes the records of requests; `/fill?size=small&count=20000` also puts messages into its queue,
  and with `&rate=500&seed=1` one after the other, so many a second, at moments that the seed decides
- `/latency?ms=8` sets the latency of every call; `/cores?numbers=0,1` sets the cores to run on
- `/report` returns the requests since then: see `answering.py`
- `/drained` is answered when all messages are deleted
"""

import gc
import heapq
import json
import os
import select
import selectors
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from answering import Answers, render

_CHUNK = 1 << 20


class Connection:
    """A connection and the received part of its next request."""

    __slots__ = ("chunks", "endpoint", "have", "need", "socket", "target")

    def __init__(self, accepted: socket.socket, endpoint: str) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = accepted
        self.endpoint = endpoint
        self.chunks: list[bytes] = []
        self.have = self.need = 0
        self.target = b""

    def read(self) -> tuple[bytes, bytes] | None:
        """Return the target and body of a request when it is complete; raises EOFError at the end of the connection."""
        data = self.receive()
        if data is None:
            return None
        if not data:
            raise EOFError
        if not self.need:
            if self.chunks:
                data = self.chunks.pop() + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.chunks.append(data)
                return None
            head = data[:end].lower()
            self.target, length, expects = _read_head(head, data[:end])
            body = data[end + 4 :]
            if len(body) >= length:
                return self.target, body
            if expects:
                self.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.chunks, self.have, self.need = [body], len(body), length
            return None
        self.chunks.append(data)
        self.have += len(data)
        if self.have < self.need:
            return None
        body = b"".join(self.chunks)
        self.chunks, self.have, self.need = [], 0, 0
        return self.target, body

    def receive(self) -> bytes | None:
        """Return what there is to read, b"" at the end of the connection; None if it is of no use yet."""
        return self.socket.recv(_CHUNK)


class TlsConnection(Connection):
    """A connection by TLS, whose socket never blocks: the handshakes of several connections overlap."""

    __slots__ = ("tls",)

    def __init__(self, accepted: socket.socket, endpoint: str, context: ssl.SSLContext) -> None:
        super().__init__(accepted, endpoint)
        accepted.setblocking(False)
        self.tls = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self.socket = self.tls

    def receive(self) -> bytes | None:
        """Continue the handshake, or return all records that have arrived."""
        records = []
        with suppress(ssl.SSLWantReadError):
            if self.tls.version() is None:
                self.tls.do_handshake()
            while record := self.tls.recv(_CHUNK):
                records.append(record)
            return b"".join(records)
        return b"".join(records) or None


def _read_head(head: bytes, given: bytes) -> tuple[bytes, int, bool]:
    """Return the operation in lower case (of a GET the path), the length of the body, and whether the client waits."""
    if head.startswith(b"get "):
        return given.split(b" ", 2)[1], 0, False
    start = head.find(b"content-length:") + 15
    length = int(head[start : _line_end(head, start)])
    start = head.find(b"x-amz-target:") + 13
    operation = head[start : _line_end(head, start)].rpartition(b".")[2]
    return operation, length, b"\nexpect:" in head


def _line_end(head: bytes, start: int) -> int:
    end = head.find(b"\r", start)
    return end if end >= 0 else len(head)


class CannedServer:
    """Accepts requests on all connections, and sends each answer when it is due."""

    def __init__(self, certificate: str) -> None:
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._selector = selectors.DefaultSelector()
        self.ports = self._listen("http"), self._listen("https")
        self._answers = Answers()
        self._due: list[tuple[float, int, Connection, bytes]] = []
        self._number = 0
        self._waiting: Connection | None = None

    def _listen(self, scheme: str) -> int:
        """Return the port of a new listener for a scheme."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        port: int = listener.getsockname()[1]
        self._selector.register(listener, selectors.EVENT_READ, f"{scheme}://127.0.0.1:{port}")
        return port

    def serve(self) -> None:
        """Serve until the process ends."""
        ready, take = self._ready, self._take
        while True:
            for key, _ in ready(self._send_due()):
                connection = key.data
                if isinstance(connection, str):
                    self._accept(key.fileobj, connection)
                    continue
                try:
                    request = connection.read()
                    if request is not None:
                        take(connection, *request)
                except (EOFError, OSError):
                    self._selector.unregister(connection.socket)
                    connection.socket.close()

    def _ready(self, seconds: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if seconds is None:
            return self._selector.select()
        # The selector itself waits whole milliseconds; this waits for it by the microsecond.
        select.select([self._selector], [], [], seconds)
        return self._selector.select(0)

    def _accept(self, listener: Any, endpoint: str) -> None:
        accepted, _ = listener.accept()
        secure = endpoint.startswith("https:")
        connection = TlsConnection(accepted, endpoint, self._tls) if secure else Connection(accepted, endpoint)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _take(self, connection: Connection, target: bytes, body: bytes) -> None:
        if target.startswith(b"/"):
            self._control(connection, target.decode())
            return
        answer, wait = self._answers.answer(target, body, connection.endpoint)
        wait += self._answers.latency
        if wait:
            self._number += 1
            heapq.heappush(self._due, (time.monotonic() + wait, self._number, connection, answer))
        else:
            connection.socket.sendall(answer)
        if self._waiting is not None and self._answers.drained:
            waiting, self._waiting = self._waiting, None
            with suppress(OSError):  # the client may have closed the connection, to retry
                waiting.socket.sendall(render(b"{}"))

    def _send_due(self) -> float | None:
        """Send the answers that are due; return the seconds until the next one."""
        while self._due:
            left = self._due[0][0] - time.monotonic()
            if left > 0:
                return left
            _, _, connection, answer = heapq.heappop(self._due)
            try:
                connection.socket.sendall(answer)
            except OSError:
                continue  # the client has closed the connection
        return None

    def _control(self, connection: Connection, path: str) -> None:
        name, _, query = path.partition("?")
        given = dict(parse_qsl(query))
        response: object = {}
        match name:
            case "/reset":
                self._answers.reset()
            case "/fill":
                self._answers.fill(given["size"], int(given["count"]), float(given["rate"]), int(given["seed"]))
            case "/latency":
                self._answers.latency = float(given["ms"]) / 1000
            case "/cores":
                os.sched_setaffinity(0, {int(number) for number in given["numbers"].split(",")})
            case "/report":
                response = self._answers.report()
            case "/drained":
                if not self._answers.drained:
                    self._waiting = connection
                    return
        connection.socket.sendall(render(json.dumps(response).encode()))


def main() -> None:
    """Serve until standard input ends."""
    server = CannedServer(sys.argv[1])
    print(*server.ports, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    # The server keeps all requests and creates no cycles, so that collections would only cost time.
    gc.disable()
    server.serve()


if __name__ == "__main__":
    main()

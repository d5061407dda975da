"""Lambda's Runtime API for one function at a time, by which a benchmark invokes it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import selectors
import socket
import time
from email.message import Message
from http.client import parse_headers
from typing import BinaryIO, NamedTuple

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:benchmark"
_SECONDS = 60
"""The timeout of the function, and the longest wait for its next request."""


class RuntimeRequest(NamedTuple):
    """A request of the runtime client: its path and body, and the connection that awaits the response."""

    path: str
    body: bytes
    connection: socket.socket


class FunctionError(Exception):
    """The function failed: `args[0]` is what the runtime client reported of it."""


class RuntimeApi:
    """Gives a function one event at a time; the times of invocations are those of the service, not of the function."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._next: RuntimeRequest | None = None
        self._number = 0
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Close all connections."""
        for key in [*self._selector.get_map().values()]:
            (key.data[0] if key.data else self._listener).close()
        self._selector.close()

    def await_start(self) -> None:
        """Wait until the function is loaded and asks for an event; raises FunctionError, TimeoutError."""
        if self._next is None:
            self._next = self._read()
            if not self._next.path.endswith("/invocation/next"):
                raise _error(self._next)

    def send(self, event: bytes) -> None:
        """Send an event to the function that waits for it."""
        assert self._next
        self._number += 1
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {self._number:08d}-0000-4000-8000-000000000000\r\n"
            f"Lambda-Runtime-Deadline-Ms: {int((time.time() + _SECONDS) * 1000)}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {ARN}\r\nContent-Length: {len(event)}\r\n\r\n"
        )
        self._next.connection.sendall(head.encode() + event)
        self._next = None

    def receive(self) -> RuntimeRequest:
        """Return the function's answer to the event; raises FunctionError, TimeoutError."""
        answer = self._read()
        if not answer.path.endswith("/response"):
            raise _error(answer)
        return answer

    def accept(self, answer: RuntimeRequest) -> None:
        """Acknowledge an answer, and wait until the function asks for the next event."""
        answer.connection.sendall(b'HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{"status":"OK"}')
        self.await_start()

    def _read(self) -> RuntimeRequest:
        while True:
            ready = self._selector.select(_SECONDS)
            if not ready:
                raise TimeoutError(f"the function sent nothing for {_SECONDS} seconds")
            for key, _ in ready:
                if key.data is None:
                    self._accept_connection()
                    continue
                connection, stream = key.data
                request = _read_request(stream)
                if request:
                    path, body = request
                    return RuntimeRequest(path, body, connection)
                self._selector.unregister(connection)
                connection.close()

    def _accept_connection(self) -> None:
        accepted, _ = self._listener.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(accepted, selectors.EVENT_READ, (accepted, accepted.makefile("rb")))


def _error(request: RuntimeRequest) -> FunctionError:
    try:
        return FunctionError(json.loads(request.body)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return FunctionError(f"{request.path} {request.body.decode(errors='replace')}")


def _read_request(stream: BinaryIO) -> tuple[str, bytes] | None:
    """Return the path and the body of a request; None at the end of the connection."""
    line = stream.readline()
    if not line:
        return None
    headers: Message = parse_headers(stream)
    return line.split()[1].decode(), stream.read(int(headers.get("Content-Length", 0)))

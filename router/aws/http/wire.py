"""Bytes over sockets that do not block: they wait here, where another thread may have its turn."""

import socket
import ssl
from collections.abc import Mapping
from select import POLLIN, POLLOUT, poll

from router.aws.run_lock import away

READ_BYTES = 64 * 1024
_TLS_WAITS: Mapping[type[OSError], int] = {ssl.SSLWantReadError: POLLIN, ssl.SSLWantWriteError: POLLOUT}
_NOT_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def send_all(connection: socket.socket, request: bytes, seconds: float) -> None:
    """Send; raises OSError, which TimeoutError is."""
    left = memoryview(request)
    while left:
        try:
            left = left[connection.send(left) :]
        except _NOT_YET as error:
            _wait(connection, error, POLLOUT, seconds)


def receive(connection: socket.socket, seconds: float) -> bytes:
    """Some of what comes, b"" at its end; raises OSError, which TimeoutError is."""
    while True:
        try:
            return connection.recv(READ_BYTES)
        except _NOT_YET as error:
            _wait(connection, error, POLLIN, seconds)


def _wait(connection: socket.socket, why: OSError, usual: int, seconds: float) -> None:
    """Wait for what stopped a connection: of TLS that may be the other direction; raises TimeoutError."""
    poller = poll()
    poller.register(connection, _TLS_WAITS.get(type(why), usual))
    with away:
        if not poller.poll(seconds * 1000):
            raise TimeoutError from why

"""Servers that never respond, each in its own way."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Way = Literal["silent", "dripping", "black hole"]
DRIP_SECONDS = 0.1
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 1000000\r\n\r\n"


@contextmanager
def hanging_server(way: Way) -> Iterator[str]:
    """Run a server, and return its endpoint.

    A silent one accepts connections and sends nothing. A dripping one sends a byte of its response from time to time.
    A black hole takes no further connection: its queue of them is full, so that the system drops what comes.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host, port = listener.getsockname()
        if way == "black hole":
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex((host, port))
        else:
            over = threading.Event()
            thread = threading.Thread(target=_serve, args=(listener, way, over), daemon=True)
            thread.start()
            # A thread that still accepts could accept from the next socket that has the same file descriptor.
            stack.callback(thread.join)
            stack.callback(over.set)
        yield f"http://{host}:{port}"


def _serve(listener: socket.socket, way: Way, over: threading.Event) -> None:
    listener.settimeout(0.1)
    while not over.is_set():
        with suppress(OSError):
            connection, _ = listener.accept()
            threading.Thread(target=_hang, args=(connection, way, over), daemon=True).start()


def _hang(connection: socket.socket, way: Way, over: threading.Event) -> None:
    with connection, suppress(OSError):
        if way == "dripping":
            connection.sendall(HEAD)
        while not over.is_set():
            if way == "dripping":
                connection.sendall(b" ")
            time.sleep(DRIP_SECONDS)


class FreezingProxy:
    """Forwards connections to a server until it is frozen: from then on nothing passes, and nothing is closed."""

    def __init__(self, endpoint: str) -> None:
        self._target = (urlsplit(endpoint).hostname or "", urlsplit(endpoint).port or 80)
        self._frozen = threading.Event()
        self._freezes_at = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def freeze_at(self, service: bytes) -> None:
        """Let nothing pass from the next request on to a service, named as in its `X-Amz-Target`."""
        self._freezes_at = service

    def wait(self) -> None:
        """Wait until it is frozen."""
        assert self._frozen.wait(60)

    def close(self) -> None:
        """Close all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        # A thread that still accepts could accept from the next socket that has the same file descriptor.
        self._thread.join()
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._target)
                self._open += [here, there]
                for source, target in ((here, there), (there, here)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._freezes_at and self._freezes_at in data:
                    self._frozen.set()
                if self._frozen.is_set():
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def freezing_proxy(endpoint: str) -> Iterator[FreezingProxy]:
    """Run a proxy while the context lasts."""
    proxy = FreezingProxy(endpoint)
    try:
        yield proxy
    finally:
        proxy.close()

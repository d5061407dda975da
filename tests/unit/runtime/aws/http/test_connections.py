"""Sockets that do not block: what they wait for."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.connections import receive_bytes, send_all


class OtherWay(socket.socket):
    """Cannot send before it has received, as may happen in TLS; counts the tries, and reports one that has failed."""

    tries = 0
    on_blocked: Callable[[], object] = staticmethod(lambda: None)

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.tries += 1
        try:
            super().recv(1)
        except BlockingIOError:
            self.on_blocked()
            raise ssl.SSLWantReadError from None
        return super().send(data)


@pytest.fixture
def ends() -> Iterator[tuple[OtherWay, socket.socket]]:
    """A socket that does not block, and the other end."""
    ours, theirs = socket.socketpair()
    here = OtherWay(fileno=ours.detach())
    here.setblocking(False)
    with here, theirs:
        yield here, theirs


def test_the_other_direction(ends: tuple[OtherWay, socket.socket]) -> None:
    """If sending has to wait for incoming data it does, without repeated tries."""
    here, theirs = ends
    later = threading.Timer(0.1, theirs.send, (b"x",))
    here.on_blocked = later.start

    send_all(here, b"all", CallTimeout(60))

    later.join()
    assert (theirs.recv(10), here.tries) == (b"all", 2)


def test_nothing_comes(ends: tuple[OtherWay, socket.socket]) -> None:
    """Data that does not come in time is an error."""
    here, _ = ends

    with pytest.raises(TimeoutError):
        receive_bytes(here, CallTimeout(0.01))

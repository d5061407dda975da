"""Connections that do not block: what they wait for."""

import socket
import ssl
from collections.abc import Iterator
from select import POLLIN
from typing import Any

import pytest

from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.connections import Connections, OpenConnection
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.opening import NoResponseError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class OtherWay(socket.socket):
    """Cannot send before it has received, as may happen in TLS; counts the tries."""

    tries = 0

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.tries += 1
        try:
            super().recv(1)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None
        return super().send(data)


class Stale(socket.socket):
    """Reports the failed write of another connection instead of what it waits for, so often."""

    times = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        self.times -= 1
        if self.times >= 0:
            raise BrokenPipeError
        return super().recv(size)


@pytest.fixture(params=[OtherWay])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[Any, socket.socket]]:
    """A socket that does not block, and the other end."""
    ours, theirs = socket.socketpair()
    here = request.param(fileno=ours.detach())
    here.setblocking(False)
    with here, theirs:
        yield here, theirs


@pytest.fixture
def connections(ends: tuple[Any, socket.socket]) -> Connections:
    """Keeps that socket as a connection."""
    made = Connections(Endpoint("127.0.0.1", 1, False), {})
    made.keep(OpenConnection(ends[0]))
    return made


def test_the_other_direction(ends: tuple[Any, socket.socket], connections: Connections) -> None:
    """If sending has to wait for incoming data it does, without repeated tries."""
    here, theirs = ends

    exchange = connections.send(b"Host: h", b"all", CallTimeout(60))
    before = exchange.is_sent, exchange.events
    theirs.send(b"x")
    exchange.wait()
    exchange.arrived()
    request = theirs.recv(100)
    theirs.send(OK)

    assert (before, here.tries, exchange.is_sent, request[-7:]) == ((False, POLLIN), 2, True, b"\r\n\r\nall")
    assert connections.receive(exchange).body == b"{}"


def test_nothing_comes(ends: tuple[Any, socket.socket], connections: Connections) -> None:
    """A request that is not sent in time is an error, and its connection is closed."""
    here, _ = ends

    with pytest.raises(NoResponseError, match=r"^ReadTimeoutError$"):
        connections.receive(connections.send(b"Host: h", b"all", CallTimeout(0.01)))
    assert here.fileno() == -1


@pytest.mark.parametrize("ends", [Stale], indirect=True)
@pytest.mark.parametrize("times", [2, 3])
def test_error_of_another_connection(ends: tuple[Any, socket.socket], connections: Connections, times: int) -> None:
    """Reading goes on after it; if it stays, the connection is lost, and as nobody listens there is no other."""
    here, theirs = ends
    exchange = connections.send(b"Host: h", b"{}", CallTimeout(60))
    here.times = times
    theirs.send(OK)

    if times == 2:
        assert connections.receive(exchange).body == b"{}"
        return
    with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
        connections.receive(exchange)


@pytest.mark.parametrize("ends", [socket.socket], indirect=True)
def test_when_a_response_is_late(
    ends: tuple[Any, socket.socket], connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drip is late as if nothing came; a large response has more time, while it goes on."""
    now = 100.0
    monkeypatch.setattr("router.runtime.aws.http.connections.boottime", lambda: now)
    _, theirs = ends
    exchange = connections.send(b"Host: h", b"{}", CallTimeout(10))
    due = [exchange.due_at]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"

    for now, part in ((104.0, head.ljust(512)), (108.0, b" " * 512), (109.0, b" " * 40 * 1024)):  # noqa: B007
        theirs.send(part)
        exchange.arrived()
        due.append(exchange.due_at)

    assert due == [110.0, 110.5, 111.0, 119.0]
    now = 119.0
    with pytest.raises(NoResponseError, match=r"^ReadTimeoutError$"):
        connections.receive(exchange)

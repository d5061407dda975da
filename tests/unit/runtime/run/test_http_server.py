"""The HTTP server of pages: slow, idle and many clients, and a process without file descriptors."""

import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from router.runtime.run.monitoring import (
    ACCEPT_PAUSE,
    CONNECTION_SECONDS,
    MAX_CONNECTIONS,
    MAX_REQUEST_BYTES,
    RESERVED_FILES,
    Page,
    PageServer,
)

TIMEOUT = 60.0
LARGE = b"x" * 10_000_000
REQUEST = b"GET %b HTTP/1.1\r\n\r\n"
Sockets = Callable[[int], list[socket.socket]]


class Pages:
    """Each has its path as its body; some paths are special."""

    def __init__(self) -> None:
        self.waits, self.goes_on = threading.Event(), threading.Event()
        """Whether the page `/waits` waits, and whether it goes on."""

    def __call__(self, path: str) -> Page:
        if path == "/fails":
            raise LookupError
        if path == "/waits":
            self.waits.set()
            self.goes_on.wait(TIMEOUT)
        return HTTPStatus.OK, "text/plain", LARGE if path == "/large" else path.encode()


@pytest.fixture
def pages() -> Pages:
    """The pages of the server."""
    return Pages()


@pytest.fixture
def server(pages: Pages) -> Iterator[PageServer]:
    """A server on a free port."""
    server = PageServer("127.0.0.1", 0, pages)
    yield server
    server.close()


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    """Makes so many sockets, which are closed after the test."""
    with ExitStack() as stack:

        def make(count: int) -> list[socket.socket]:
            made = [stack.enter_context(socket.socket()) for _ in range(count)]
            for each in made:
                each.settimeout(TIMEOUT)
            return made

        yield make


def ask(server: PageServer, client: socket.socket, path: str = "/a") -> None:
    """Connect a socket, and send a request."""
    client.connect(("127.0.0.1", server.port))
    client.sendall(REQUEST % path.encode())


def is_open(client: socket.socket) -> bool:
    """Whether the server has closed a connection, in which it has sent nothing."""
    client.setblocking(False)
    try:
        client.recv(1)
    except BlockingIOError:
        return True
    except ConnectionResetError:
        pass
    return False


def connect(server: PageServer) -> socket.socket:
    """A client's connection."""
    return socket.create_connection(("127.0.0.1", server.port), TIMEOUT)


def get(server: PageServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/a?b=c", (200, b"/a")),
        ("HEAD", "/a", (200, b"")),
        ("POST", "/a", (405, b"")),
        ("GET", "/fails", (500, b"")),
        ("GET", "/large", (200, LARGE)),
    ],
)
def test_pages(server: PageServer, method: str, path: str, answer: tuple[int, bytes]) -> None:
    """A page is served by GET and HEAD; a page that fails does not end the server."""
    assert (get(server, path, method), get(server, "/b")) == (answer, (200, b"/b"))


@pytest.mark.parametrize(
    ("request_", "response"),
    [
        (b"GET\r\n\r\n", b"400 Bad Request"),
        (b"\x00\xff\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\nX: ".ljust(MAX_REQUEST_BYTES, b"x"), b"431 Request Header Fields Too Large"),
        (b"POST /a HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET /fails HTTP/1.1\r\n\r\n", b"500 Internal Server Error"),
    ],
)
def test_refused_request(server: PageServer, request_: bytes, response: bytes) -> None:
    """A request that is malformed, too long or cannot be answered has a response, too."""
    with connect(server) as client:
        client.sendall(request_)

        received = client.makefile("rb").read()

    head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert received == head % response


def test_head(server: PageServer) -> None:
    """The response to HEAD ends with the headers, which have the length of the page."""
    with connect(server) as client:
        client.sendall(b"HEAD /abc HTTP/1.1\r\n\r\n")

        received = client.makefile("rb").read()

    assert received.endswith(b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")


def test_line_feeds(server: PageServer) -> None:
    """Lines may end without a carriage return, as those that are typed do."""
    with connect(server) as client:
        client.sendall(b"GET /abc HTTP/1.1\n\n")

        assert client.makefile("rb").read().endswith(b"\r\n\r\n/abc")


def test_end_within_a_request(server: PageServer) -> None:
    """A client that ends before its request does has no response."""
    with connect(server) as client:
        client.sendall(b"GET")
        client.shutdown(socket.SHUT_WR)

        assert client.makefile("rb").read() == b""


def test_page_that_fails(server: PageServer, caplog: pytest.LogCaptureFixture) -> None:
    """The log has its traceback."""
    get(server, "/fails")

    ((message, exception),) = [(entry.getMessage(), entry.exc_info) for entry in caplog.records]
    assert (message, exception and exception[0]) == ("unexpected error in a page", LookupError)


def test_no_pause(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there are file descriptors, connections are accepted at once."""
    slept: list[float] = []
    monkeypatch.setattr("router.runtime.run.monitoring.time", SimpleNamespace(sleep=slept.append))

    pages = [get(server, "/a") for _ in range(3)]

    assert (pages, slept) == ([(200, b"/a")] * 3, [])


def test_thread(server: PageServer) -> None:
    """A process whose other threads have ended is not kept alive."""
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "http"} == {True}


def test_close(pages: Pages) -> None:
    """Connections that are open are closed, and none is accepted any more."""
    server = PageServer("127.0.0.1", 0, pages)
    with connect(server) as client:
        get(server, "/a")  # so that the connection before it is accepted
        server.close()

        assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_request_in_parts(server: PageServer) -> None:
    """A request may come in parts, if it is complete in time."""
    with connect(server) as client:
        for part in (b"GET /a HT", b"TP/1.1\r\n", b"Host: x\r\n\r\n"):
            client.sendall(part)
            time.sleep(0.01)

        assert client.recv(65536).endswith(b"\r\n\r\n/a")


def test_client_that_has_gone(server: PageServer) -> None:
    """A client that closes its connection, or resets it, does no harm."""
    for linger in (b"", b"\x01\x00\x00\x00\x00\x00\x00\x00"):
        with connect(server) as client:
            if linger:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n" if linger else b"GET")

    assert get(server, "/a") == (200, b"/a")


def test_slow_clients(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that send a byte now and then, or do not read, are disconnected; others are served meanwhile."""
    now = 100.0
    monkeypatch.setattr("router.runtime.run.monitoring.boottime", lambda: now)
    with connect(server) as sender, connect(server) as reader:
        reader.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        ended = threading.Event()

        def drip() -> None:
            end = time.monotonic() + TIMEOUT
            try:
                while time.monotonic() < end:
                    sender.sendall(b"x")
                    time.sleep(0.1)
            except OSError:
                ended.set()

        dripping = threading.Thread(target=drip)
        dripping.start()
        served = []
        for seconds in (0.0, CONNECTION_SECONDS - 0.1):
            now = 100.0 + seconds
            served.append(get(server, "/a"))
        meanwhile = not ended.is_set()
        now = 100.0 + CONNECTION_SECONDS
        dripping.join()
        received = 0
        try:
            while data := reader.recv(1_000_000):
                received += len(data)
        except ConnectionResetError:
            pass

    assert (served, meanwhile, ended.is_set()) == ([(200, b"/a")] * 2, True, True)
    assert received < len(LARGE)


def test_silent_client(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is closed when its time is over, although nothing else happens."""
    monkeypatch.setattr("router.runtime.run.monitoring.CONNECTION_SECONDS", 0.2)
    with connect(server) as client:
        assert client.recv(1) == b""


def test_idle_connections(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hundred connections that send nothing keep nobody out; no more than the limit stay open."""
    monkeypatch.setattr("router.runtime.run.monitoring.CONNECTION_SECONDS", 2 * TIMEOUT)
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(server)) for _ in range(500)]
        served = [get(server, "/a") for _ in range(20)]
        still_open = sum(map(is_open, idle))

    assert (served, still_open <= MAX_CONNECTIONS) == ([(200, b"/a")] * 20, True)


def test_the_oldest_connection_is_closed(server: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """For one connection more than the limit, the oldest is closed, and no other."""
    monkeypatch.setattr("router.runtime.run.monitoring.CONNECTION_SECONDS", 2 * TIMEOUT)
    with ExitStack() as stack:
        first, *others = [stack.enter_context(connect(server)) for _ in range(MAX_CONNECTIONS + 1)]
        closed = first.recv(1)
        still_open = sum(map(is_open, others))

    assert (closed, still_open) == (b"", MAX_CONNECTIONS)


# Uses up the file descriptors, and then those that others leave, as connections to AWS would.
EXHAUSTED = """
import os, resource, sys, time
from http import HTTPStatus
from router.runtime.run.monitoring import PageServer
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
server = PageServer("127.0.0.1", 0, lambda path: (HTTPStatus.OK, "text/plain", str(time.process_time()).encode()))
print(server.port, flush=True)
def use_up():
    while True:
        try:
            os.dup(0)
        except OSError:
            return
use_up()
print("used up", flush=True)
sys.stdin.read()
"""


def test_no_file_descriptors() -> None:
    """A process that has no file descriptor left serves its pages all the same, and does not spin."""
    with subprocess.Popen(
        [sys.executable, "-c", EXHAUSTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert process.stdout.readline() == "used up\n"

        def cpu_seconds() -> float:
            connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
            connection.request("GET", "/")
            body = connection.getresponse().read()
            connection.close()
            return float(body)

        with ExitStack() as stack:
            # More than are reserved, so that one waits to be accepted.
            for _ in range(30):
                stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT))
            before = cpu_seconds()
            time.sleep(2)
            used = cpu_seconds() - before
        several = [cpu_seconds() for _ in range(20)]
        process.kill()

    assert (used < 1.0, len(several)) == (True, 20)


@contextmanager
def file_limit(limit: int) -> Iterator[None]:
    """Let this process open only file descriptors below a limit."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def only_reserved() -> AbstractContextManager[None]:
    """Leave this process no file descriptors but those that the server has reserved."""
    lowest = os.dup(0)
    os.close(lowest)
    return file_limit(lowest)


def test_the_oldest_connections_are_closed_without_file_descriptors(
    server: PageServer, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each connection more than there are reserved descriptors, and one more at most."""
    monkeypatch.setattr("router.runtime.run.monitoring.CONNECTION_SECONDS", 2 * TIMEOUT)
    before, *silent, last = sockets(RESERVED_FILES + 6)
    ask(server, before)
    before.makefile("rb").read()  # now all are reserved
    with only_reserved():
        for client in silent:
            client.connect(("127.0.0.1", server.port))
        ask(server, last)
        response = last.makefile("rb").read()

    assert response.endswith(b"\r\n\r\n/a")
    still_open = [is_open(client) for client in silent]
    # The system looks for a descriptor before it looks for a connection to accept, of which there is no other.
    assert (still_open[:5], still_open[6:]) == ([False] * 5, [True] * (RESERVED_FILES - 2))


def test_connections_that_come_together_without_file_descriptors(
    server: PageServer, pages: Pages, sockets: Sockets
) -> None:
    """More connections than there are reserved descriptors, all with a request before any is accepted, are served."""
    first, *clients = sockets(RESERVED_FILES + 5)
    ask(server, first, "/waits")
    assert pages.waits.wait(TIMEOUT)
    with only_reserved():
        for client in clients:
            ask(server, client)
        pages.goes_on.set()
        bodies = [client.makefile("rb").read()[-2:] for client in clients]

    assert bodies == [b"/a"] * len(clients)


def test_pause(server: PageServer, sockets: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
    """If not even a reserved descriptor can be used, the server waits before it tries again."""
    slept: SimpleQueue[float] = SimpleQueue()
    monkeypatch.setattr("router.runtime.run.monitoring.time", SimpleNamespace(sleep=slept.put))
    (client,) = sockets(1)
    with file_limit(3):
        ask(server, client)
        pause = slept.get(timeout=TIMEOUT)

    assert (pause, client.makefile("rb").read()[-2:]) == (ACCEPT_PAUSE, b"/a")


def test_request_of_a_connection_that_is_closed_for_another(
    server: PageServer, pages: Pages, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that comes just before is answered."""
    monkeypatch.setattr("router.runtime.run.monitoring.CONNECTION_SECONDS", 2 * TIMEOUT)
    busy, *silent, new, newest = sockets(MAX_CONNECTIONS + 2)
    for client in silent:
        client.connect(("127.0.0.1", server.port))
    ask(server, busy, "/waits")
    assert pages.waits.wait(TIMEOUT)
    # The server learns of the new ones first.
    ask(server, new)
    ask(server, newest)
    silent[0].sendall(REQUEST % b"/a")
    pages.goes_on.set()

    assert silent[0].makefile("rb").read().endswith(b"\r\n\r\n/a")

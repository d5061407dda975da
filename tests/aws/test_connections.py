"""Connections over real sockets, with and without TLS: slow servers, servers that close, and proxies."""

import base64
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import methodcaller
from pathlib import Path
from select import select

import pytest

from router.errors import UsageError
from router.runtime.aws.calls import IDLE_SECONDS, CallTimeout, boottime
from router.runtime.aws.http.connections import Connections
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.opening import NoResponseError
from router.runtime.aws.http.responses import ResponseReader
from tests.support.run import RunLock

LARGE = 16 * 1024 * 1024
"""Bytes; more than the system buffers for a connection whose other end does not read."""
SECONDS = 20.0
MUCH = 40.0
"""Seconds; no busy machine delays a call so much."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Act = Callable[[socket.socket], None]
"""Handles a connection, which is closed afterwards."""


class Listener:
    """A server of this machine that handles each connection with the next act; counts them."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.acts: list[Act] = []
        self.taken = 0
        self.closed = 0
        """How many of them are closed."""
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        # Waiting for a connection does not end by closing; one more connection ends it.
        self.acts = []
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if not self.acts:
                connection.close()
                return
            self.taken += 1
            # A thread for each: with TLS, Python 3.13 may report an error of one connection for the thread's next one.
            thread = threading.Thread(target=self._act, args=(connection,))
            thread.start()
            thread.join()
            self.closed += 1

    def _act(self, connection: socket.socket) -> None:
        with connection:
            if self._context:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self.acts.pop(0)(secure)
            else:
                self.acts.pop(0)(connection)


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, certificate: Callable[[], Path]) -> Iterator[Listener]:
    """A server with and without TLS."""
    context = None
    if request.param == "TLS":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate())
    listener = Listener(context)
    yield listener
    listener.close()


@pytest.fixture
def connections(server: Listener, request: pytest.FixtureRequest, tmp_path: Path) -> Connections:
    """Connections to that server."""
    secure = "TLS" in request.node.name
    env = {"AWS_CA_BUNDLE": str(tmp_path / "certificate.pem")} if secure else {}
    return Connections(Endpoint("127.0.0.1", server.port, secure), env)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 20)
    if not data:
        raise ConnectionError("the client has gone")
    return data


def read_request(connection: socket.socket) -> int:
    """Read a request, and return the length of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    size = len(body)
    while size < length:
        size += len(_some(connection))
    return size


def answer(connection: socket.socket) -> None:
    """Respond to one request."""
    read_request(connection)
    connection.sendall(OK)


CONNECT = """
import sys
from router.runtime.aws.calls import CallTimeout
from router.runtime.aws.http.connections import Connections
from router.runtime.aws.http.endpoints import parse_endpoint
connections = Connections(parse_endpoint(sys.argv[1]), {"AWS_CA_BUNDLE": sys.argv[2]})
connections.receive(connections.send(b"Host: h", b"{}", CallTimeout(5.0)))
print("encodings.idna" in sys.modules)
"""


def test_a_name_is_not_encoded_by_unicode_tables(
    server: Listener, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Names of hosts are ASCII: the tables for others, which take a cold start more than a millisecond, stay away."""
    server.acts = [answer]
    scheme = "https" if "TLS" in request.node.name else "http"
    words = (f"{scheme}://127.0.0.1:{server.port}", str(tmp_path / "certificate.pem"))

    done = subprocess.run([sys.executable, "-c", CONNECT, *words], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize("server", ["TLS"], indirect=True)
def test_a_session_ticket_is_no_response(server: Listener, connections: Connections) -> None:
    """A response has not arrived with the tickets that follow a handshake; once it has, it is whole."""
    go = threading.Event()

    def answer_later(connection: socket.socket) -> None:
        read_request(connection)
        go.wait(SECONDS)
        connection.sendall(OK)

    server.acts = [answer_later]
    exchange = connections.send(b"Host: h", b"{}", CallTimeout(SECONDS))
    connection = exchange.fileno()
    readable = select([connection], [], [], SECONDS)[0]
    arrived = exchange.arrived()
    go.set()
    while not exchange.arrived():
        assert select([exchange.fileno()], [], [], SECONDS)[0]
    response = connections.receive(exchange)

    assert (readable, arrived, response.status, response.body) == ([connection], False, 200, b"{}")


def ask(connections: Connections, body: bytes = b"{}", seconds: float = SECONDS, timeout: float = 2 * SECONDS) -> bytes:
    """Return the body of the response; each wait and the call may take so many seconds."""
    until = CallTimeout(seconds, boottime() + timeout)
    return connections.receive(connections.send(b"Host: h", body, until)).body


def test_slow_reader(server: Listener, connections: Connections) -> None:
    """A request that is more than the server takes at once is sent completely."""
    sizes = []

    def act(connection: socket.socket) -> None:
        time.sleep(0.2)
        sizes.append(read_request(connection))
        connection.sendall(OK)

    server.acts = [act]

    assert (ask(connections, b"x" * LARGE), sizes) == (b"{}", [LARGE])


def test_slow_writer(server: Listener, connections: Connections) -> None:
    """A response may come in parts, each in time."""

    def act(connection: socket.socket) -> None:
        read_request(connection)
        for part in (OK[:5], OK[5:40], OK[40:]):
            connection.sendall(part)
            time.sleep(0.05)

    server.acts = [act]

    assert ask(connections) == b"{}"


@pytest.mark.parametrize("size", [2, LARGE])
def test_silence(server: Listener, connections: Connections, size: int) -> None:
    """If a server neither reads nor responds, the call ends in time."""
    over = threading.Event()

    def act(connection: socket.socket) -> None:
        answer(connection)
        over.wait(SECONDS)

    server.acts = [act]
    ask(connections)  # so that its time is not over before there is a connection
    try:
        with pytest.raises(NoResponseError, match=r"^ReadTimeoutError$"):
            ask(connections, b"x" * size, 0.1)
    finally:
        over.set()


def test_nothing_is_sent_after_its_time(server: Listener, connections: Connections) -> None:
    """A request whose time is over, as after a pause of the process, is not sent: it may be an outdated write."""
    received: list[bytes] = []
    ended = threading.Event()

    def act(connection: socket.socket) -> None:
        answer(connection)
        with suppress(ConnectionError):
            received.append(connection.recv(1))
        ended.set()

    server.acts = [act, answer]
    ask(connections)

    for failure in ("ReadTimeoutError", "ConnectTimeoutError"):
        with pytest.raises(NoResponseError, match=f"^{failure}$"):
            ask(connections, timeout=0)

    # One connection for the first call and one for this: none was made where no time was left.
    assert ask(connections) == b"{}"
    assert (ended.wait(SECONDS), received, server.taken) == (True, [b""], 2)


@pytest.mark.parametrize("begins", [True, False], ids=["body", "head"])
def test_drip(server: Listener, connections: Connections, begins: bool) -> None:
    """A response that never ends, a byte now and then, ends the call when its time is over."""
    over = threading.Event()

    def act(connection: socket.socket) -> None:
        answer(connection)
        with suppress(ConnectionError):
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n" + b"\r\n" * begins)
            while not over.wait(0.05):
                connection.sendall(b"x")

    server.acts = [act]
    ask(connections)  # so that its time is not over before there is a connection
    try:
        with pytest.raises(NoResponseError, match=r"^ReadTimeoutError$"):
            ask(connections, b"{}", SECONDS, 0.3)
    finally:
        over.set()


def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a connection to make is part of the time of a call: the server accepts it, but begins no TLS."""
    monkeypatch.setattr("router.runtime.aws.http.connections.CONNECT_SECONDS", 2 * MUCH)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connections = Connections(Endpoint("127.0.0.1", listening.getsockname()[1], True), {})
        began = time.monotonic()

        with pytest.raises(NoResponseError, match=r"^ConnectTimeoutError$"):
            ask(connections, timeout=0.2)

    assert time.monotonic() - began < MUCH


def test_name_server_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is the time that a name server takes."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(2 * MUCH) and [])
    began = time.monotonic()

    with pytest.raises(NoResponseError, match=r"^ConnectTimeoutError$"):
        ask(Connections(Endpoint("sqs.example", 80, False), {}), timeout=0.2)

    over.set()
    assert time.monotonic() - began < MUCH


def test_no_further_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up in a thread: without one, the call fails as if no connection could be opened."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
        ask(Connections(Endpoint("127.0.0.1", 9, False), {}))


def test_reused(server: Listener, connections: Connections) -> None:
    """A connection is used for consecutive requests."""

    def act(connection: socket.socket) -> None:
        for _ in range(3):
            answer(connection)

    server.acts = [act]

    assert ([ask(connections) for _ in range(3)], server.taken) == ([b"{}"] * 3, 1)


@pytest.mark.parametrize("size", [2, LARGE], ids=["to receive", "to send"])
def test_lock_is_released(server: Listener, connections: Connections, size: int) -> None:
    """While a call waits for the network another thread runs."""
    lock, worked = RunLock(methodcaller("acquire")).group(), threading.Event()

    def work() -> None:
        with lock:
            worked.set()

    def act(connection: socket.socket) -> None:
        answer(connection)
        if size == LARGE:
            worked.wait(SECONDS)
        read_request(connection)
        if worked.wait(SECONDS):
            connection.sendall(OK)

    server.acts = [act]
    ask(connections)  # so that it need not wait for a connection any more
    with lock:
        other = threading.Thread(target=work)
        other.start()
        assert ask(connections, b"x" * size, 2 * SECONDS) == b"{}"
    other.join(SECONDS)


@pytest.mark.parametrize("linger", [None, 0], ids=["closed", "reset"])
def test_closed_while_idle(server: Listener, connections: Connections, linger: int | None) -> None:
    """If the server has closed or reset an idle connection, a new one is used."""
    read = threading.Event()

    def act(connection: socket.socket) -> None:
        answer(connection)
        read.wait(SECONDS)
        if linger is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, linger))

    server.acts = [act, answer]
    ask(connections)
    read.set()
    until = time.monotonic() + MUCH
    while not server.closed:
        assert time.monotonic() < until
        time.sleep(0.01)

    assert (ask(connections), server.taken) == (b"{}", 2)


def test_closed_at_once(server: Listener, connections: Connections) -> None:
    """If it closes a new connection, there is no response."""

    def act(connection: socket.socket) -> None:
        read_request(connection)

    server.acts = [act]

    with pytest.raises(NoResponseError, match=r"^ConnectionClosedError$"):
        ask(connections)


@pytest.mark.parametrize("sent", [OK[:-1], OK[:8], b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Le"])
def test_cut_short(server: Listener, connections: Connections, sent: bytes) -> None:
    """An incomplete response is a transient fault; half a head is not the head of an empty response."""

    def act(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(sent)

    server.acts = [act]

    with pytest.raises(NoResponseError, match=r"^IncompleteReadError$"):
        ask(connections)


def test_too_long(server: Listener, connections: Connections) -> None:
    """A response that is longer than its limit is not read to its end."""
    server.acts = [answer]

    exchange = connections.get(b"/", b"Host: h\r\nContent-Length: 0", CallTimeout(SECONDS), ResponseReader(10))
    with pytest.raises(NoResponseError, match=r"^HTTPClientError$"):
        connections.receive(exchange)


def test_idle_for_long() -> None:
    """A connection that was idle for longer than servers keep it is not reused."""
    now = 0.0
    listener = Listener()

    def act(connection: socket.socket) -> None:
        answer(connection)
        connection.recv(1)

    listener.acts = [act, answer]
    connections = Connections(Endpoint("127.0.0.1", listener.port, False), {}, lambda: now)
    ask(connections)
    now = IDLE_SECONDS + 1

    assert (ask(connections), listener.taken) == (b"{}", 2)
    listener.close()


def test_refused_connection() -> None:
    """A port where no server listens."""
    # Taken, so that nobody else listens there.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        connections = Connections(Endpoint("127.0.0.1", taken.getsockname()[1], False), {})

        with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
            ask(connections)


class Proxy(Listener):
    """A proxy of this machine, which opens tunnels; keeps the requests."""

    def __init__(self, status: bytes = b"200 OK") -> None:
        super().__init__()
        self.asked: list[bytes] = []
        self.acts = [self._tunnel] * 3
        self._status = status

    def _tunnel(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += _some(connection)
        self.asked.append(head)
        connection.sendall(b"HTTP/1.1 %s\r\n\r\n" % self._status)
        host, port = head.split()[1].decode().rsplit(":", 1)
        if not self._status.startswith(b"200"):
            return
        with socket.create_connection((host, int(port))) as other:
            back = threading.Thread(target=_copy, args=(other, connection))
            back.start()
            _copy(connection, other)
            back.join(SECONDS)


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@pytest.fixture
def secure(certificate: Callable[[], Path]) -> Iterator[Listener]:
    """A server with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate())
    listener = Listener(context)
    listener.acts = [answer]
    yield listener
    listener.close()


@pytest.fixture
def proxied(
    secure: Listener, in_environment: Callable[..., None], tmp_path: Path
) -> Iterator[Callable[..., tuple[Connections, Proxy]]]:
    """Connections to that server in an environment that names a proxy by its port."""
    proxies = []

    def make(
        proxy: str, name: str = "HTTPS_PROXY", status: bytes = b"200 OK", **more: str
    ) -> tuple[Connections, Proxy]:
        proxies.append(Proxy(status))
        env = {"AWS_CA_BUNDLE": str(tmp_path / "certificate.pem"), name: proxy.format(proxies[-1].port), **more}
        in_environment(**env)
        return Connections(Endpoint("127.0.0.1", secure.port, True), env), proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:{}", "127.0.0.1:{}", "http://us%40er:se%3Acret@127.0.0.1:{}/"])
def test_proxy(proxied: Callable[..., tuple[Connections, Proxy]], secure: Listener, name: str, proxy: str) -> None:
    """Requests go through the proxy's tunnel, with its password if it has one."""
    connections, through = proxied(proxy, name)

    reported = ask(connections)

    lines = through.asked[0].split(b"\r\n")
    user = base64.b64encode(b"us@er:se:cret")
    assert (reported, lines[0].rpartition(b" ")[0], b"Proxy-Authorization: Basic " + user in lines) == (
        b"{}",
        b"CONNECT 127.0.0.1:%d" % secure.port,
        "@" in proxy,
    )


@pytest.mark.parametrize("names", ["127.0.0.1", "*"])
def test_no_proxy(proxied: Callable[..., tuple[Connections, Proxy]], names: str) -> None:
    """A host in NO_PROXY is reached without the proxy."""
    connections, through = proxied("http://127.0.0.1:{}", NO_PROXY=names)

    assert (ask(connections), through.asked) == (b"{}", [])


def test_proxy_refuses(proxied: Callable[..., tuple[Connections, Proxy]], secure: Listener) -> None:
    """A proxy that opens no tunnel is like a server that does not listen."""
    connections, through = proxied("http://127.0.0.1:{}", status=b"407 Proxy Authentication Required")

    with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
        ask(connections)
    assert (len(through.asked), secure.taken) == (1, 0)


@pytest.mark.parametrize(
    "proxy",
    [
        "https://127.0.0.1:1",
        "socks5://127.0.0.1:1",
        "http://user:secret@a:x",
        "http://",
        "http://a..b:80",
        "http://a b:1",
    ],
)
def test_no_such_proxy(in_environment: Callable[..., None], proxy: str) -> None:
    """The error about a proxy of another kind names its variable, and shows no password."""
    in_environment(HTTPS_PROXY=proxy)

    with pytest.raises(
        UsageError, match=r"^the proxy in HTTPS_PROXY is not http://\[USER:PASSWORD@\]HOST\[:PORT\]; for "
    ):
        Connections(Endpoint("sqs.eu-west-1.amazonaws.com", 443, True), {"HTTPS_PROXY": proxy})


def test_a_connection_that_is_opened_early(server: Listener, connections: Connections) -> None:
    """The first request finds it."""
    server.acts = [answer]

    connections.open_early(MUCH)
    opened = connections.take()
    assert opened is not None
    connections.keep(opened)

    assert (ask(connections), server.taken) == (b"{}", 1)


def _reset(server: socket.socket) -> None:
    server.accept()[0].close()


@pytest.mark.parametrize("opens", ["nothing listens", "no handshake", "a reset"])
def test_none_that_is_opened_early(certificate: Callable[[], Path], opens: str) -> None:
    """It is no error, and the wait is bounded: the first request opens its own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        if opens == "nothing listens":
            silent.close()
        elif opens == "a reset":
            threading.Thread(target=_reset, args=(silent,), daemon=True).start()
        connections = Connections(Endpoint("127.0.0.1", port, True), {"AWS_CA_BUNDLE": str(certificate())})
        began = time.monotonic()

        connections.open_early(0.2)

        assert time.monotonic() - began < MUCH
        assert connections.take() is None

"""Connections that are opened: several at a time, by TLS with the session of an earlier one."""

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from router.runtime.aws.calls import CallTimeout, PolledCalls, boottime, result_of_write
from router.runtime.aws.http.connections import Connections, Exchange
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.opening import ADDRESS_SECONDS, CONNECT_SECONDS, STALE_ERRORS, NoResponseError, Trust
from router.runtime.aws.http.service import OPENING_SECONDS, FailedCall, JsonService, OverlappingCalls, decode_object
from router.runtime.aws.http.signing import Credentials, SigningScope
from router.runtime.aws.http.tables import DirectTables
from router.runtime.aws.protocols import AwsFault, WriteResponse
from tests.support.deliver import FixedDeadline, StartLimit

SECONDS = 20.0
KEYS = Credentials("key", "secret")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + b'{"UnprocessedItems":{}}'


class Server:
    """Answers in a thread for each connection; `resumed` says of each, in order, whether it resumed a session.

    Each `together` connections are accepted before one of them is served, and have sent a request before one of them
    is answered.
    """

    def __init__(self, context: ssl.SSLContext | None, together: int = 1) -> None:
        self.context = context
        self.resumed: list[bool] = []
        self._together = Barrier(together, timeout=SECONDS)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def stop_listening(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._accepting.join(SECONDS)
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # It ends with the connection, whose client may be closed when garbage is collected.
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(1, socket.MSG_PEEK)
            self._together.wait()
            if self.context is None:
                self.resumed.append(False)
                self._answer(connection)
                return
            with self.context.wrap_socket(connection, server_side=True) as secure:
                self.resumed.append(bool(secure.session_reused))
                self._answer(secure)

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while connection.recv(65536):
                self._together.wait()
                connection.sendall(OK)


@pytest.fixture(params=["plain", "TLS"])
def context(request: pytest.FixtureRequest, certificate: Callable[[], Path]) -> ssl.SSLContext | None:
    """What a server with and without TLS has."""
    return make_context(certificate()) if request.param == "TLS" else None


def make_context(file: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.maximum_version = version
    made.load_cert_chain(file)
    return made


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers."""
    running: list[Server] = []

    def start(context: ssl.SSLContext | None, together: int = 1) -> Server:
        running.append(Server(context, together))
        return running[-1]

    yield start
    for server in running:
        server.stop_listening()


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., Connections]]:
    """Makes connections to a port, which are closed at the end."""
    made: list[Connections] = []

    def make(port: int, secure: bool, clock: Callable[[], float] = boottime, **more: Any) -> Connections:
        env = {"AWS_CA_BUNDLE": str(tmp_path / "certificate.pem")} if secure else {}
        made.append(Connections(Endpoint("127.0.0.1", port, secure), env, clock, **more))
        return made[-1]

    yield make
    made.clear()


def begin(connections: Connections, count: int) -> list[Exchange]:
    return [connections.send(b"Host: h", b"{}", CallTimeout(SECONDS)) for _ in range(count)]


def ask(connections: Connections, count: int) -> None:
    """Make so many calls at a time."""
    for exchange in begin(connections, count):
        assert connections.receive(exchange).status == 200


def test_connections_are_opened_together(
    serve: Callable[..., Server], connect: Callable[..., Connections], context: ssl.SSLContext | None
) -> None:
    """No handshake is waited for before the next begins, nor any response; the connections are used again."""
    server = serve(context, together=8)
    connections = connect(server.port, context is not None)
    service = service_of(connections)
    calls = PolledCalls[int, WriteResponse](
        lambda job, timeout: DirectTables(service).begin_batch_write("t", [], timeout), result_of_write
    )
    limit = StartLimit(FixedDeadline(boottime() + 60), boottime(), [calls.duration])

    responses = [calls.make(range(8), limit) for _ in range(2)]

    assert (responses, len(server.resumed)) == ([[WriteResponse()] * 8] * 2, 8)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed(
    serve: Callable[..., Server],
    connect: Callable[..., Connections],
    certificate: Callable[[], Path],
    version: ssl.TLSVersion,
) -> None:
    """Connections resume the session of the first; one that the server has forgotten is replaced by a new one."""
    file = certificate()
    server = serve(make_context(file, version))
    connections = connect(server.port, True)

    for count in (1, 2, 3):
        ask(connections, count)
    server.context = make_context(file, version)
    for count in (4, 5, 6):
        ask(connections, count)

    assert server.resumed == [False, True, True, False, True, True]


def test_no_session(
    serve: Callable[..., Server], connect: Callable[..., Connections], certificate: Callable[[], Path]
) -> None:
    """A server may keep no sessions."""
    context = make_context(certificate())
    context.num_tickets = 0
    server = serve(context)
    connections = connect(server.port, True)

    for count in (1, 2, 3):
        ask(connections, count)

    assert server.resumed == [False] * 3


def test_one_look_up_for_connections_that_are_opened_together(
    serve: Callable[..., Server], connect: Callable[..., Connections], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of one is used for the others, and after some time looked up again."""
    server, now, names = serve(None), 0.0, []
    look_up = socket.getaddrinfo

    def count(name: Any, *more: Any) -> Any:
        names.append(name)
        return look_up(name, *more)

    monkeypatch.setattr(socket, "getaddrinfo", count)
    connections = connect(server.port, False, lambda: now)
    ask(connections, 3)
    together = len(names)
    now = ADDRESS_SECONDS
    ask(connections, 5)

    assert (len(server.resumed), together, len(names)) == (5, 1, 2)


class NameServer:
    """Answers when the test says so, but hangs before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = Event()
        self.asked = 0
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._hang)

    def _hang(self, name: bytes, *more: Any) -> Any:
        self.asked += 1
        self.answers.wait(SECONDS)
        return self._look_up(name, *more)


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """A name server that hangs."""
    server = NameServer(monkeypatch)
    yield server
    server.answers.set()


def service_of(connections: Connections, name: str = "dynamodb") -> JsonService:
    return JsonService(SigningScope("eu-west-1", name), "h", connections, lambda timeout: KEYS)


def test_name_server_hangs_for_one_of_two_services(
    serve: Callable[..., Server], connect: Callable[..., Connections], name_server: NameServer
) -> None:
    """Calls of the same thread to the other service go on, and the one that waits gives up in time."""
    name_server.answers.set()
    server = serve(None)
    known, unknown = connect(server.port, False), connect(server.port, False)
    ask(known, 1)
    name_server.answers.clear()
    began = boottime()
    until = began + 1.0

    late = service_of(unknown).begin("PutItem", b"{}", CallTimeout(SECONDS, until), decode_object)
    calls = PolledCalls[int, WriteResponse](
        lambda job, timeout: DirectTables(service_of(known)).begin_batch_write("t", [], timeout), result_of_write
    )
    limit = StartLimit(FixedDeadline(boottime() + 60), boottime(), [calls.duration])
    responses = calls.make([1, 2], limit)
    seconds = boottime() - began

    assert (responses, seconds < 1.0) == ([WriteResponse()] * 2, True)
    assert late.finish() == FailedCall(AwsFault("retry", "ConnectTimeoutError"))
    assert 1.0 <= boottime() - began < 2.0


def test_calls_that_begin_while_a_name_server_hangs(
    serve: Callable[..., Server], connect: Callable[..., Connections], name_server: NameServer
) -> None:
    """They are begun soon, by one look-up, and made once it has ended, however long that took."""
    server = serve(None)
    service = service_of(connect(server.port, False), "sqs")
    began = boottime()
    calls = OverlappingCalls(
        service, boottime, "DeleteMessageBatch", [b"{}"] * 3, CallTimeout(SECONDS), decode_object, list
    )
    begun_after = boottime() - began
    name_server.answers.set()

    assert (calls.finish(), name_server.asked) == ([{"UnprocessedItems": {}}] * 3, 1)
    assert OPENING_SECONDS <= begun_after < OPENING_SECONDS + 1.0


def test_a_look_up_that_takes_long_is_not_shared(
    serve: Callable[..., Server], connect: Callable[..., Connections], name_server: NameServer
) -> None:
    """A call that begins later asks again. What the first look-up connects is closed, as nobody waits for it."""
    now = 10.0
    connections = connect(serve(None).port, False, lambda: now)
    (first,) = begin(connections, 1)
    first.wait(until=0.0)
    now += CONNECT_SECONDS

    (second,) = begin(connections, 1)
    name_server.answers.set()

    assert (connections.receive(second).status, name_server.asked) == (200, 2)
    with pytest.raises(NoResponseError, match=r"^ConnectTimeoutError$"):
        first.response()


def test_a_look_up_that_fails_otherwise(connect: Callable[..., Connections], monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error of the thread is raised where the connection is needed."""

    def fail(*arguments: Any) -> Any:
        raise ValueError("unexpected")

    monkeypatch.setattr(socket, "create_connection", fail)

    with pytest.raises(ValueError, match=r"^unexpected$"):
        ask(connect(1, False), 1)


def test_a_server_that_no_longer_listens(
    serve: Callable[..., Server], connect: Callable[..., Connections], context: ssl.SSLContext | None
) -> None:
    """A connection to an address that was found before may be refused."""
    server = serve(context)
    connections = connect(server.port, context is not None)
    ask(connections, 1)
    server.stop_listening()

    idle, *_ = begin(connections, 1)
    with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
        ask(connections, 1)
    connections.receive(idle)


def test_no_further_socket(
    serve: Callable[..., Server], connect: Callable[..., Connections], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the process may open no more files, the connection fails as any that cannot be opened."""
    connections = connect(serve(None).port, False, lambda: 0.0)
    (idle,) = begin(connections, 1)
    while not idle.is_sent:
        idle.wait()
        idle.arrived()

    def refuse(*arguments: Any) -> Any:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", refuse)
        with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
            ask(connections, 1)
    assert connections.receive(idle).status == 200


def test_reset_as_soon_as_it_is_open(connect: Callable[..., Connections], monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection whose server resets it before its address is kept is closed, and fails."""
    opened = socket.socket()
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: opened)

    with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
        ask(connect(1, False), 1)
    assert opened.fileno() == -1


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A listener whose connections nobody accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.mark.parametrize(("late", "failure"), [(True, "ConnectTimeoutError"), (False, "SSLError")])
def test_no_handshake(
    connect: Callable[..., Connections],
    certificate: Callable[[], Path],
    silent: socket.socket,
    late: bool,
    failure: str,
) -> None:
    """A server that begins no TLS, or answers something else, has no response."""
    certificate()
    connections = connect(silent.getsockname()[1], True)
    (exchange,) = begin(connections, 1)
    if not late:
        accepted, _ = silent.accept()
        with accepted:
            accepted.sendall(OK)
        while not exchange.arrived():
            exchange.wait()

    if late:
        exchange.wait(until=0.0)
    with pytest.raises(NoResponseError, match=f"^{failure}$"):
        connections.receive(exchange)


def test_time_for_a_connection(
    connect: Callable[..., Connections], certificate: Callable[[], Path], silent: socket.socket, name_server: NameServer
) -> None:
    """A connection has less time than a response, once the address is known."""
    certificate()
    connections = connect(silent.getsockname()[1], True)
    service = service_of(connections)

    call = service.begin("PutItem", b"{}", CallTimeout(60.0), decode_object)
    looking_up = call.seconds
    name_server.answers.set()
    while call.seconds == looking_up:
        call.arrived()

    assert (round(looking_up), round(call.seconds)) == (60, CONNECT_SECONDS)
    assert call.finish(late=True) == FailedCall(AwsFault("retry", "ConnectTimeoutError"))


class Stale(ssl.SSLSocket):
    """Reports the failed write of another connection instead of what it waits for, so often."""

    times = STALE_ERRORS

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLWantReadError:
            self.times -= 1
            if self.times < 0:
                raise
            raise BrokenPipeError from None


@pytest.mark.parametrize("opens", [True, False])
def test_error_of_another_connection(
    serve: Callable[..., Server], connect: Callable[..., Connections], certificate: Callable[[], Path], opens: bool
) -> None:
    """A handshake goes on after the error of another connection, and ends if the error stays."""
    file = certificate()
    server = serve(make_context(file))

    trust = Trust(str(file))
    trust.complete.sslsocket_class = Stale if opens else Broken
    connections = connect(server.port, True, trust=trust)

    if opens:
        ask(connections, 1)
    else:
        with pytest.raises(NoResponseError, match=r"^EndpointConnectionError$"):
            ask(connections, 1)


class Broken(ssl.SSLSocket):
    """Cannot be written to."""

    def do_handshake(self, block: bool = False) -> None:
        super().do_handshake(block)
        raise BrokenPipeError

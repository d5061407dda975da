"""Servers that name themselves AWS's are verified by five roots first, then by all certificates of the system."""

import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import botocore
import pytest

from router.runtime.aws.calls import CallTimeout, boottime
from router.runtime.aws.http import opening as opening_module
from router.runtime.aws.http.connections import Connections
from router.runtime.aws.http.endpoints import Endpoint
from router.runtime.aws.http.opening import NoResponseError, Opener, Opening, Trust
from tests.support.certificates import make_certificate

HOST = "dynamodb.eu-west-1.amazonaws.com"
SECONDS = 20.0
SYSTEM = (Path(botocore.__file__).parent / "cacert.pem").read_text(encoding="utf-8")
"""What systems trust; the five roots are among it."""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Answers requests by TLS in a thread for each connection; a handshake begins when `may_go_on` says so."""

    def __init__(self, files: list[Path]) -> None:
        """Use the first file for the first connection, and so on; the last for all further ones."""
        self._contexts = [_load(file) for file in files]
        self.may_go_on = [Event() for _ in files]
        if len(files) == 1:
            self.may_go_on[0].set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(SECONDS)
        self._listener.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(connection, min(number, len(self._contexts) - 1)), daemon=True).start()
            number += 1

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            connection.recv(1, socket.MSG_PEEK)
            self.may_go_on[number].wait(SECONDS)
            with self._contexts[number].wrap_socket(connection, server_side=True) as secure:
                while secure.recv(65536):
                    secure.sendall(OK)


def _load(file: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Its handshakes end with the session ticket, which comes later with TLS 1.3.
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(file)
    return made


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[Path]], Server]]:
    """Starts servers, which are found by any name."""
    running: list[Server] = []
    look_up = socket.getaddrinfo

    def start(files: list[Path]) -> Server:
        running.append(Server(files))
        return running[-1]

    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *more, **options: look_up("127.0.0.1", *more, **options))
    yield start
    for server in running:
        server.stop()


def certificate_of(folder: Path) -> Path:
    folder.mkdir()
    return make_certificate(folder, host=HOST)


def own_line(file: Path) -> str:
    """A line of a certificate that no other has."""
    return file.read_text(encoding="utf-8").splitlines()[5]


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the certificates of the system."""

    def write(certificates: str) -> None:
        file = tmp_path / "system.pem"
        file.write_text(certificates, encoding="utf-8")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    return write


def ask(connections: Connections) -> int:
    exchange = connections.send(b"Host: h", b"{}", CallTimeout(SECONDS))
    return connections.receive(exchange).status


@pytest.mark.parametrize(
    ("is_root", "trusted", "reads_all"),
    [(True, True, False), (False, True, True), (True, False, True), (False, False, True)],
    ids=["a root", "another authority of the system", "a root that the system does not trust", "unknown"],
)
def test_an_endpoint_of_aws(
    serve: Callable[[list[Path]], Server],
    system: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_root: bool,
    trusted: bool,
    reads_all: bool,
) -> None:
    """Who is trusted is decided by the system alone; for the roots not all certificates are read."""
    file = certificate_of(tmp_path / "server")
    server, trust = serve([file]), Trust()
    system(SYSTEM + (file.read_text(encoding="utf-8") if trusted else ""))
    if is_root:
        monkeypatch.setattr(opening_module, "_AMAZON_ROOTS", (own_line(file),))
    connections = Connections(Endpoint(HOST, server.port, True), {}, trust=trust)

    if trusted:
        assert (ask(connections), ask(connections)) == (200, 200)
    else:
        with pytest.raises(NoResponseError, match=r"^SSLError$"):
            ask(connections)

    assert ("complete" in vars(trust)) is reads_all


def test_the_five_roots(system: Callable[[str], None]) -> None:
    """They are what AWS names, and have no other certificate with them."""
    system(SYSTEM)

    found = Trust().first(HOST).get_ca_certs()

    subjects: list[Any] = [each["subject"] for each in found]
    names = [dict(itertools.chain.from_iterable(subject))["commonName"] for subject in subjects]
    assert sorted(names) == [
        "Amazon Root CA 1",
        "Amazon Root CA 2",
        "Amazon Root CA 3",
        "Amazon Root CA 4",
        "Starfield Services Root Certificate Authority - G2",
    ]


@pytest.mark.parametrize(
    ("host", "bundle"), [("127.0.0.1", False), ("amazonaws.com.example", False), (HOST, True)], ids=str
)
def test_all_certificates_at_once(tmp_path: Path, host: str, bundle: bool) -> None:
    """They verify an endpoint that is not AWS's; those of AWS_CA_BUNDLE verify each."""
    trust = Trust(str(certificate_of(tmp_path / "bundle")) if bundle else "")

    assert trust.first(host) is trust.complete


def test_no_file_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its certificates are no file, or are cut off, all that there are decide."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    trusts = [Trust()]
    assert trusts[0].first(HOST) is trusts[0].complete


def advance(opening: Opening) -> None:
    """Open a connection."""
    until = time.monotonic() + SECONDS
    while opening.advance() is None:
        assert time.monotonic() < until
        time.sleep(0.001)


def advance_until(opening: Opening, is_so: Callable[[], bool]) -> None:
    """Go on with a connection that is not open yet."""
    until = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < until
        opening.advance()
        time.sleep(0.001)


def test_sessions_are_resumed_with_the_certificates_that_verified_them(
    serve: Callable[[list[Path]], Server],
    system: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection that five roots verify may be open only after another needed all certificates."""
    root, other = certificate_of(tmp_path / "root"), certificate_of(tmp_path / "other")
    server, trust = serve([root, other, other]), Trust()
    system(SYSTEM + root.read_text(encoding="utf-8") + other.read_text(encoding="utf-8"))
    monkeypatch.setattr(opening_module, "_AMAZON_ROOTS", (own_line(root),))
    opener = Opener(Endpoint(HOST, server.port, True), {}, boottime, trust)

    with closing(opener.begin()) as slow, closing(opener.begin()) as other_one:
        advance_until(slow, lambda: not slow.is_looking_up)
        server.may_go_on[1].set()
        advance_until(other_one, lambda: "complete" in vars(trust))
        server.may_go_on[0].set()
        advance(slow)
        server.may_go_on[2].set()
        advance(other_one)

        with closing(opener.begin()) as third:
            advance(third)

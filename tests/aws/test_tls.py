"""Certificates are verified, by both clients."""

import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from router.errors import UsageError
from router.runtime.aws.connect import connect
from router.runtime.aws.protocols import AwsFault

NO_TRUST = AwsFault("retry", "SSLError", 0)


class Handler(BaseHTTPRequestHandler):
    """An SQS without messages."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        pass


class Quiet(ThreadingHTTPServer):
    """A server that does not log clients that distrust it."""

    def handle_error(self, *_: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Path], int]]:
    """Starts a server with a certificate; its port."""
    running: list[tuple[Quiet, Thread]] = []

    def start(file: Path) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = Quiet(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return int(server.server_address[1])

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("host", "days", "trusted", "found"),
    [
        ("127.0.0.1", 2, True, []),
        ("127.0.0.1", 2, False, NO_TRUST),
        ("127.0.0.1", -1, True, NO_TRUST),
        ("localhost", 2, True, NO_TRUST),
    ],
    ids=["trusted", "unknown issuer", "expired", "of another host"],
)
def test_certificates(
    certificate: Callable[..., Path],
    serve: Callable[[Path], int],
    in_environment: Callable[..., None],
    transport: str,
    host: str,
    days: int,
    trusted: bool,
    found: Any,
) -> None:
    """A server is trusted if its certificate is issued by a trusted authority, valid now, and for its name."""
    file = certificate(days)
    bundle = {"AWS_CA_BUNDLE": str(file)} if trusted else {}
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    in_environment(AWS_ENDPOINT_URL=f"https://{host}:{serve(file)}", ROUTER_TRANSPORT=transport, **keys, **bundle)

    assert connect(1).queues.receive("https://sqs/1/q", 10, 0, 30) == found


def test_no_bundle(in_environment: Callable[..., None]) -> None:
    """The error about a missing bundle names its variable."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "eu-west-1"}
    in_environment(AWS_CA_BUNDLE="/none.pem", **keys)

    with pytest.raises(
        UsageError, match=r"^AWS_CA_BUNDLE: no certificates in '/none\.pem': No such file or directory$"
    ):
        connect(1)

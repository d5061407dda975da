"""The AWS clients, connected to the two servers, and to a scripted one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from router.runtime.aws.connect import TRANSPORT_VARIABLE, connect
from router.runtime.aws.protocols import Aws, Objects
from router.tools.control_plane import clients as control_plane
from tests.support.certificates import make_certificate
from tests.support.dev import LocalAws, local_aws
from tests.support.ops import deleted_queues


@contextmanager
def in_environment_of(server: LocalAws, **more: str) -> Iterator[None]:
    """The environment of a process that knows that server only."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(server.environment() | more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def kept_clients() -> Iterator[None]:
    """boto3's clients are made once: each command would make its own, which takes most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(control_plane, "control_plane_clients", cache(control_plane.control_plane_clients))
        yield


@pytest.fixture(autouse=True)
def _no_wait_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded SQS makes a queue of any name at once."""
    monkeypatch.setattr(deleted_queues, "NAME_SECONDS", 0)


@contextmanager
def connected(server: LocalAws, transport: str = "direct") -> Iterator[Aws]:
    """A connection made in the environment of a process that knows that server only."""
    with in_environment_of(server, **{TRANSPORT_VARIABLE: transport}):
        yield connect(4)


@pytest.fixture(scope="session")
def inside() -> Callable[..., AbstractContextManager[None]]:
    """Replaces the environment, for a block, by that of a process that knows one server only."""
    return in_environment_of


@pytest.fixture(scope="session")
def guarded() -> Iterator[LocalAws]:
    """Ministack with IAM policies enforced; use names of your own."""
    with local_aws(enforces_iam=True) as local:
        yield local


@pytest.fixture(scope="session", params=["direct", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    """Both clients of the data plane."""
    return str(request.param)


@pytest.fixture(scope="session")
def aws(server: LocalAws, transport: str) -> Aws:
    """The AWS clients, connected to the server."""
    with connected(server, transport) as connection:
        return connection


class ScriptedAws:
    """A server with one response to every call, after some first ones; it keeps the requests."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.status = 200
        self.body = b"{}"
        self.asked: list[Any] = []
        self.status_of: dict[str, int] = {}
        """Statuses of operations whose status is another."""
        self._first: list[bytes] = []

    def first(self, *answers: Any) -> None:
        """Before all others give these answers, in this order, each once."""
        self._first = [json.dumps(answer).encode() for answer in answers]

    def next(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        return (200, self._first.pop(0)) if self._first else (self.status, self.body)

    def answers(self, answer: Any, status: int = 200) -> None:
        """Give this answer, JSON unless it is bytes, from now on."""
        self.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.status = status


@pytest.fixture
def scripted() -> Iterator[ScriptedAws]:
    """A server with the responses of the test."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = script.next()
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            self.send_response(script.status_of.get(operation, status))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        script = ScriptedAws(f"http://127.0.0.1:{http.server_address[1]}")
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield script
        http.shutdown()
        thread.join()


@pytest.fixture
def scripted_aws(scripted: ScriptedAws, transport: str) -> Aws:
    """The AWS clients, connected to the scripted server."""
    with connected(LocalAws(scripted.endpoint), transport) as connection:
        return connection


def objects_of(endpoint: str, transport: str) -> Objects:
    """The S3 client. That of boto3 is made with the first object, and must find the environment of that server."""
    with connected(LocalAws(endpoint), transport) as connection:
        connection.objects.fetch("absent", "k", 0, 60)
        return connection.objects


@pytest.fixture(scope="session")
def objects(server: LocalAws, transport: str) -> Objects:
    """The S3 client, connected to the server."""
    return objects_of(server.endpoint, transport)


@pytest.fixture
def unreachable_objects(transport: str) -> Objects:
    """The S3 client, connected to a port where no server listens."""
    return objects_of("http://127.0.0.1:9", transport)


@pytest.fixture
def odd_s3(transport: str) -> Iterator[Callable[[int, dict[str, str], bytes], Objects]]:
    """Makes an S3 with one response: status, headers, body; a Content-Length of "" is left out."""
    given: list[tuple[int, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = given[-1]
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()

        def answering(status: int, headers: dict[str, str], body: bytes) -> Objects:
            given.append((status, headers, body))
            return objects_of(f"http://127.0.0.1:{http.server_address[1]}", transport)

        yield answering
        http.shutdown()
        thread.join()


@pytest.fixture
def unreachable() -> Aws:
    """The AWS clients, connected to a port where no server listens."""
    with connected(LocalAws("http://127.0.0.1:9")) as connection:
        return connection


@pytest.fixture
def in_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the AWS variables of the environment."""

    def replace(**variables: str) -> None:
        for known in [known for known in os.environ if known.startswith("AWS_")]:
            monkeypatch.delenv(known)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

    return replace


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[..., Path]:
    """Makes a certificate of 127.0.0.1."""
    return partial(make_certificate, tmp_path)

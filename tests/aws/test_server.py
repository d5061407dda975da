"""The embedded AWS as a process: it starts, is not reachable from elsewhere, and always ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from router.errors import MissingExtra, UsageError
from tests.support.dev import LocalAws, local_aws

PROGRAM = """
import time
from tests.support.dev import local_aws
with local_aws() as local:
    print(local.endpoint, flush=True)
    time.sleep(60)
"""


def answers(endpoint: str) -> bool:
    """Whether a server listens there."""
    address = urlsplit(endpoint)
    with socket.socket() as client:
        return client.connect_ex((address.hostname, address.port)) == 0


class Spied(subprocess.Popen[bytes]):
    """A process that a test can access."""

    started: ClassVar[list["Spied"]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.started.append(self)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files only."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_up_and_gone(temporary: Path) -> None:
    """It responds on the loopback address within the block; after it no server listens, and no file is left."""
    with local_aws() as local:
        up = (local.endpoint.rpartition(":")[0], answers(local.endpoint))

    assert (up, answers(local.endpoint), list(temporary.iterdir())) == (("http://127.0.0.1", True), False, [])


def test_program_fails(temporary: Path) -> None:
    """It ends with the block, after an exception too."""
    with pytest.raises(ZeroDivisionError), local_aws() as local:
        _ = 1 / 0

    assert (answers(local.endpoint), list(temporary.iterdir())) == (False, [])


def test_program_is_killed(temporary: Path) -> None:
    """It ends and deletes its files if the program is killed."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        endpoint = program.stdout.readline().strip()
        before = (answers(endpoint), len(list(temporary.iterdir())))
        os.kill(program.pid, signal.SIGKILL)

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (answers(endpoint) or list(temporary.iterdir())):
        time.sleep(0.02)
    assert (before, answers(endpoint), list(temporary.iterdir())) == ((True, 1), False, [])


def test_hung_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not end after SIGTERM is killed."""
    monkeypatch.setattr("router.tools.dev.emulator.END_SECONDS", 0.1)

    monkeypatch.setattr(subprocess, "Popen", Spied)

    with local_aws() as local:
        os.kill(Spied.started[0].pid, signal.SIGSTOP)

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and answers(local.endpoint):
        time.sleep(0.02)
    assert not answers(local.endpoint)


def test_broken_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does not start, the error shows the end of its log."""
    (tmp_path / "ministack").mkdir()
    (tmp_path / "ministack" / "__init__.py").touch()
    (tmp_path / "ministack" / "app.py").write_text("raise RuntimeError('no luck today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with (
        pytest.raises(UsageError, match=r"(?s)^the embedded AWS did not start; the end of its log:\n.*no luck today$"),
        local_aws(),
    ):
        pass


def test_no_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it prints nothing, that is an error too, and no other server is mistaken for it."""
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(UsageError, match=r"^the embedded AWS did not start"), local_aws():
        pass


def test_no_ministack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ministack the error names the extra to install."""
    monkeypatch.setattr("router.tools.dev.emulator.find_spec", lambda name: None)

    with pytest.raises(MissingExtra, match=r"message-router\[local\]"), local_aws():
        pass


def test_environment(in_environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has the endpoint, dummy credentials, and no AWS or proxy variables of the user; others stay."""
    in_environment(AWS_PROFILE="production", AWS_SESSION_TOKEN="secret", AWS_ENDPOINT_URL_SQS="https://example.com")
    monkeypatch.setenv("https_proxy", "http://proxy.example.com")
    monkeypatch.setenv("STAGE", "dev")

    environment = LocalAws("http://127.0.0.1:4000").environment()

    about_aws = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    assert (about_aws, environment["STAGE"], "https_proxy" in environment) == (
        {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:4000",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        "dev",
        False,
    )

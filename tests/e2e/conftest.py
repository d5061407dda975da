"""What the end-to-end tests share: the program as a process, and the flows of `flows/` on both servers."""

import json
import platform
import random
import shutil
import socket
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_queues, create_table
from tests.support.program import load_program

FOLDER = Path(__file__).parent / "flows"
REPO = Path(__file__).parents[2]
TIMEOUT = 60
"""Seconds after which what has not happened is not going to."""

PORTS = (20_000, 32_000)
"""Below those that Linux chooses from: https://docs.kernel.org/networking/ip-sysctl.html#ip-variables"""

Value = TypeVar("Value")


def wait_for(look: Callable[[], Value | None], what: str = "what the test waits for") -> Value:
    """What `look` sees, once it sees something; fails if that does not come."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        seen = look()
        if seen:
            return seen
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come in {TIMEOUT} seconds")


def free_port() -> int:
    """A port that nothing uses; it stays free, as the system gives it to nobody who asks for any port."""
    while True:
        port = random.randrange(*PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture(scope="session")
def wait() -> Callable[..., Any]:
    """Wait until a function returns something, and return that; fails after a while."""
    return wait_for


@pytest.fixture(scope="session")
def repo() -> Path:
    """The repository, with the sample config."""
    return REPO


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def router(tmp_path: Path) -> Run:
    """Run `python -m router …` in an empty folder, as a user does, without a terminal: its output and exit code."""

    def run(*words: str, cwd: Path = tmp_path, **settings: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "router", *words]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, **settings)

    return run


class Flows:
    """The queues and tables of `flows/routes.yaml` on one server, under names that nothing else has."""

    config = FOLDER / "routes.yaml"

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any) -> None:
        self.prefix = f"e2e-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment() | {"PREFIX": self.prefix, "ROUTER_CONFIG": str(self.config)}
        self._dynamodb, self._sqs = dynamodb, sqs
        self._letters: list[dict[str, Any]] = []
        queues = load_program(self.config, {"PREFIX": self.prefix}).engine.queues
        dead_letters = {
            queue.reference: "" if name == "undeliverable" else queue.dead_letter for name, queue in queues.items()
        }
        self.urls = create_queues(sqs, dead_letters)
        create_table(dynamodb, Table(f"{self.prefix}-items", (("id", "S"),)))

    def url(self, queue: str) -> str:
        """The URL of a queue, by its name without the prefix."""
        return self.urls[f"{self.prefix}-{queue}"]

    def item(self, id_: str) -> dict[str, Any] | None:
        """An item of the table, in DynamoDB's JSON."""
        answer = self._dynamodb.get_item(TableName=f"{self.prefix}-items", Key={"id": {"S": id_}}, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def send(self, queue: str, message: Any, **settings: Any) -> str:
        """Send a message, JSON unless it is text; its id."""
        body = message if isinstance(message, str) else json.dumps(message)
        sent = self._sqs.send_message(QueueUrl=self.url(queue), MessageBody=body, **settings)
        return str(sent["MessageId"])

    def left(self, queue: str) -> int:
        """How many messages a queue has, those that are being worked on included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=names)
        return sum(int(number) for number in answer["Attributes"].values())

    def letter(self, queue: str, holds: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any] | None:
        """The letter on a dead-letter queue of which something holds, if it is there; all are kept here."""
        answer = self._sqs.receive_message(
            QueueUrl=self.url(queue),
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        for message in answer.get("Messages", ()):
            self._letters.append(message)
            self._sqs.delete_message(QueueUrl=self.url(queue), ReceiptHandle=message["ReceiptHandle"])
        return next((letter for letter in self._letters if holds(letter)), None)

    def letter_of(self, body: str, queue: str = "plain-dlq") -> dict[str, Any]:
        """The letter with a body."""
        return wait_for(lambda: self.letter(queue, lambda letter: letter["Body"] == body), "the dead letter")

    def letter_about(self, message_id: str, queue: str = "plain-dlq") -> tuple[dict[str, Any], dict[str, Any]]:
        """The letter about a message, and what its `router` attribute says."""

        def holds(letter: Mapping[str, Any]) -> bool:
            return reason(letter).get("message_id") == message_id

        letter = wait_for(lambda: self.letter(queue, holds), "the dead letter")
        return letter, reason(letter)


def reason(letter: Mapping[str, Any]) -> dict[str, Any]:
    """What the `router` attribute of a letter says, if it has one."""
    attribute = letter.get("MessageAttributes", {}).get("router")
    details: dict[str, Any] = json.loads(attribute["StringValue"]) if attribute else {}
    return details


@pytest.fixture(scope="module")
def flows(server: LocalAws, dynamodb: Any, sqs: Any) -> Flows:
    """The flows, with nothing sent yet but by tests of the same file."""
    return Flows(server, dynamodb, sqs)


class BuiltPackage:
    """What `router build` made of the config of `packed/` for a runtime like this Python, and what it printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "flows" / "routes.yaml"
        self.file = folder / "dist" / "lambda.zip"
        shutil.copytree(FOLDER.parent / "packed", self.config.parent)
        litter(self.config.parent)
        self.arch, self.python = native_target()
        self.output = build(self.config, self.file, self.arch, self.python)
        self.code = folder / "code"
        with zipfile.ZipFile(self.file) as archive:
            self.code.mkdir()
            archive.extractall(self.code)


def litter(folder: Path) -> None:
    """Put what no package may have where a developer has it."""
    for name in ("tests/test_again.py", "test_places.py", "conftest.py", "__pycache__/again.cpython-311.pyc", ".env"):
        (folder / "plugins" / name).parent.mkdir(exist_ok=True)
        (folder / "plugins" / name).write_text("PASSWORD=x")
    for name in ("credentials", "signing.pem", ".cache", "places.json~"):
        (folder / "plugins" / name).write_text("x")
    (folder / ".env").write_text("PASSWORD=x")


def native_target() -> tuple[str, str]:
    """Architecture and Python of a runtime like the interpreter of the tests."""
    arch = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    return arch, f"{sys.version_info[0]}.{sys.version_info[1]}"


def build(config: Path, output: Path, arch: str, python: str, *words: str, **settings: Any) -> str:
    """Run `router build` as a user does; what it printed. It needs a package index."""
    command = [sys.executable, "-m", "router", "build", "-c", str(config), "-o", str(output)]
    command += ["--arch", arch, "--python", python, *words]
    done: subprocess.CompletedProcess[str] = subprocess.run(command, capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> BuiltPackage:
    """The package of the config in `packed/`, unpacked beside it."""
    return BuiltPackage(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the router, made from a copy of its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(REPO / "router", source / "router", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "message_router_pytest.py"):
        shutil.copy(REPO / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "-w", str(folder), str(source)], check=True, capture_output=True)
    return next(folder.glob("message_router-*.whl"))


@pytest.fixture(scope="session")
def rebuild() -> Callable[..., str]:
    """Run `router build`: config, output, architecture, Python, more options."""
    return build

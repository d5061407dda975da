"""`router deploy` and `undeploy` as a user starts them: with a real package, and on a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from tests.support.dev import REGION, LocalAws, local_aws
from tests.support.program import COMPILED_NAME, precompile

CONFIG = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}, ttl: expires_at}}
routes:
  users:
    queue: users
    table: users
    schema:
      type: object
      required: [id]
      properties: {id: {type: string, minLength: 1, maxLength: 40}}
      additionalProperties: false
    item: {id: id, expires_at: {ttl: 90d}}
"""
SECONDS = 100
"""For a command, on a machine that has much else to do."""

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An AWS of this module's own."""
    with local_aws() as local:
        yield local


@pytest.fixture
def run(aws: LocalAws, tmp_path: Path) -> Callable[..., Done]:
    """Runs a command in a folder with the config, as CI does: not on a terminal."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    def run(*words: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "router", *words],
            cwd=tmp_path,
            env=aws.environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )

    return run


def test_round_trip(run: Callable[..., Done], aws: LocalAws) -> None:
    """What was built and deployed is what the config says."""
    deployed = run("deploy", "--stack", "round", "--yes")
    assert deployed.returncode == 0, deployed.stderr
    # In the template, but not done by ministack's CloudFormation.
    session = boto3.session.Session("local", "local", region_name=REGION)
    session.client("dynamodb", endpoint_url=aws.endpoint).update_time_to_live(
        TableName="users", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    checked = run("check", "--live", "--function", "round", "--strict")

    assert (deployed.returncode, deployed.stdout.splitlines()[-1]) == (0, "the stack 'round' is CREATE_COMPLETE")
    assert deployed.stderr.startswith("built the package for python3.13 on arm64: ")
    assert checked.returncode == 0, checked.stdout


class Terminal:
    """A command on a terminal: what it shows, and what a person types."""

    def __init__(self, words: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._screen, inside = pty.openpty()
        command = [sys.executable, "-m", "router", *words]
        environment = environment | {"TERM": "xterm", "COLUMNS": "120"}
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=inside, stdout=inside, stderr=inside
        )
        os.close(inside)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until something is shown."""
        end = time.monotonic() + SECONDS
        while text not in self.shown and self._read(end):
            pass
        assert text in self.shown, self.shown

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._screen, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + SECONDS
        while self._read(end):
            pass
        os.close(self._screen)
        return self._process.wait(SECONDS)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0, end - time.monotonic()))
        try:
            read = os.read(self._screen, 65536) if ready else b""
        except OSError:
            # Linux: nobody holds the other side any more.
            read = b""
        self.shown += read.decode(errors="replace")
        return bool(read)


@pytest.fixture
def terminal(aws: LocalAws, tmp_path: Path) -> Callable[..., Terminal]:
    """Starts a command on a terminal, in a folder with the config and a package of it."""
    config = tmp_path / "routes.yaml"
    config.write_text(CONFIG.replace("users", "people"))
    with zipfile.ZipFile(tmp_path / "lambda.zip", "w") as archive:
        archive.writestr(COMPILED_NAME, precompile(config, {}))
    return lambda *words: Terminal(list(words), tmp_path, aws.environment())


def test_on_a_terminal(terminal: Callable[..., Terminal]) -> None:
    """A person is asked: no is no; yes is done, with a bar; to delete tables, the name has to be typed."""
    deploy = ("deploy", "--stack", "asked", "--package", "lambda.zip")
    undeploy = ("undeploy", "--stack", "asked", "--delete-tables")
    codes = []
    for words, question, answer in (
        (deploy, "Change the stack 'asked'? [y/N]", "n"),
        (deploy, "Change the stack 'asked'? [y/N]", "y"),
        (undeploy, "Type 'asked' to continue", "yes"),
        (undeploy, "Type 'asked' to continue", "asked"),
    ):
        screen = terminal(*words)
        screen.wait_for(question)
        screen.type(answer)
        codes.append((screen.end(), screen.shown))

    assert [code for code, _ in codes] == [1, 0, 1, 0]
    sentences = ["nothing was changed", "is CREATE_COMPLETE", "nothing was deleted", "deleted table people"]
    assert [sentence in shown for sentence, (_, shown) in zip(sentences, codes, strict=True)] == [True] * 4
    assert ["\x1b[" in shown for _, shown in codes] == [True] * 4

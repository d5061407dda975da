"""What a config names, and what lies in its folder, is read if it is a regular file; nothing is waited for."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.cli import app
from tests.support.disk import IRREGULAR, NOT_REGULAR, make_irregular

CONFIG = """\
version: 1
queues: {orders: {}}
tables: {orders: {key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1}}}
    item: {id: id}
"""
NAMED = {
    "schema": (CONFIG.replace("schema: {", "schema: it.json\n    x-old: {"), "RT301 cannot read schema 'it.json'"),
    "plugin": (f"{CONFIG}plugins: [it.py]\n", "RT501 plugin 'it' cannot be loaded: cannot read 'it.py'"),
    "message of a test": (
        f"{CONFIG}    tests: [{{name: one, file: it.json, outcome: rejected}}]\n",
        "cannot read 'it.json'",
    ),
}
SECONDS = 30


class Waited(BaseException):
    """A command waits; no code takes it for an error of a file."""


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """A command that waits is interrupted: the test fails, and ends."""

    def expire(*_: object) -> None:
        raise Waited

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a config, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "routes.yaml").write_text(CONFIG)
    return tmp_path


def run(*words: Any, code: int | None = None) -> str:
    found: Result = CliRunner().invoke(app, [str(word) for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.output
    assert code in (None, found.exit_code), found.output
    return found.output


@pytest.mark.parametrize("kind", IRREGULAR[:-1])
def test_a_config(folder: Path, kind: str) -> None:
    """It is read more than once: whether it is compiled, what it says, and the lines of findings."""
    make_irregular(kind, folder / "it.yaml")

    reply = run("check", "it.yaml", code=1)

    assert reply.startswith(f"it.yaml: error RT001 cannot read the config: {NOT_REGULAR}; ")
    assert "RT001" in run("test", "it.yaml", code=2)


@pytest.mark.parametrize("kind", ["FIFO", "link to a FIFO", "socket"])
@pytest.mark.parametrize("case", NAMED)
def test_what_a_config_names(folder: Path, case: str, kind: str) -> None:
    """The finding names it."""
    text, sentence = NAMED[case]
    (folder / "routes.yaml").write_text(text)
    for name in ("it.json", "it.py"):
        if name in text:
            make_irregular(kind, folder / name)

    reply = run("test" if case == "message of a test" else "check")

    assert f"{sentence}: {NOT_REGULAR}" in reply.replace("\\'", "'").replace("'fifo'", "'it.json'")


def test_an_included_file(folder: Path) -> None:
    """A pattern skips it, as it skips folders."""
    (folder / "routes.yaml").write_text(f"include: parts/*.yaml\n{CONFIG}")
    (folder / "parts").mkdir()
    make_irregular("FIFO", folder / "parts" / "a.yaml")

    assert "RT107 include 'parts/*.yaml' finds no files" in run("check", code=1)
    (folder / "parts" / "b.yaml").write_text("owners: {}\n")
    assert "RT107" not in run("check")


@pytest.mark.parametrize("command", ["explain", "new", "--env-file"])
def test_a_pipe_that_is_named_on_the_command_line(folder: Path, command: str) -> None:
    """It is read, as with <(COMMAND) of a shell: somebody writes to it."""
    read, write = os.pipe()
    os.write(write, json.dumps({"id": "a"}).encode() if command != "--env-file" else b"NAME=value\n")
    os.close(write)
    pipe = f"/dev/fd/{read}"
    words = {
        "explain": ("explain", pipe, "--queue", "orders"),
        "new": ("new", pipe, "--queue", "others", "--yes"),
        "--env-file": ("check", "--env-file", pipe),
    }

    run(*words[command], code=0)

    os.close(read)


def test_a_config_from_standard_input(folder: Path) -> None:
    """A file that the shell opened is a regular one; what its findings are about is beside `/dev/fd`, though."""
    descriptor = os.open(folder / "routes.yaml", os.O_RDONLY)

    assert "error" not in run("check", f"/dev/fd/{descriptor}", code=0)

    os.close(descriptor)

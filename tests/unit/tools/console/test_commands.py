"""Commands as processes of their own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.tools.console.letters import run_command
from router.tools.console.workspace import ConsoleError, Workspace, opened


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with opened(tmp_path / "routes.yaml", os.environ) as workspace:
        yield workspace


def test_report(workspace: Workspace) -> None:
    """What it prints is decoded."""
    found = run_command(workspace, ["schema"])

    assert (found.report["title"], found.notes) == ("Message Router", ())


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["dlq", "list", "--config=none.yaml", "--json"], "usage", "does not exist"),
        (["dlq", "list", "--queue=a\0b"], "usage", "router dlq cannot be started with these words: embedded null byte"),
        (["dlq", "list", f"--queue={'x' * 10_000_000}"], "usage", "router dlq cannot be started with these words: "),
        (["--version"], "crashed", "router --version ended with 0: "),
    ],
)
def test_refusals(workspace: Workspace, words: list[str], code: str, sentence: str) -> None:
    """A command that could not run, or that prints no JSON, is refused with what it says."""
    with pytest.raises(ConsoleError) as error:
        run_command(workspace, words)

    assert (error.value.code, sentence in str(error.value)) == (code, True)


def test_a_command_that_takes_too_long(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped."""
    monkeypatch.setattr("router.tools.console.letters.SECONDS", 0.01)

    with pytest.raises(ConsoleError, match="router schema was stopped after 0 seconds"):
        run_command(workspace, ["schema"])

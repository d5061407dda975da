"""The options that several commands share."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from router.errors import UsageError
from router.tools.cli.app import app, commands
from router.tools.cli.options import (
    config_option,
    is_json,
    read_env_file,
    require_writable,
    variables_of_files,
    write_file,
)


@click.command()
@config_option
def show(config: Path) -> None:
    """Print variables."""
    click.echo(f"{os.environ.get('STAGE')} {os.environ.get('BATCH')} {dict(variables_of_files())}")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a config and a file of variables."""
    (tmp_path / "routes.yaml").write_text("")
    (tmp_path / "prod.env").write_text('\ufeff# of production\n\n STAGE=prod \nBATCH=a=b "c"\nEMPTY=\n')
    return tmp_path


def test_a_file_of_variables(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are in the environment, which has precedence, until the command ends."""
    monkeypatch.setenv("STAGE", "dev")
    words = ["-c", str(files / "routes.yaml"), "--env-file", str(files / "prod.env")]

    done = CliRunner().invoke(show, words)

    shown = "dev a=b \"c\" {'STAGE': 'prod', 'BATCH': 'a=b \"c\"', 'EMPTY': ''}\n"
    assert (done.output, "BATCH" in os.environ) == (shown, False)


@pytest.mark.parametrize("line", ["STAGE", "=x", "A B=c", "1A=x", "export A=x", "A=\0"])
def test_a_line_that_is_none(tmp_path: Path, line: str) -> None:
    """It is reported with its number."""
    (tmp_path / "x.env").write_text(f"A=1\n{line}\n")

    with pytest.raises(UsageError, match=r"x\.env:2: this is not NAME=VALUE, with letters, digits and '_' in the name"):
        read_env_file(tmp_path / "x.env")


def test_no_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands say so in the same words, and click's own for a file that is named."""
    monkeypatch.chdir(tmp_path)

    done = [
        CliRunner().invoke(app, words).output.splitlines()[-1]
        for words in (["check"], ["list"], ["explain", "--queue", "q", "{}"], ["send", "q", "-"], ["status"])
    ]
    named = CliRunner().invoke(show, ["-c", "other.yaml"]).output.splitlines()[-1]

    sentence = "Error: there is no routes.yaml here; give the config "
    assert [each.startswith(sentence) for each in done] == [True] * 5, done
    assert named == "Error: Invalid value for '-c' / '--config': File 'other.yaml' does not exist."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', True), (" [", True), ("null", True), ("12", True), ("-1.5e3", True), ('"a \\" b"', True),
        ("true", True), ("message.json", False), ("nullable", False), ("-", False), ("false", False), ("01", False),
    ],
)  # fmt: skip
def test_json_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool) -> None:
    """What is JSON is no file, unless there is one of this name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "false").write_text("{}")

    assert is_json(text) is expected


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """It is reported."""
    (tmp_path / "x.env").write_bytes(b"\xff")

    with pytest.raises(UsageError, match="as UTF-8 text"):
        read_env_file(tmp_path / "x.env")


def test_a_file_can_be_written_before_it_is(tmp_path: Path) -> None:
    """The check leaves no file, and one that exists as it was."""
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.write_text("old")

    for each in (old, new):
        require_writable(each)

    assert ({each.name: each.read_text() for each in tmp_path.iterdir()}) == {"old.txt": "old"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none/new.txt", "there is no folder none; create it"),
        ("file/new.txt", "not a directory"),
        ("n" * 300, "file name too long"),
    ],
)
def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str) -> None:
    """The sentence is the same before the work and after it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError) as before:
        require_writable(Path(name))
    with pytest.raises(UsageError) as after:
        write_file(Path(name), b"")

    assert (str(before.value), str(after.value)) == (f"cannot write {name}: {reason}",) * 2


def all_commands() -> list[click.Command]:
    """The commands, and those of groups."""
    found: list[click.Command] = []
    for name in commands():
        command = app.get_command(click.Context(app), name)
        assert command
        found += command.commands.values() if isinstance(command, click.Group) else [command]
    return found


def test_each_command_that_reads_a_config() -> None:
    """It has the option."""
    options = {
        command.name: {text for parameter in command.params for text in parameter.opts} for command in all_commands()
    }

    assert [name for name, texts in options.items() if "--config" in texts and "--env-file" not in texts] == []

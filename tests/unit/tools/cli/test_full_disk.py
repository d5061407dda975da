"""Files and output that commands write on a disk that is full: a file is as it was, or whole."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from tests.support.cli import write_file
from tests.support.dev import NewFile, YamlFile, write_files
from tests.support.disk import full_disk
from tests.support.ops import Archive, move_archive

OLD = "version: 1\n"
NEW = "# a comment\n" * 100
FULL = Path("/dev/full")
"""A file of Linux that cannot be written."""
CONFIG = """\
version: 1
queues:
  letters: {dead_letter: letters-dlq}
tables:
  things: {key: {id: S}}
routes:
  letters:
    queue: letters
    table: things
    schema:
      {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 9}}}
    tests:
      - {message: {id: a}, item: {id: a}}
"""


def save(path: Path) -> None:
    edited = YamlFile(path, f"{NEW}{OLD}".encode())
    edited.save()


WAYS: dict[str, Callable[[Path], object]] = {
    "-o FILE": lambda path: write_file(path, NEW.encode()),
    "router test --update": save,
    "router new": lambda path: write_files([NewFile(path, NEW.encode(), OLD.encode())]),
    "router build": lambda path: move_archive(Archive(path.parents[1] / "lambda.zip", (), 1, ""), path),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk(tmp_path: Path, way: str) -> None:
    """The file stays as it was, and nothing is beside it."""
    (tmp_path / "lambda.zip").write_text(NEW)
    path = tmp_path / "folder" / "file.yaml"
    path.parent.mkdir()
    path.write_text(OLD)

    with full_disk(100), pytest.raises(UsageError, match=r"cannot write '?.*file\.yaml'?: file too large"):
        WAYS[way](path)

    assert [(each.name, each.read_text()) for each in path.parent.iterdir()] == [("file.yaml", OLD)]


def test_what_is_written(tmp_path: Path) -> None:
    """A file keeps its mode, a link stays a link, and a pipe gets the content."""
    path, link = tmp_path / "file.yaml", tmp_path / "link.yaml"
    path.write_text(OLD)
    path.chmod(0o640)
    link.symlink_to("file.yaml")
    read, write = os.pipe()

    write_file(link, b"new")
    write_file(Path(f"/dev/fd/{write}"), b"new")

    os.close(write)
    assert (path.read_text(), path.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)
    assert os.read(read, 10) == b"new"
    os.close(read)
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere; create it"):
        write_file(tmp_path / "nowhere" / "file", b"")


@pytest.mark.skipif(not FULL.exists(), reason="not Linux")
@pytest.mark.parametrize(
    ("arguments", "full", "sentence"),
    [
        ("--help", ["stdout"], "router: cannot write to standard output: no space left on device\n"),
        ("template", ["stdout"], "router: cannot write to standard output: no space left on device\n"),
        ("test -q", ["stdout"], "router: cannot write to standard output: no space left on device\n"),
        ("list", ["stdout", "stderr"], ""),
        ("check", ["stderr"], ""),
        ("check --nonsense", ["stderr"], ""),
    ],
)
def test_output_on_a_full_disk(tmp_path: Path, arguments: str, full: list[str], sentence: str) -> None:
    """A command whose output is lost says so where it can, and its exit code says it in any case."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    streams = {"stdout": tmp_path / "stdout", "stderr": tmp_path / "stderr"}

    with ExitStack() as files:
        opened: dict[str, Any] = {
            name: files.enter_context((FULL if name in full else path).open("wb")) for name, path in streams.items()
        }
        command = [sys.executable, "-m", "router", *arguments.split()]
        done = subprocess.run(command, cwd=tmp_path, check=False, **opened)

    written = [path.read_text() for name, path in streams.items() if name not in full]
    assert (done.returncode, "".join(written)) == (2, sentence)


def test_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    """The command ends quietly, as other programs do."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    read, write = os.pipe()
    os.close(read)

    done = subprocess.run(
        [sys.executable, "-m", "router", "template"],
        cwd=tmp_path, check=False, stdout=write, stderr=subprocess.PIPE,
    )  # fmt: skip

    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")

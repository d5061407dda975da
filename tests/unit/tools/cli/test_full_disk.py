"""Files that commands write on a disk that is full: each is as it was, or whole."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from router.errors import UsageError
from tests.support.cli import write_file
from tests.support.dev import NewFile, YamlFile, write_files
from tests.support.disk import full_disk
from tests.support.ops import Archive, move_archive

OLD = "version: 1\n"
NEW = "# a comment\n" * 100


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

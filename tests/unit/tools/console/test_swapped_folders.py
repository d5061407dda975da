"""A folder or file that somebody replaces by a link while the console works on it: nothing outside is read or written.

The swap happens before each call of the system by which a file is looked at, opened or renamed, one after the other.
"""

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.console.files import EditedFile, draft_of, read_file, save_files
from router.tools.console.workspace import ConsoleError
from tests.support.disk import full_disk

CALLS = [(os, name) for name in ("stat", "lstat", "readlink", "open", "fstat", "replace", "unlink")] + [(io, "open")]
SECRET = "of somebody else\n"
Swap = Callable[[Path, Path], None]


class Swapped:
    """A folder with a file, and one outside with a file of the same name; the swap happens before the call `at`."""

    def __init__(self, folder: Path, swap: Swap, at: int) -> None:
        self.root = folder / f"config-{at}"
        self.outside = folder / f"outside-{at}"
        self.file = self.root / "flows" / "more.yaml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text("old\n")
        self.outside.mkdir()
        (self.outside / "more.yaml").write_text(SECRET)
        (self.outside / "more.yaml").chmod(0o640)
        self.calls = 0
        self._swap, self._at = swap, at

    def count(self) -> None:
        """Notice a call."""
        self.calls += 1
        if self.calls == self._at + 1:
            self._swap(self.root, self.outside)

    def is_untouched(self) -> bool:
        """Whether all is outside as it was."""
        (file,) = self.outside.iterdir()
        return (file.read_text(), file.stat().st_mode & 0o777) == (SECRET, 0o640)


def swap_folder(root: Path, outside: Path) -> None:
    """Put a link to the folder outside into the place of the folder."""
    os.rename(root / "flows", root / "away")  # noqa: PTH104 — pathlib calls what is counted
    os.symlink(outside, root / "flows")  # noqa: PTH211


def swap_file(root: Path, outside: Path) -> None:
    """Put a link to the file outside into the place of the file."""
    os.rename(root / "flows" / "more.yaml", root / "away")  # noqa: PTH104
    os.symlink(outside / "more.yaml", root / "flows" / "more.yaml")  # noqa: PTH211


@pytest.fixture(params=[swap_folder, swap_file])
def swapped(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Swapped], Any]], Iterator[tuple[Swapped, Any]]]:
    """Do something again and again, with the swap one call later each time, until the last comes after all."""

    def every(work: Callable[[Swapped], Any]) -> Iterator[tuple[Swapped, Any]]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        for at in range(1000):
            place = Swapped(folder, request.param, at)
            with monkeypatch.context() as patch:
                for module, name in CALLS:
                    patch.setattr(module, name, counted(place, getattr(module, name)))
                try:
                    result = work(place)
                except (ConsoleError, UsageError, OSError) as error:
                    result = error
            yield place, result
            if place.calls <= at:
                return

    return every


def counted(place: Swapped, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        place.count()
        return function(*arguments, **named)

    return call


def test_saving(swapped: Callable[..., Iterator[tuple[Swapped, Any]]]) -> None:
    """The file is written where it was, or the save is refused."""
    old = hashlib.sha256(b"old\n").hexdigest()

    def save(place: Swapped) -> Any:
        return save_files([EditedFile(str(place.file), "new\n", old)], [str(place.file)], place.root, False)

    found = [(place.is_untouched(), result) for place, result in swapped(save)]

    assert [untouched for untouched, _ in found] == [True] * len(found)
    assert len(found) > 10
    assert {type(result) for _, result in found} <= {list, ConsoleError, UsageError}
    assert isinstance(found[-1][1], list)


def test_reading(swapped: Callable[..., Iterator[tuple[Swapped, Any]]]) -> None:
    """Neither in an editor nor in a draft is there what is outside."""
    shown = [result.text for _, result in swapped(lambda place: read_file(str(place.file), place.root))]

    def copy(place: Swapped) -> list[str]:
        config = place.root / "routes.yaml"
        with draft_of(config, {str(config): "edited\n"}) as draft:
            return [file.read_text() for file in draft.parent.rglob("more.yaml")]

    drafts = [result for _, result in swapped(copy)]

    assert (set(shown) <= {"old\n", ""}, shown[-1]) == (True, "old\n")
    assert ([texts for texts in drafts if SECRET in texts], drafts[-1]) == ([], ["old\n"])


def test_no_file_is_left(tmp_path: Path) -> None:
    """A save that fails leaves nothing beside the file."""
    file = tmp_path / "more.yaml"
    file.write_text("old\n")
    old = hashlib.sha256(b"old\n").hexdigest()

    with pytest.raises(UsageError, match="it has half of a surrogate pair"):
        save_files([EditedFile(str(file), "\ud800", old)], [str(file)], tmp_path, False)

    assert [each.name for each in tmp_path.iterdir()] == ["more.yaml"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    """It is an error of the user, and the folder is not made again."""
    name = str(tmp_path / "flows" / "more.yaml")

    with pytest.raises(ConsoleError, match="cannot be saved: no such file or directory"):
        save_files([EditedFile(name, "new\n", "")], [name], tmp_path, True)

    assert not list(tmp_path.iterdir())


def test_a_full_disk(tmp_path: Path) -> None:
    """The file stays as it was, and nothing is beside it."""
    file = tmp_path / "more.yaml"
    file.write_text("old\n")

    with full_disk(100), pytest.raises(UsageError, match=r"cannot write 'more.yaml': file too large"):
        save_files([EditedFile(str(file), "new\n" * 100, "")], [str(file)], tmp_path, True)

    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("more.yaml", "old\n")]

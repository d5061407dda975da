"""What is on the disk when a message is deleted, and what a journal says after the process was killed in a line."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.journal import Journal
from router.tools.dlq.redrive import Redriver
from router.tools.dlq.spool import write_messages
from tests.support.aws import Aws, AwsFault
from tests.support.program import Program
from tests.support.replay import read_export
from tests.unit.tools.dlq.conftest import Make


class Disk:
    """What would be left of files if the machine stopped: their contents when they were last synced."""

    def __init__(self) -> None:
        self._synced: dict[tuple[int, int], bytes] = {}
        self.folders: set[Path] = set()
        """The folders whose entries were synced."""

    def record(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}")
        if path.is_dir():
            self.folders.add(path.resolve())
            return
        status = os.fstat(descriptor)
        self._synced[status.st_dev, status.st_ino] = path.read_bytes()

    def content(self, path: Path) -> bytes:
        status = path.stat()
        return self._synced.get((status.st_dev, status.st_ino), b"")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Records each sync, by whichever of the two calls."""
    found = Disk()
    for name in ("fsync", "fdatasync"):
        sync = getattr(os, name)

        def synced(file: Any, sync: Callable[[int], None] = sync) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            sync(descriptor)
            found.record(descriptor)

        monkeypatch.setattr(os, name, synced)
    return found


class Source:
    """A dead-letter queue: at each delete it looks up what a journal that was read from the disk would say."""

    lasting = False

    def __init__(self, disk: Disk, journal: Path, *, fifo: bool) -> None:
        self.fifo = fifo
        self.found: dict[str, str | None] = {}
        """By the id of each message, in the order of their deletes."""
        self._disk = disk
        self._journal = journal

    def leased_until(self, ids: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(ids, 600.0)

    def delete(self, ids: Sequence[str]) -> dict[str, AwsFault]:
        left = self._journal.with_name("left")
        left.write_bytes(self._disk.content(self._journal))
        journal = Journal(left)
        self.found |= {id_: journal.result(id_) for id_ in ids}
        return {}


@pytest.fixture
def program(load: Callable[..., Program], request: pytest.FixtureRequest) -> Program:
    """The program, whose queue is a FIFO queue if the test says so."""
    found = load()
    queue = structs.replace(found.engine.queues["orders"], fifo=request.getfixturevalue("fifo"))
    found.engine.queues["orders"] = queue  # type: ignore[index]
    return found


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize(("way", "result"), [("deliver", "written"), ("send_back", "sent")])
def test_a_result_is_on_the_disk_before_its_message_is_deleted(
    disk: Disk, program: Program, moved: Make, tmp_path: Path, fifo: bool, way: str, result: str
) -> None:
    """Else a message that could not be deleted would be delivered again after a power failure."""
    path = tmp_path / "journal"
    source = Source(disk, path, fifo=fifo)
    messages = [moved({"id": id_}, id_, MessageGroupId=id_[0]) for id_ in ("a1", "b1", "a2")]
    with Journal(path) as journal:
        aws = Aws(MemoryTables.of(program), MemoryQueues())
        redriver = Redriver(program, aws, source, journal, clock=lambda: 0.0)

        results = getattr(redriver, way)(program.engine.queues["orders"], messages)

    assert all(each.deleted for each in results)
    assert source.found == {"a1": result, "b1": result, "a2": result}


LINE = '{"id": "torn", "result": "written"}'


@pytest.mark.parametrize("length", range(1, len(LINE)))
def test_a_line_that_is_torn_by_a_kill(tmp_path: Path, length: int) -> None:
    """It is left out; what was before it counts, and so does what later runs add."""
    path = tmp_path / "journal"
    with Journal(path) as before:
        before.confirm({"1": "written", "2": "sent"})
    with path.open("a", encoding="utf-8") as file:
        file.write(LINE[:length])
    with Journal(path) as between:
        found = [between.result(id_) for id_ in ("1", "2", "torn")]
        between.confirm({"3": "stale"})
    after = Journal(path)

    assert found == ["written", "sent", None]
    assert [after.result(id_) for id_ in ("1", "2", "torn", "3")] == ["written", "sent", None, "stale"]


def test_an_export_is_on_the_disk_when_it_is_written(disk: Disk, failed: Make, tmp_path: Path) -> None:
    """Its messages are deleted next: with its contents, the folder has to know the new file."""
    path = tmp_path / "folder" / "export"
    path.parent.mkdir()
    messages = [failed({"id": id_}, id_) for id_ in "abc"]

    assert write_messages(path, messages) == 3

    left = tmp_path / "left"
    left.write_bytes(disk.content(path))
    assert [message.id for message in read_export(left)] == ["a", "b", "c"]
    assert disk.folders == {path.parent.resolve()}


def test_an_export_in_a_folder_that_cannot_be_synced(
    failed: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems refuse that; the file itself is synced."""
    sync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(22, "Invalid argument")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)

    assert write_messages(tmp_path / "export", [failed({"id": "a"})]) == 1

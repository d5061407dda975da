"""The journal of a redrive: nothing is delivered whose line cannot be kept, and no other file is taken for one."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import structs

from router.errors import UsageError
from router.model import OutcomeKind
from router.tools.dlq.journal import Journal
from tests.support.disk import IRREGULAR, NOT_REGULAR, full_disk, make_irregular
from tests.unit.tools.dlq.conftest import Make
from tests.unit.tools.dlq.test_redrive import Redrive, redrive

__all__ = ["redrive"]
FULL = "cannot write the journal .*: file too large; make room there, and run the same command again"


@pytest.mark.parametrize("way", ["deliver", "send_back"])
def test_nothing_is_delivered_whose_line_cannot_be_kept(
    redrive: Callable[..., Redrive], failed: Make, tmp_path: Path, way: str
) -> None:
    """The next run, with room, delivers all."""
    before = redrive()
    with full_disk(64), pytest.raises(UsageError, match=FULL):
        getattr(before, way)(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))
    before.end()
    assert (before.tables.items("orders"), before.queues.letters, before.source.deleted) == ([], {}, [])

    after = redrive()
    results = getattr(after, way)(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))

    done = "written" if way == "deliver" else "sent"
    assert [(each.id, each.result, each.deleted) for each in results] == [("1", done, True), ("2", done, True)]
    after.end()
    assert not (tmp_path / "journal").exists()


def test_what_was_delivered_before_the_disk_was_full_is_not_delivered_again(
    redrive: Callable[..., Redrive], failed: Make
) -> None:
    """Neither what is deleted, nor what could not be deleted."""
    before = redrive("journal", "2")
    before.deliver(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))
    with full_disk(before.journal.path.stat().st_size), pytest.raises(UsageError, match=FULL):
        before.deliver(failed({"id": "c"}, "3"))
    before.end()
    assert [item["id"] for item in before.tables.items("orders")] == ["a", "b"]

    after = redrive()
    results = after.deliver(failed({"id": "b"}, "2"), failed({"id": "c"}, "3"))

    assert {each.id: (each.result, each.deleted) for each in results} == {
        "2": ("written", True),
        "3": ("written", True),
    }
    assert after.tables.items("orders") == [{"id": "c"}]


@pytest.mark.parametrize("way", ["deliver", "send_back"])
def test_a_disk_that_becomes_full_meanwhile(
    redrive: Callable[..., Redrive], failed: Make, tmp_path: Path, way: str
) -> None:
    """The journal had room for the lines of the batch before it was delivered."""
    path = tmp_path / "journal"
    run = redrive("journal", "2")
    deliver = run.tables.batch_write if way == "deliver" else run.queues.send
    limits = []

    def fill(*arguments: Any) -> Any:
        full = full_disk(path.stat().st_size)
        full.__enter__()
        limits.append(full)
        return deliver(*arguments)

    if way == "deliver":
        tables: Any = run.tables
        tables.batch_write = fill
    else:
        queues: Any = run.queues
        queues.send = fill
    try:
        results = getattr(run, way)(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))
    finally:
        for limit in limits:
            limit.__exit__(None, None, None)

    assert [each.deleted for each in results] == [True, False]
    run.end()
    assert [*Journal(path).undeleted] == ["2"]
    assert path.read_bytes().endswith(b"}\n")


def test_a_line_that_is_lost_all_the_same(
    redrive: Callable[..., Redrive], failed: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fails, what is confirmed is deleted: else it would be delivered again. Then the run ends."""
    run = redrive()
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if run.tables.items("orders"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(UsageError, match=r"cannot write the journal .*: input/output error"):
        run.deliver(failed({"id": "a"}, "1"), failed({"no": "id"}, "2"))

    assert run.source.deleted == ["1"]
    assert [(each.id, each.result, each.deleted) for each in run.redriver.unfinished] == [
        ("1", "written", True),
        ("2", "rejected", False),
    ]


def test_nothing_more_is_sent_back_after_a_line_that_is_lost(
    redrive: Callable[..., Redrive], moved: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a FIFO queue a group is sent in several calls: after the first, nothing could be confirmed."""
    run = redrive()
    run.source.fifo = True
    queue = structs.replace(run.program.engine.queues["orders"], fifo=True)
    run.program.engine.queues["orders"] = queue  # type: ignore[index]
    sync = os.fsync

    def fail(descriptor: int) -> None:
        if run.queues.letters:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(UsageError, match=r"cannot write the journal .*: input/output error"):
        run.send_back(*(moved({"id": id_}, id_, MessageGroupId="a") for id_ in ("a1", "a2")))

    assert ([each.id for each in run.queues.letters["orders"]], run.source.deleted) == (["a1"], ["a1"])
    assert [(each.id, each.result, each.deleted) for each in run.redriver.unfinished] == [
        ("a1", "sent", True),
        ("a2", "retry", False),
    ]


LINE = json.dumps({"id": "1", "result": "written"}) + "\n"


@pytest.mark.parametrize(
    "end",
    [
        '{"id": "2", "resu',
        "{",
        "\0" * 100,
        '{"id": "2", "resu' + "\0" * 100,
        # The disk kept a later block of the last lines, and not the one before.
        "\0" * 100 + 'ten"}\n{"id": "2", "result": "written"}\n' + "\0" * 8,
    ],
)
def test_a_torn_end(tmp_path: Path, end: str) -> None:
    """What a killed command or a machine without power left: what was on the disk for sure counts, and is kept."""
    path = tmp_path / "journal"
    path.write_text(LINE + end)

    with Journal(path) as journal:
        assert dict(journal.undeleted) == {"1": "written"}
        journal.reserve(["3"])
        journal.confirm({"3": "sent"})

    assert dict(Journal(path).undeleted) == {"1": "written", "3": "sent"}
    assert path.read_text() == LINE + json.dumps({"id": "3", "result": "sent"}) + "\n"


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        b"x\n",
        b"{}\n",
        b"[1]\n",
        b'{"MessageId": "1", "Body": "{}"}\n',
        b'{"type": "object"}',  # without an end of the line, as a torn line
        b"\0\0\0\x18ftypmp42\xff",
        LINE.encode() + b'{"Messa',
    ],
)
def test_a_file_that_is_no_journal(tmp_path: Path, content: bytes, again: bool) -> None:
    """It is not overwritten, not even with --again."""
    path = tmp_path / "journal"
    path.write_bytes(content)

    with pytest.raises(UsageError, match="is not a journal of 'router dlq redrive'"):
        Journal(path, again=again)
    assert path.read_bytes() == content


@pytest.mark.parametrize("kind", IRREGULAR)
def test_a_journal_that_is_no_regular_file(tmp_path: Path, kind: str) -> None:
    """It is refused without waiting, also if it takes the place of one meanwhile."""
    path = make_irregular(kind, tmp_path / "it")
    reason = "is a directory" if kind == "folder" else NOT_REGULAR
    journal = Journal(tmp_path / "new")
    journal.path = path

    with pytest.raises(UsageError, match=f"cannot read the journal .*: {reason}; name another with --journal"):
        Journal(path)
    with pytest.raises(UsageError, match=f"cannot write the journal .*: {reason}; name another with --journal"):
        journal.__enter__()


@pytest.mark.parametrize("result", get_args(OutcomeKind))
def test_the_room_is_enough_for_each_result(tmp_path: Path, result: str) -> None:
    """Of all lines that a delivered message can have in the file."""
    path = tmp_path / "journal"
    ids = [str(10**length) for length in range(12)]
    with Journal(path) as journal:
        journal.confirm({"0": "written"})
        journal.reserve(ids)
        room = path.stat().st_size

        with full_disk(room):
            journal.confirm(dict.fromkeys(ids, result))
            journal.delete(ids)

        assert path.stat().st_size == room


@pytest.mark.parametrize("number", [None, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_that_cannot_allocate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """The room is written then. `None` stands for a system without such a call."""

    def refuse(*_: int) -> None:
        assert number is not None
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    if number is None:
        monkeypatch.delattr(os, "posix_fallocate")
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.confirm({"1": "written"})
        before = path.read_bytes()
        with full_disk(len(before) + 60), pytest.raises(UsageError, match=FULL):
            journal.reserve(["2"])
        assert dict(Journal(path).undeleted) == {"1": "written"}

        journal.reserve(["2"])

        assert path.read_bytes().rstrip(b"\0") == before
        with full_disk(path.stat().st_size):
            journal.confirm({"2": "written"})
    assert dict(Journal(path).undeleted) == {"1": "written", "2": "written"}


def test_a_disk_that_fails_while_it_allocates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it refuses to allocate is not tried in another way."""

    def fail(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    path = tmp_path / "journal"
    with Journal(path) as journal:
        with pytest.raises(UsageError, match="no space left on device; make room there, and"):
            journal.reserve(["1"])
        assert path.read_bytes() == b""


def test_another_file_that_takes_the_place_of_a_journal(tmp_path: Path) -> None:
    """Between the time when it is read and when it is opened: it is kept, and free for another program."""
    path = tmp_path / "journal"
    journal = Journal(path)
    path.write_text("a text\n")

    with pytest.raises(UsageError, match="is not a journal of 'router dlq redrive'"):
        journal.__enter__()

    assert path.read_text() == "a text\n"
    path.write_text(LINE)
    with Journal(path) as again:
        assert again.result("1") == "written"


@pytest.mark.parametrize("undeleted", [False, True])
def test_a_journal_that_cannot_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undeleted: bool) -> None:
    """Nor shortened: the command is done, and the file says the same."""

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.reserve(["1", "2"])
        journal.confirm({"1": "written", "2": "written"})
        journal.delete(["1"] if undeleted else ["1", "2"])
        monkeypatch.setattr(os, "ftruncate", fail)
        monkeypatch.setattr(Path, "unlink", fail)

    assert dict(Journal(path).undeleted) == ({"2": "written"} if undeleted else {})

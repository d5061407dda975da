"""The temporary file of received messages."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.spool import Spool, WrittenItems, write_messages
from tests.support.disk import full_disk
from tests.unit.tools.dlq.conftest import Make

DAYS = ["2026-01-03T00:00:00.000Z", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"]


@pytest.mark.parametrize(("fifo", "order"), [(False, ["1", "2", "0"]), (True, ["0", "1", "2"])])
def test_order(failed: Make, fifo: bool, order: list[str]) -> None:
    """Messages come in the order in which they were sent; on FIFO queues in that of receipt."""
    with Spool(fifo) as spool:
        for number, day in enumerate(DAYS):
            assert spool.add(failed(number, str(number), sent_at=day), selected=True)

        assert [message.id for message in spool.selected()] == order


def test_many(failed: Make) -> None:
    """More messages than are read at a time, some of one moment, some removed and deselected while they are read."""
    with Spool() as spool:
        for number in range(50):
            spool.add(failed(number, f"{number:02}", sent_at=DAYS[number % 2]), selected=number % 10 != 9)
        seen = []
        for message in spool.selected():
            seen.append(message.id)
            spool.remove([message.id])
            spool.deselect("06")

        assert (len(seen), seen == sorted(seen, key=lambda id_: (DAYS[int(id_) % 2], id_))) == (44, True)
        assert len(spool) == 50 - len(seen)
        assert [id_ for receipts in spool.receipts(0) for id_, _ in receipts] == ["06", "09", "19", "29", "39", "49"]


def test_all_receipts_are_returned_some_at_a_time(failed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """But those whose lease is over."""
    monkeypatch.setattr("router.tools.dlq.spool._RECEIPTS_AT_A_TIME", 2)
    with Spool() as spool:
        for number in range(6):
            spool.add(failed(number, f"{number}"), selected=number > 2, until=number if number == 3 else 10)

        assert [[id_ for id_, _ in some] for some in spool.receipts(5)] == [["0", "1"], ["2", "4"], ["5"]]
        assert [*spool.receipts(10)] == []


def test_several_threads(failed: Make) -> None:
    """The lease is renewed by one, and messages are received by another."""
    with Spool() as spool, ThreadPoolExecutor(4) as threads:
        futures = [threads.submit(spool.add, failed(number, f"{number}"), selected=True) for number in range(40)]

        assert ([future.result() for future in futures], len(spool)) == ([True] * 40, 40)


def test_a_message_that_is_received_again_has_its_newest_handle(failed: Make) -> None:
    """It is stored once."""
    with Spool() as spool:
        assert spool.add(failed(1), selected=True)
        again = failed(1)
        again = type(again)(again.record.__class__("m", "newer", again.record.body), again.failed)
        assert not spool.add(again, selected=True)

        assert (len(spool), spool.leases(["m", "other"])) == (1, {"m": ("newer", inf)})
        assert [message.record.receipt_handle for message in spool.selected()] == ["newer"]


def test_binary_attributes_are_kept(failed: Make) -> None:
    """The file has everything of a record."""
    message = failed(1)
    message.record.message_attributes["picture"] = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}  # type: ignore[index]
    with Spool() as spool:
        spool.add(message, selected=True)

        (found,) = spool.selected()
    assert found == message


def test_the_file_has_no_name(failed: Make) -> None:
    """Bodies may be personal data: nobody else can open it, and nothing is left if the process is killed."""
    with Spool() as spool:
        for number in range(5):
            spool.add(failed("x" * 1_000_000, str(number)), selected=True)

        links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        (file,) = [target for target in (str(link.readlink()) for link in links) if "etilqs_" in target]
    assert file.endswith(" (deleted)")


def test_a_full_disk(failed: Make) -> None:
    """It is an error of the user's, and what is stored can still be released."""
    full = "cannot keep messages in a temporary file: .*; make room in the folder of temporary files, or name another"
    large = "x" * 200_000
    with Spool() as spool, full_disk(500_000):
        with pytest.raises(UsageError, match=full):
            all(spool.add(failed(large, str(number)), selected=True) for number in range(50))

        assert sum(map(len, spool.receipts(0))) >= 2
    items: dict[Any, Any] = {("t", str(number)): ({"x": large}, "1") for number in range(50)}
    with WrittenItems() as written, full_disk(500_000), pytest.raises(UsageError, match=full):
        written.store(items)


@pytest.mark.parametrize("size", [0, 100_000])
def test_an_export_to_a_full_disk(failed: Make, tmp_path: Path, size: int) -> None:
    """There is no file with a part of the messages; in place of an error, the messages would be deleted next."""
    path = tmp_path / "dead.jsonl"

    with full_disk(size), pytest.raises(UsageError, match=r"cannot write .*dead\.jsonl: file too large"):
        write_messages(path, [failed("x" * 30_000, str(number)) for number in range(5)])

    assert not path.exists()
    assert write_messages(path, [failed("x", "1")]) == 1


def test_an_export_that_is_stopped(failed: Make, tmp_path: Path) -> None:
    """By Ctrl-C, or an error of a queue: there is no file with a part of the messages."""

    def messages() -> Iterator[DlqMessage]:
        yield failed("x", "1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_messages(tmp_path / "dead.jsonl", messages())

    assert not list(tmp_path.iterdir())


def test_a_file_that_is_gone_when_an_export_is_stopped(failed: Make, tmp_path: Path) -> None:
    """What stopped it is the error."""
    path = tmp_path / "dead.jsonl"

    def messages() -> Iterator[DlqMessage]:
        yield failed("x", "1")
        path.unlink()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_messages(path, messages())


def test_leases_are_extended_with_the_newest_handle(failed: Make) -> None:
    """An answer to an extension with an older one is about a lease that is over."""
    with Spool() as spool:
        for id_ in "abc":
            spool.add(failed(id_, id_), selected=True, until=1)

        spool.extend([("a", "handle-a"), ("b", "older")], 5)

        assert spool.leases([*"abc"]) == {"a": ("handle-a", 5), "b": ("handle-b", 1), "c": ("handle-c", 1)}


def test_items_that_rehearsed_messages_wrote() -> None:
    """Those of messages that are delivered are in their tables by now; the others are forgotten."""
    one, two, three, four = (("orders", id_) for id_ in "abcd")
    with WrittenItems() as written:
        written.store({one: ({"id": {"S": "a"}}, "1"), two: (None, "1"), three: ({"id": {"S": "c"}}, "2")})
        written.store({three: ({"id": {"S": "c"}, "n": {"N": "2"}}, "3")})

        assert written.load([one, two, three, four]) == (
            {one: {"id": {"S": "a"}}, two: None, three: {"id": {"S": "c"}, "n": {"N": "2"}}},
            set(),
        )
        written.deliver(["1", "2"])
        assert written.load([one, two, three]) == ({three: {"id": {"S": "c"}, "n": {"N": "2"}}}, {one, two})
        written.forget_undelivered()
        assert written.load([one, two, three]) == ({}, {one, two})

"""The temporary file of received messages."""

from math import inf
from pathlib import Path

import pytest

from router.dlq.spool import Spool
from tests.unit.dlq.conftest import Make

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

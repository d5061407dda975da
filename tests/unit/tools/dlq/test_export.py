"""Exports: all of each message, for its owner only, in a new file; and their messages as a source to redrive."""

import json
from math import inf
from pathlib import Path

import pytest
from msgspec import structs

from router.errors import UsageError
from router.model import Record
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.spool import FileSource, Spool, write_messages
from tests.support.replay import read_export
from tests.unit.tools.dlq.conftest import Make

PICTURE = {"DataType": "Binary", "BinaryValue": b"\x00\xff"}
TEXT = {"DataType": "String", "StringValue": "Grüße\n"}


def test_all_of_a_message_is_exported(tmp_path: Path) -> None:
    """It is deleted afterwards: only its receipt handle is of no use any more."""
    path = tmp_path / "export"
    attributes = {"SentTimestamp": "1767225600000", "MessageGroupId": "g"}
    record = Record("m", "handle", 'line\n"é" \u2028', attributes, {"picture": PICTURE, "text": TEXT})
    messages = [DlqMessage.of(record), DlqMessage.of(structs.replace(record, message_id="n", message_attributes={}))]

    assert write_messages(path, messages) == 2

    assert [*read_export(path)] == [DlqMessage.of(structs.replace(each.record, receipt_handle="")) for each in messages]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_lines_of_an_export_are_messages_as_sqs_returns_them(failed: Make, tmp_path: Path) -> None:
    """Other programs read them too."""
    path = tmp_path / "export"
    write_messages(path, [failed({"id": "a"}, "1"), failed({"id": "b"}, "2")])

    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["MessageId"], line["Body"]) for line in lines] == [("1", '{"id": "a"}'), ("2", '{"id": "b"}')]
    assert [sorted(line) for line in lines] == [["Attributes", "Body", "MessageAttributes", "MessageId"]] * 2


def test_an_export_of_nothing(tmp_path: Path) -> None:
    """Says so."""
    assert write_messages(tmp_path / "export", []) == 0


def test_an_export_replaces_no_file(failed: Make, tmp_path: Path) -> None:
    """An earlier export may be all that is left of its messages."""
    path = tmp_path / "export"
    path.write_text("earlier")

    with pytest.raises(UsageError, match=f"{path} exists already; choose another file"):
        write_messages(path, [failed({"id": "a"})])
    with pytest.raises(UsageError, match=r"cannot write .*: no such file or directory"):
        write_messages(tmp_path / "nowhere" / "export", [failed({"id": "a"})])
    assert path.read_text() == "earlier"


@pytest.mark.parametrize("line", ["x", "{}", '{"MessageId": "m"}', '{"MessageId": 1, "Body": ""}', "[]"])
def test_a_line_that_is_no_message(failed: Make, tmp_path: Path, line: str) -> None:
    """It is named; empty lines are none."""
    path = tmp_path / "export"
    write_messages(path, [failed({"id": "a"})])
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")

    messages = read_export(path)
    assert next(messages).id == "m"
    with pytest.raises(UsageError, match=f"{path}:3 is not a message of 'router dlq export'"):
        next(messages)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(UsageError, match=r"cannot read .*/export: no such file or directory"):
        next(read_export(tmp_path / "export"))


def test_messages_of_a_file_are_nobody_elses(failed: Make) -> None:
    """They are leased for ever; deleting one leaves the file as it is, so that they come again in the next run."""
    with Spool() as spool:
        for id_ in "ab":
            spool.add(failed({"id": id_}, id_), selected=True)
        source = FileSource(spool)

        assert source.leased_until(["a", "b"]) == {"a": inf, "b": inf}
        assert source.delete(["a"]) == {}
        assert [message.id for message in spool.selected()] == ["b"]
        assert (source.lasting, source.fifo) == (True, False)


def test_a_batch_is_taken_once(failed: Make) -> None:
    """With its receipt handles, and without what was deselected."""
    with Spool() as spool:
        for number, id_ in enumerate("abcd"):
            spool.add(failed({"id": id_}, id_), selected=True)
            spool.assign(id_, 1 + number // 3)
        spool.deselect("b")

        taken = [spool.take(1), spool.take(1), spool.take(2)]

    assert [[(each.id, each.record.receipt_handle) for each in batch] for batch in taken] == [
        [("a", "handle-a"), ("c", "handle-c")],
        [],
        [("d", "handle-d")],
    ]

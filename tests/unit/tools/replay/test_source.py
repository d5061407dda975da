"""Sources: what their lines become, the ids and times that bodies get, and what is no source."""

import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.replay.source import Source, SourceOptions, SourceSelection
from tests.support.dlq import DlqMessage, write_messages
from tests.support.program import Program, compile_expression
from tests.unit.tools.replay.conftest import Read

SENT = {"SentTimestamp": "1767225600000"}
HEAD = {"recording": 1, "queue": "wrapped", "config": "c"}
Write = Callable[..., Path]


def test_bodies(read: Read, source: Write) -> None:
    """As they are, with ids that are the same at each run, and nothing that SQS did not say."""
    path = source({"id": "a"}, "", "not JSON", {"id": "a"})

    first, second, third = read(path, queue="orders")

    assert [each.record.body for each in (first, second, third)] == ['{"id": "a"}', "not JSON", '{"id": "a"}']
    assert (first.record.attributes, first.sent_at, first.has_own_id, first.queue.name) == ({}, "", False, "orders")
    assert (first.place, third.place) == (f"{path}:1", f"{path}:4")
    assert len({first.id, second.id, third.id}) == 3
    assert [each.id for each in read(path, queue="orders")] == [first.id, second.id, third.id]
    # Another file with the same lines has other messages.
    assert read(source({"id": "a"}, name="other"), queue="orders")[0].id != first.id


def test_gzip(read: Read, source: Write, tmp_path: Path) -> None:
    """Whatever the file is named; compressing a file changes no id."""
    path = source({"id": "a"})
    before = read(path, queue="orders")
    (tmp_path / "source.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    after = read(tmp_path / "source.jsonl.gz", queue="orders")
    assert [each.record for each in before] == [each.record for each in after]

    (tmp_path / "source.jsonl.gz").write_bytes(gzip.compress(b'{"id": "a"}\n' * 9)[:-9])
    with pytest.raises(UsageError, match=r"source\.jsonl\.gz is not complete: its gzip data ends or breaks"):
        read(tmp_path / "source.jsonl.gz", queue="orders")


def test_an_export(read: Read, tmp_path: Path) -> None:
    """Its messages have their ids, times and queues; a dead letter is the message that failed."""
    failed = {
        "code": "RT806",
        "reason": "",
        "queue": "orders",
        "route": "orders",
        "pointer": "",
        "message_id": "original",
        "receive_count": 1,
        "failed_at": None,
        "sent_at": "2025-12-31T00:00:00.000Z",
    }
    router = {"router": {"DataType": "String", "StringValue": json.dumps(failed)}}
    write_messages(
        tmp_path / "export",
        [
            DlqMessage.of(Record("m", "", "{}", SENT, router)),
            DlqMessage.of(Record("n", "", "{}", SENT, {"a": {"DataType": "Binary", "BinaryValue": b"\xff"}})),
        ],
    )

    letter, moved = read(tmp_path / "export", queue="wrapped")

    assert (letter.queue.name, letter.id, letter.original_id) == ("orders", "m", "original")
    assert (letter.sent_at, letter.has_own_id) == ("2025-12-31T00:00:00.000Z", True)
    assert (moved.queue.name, moved.sent_at) == ("wrapped", "2026-01-01T00:00:00.000Z")
    assert moved.record.message_attributes == {"a": {"DataType": "Binary", "BinaryValue": b"\xff"}}


def test_a_made_id_stays_made(read: Read, source: Write, tmp_path: Path) -> None:
    """Also in a file of rejected messages: SQS never knew the message by it."""
    (message,) = read(source({"id": "a"}), queue="orders")
    write_messages(tmp_path / "rejected", [message])

    (again,) = read(tmp_path / "rejected", queue="orders")
    assert (again.id, again.has_own_id) == (message.id, False)


def test_a_recording(read: Read, source: Write) -> None:
    """Its messages are put into the envelopes of their queue; what follows in another file is something else."""
    path = source(HEAD, {"message": {"id": "a"}, "outcome": "written"}, name="recording")
    bodies = source({"id": "b"})

    recorded, body = read(path, bodies, queue="orders")

    assert (recorded.queue.name, recorded.queue.decode(recorded.record)[0]) == ("wrapped", {"id": "a"})
    assert (body.queue.name, body.record.body, recorded.place) == ("orders", '{"id": "b"}', f"{path}:2")
    with pytest.raises(UsageError, match=r"source.jsonl:2 is no line of a recording, as the lines before it are"):
        read(source(HEAD, {"id": "b"}))
    with pytest.raises(UsageError, match="was recorded by another version of the router"):
        read(source({**HEAD, "recording": 2}))
    assert read(source({"recording": "of a song"}), queue="orders")[0].record.body == '{"recording": "of a song"}'


def test_what_looks_like_an_export(read: Read, source: Write) -> None:
    """But is none: it is a body."""
    (message,) = read(source({"MessageId": 1}), queue="orders")
    assert message.record.body == '{"MessageId": 1}'


def test_times_and_ids_of_bodies(read: Read, source: Write) -> None:
    """Expressions find them, in seconds, milliseconds or ISO 8601."""
    times = ["2026-01-01T00:00:00.123Z", 1767225600, 1767225600123, 1767225600.5, "yesterday", -1, True, None]
    path = source(*({"at": at, "n": number} for number, at in enumerate(times)), "no JSON", {"n": {}})
    found = read(path, queue="orders", sent_at=compile_expression("at"), message_id=compile_expression("n"))

    sent = [each.record.attributes.get("SentTimestamp") for each in found]
    assert sent == ["1767225600123", "1767225600000", "1767225600123", "1767225600500", *[None] * 6]
    assert found[0].record.attributes["ApproximateFirstReceiveTimestamp"] == "1767225600123"
    assert [each.id for each in found[:3]] == ["0", "1", "2"]
    assert [each.has_own_id for each in found] == [True] * 8 + [False] * 2
    failing = read(source({"at": []}), queue="orders", sent_at=compile_expression("abs(at)"))
    assert failing[0].sent_at == ""


def test_the_queue_that_a_line_does_not_say(read: Read, source: Write, program: Program) -> None:
    """It is to be named, unless the config has one only."""
    with pytest.raises(
        UsageError, match=r"source.jsonl:1 does not say its queue; name one with --queue: orders, wrapped"
    ):
        read(source({"id": "a"}))
    with pytest.raises(UsageError, match="no route reads the queue 'order'"):
        read(source({"id": "a"}), queue="order")
    path = source({**HEAD, "queue": "gone"}, {"message": {}, "outcome": "written"})
    with pytest.raises(UsageError, match=r"source.jsonl:1 is of the queue 'gone', which the config does not have"):
        read(path)
    assert read(path, queue="orders")[0].queue.name == "orders"


def test_going_on(read: Read, source: Write, program: Program) -> None:
    """After the messages that are done, if the source is the same until there."""
    path = source(HEAD, *({"message": {"id": id_}, "outcome": "written"} for id_ in "abc"))
    begun = Source(program, [str(path)], SourceOptions())
    messages = begun.messages()
    done = [next(messages), next(messages)]
    assert (begun.position, len(done)) == (2, 2)

    (last,) = read(path, start=2, digest=begun.digest)
    assert last.place == f"{path}:4"
    assert read(path, start=3, digest=digest_of(program, path)) == []
    for start, digest in ((2, 1), (4, begun.digest)):
        with pytest.raises(UsageError, match="the source is not the one that the journal is of"):
            read(path, start=start, digest=digest)


def digest_of(program: Program, path: Path) -> int:
    """Return the digest of a whole source."""
    whole = Source(program, [str(path)], SourceOptions())
    assert [*whole.messages()]
    return whole.digest


def test_what_is_no_source(read: Read, tmp_path: Path, source: Write) -> None:
    """It is named, and what to do."""
    with pytest.raises(UsageError, match=r"cannot read .*/none: no such file or directory"):
        read(tmp_path / "none", queue="orders")
    (tmp_path / "latin").write_bytes(b'{"id": "\xe9"}\n')
    with pytest.raises(UsageError, match="latin:1 is not UTF-8 text; remove the line"):
        read(tmp_path / "latin", queue="orders")
    (tmp_path / "long").write_bytes(b" " * (16 * 1024 * 1024) + b"x")
    with pytest.raises(UsageError, match="long:1 is longer than 16 MiB"):
        read(tmp_path / "long", queue="orders")
    (tmp_path / "marked").write_bytes(b'\xef\xbb\xbf{"id": "a"}\r\n')
    assert read(tmp_path / "marked", queue="orders")[0].record.body == '{"id": "a"}'


def test_standard_input(read: Read, monkeypatch: pytest.MonkeyPatch, program: Program) -> None:
    """Its size is not known."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"id": "a"}\n')))
    piped = Source(program, ["-"], SourceOptions("orders"))
    (message,) = piped.messages()
    assert (message.place, piped.lines.size, piped.lines.done) == ("standard input:1", None, 12)


class Bucket:
    """S3 with some objects."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = objects

    def pages(self, operation: str, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        assert (operation, parameters["Bucket"]) == ("ListObjectsV2", "bucket")
        names = [name for name in self.objects if name.startswith(parameters["Prefix"])]
        yield {"Contents": [{"Key": name, "Size": len(self.objects[name])} for name in names]} if names else {}

    def download(self, file: IO[bytes], bucket: str, key: str) -> None:
        file.write(self.objects[key])


def test_objects_of_s3(program: Program) -> None:
    """Those whose names have the prefix, one after the other."""
    lines = [json.dumps({"id": id_}).encode() + b"\n" for id_ in "abc"]
    bucket = Bucket({"p/": b"", "p/1": lines[0], "p/2.gz": gzip.compress(lines[1]), "q/3": lines[2]})

    def read(name: str) -> Source:
        return Source(program, [name], SourceOptions("orders"), lambda: bucket)  # type: ignore[arg-type, return-value]

    found = read("s3://bucket/p/")
    messages = [*found.messages()]
    assert [each.record.body for each in messages] == ['{"id": "a"}', '{"id": "b"}']
    assert [each.place for each in messages] == ["s3://bucket/p/1:1", "s3://bucket/p/2.gz:1"]
    assert found.lines.done == found.lines.size
    with pytest.raises(UsageError, match="there is no object whose name begins with s3://bucket/r"):
        read("s3://bucket/r")
    with pytest.raises(UsageError, match="s3:///x names no bucket; write s3://BUCKET/PREFIX"):
        read("s3:///x")


def test_selections(read: Read, source: Write) -> None:
    """By the time of sending, and by an expression."""
    times = [f"2026-01-0{day}T00:00:00Z" for day in (1, 2, 3)]
    found = read(source(*({"at": at} for at in times)), queue="orders", sent_at=compile_expression("at"))

    def selected(selection: SourceSelection) -> list[bool]:
        return [selection.selects(each) for each in found]

    second, third = (datetime(2026, 1, day, tzinfo=UTC) for day in (2, 3))
    assert selected(SourceSelection()) == [True] * 3
    assert selected(SourceSelection(since=second)) == [False, True, True]
    assert selected(SourceSelection(since=second, until=third)) == [False, True, False]
    assert selected(SourceSelection(where=compile_expression(f"at == '{times[0]}'"))) == [True, False, False]
    (timeless,) = read(source({"id": "a"}), queue="orders")
    with pytest.raises(UsageError, match=r"source.jsonl:1 has no time of sending to compare; --sent-at EXPR"):
        SourceSelection(until=third).selects(timeless)

"""Reads the messages of a source in their order, as the messages that they were.

A source has JSON lines of three kinds: dead letters as `router dlq export` writes them, recordings of `router record`,
and bodies as their queue has them. A line says by itself which it is.

What SQS adds to a message is not in a body. Its id is then made of where the line is and what it says, so that it is
the same each time; its time of sending is what an expression finds in it.
"""

import hashlib
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.errors import ExpressionError, Rejection, UsageError
from router.model import META_TIMES, Record
from router.runtime.config import spec
from router.runtime.engine.engine import CompiledQueue
from router.runtime.printable import printable
from router.runtime.program.load import Program
from router.runtime.transforms.times import to_epoch_ns
from router.tools.change.recording import FORMAT, RecordedMessage, RecordingHead
from router.tools.control_plane.clients import ServiceClient, connect_services
from router.tools.dev.records import make_body
from router.tools.dlq.messages import DlqMessage, Expression, holds
from router.tools.replay.lines import Line, Lines, find_file, find_inputs

_NO_DEAD_LETTER = "\0"
"""The name of no queue: a source does not say on which dead-letter queue its messages were."""
_FIRST_MS = 100_000_000_000
"""A number of at least this is a time in milliseconds, a lesser one in seconds: from 1973, or until the year 5138."""
_MOST_MS = 100_000_000_000_000
_NANOSECONDS = 1_000_000
_ID_LENGTH = 36
_VERSION_AT = 14
_MADE = "5"
"""The version of the UUIDs that are made of lines; those of SQS are random, of version 4."""
_TIMES = tuple(META_TIMES.values())
_CHANGED = (
    "the source is not the one that the journal is of: its first messages differ; name another "
    "journal with --journal, or begin a new one with --again"
)


class SourceMessage(DlqMessage, frozen=True, kw_only=True):
    """A message of a source: its queue in the config, and its place, FILE:LINE.

    `has_own_id` is whether the source has its id; one that was made is none that SQS knew it by.
    """

    queue: CompiledQueue
    place: str
    has_own_id: bool

    @property
    def was_dead(self) -> bool:
        """Whether the message is known to have failed: bodies have no reason."""
        return self.failed is not None or self.moved_by_sqs

    def find_queue(self, program: Program, dead_letter: str) -> CompiledQueue | None:
        """Return the queue that the source, or else the command, says."""
        return self.queue


class SourceOptions(Struct, frozen=True):
    """What a command says of messages that do not say it themselves.

    `queue` is a name in the config. `sent_at` and `message_id` are expressions over the decoded message of a body.
    """

    queue: str = ""
    sent_at: Expression | None = None
    message_id: Expression | None = None


class SourceSelection(Struct, frozen=True):
    """Which messages are used: those sent from `since` until `until`, for which the expression `where` is true."""

    since: datetime | None = None
    until: datetime | None = None
    where: Expression | None = None

    def selects(self, message: SourceMessage) -> bool:
        """Return whether a message is selected; raises UsageError if it has no time to compare."""
        if self.since or self.until:
            if not message.sent_at:
                raise UsageError(
                    f"{message.place} has no time of sending to compare; --sent-at EXPR finds it in the message"
                )
            sent = datetime.fromisoformat(message.sent_at)
            if self.since and sent < self.since:
                return False
            if self.until and sent >= self.until:
                return False
        return self.where is None or holds(self.where, message, message.queue)


class Source:
    """The messages of files, of `-` and of prefixes in S3, in order.

    `position` counts the messages that are read, `digest` is of their lines.
    """

    def __init__(
        self,
        program: Program,
        names: Sequence[str],
        reading: SourceOptions,
        connect: Callable[[], ServiceClient] = lambda: connect_services(("s3",))["s3"],
    ) -> None:
        """Raises UsageError for a source that is not there, and for a queue that no route reads."""
        self.position = 0
        self.digest = 0
        self.lines = Lines([*find_inputs(names, connect)])
        self._program = program
        self._reading = reading
        self._queue = program.queue(reading.queue) if reading.queue else None
        if len(program.engine.queues) == 1:
            (self._queue,) = program.engine.queues.values()

    def messages(
        self, start: int = 0, digest: int = 0, left: Mapping[int, int] | None = None
    ) -> Iterator[SourceMessage]:
        """Yield the messages after the first `start`, whose digest is to be this one; raises UsageError.

        Of the first ones, those in `left` are yielded: the digests up to messages, by their numbers.
        """
        left = left or {}
        recorded: CompiledQueue | None = None
        recording = None
        for line in self.lines:
            self.digest = zlib.crc32(line.text, self.digest)
            if head := _read_head(line):
                recorded = self._known(line, head.queue)
                recording = line.input
                continue
            self.position += 1
            is_left = self.position in left
            if self.position < start and not is_left:
                continue
            expected = digest if self.position == start else left.get(self.position, self.digest)
            if self.digest != expected:
                raise UsageError(_CHANGED)
            if self.position == start and not is_left:
                continue
            if recorded and line.input is recording:
                yield self._recorded_message(line, recorded)
            else:
                yield self._exported_message(line) or self._body(line, line.text, self._queue)
        if self.position < start:
            raise UsageError(_CHANGED)

    def _known(self, line: Line, name: str) -> CompiledQueue:
        """Return the queue of this name, or that of the command; raises UsageError."""
        queue = self._program.engine.queues.get(name) or self._queue
        if queue is None:
            raise UsageError(
                f"{line.place} is of the queue '{printable(name)}', which the config does not have; "
                f"name one with --queue: {', '.join(self._program.engine.queues)}"
            )
        return queue

    def _exported_message(self, line: Line) -> SourceMessage | None:
        """Return the message of a line of an export; None for another line."""
        if b'"MessageId"' not in line.text:
            return None
        try:
            record = _read_exported(line.text)
        except msgspec.MsgspecError:
            return None
        message = DlqMessage.of(record)
        queue = message.find_queue(self._program, _NO_DEAD_LETTER)
        if queue is None and message.failed:
            queue = self._known(line, message.failed.queue)
        queue = queue or self._required(line)
        # As in a file of rejected messages: the ids of SQS have another version.
        id_ = message.original_id
        is_made = len(id_) == _ID_LENGTH and id_[_VERSION_AT] == _MADE
        return SourceMessage(
            record,
            message.failed,
            queue=queue,
            place=line.place,
            has_own_id=not is_made,
        )

    def _recorded_message(self, line: Line, queue: CompiledQueue) -> SourceMessage:
        try:
            recorded = _RECORDED.decode(line.text)
        except msgspec.MsgspecError:
            raise UsageError(
                f"{line.place} is no line of a recording, as the lines before it are"
            ) from None
        settings = self._program.config.queues.get(queue.name) or spec.Queue()
        body = make_body(recorded.message, settings, self._program.plugins.envelopes)
        return self._body(line, body.encode(), queue)

    def _body(self, line: Line, body: bytes, queue: CompiledQueue | None) -> SourceMessage:
        queue = queue or self._required(line)
        try:
            record = Record(_make_id(line), "", body.decode())
        except UnicodeDecodeError:
            raise UsageError(f"{line.place} is not UTF-8 text; remove the line") from None
        reading = self._reading
        has_own_id = False
        if reading.sent_at or reading.message_id:
            data = _decode(queue, record)
            sent = _epoch_ms(_find(reading.sent_at, data))
            if sent is not None:
                record = structs.replace(record, attributes={each: str(sent) for each in _TIMES})
            id_ = _find(reading.message_id, data)
            if id_ is not None and not isinstance(id_, dict | list | bool):
                has_own_id = True
                record = structs.replace(record, message_id=str(id_))
        return SourceMessage(record, None, queue=queue, place=line.place, has_own_id=has_own_id)

    def _required(self, line: Line) -> CompiledQueue:
        if self._queue is None:
            names = ", ".join(self._program.engine.queues)
            raise UsageError(f"{line.place} does not say its queue; name one with --queue: {names}")
        return self._queue


def _read_head(line: Line) -> RecordingHead | None:
    """Return the head of a recording; None for another line. Raises UsageError for one of another version."""
    if not line.text.startswith(b'{"recording":'):
        return None
    try:
        head = _HEADS.decode(line.text)
    except msgspec.MsgspecError:
        return None
    if head.recording != FORMAT:
        raise UsageError(f"{line.place} was recorded by another version of the router")
    return head


def _make_id(line: Line) -> str:
    """Return an id in the form of SQS for a line: of its input, its number, and what it says."""
    where = f"{line.input.identity}\n{line.number}\n".encode()
    return str(uuid.UUID(bytes=hashlib.sha256(where + line.text).digest()[:16], version=5))


def _decode(queue: CompiledQueue, record: Record) -> Any:
    """Return the decoded message; None for one that will be rejected as it cannot be decoded."""
    try:
        return queue.decode(record)[0]
    except Rejection:
        return None


def _find(expression: Expression | None, data: Any) -> Any:
    try:
        return None if expression is None else expression(data)
    except ExpressionError:
        return None


def _epoch_ms(found: Any) -> int | None:
    """Return the milliseconds of a time: ISO 8601 with an offset, or seconds or milliseconds since 1970."""
    if isinstance(found, str):
        try:
            ms = to_epoch_ns(found) // _NANOSECONDS
        except ValueError:
            return None
    elif isinstance(found, bool) or not isinstance(found, int | Decimal):
        return None
    else:
        number = Decimal(found)
        ms = int(number * 1000 if abs(number) < _FIRST_MS else number)
    return ms if 0 <= ms < _MOST_MS else None


class _Exported(Struct):
    """A line of an export."""

    MessageId: str
    Body: str
    Attributes: dict[str, str] = {}
    MessageAttributes: dict[str, "_Attribute"] = {}


class _Attribute(Struct, omit_defaults=True):
    """A message attribute."""

    DataType: str
    StringValue: str | None = None
    BinaryValue: bytes | None = None


_HEADS = msgspec.json.Decoder(RecordingHead)
_RECORDED = msgspec.json.Decoder(RecordedMessage, float_hook=Decimal)
_EXPORTED = msgspec.json.Decoder(_Exported)


def _read_exported(text: bytes) -> Record:
    """Return the record of a line of an export; raises msgspec.MsgspecError."""
    exported = _EXPORTED.decode(text)
    attributes = msgspec.to_builtins(exported.MessageAttributes, builtin_types=(bytes,))
    return Record(exported.MessageId, "", exported.Body, exported.Attributes, attributes)


def read_export(path: Path) -> Iterator[DlqMessage]:
    """Yield the messages of an export; raises UsageError with the line that is none."""
    for line in Lines([find_file(path)]):
        try:
            yield DlqMessage.of(_read_exported(line.text))
        except msgspec.MsgspecError as error:
            raise UsageError(
                f"{line.place} is not a message of 'router dlq export': {error}"
            ) from None

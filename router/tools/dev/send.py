"""Reads messages of a file, and sends them to a queue in batches."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from router.errors import ExpressionError, UsageError
from router.runtime.aws.protocols import AwsFault, OutgoingMessage, Queues
from router.runtime.aws.references import is_fifo
from router.runtime.aws.sqs import BATCH_ENTRIES
from router.runtime.config import spec
from router.runtime.conversions import decode_json
from router.runtime.engine.convert import scalar_text
from router.runtime.envelopes import EnvelopeFormat
from router.tools.dev.json_faults import document_fault, json_fault, why_not_json
from router.tools.dev.records import as_attributes, make_body, wrap_text

_SECONDS = 30.0
"""For one batch."""
_WAITS = (0, 0.2, 0.4, 0.8, 1.6)
"""Seconds before each try to send a message."""


class MessageLine(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of JSON with more than a message; its keys are those of a test."""

    message: Any = UNSET
    body: str | UnsetType = UNSET
    attributes: dict[str, str] = {}
    group: str = ""


class Wrapping(Struct, frozen=True):
    """How messages of a queue are made."""

    settings: spec.Queue
    envelopes: Mapping[str, EnvelopeFormat]
    raw: bool = False
    """Whether lines are bodies as they are."""
    attributes: Mapping[str, str] = {}
    group: Callable[[Any], Any] | None = None
    """Returns the message group for the data of a message."""


def read_lines(text: str) -> list[tuple[int, str]]:
    """Return the messages of a text with their line numbers: one JSON value, or one in each line."""
    numbered = enumerate(text.split("\n"), 1)
    lines = [(number, line.strip()) for number, line in numbered if line.strip()]
    if len(lines) > 1:
        number, first = lines[0]
        if json_fault(first) and not json_fault(text):
            return [(number, text.strip())]
    return lines


def require_document(text: str) -> None:
    """Raise UsageError for a text that is to be one JSON value of several lines, and is not JSON."""
    fault = document_fault(text)
    if fault:
        raise UsageError(f"the file is not JSON: {fault.sentence}")


def make_messages(
    lines: Sequence[tuple[int, str]],
    wrapping: Wrapping,
    *,
    detailed: bool,
) -> list[OutgoingMessage]:
    """Return the messages to send, with their line numbers as ids; raises UsageError for a line
    that is none.

    `detailed` lines are maps of `message` or `body`, with `attributes` and `group`.
    """
    return [_message(number, line, wrapping, detailed) for number, line in lines]


def _message(
    number: int,
    line: str,
    wrapping: Wrapping,
    detailed: bool,
) -> OutgoingMessage:
    settings, envelopes = wrapping.settings, wrapping.envelopes
    data: Any = UNSET
    given = MessageLine()
    if detailed:
        given = _detailed(number, line)
        if isinstance(given.body, UnsetType):
            data = given.message
            body = make_body(data, settings, envelopes)
        else:
            body = given.body
    elif wrapping.raw:
        body = line
    else:
        data = _decode(number, line)
        # The text as it is: numbers, and the order of keys, are those of the file.
        body = wrap_text(line, settings, envelopes)
    attributes = as_attributes({**wrapping.attributes, **given.attributes})
    group = given.group or _group(number, data, wrapping)
    return OutgoingMessage(str(number), body, attributes, group)


def _detailed(number: int, line: str) -> MessageLine:
    try:
        given = msgspec.convert(_decode(number, line), MessageLine)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"line {number}: {error}; it takes message or body, attributes and group"
        ) from None
    if (given.message is UNSET) == (given.body is UNSET):
        raise UsageError(f"line {number} must have either 'message' or 'body'")
    return given


def _group(number: int, data: Any, wrapping: Wrapping) -> str:
    if wrapping.group is None:
        return ""
    try:
        return scalar_text(wrapping.group(None if data is UNSET else data))
    except (ExpressionError, ValueError):
        raise UsageError(
            f"line {number} has no text, number or boolean for the message group"
        ) from None


def _decode(number: int, line: str) -> Any:
    try:
        return decode_json(line)
    except ValueError as error:
        why = why_not_json(line, error)
        raise UsageError(f"line {number}: {why}; --raw sends lines as they are") from None


def for_queue(
    messages: Sequence[OutgoingMessage],
    reference: str,
    group: str,
) -> list[OutgoingMessage]:
    """Return the messages as a queue takes them: on a FIFO queue each has a group and a
    deduplication id.
    """
    fifo = is_fifo(reference)
    default = group or ("router-send" if fifo else "")
    return [
        msgspec.structs.replace(
            each,
            group_id=each.group_id or default,
            deduplication_id=str(uuid.uuid4()) if fifo else "",
        )
        for each in messages
    ]


def send(
    queues: Queues,
    url: str,
    messages: Sequence[OutgoingMessage],
) -> Iterator[Mapping[str, AwsFault]]:
    """Send messages in their order, ten at a time; yield the faults of each ten, by their ids.

    A message that is throttled, or that gets no answer, is sent again, up to five times in all;
    then it is not known whether it was sent. On a FIFO queue its deduplication id keeps it from
    being sent twice.
    """
    for start in range(0, len(messages), BATCH_ENTRIES):
        left = list(messages[start : start + BATCH_ENTRIES])
        failed: dict[str, AwsFault] = {}
        for wait in _WAITS:
            time.sleep(wait)
            faults = queues.send(url, left, _SECONDS)
            failed = {id_: fault for id_, fault in failed.items() if fault.kind != "retry"} | faults
            left = [each for each in left if each.id in faults and faults[each.id].kind == "retry"]
            if not left:
                break
        yield failed

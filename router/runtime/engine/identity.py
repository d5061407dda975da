"""The original identity of a message that was a dead letter: the message attribute `router`.

A dead letter of the router describes the message that failed. If the dead letter is redriven, SQS gives it a new id and
a new time of sending; with this attribute it stays the message that it was.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, structs

from router.codes import REDACTED
from router.errors import Rejection
from router.model import Message, Record

ATTRIBUTE = "router"
"""The message attribute of a dead letter, whose value is JSON."""
MAX_LENGTH = 16_384
"""Characters; a longer value is malformed. Reasons, names, and pointers together are far shorter."""

_Id = Annotated[str, Meta(max_length=128)]
_Time = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class FailedMessage(Struct, frozen=True, omit_defaults=True):
    """A message when it was rejected: why, where, when, and its identity then.

    `message_id` and the identity are those before the first failure, `attempt` counts the failures; `code`, `failed_at`
    and what goes with them are those of the last failure. `source` is the ARN or URL of the queue, `config` the
    hash of the config that rejected it. Times are ISO
    8601 in UTC with milliseconds. Dead letters of earlier releases have no `sent_at`. `redacted` names what is redacted
    in the message, as `redact` of its queue does; `@` is its whole body.
    """

    code: str
    reason: str
    queue: str
    route: str
    pointer: str
    message_id: _Id
    receive_count: int
    failed_at: _Time | None
    source: str = ""
    config: str = ""
    sent_at: _Time | None = None
    first_received_at: _Time | None = None
    group_id: _Id = ""
    sequence_number: Annotated[str, Meta(pattern=r"^\d{0,20}$")] = ""
    deduplication_id: _Id = ""
    sender_id: _Id = ""
    attempt: Annotated[int, Meta(ge=1)] = 1
    first_failed_at: _Time | None = None
    redacted: tuple[str, ...] = ()


@cache
def _decoder() -> msgspec.json.Decoder[FailedMessage]:
    """Make the decoder when the first dead letter comes: a cold start does without it."""
    return msgspec.json.Decoder(FailedMessage)


def read_failed(record: Record) -> FailedMessage | None:
    """Return the value of a record's attribute `router`; None if there is none, or it is malformed."""
    attribute = record.message_attributes.get(ATTRIBUTE)
    text = attribute.get("StringValue", "") if attribute else ""
    if not text or len(text) > MAX_LENGTH:
        return None
    try:
        failed = _decoder().decode(text)
        for moment in (
            failed.failed_at,
            failed.sent_at,
            failed.first_received_at,
            failed.first_failed_at,
        ):
            _epoch_ms(moment)
    except ValueError:  # msgspec's errors are ValueErrors too
        return None
    return failed


def is_malformed(record: Record) -> bool:
    """Return whether a record has an attribute `router` that is not one of a dead letter."""
    return ATTRIBUTE in record.message_attributes and read_failed(record) is None


def with_original_identity(
    message: Message, record: Record, redacted: frozenset[str] | None = None
) -> Message:
    """Return the message with the id, times and group that its record had before it was a dead letter.

    Raises Rejection if something is redacted in it that is none of `redacted`: nobody would know it as redacted.

    An attribute makes a message older, never newer: one with a later time of sending than SQS reports is ignored, and
    so is a greater sequence number. The sender's id remains the one that SQS reports: an attribute may be forged.
    """
    failed = read_failed(record)
    if failed and redacted is not None and (unknown := set(failed.redacted) - redacted):
        reason = (
            f"'{min(unknown)}' is redacted in this dead letter, and 'redact' of the queue does "
            "not name it any more"
        )
        raise Rejection(REDACTED, reason)
    if failed is None:
        return message
    sent = _epoch_ms(failed.sent_at)
    reported = message.epoch_ms("sent_at")
    if sent is None or reported is None or sent > reported:
        return message
    system = dict(message.system)
    system["SentTimestamp"] = str(sent)
    first = _epoch_ms(failed.first_received_at)
    first_reported = message.epoch_ms("first_received_at")
    if first is not None and (first_reported is None or first <= first_reported):
        system["ApproximateFirstReceiveTimestamp"] = str(first)
    if failed.sequence_number and int(failed.sequence_number) <= int(
        system.get("SequenceNumber", "0")
    ):
        system["SequenceNumber"] = failed.sequence_number
    if failed.group_id:
        system["MessageGroupId"] = failed.group_id
    if failed.deduplication_id:
        system["MessageDeduplicationId"] = failed.deduplication_id
    return structs.replace(message, id=failed.message_id, system=system)


def _epoch_ms(moment: str | None) -> int | None:
    """Return a time in milliseconds since 1970; raises ValueError."""
    if moment is None:
        return None
    parsed = datetime.fromisoformat(moment)
    if parsed.timestamp() < 0:
        raise ValueError("SQS has no times before 1970")
    return int(parsed.timestamp()) * 1000 + parsed.microsecond // 1000

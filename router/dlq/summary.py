"""What is on a dead-letter queue, by cause."""

from collections.abc import Iterable

from msgspec import Struct

from router.dlq.messages import DlqMessage
from router.engine.identity import ATTRIBUTE, is_malformed


class Cause(Struct, frozen=True):
    """Why messages failed. Those without the attribute of the router have no reason: a rehearsal finds one."""

    code: str
    queue: str
    route: str
    pointer: str
    reason: str


class CauseCount(Struct):
    """The messages of one cause: how many, when the first and the last failed (ISO 8601), and the id of one."""

    cause: Cause
    count: int
    oldest: str
    newest: str
    example: str


def count_causes(messages: Iterable[tuple[DlqMessage, str]]) -> list[CauseCount]:
    """Return the causes of messages, each with the name of its queue; the most frequent first."""
    found: dict[Cause, CauseCount] = {}
    for message, queue in messages:
        cause = cause_of(message, queue)
        entry = found.setdefault(cause, CauseCount(cause, 0, message.failed_at, message.failed_at, message.shown_id))
        entry.count += 1
        entry.oldest = min(entry.oldest, message.failed_at)
        entry.newest = max(entry.newest, message.failed_at)
    return sorted(found.values(), key=lambda each: (-each.count, each.cause.code, each.cause.reason))


def cause_of(message: DlqMessage, queue: str) -> Cause:
    """Return the cause of a message; `queue` is the name of its queue, as far as known."""
    failed = message.failed
    if failed is None:
        return Cause(message.code, queue, "", "", _why_without_reason(message))
    return Cause(failed.code, queue, failed.route, failed.pointer, failed.reason)


def _why_without_reason(message: DlqMessage) -> str:
    if is_malformed(message.record):
        return f"its attribute '{ATTRIBUTE}' is not one of the router"
    # SQS names the source of each message that it moved.
    return "moved by the redrive policy of the queue" if message.moved_by_sqs else "moved by SQS, or of another program"

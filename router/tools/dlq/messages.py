"""A message on a dead-letter queue: what failed, where it came from, what selects it, and counts by cause."""

import math
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct, structs

from router.codes import declared
from router.errors import ExpressionError, Rejection, UsageError
from router.model import Record, iso_ms
from router.runtime.config.findings import did_you_mean
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE, FailedMessage, is_malformed, read_failed
from router.runtime.program.load import Program
from router.runtime.program.redaction import is_redacted

Expression = Callable[[Any], Any]
"""An expression over the decoded message."""
_MOST_NAMES = 1000
_MOST_LISTED = 20
MOVED_BY_SQS = "-"
"""Shown as the code of a message that SQS itself moved: it has no reason."""
SOURCE_ARN = "DeadLetterQueueSourceArn"
"""What SQS reports of a message that it moved."""


class DlqMessage(Struct, frozen=True):
    """A message as received from a dead-letter queue; `failed` is None if the router did not send it."""

    record: Record
    failed: FailedMessage | None

    @classmethod
    def of(cls, record: Record) -> "DlqMessage":
        """Return the message of a record."""
        return cls(record, read_failed(record))

    @property
    def id(self) -> str:
        """The id on the dead-letter queue."""
        return self.record.message_id

    @property
    def original_id(self) -> str:
        """The id on the source queue; SQS keeps the id of a message that it moves."""
        return self.failed.message_id if self.failed else self.record.message_id

    @property
    def shown_id(self) -> str:
        """The id to show: the original one, as in logs; if that is redacted, the one on the dead-letter queue."""
        return self.id if is_redacted(self.original_id) else self.original_id

    @property
    def was_dead(self) -> bool:
        """Whether it was on a dead-letter queue, for whatever reason."""
        return True

    @property
    def moved_by_sqs(self) -> bool:
        """Whether SQS says that it moved the message from another queue."""
        return SOURCE_ARN in self.record.attributes

    @property
    def code(self) -> str:
        """The code of the failure."""
        return self.failed.code if self.failed else MOVED_BY_SQS

    @property
    def sent_at(self) -> str:
        """When the message was sent to its source queue; "" if that is not known."""
        if self.failed and self.failed.sent_at:
            return self.failed.sent_at
        text = self.record.attributes.get("SentTimestamp", "")
        return (iso_ms(int(text)) or "") if text.isdecimal() else ""

    def end_ms(self, retention: int) -> float:
        """Return when SQS deletes it from a queue that keeps messages for so many seconds, in ms since the epoch.

        It counts from when the message was sent to the queue; of one that SQS moved, from when it was sent to its
        source queue: AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
        """
        sent = self.record.attributes.get("SentTimestamp", "")
        return int(sent) + retention * 1000 if retention and sent.isdecimal() else math.inf

    @property
    def failed_at(self) -> str:
        """When it failed; for a message that SQS moved, when it was sent."""
        return (self.failed.failed_at if self.failed else None) or self.sent_at

    def find_queue(self, program: Program, dead_letter: str) -> CompiledQueue | None:
        """Return the queue of the config that the message failed on, or None if the config does not have it.

        The name in the config counts first, then the ARN that SQS gives to messages that it moves, then the reference
        of the queue, which may have another name by now; last the only queue that has this dead-letter queue.
        """
        engine = program.engine
        failed = self.failed
        arn = self.record.attributes.get(SOURCE_ARN, "")
        if failed and failed.queue in engine.queues:
            return engine.queues[failed.queue]
        for reference in (arn, failed.source if failed else ""):
            found = engine.queue_of(reference)
            if found:
                return found
        users = [queue for queue in engine.queues.values() if queue.dead_letter == dead_letter]
        return users[0] if len(users) == 1 and not failed else None

    def to_deliver(self) -> Record:
        """Return the record to plan and deliver: as it was on its queue, with the sender that the failure names."""
        if self.failed is None or not self.failed.sender_id:
            return self.record
        return structs.replace(
            self.record, attributes={**self.record.attributes, "SenderId": self.failed.sender_id}
        )


class Selection(Struct, frozen=True):
    """Which messages a command works on; an empty part selects all. `where` is evaluated on the decoded message."""

    queues: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    pointers: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since: datetime | None = None
    where: Expression | None = None

    def selects(self, message: DlqMessage, queue: CompiledQueue | None) -> bool:
        """Return whether a message is selected; `queue` is the one that it failed on."""
        failed = message.failed
        names = set()
        if queue:
            names.add(queue.name)
        if failed:
            # The config may have another name for its queue by now.
            names.add(failed.queue)
        for wanted, found in (
            (self.queues, names),
            (self.routes, {failed.route} if failed else ()),
            (self.codes, (message.code,)),
            (self.pointers, {failed.pointer} if failed else ()),
            (self.ids, (message.id, message.original_id)),
        ):
            if wanted and wanted.isdisjoint(found):
                return False
        if self.since is not None:
            failed_at = message.failed_at
            if not failed_at or datetime.fromisoformat(failed_at) < self.since:
                return False
        return self.where is None or holds(self.where, message, queue)


def holds(where: Expression, message: DlqMessage, queue: CompiledQueue | None) -> bool:
    """Whether an expression is true for a message; False if it cannot be decoded or evaluated."""
    if queue is None:
        return False
    try:
        data, _ = queue.decode(message.record)
        return bool(where(data))
    except (Rejection, ExpressionError):
        return False


class UnknownNames:
    """The queues, routes and codes of a selection that neither config nor router has; a message may have one."""

    def __init__(self, selection: Selection, program: Program) -> None:
        self._dead_letters = {queue.dead_letter for queue in program.engine.queues.values()}
        self._known: dict[str, set[str]] = {
            "queue": {*program.engine.queues},
            "route": {*program.config.routes},
            "code": {*declared(), MOVED_BY_SQS},
        }
        wanted = {"queue": selection.queues, "route": selection.routes, "code": selection.codes}
        if wanted["code"] - self._known["code"]:
            from router.tools.check.rule import (
                known_codes,  # all rules: only for a code that is rare, or wrong
            )

            self._known["code"] |= known_codes().keys()
        self._left = {kind: set(names) - self._known[kind] for kind, names in wanted.items()}

    def see(self, message: DlqMessage) -> None:
        """Note what a message has, selected or not."""
        failed = message.failed
        if failed and any(self._left.values()):
            found = {"queue": failed.queue, "route": failed.route, "code": failed.code}
            for kind, name in found.items():
                self._left[kind].discard(name)
                if len(self._known[kind]) < _MOST_NAMES:
                    self._known[kind].add(name)

    def require_none(self) -> None:
        """Raise UsageError if there is a name that no message has."""
        for kind, names in self._left.items():
            for name in sorted(names):
                owner = "the router" if kind == "code" else "the config"
                text = f"no message that could be looked at has the {kind} '{name}', and {owner} has no such {kind}"
                raise UsageError("; ".join(filter(None, (text, self._advice(kind, name)))))

    def _advice(self, kind: str, name: str) -> str:
        if kind == "queue" and name in self._dead_letters:
            return f"it is a dead-letter queue: --dead-letter {name}"
        known = self._known[kind]
        # There are too many codes to list them.
        listed = "" if kind == "code" else f"there are {', '.join(sorted(known)[:_MOST_LISTED])}"
        return did_you_mean(name, known, listed)


class Cause(Struct, frozen=True):
    """Why messages failed. Messages without the router's attribute have no reason until a rehearsal finds one."""

    code: str
    queue: str
    route: str
    pointer: str
    reason: str


Value = TypeVar("Value")


class MessageCount(Struct, Generic[Value]):
    """The messages with one value: how many, when the first and the last failed (ISO 8601), and the id of one."""

    value: Value
    count: int
    oldest: str
    newest: str
    example: str


def _count(valued: Iterable[tuple[Value, DlqMessage]]) -> Iterable[MessageCount[Value]]:
    found: dict[Value, MessageCount[Value]] = {}
    for value, message in valued:
        moment = message.failed_at
        entry = found.setdefault(value, MessageCount(value, 0, moment, moment, message.shown_id))
        entry.count += 1
        entry.oldest = min(entry.oldest, moment)
        entry.newest = max(entry.newest, moment)
    return found.values()


def count_causes(messages: Iterable[tuple[DlqMessage, str]]) -> list[MessageCount[Cause]]:
    """Return the causes of messages, each with the name of its queue; the most frequent first."""
    counts = _count((cause_of(message, queue), message) for message, queue in messages)
    return sorted(counts, key=lambda each: (-each.count, each.value.code, each.value.reason))


Property = Literal["sender", "route", "code", "config"]
"""What messages can be counted by."""


def count_by(property_: Property, messages: Iterable[DlqMessage]) -> list[MessageCount[str]]:
    """Return the messages by the sender, route, code, or hash of the config, "" if it is not known.

    The most frequent value stands first.
    """
    counts = _count((_property_of(property_, message), message) for message in messages)
    return sorted(counts, key=lambda each: (-each.count, each.value))


def _property_of(property_: Property, message: DlqMessage) -> str:
    failed = message.failed
    match property_:
        case "sender":
            return message.to_deliver().attributes.get("SenderId", "")
        case "code":
            return message.code
        case "route":
            return failed.route if failed else ""
        case "config":
            return failed.config if failed else ""


def cause_of(message: DlqMessage, queue: str) -> Cause:
    """Return the cause of a message; `queue` is the name of its queue, as far as known."""
    failed = message.failed
    if failed is None and not message.was_dead:
        return Cause("", queue, "", "", "")
    if failed:
        return Cause(failed.code, queue, failed.route, failed.pointer, failed.reason)
    if is_malformed(message.record):
        reason = f"its attribute '{ATTRIBUTE}' is not one of the router"
    elif message.moved_by_sqs:
        reason = "moved by the redrive policy of the queue"
    else:
        # SQS names the source of each message that it moved.
        reason = "moved by SQS, or of another program"
    return Cause(message.code, queue, "", "", reason)

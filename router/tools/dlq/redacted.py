"""Redacts dead letters and items of tables before they are shown or exported."""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct, structs

from router.codes import declared
from router.model import Item, Outcome, Record
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE, FailedMessage
from router.runtime.program.expressions.compile import NO_TREES
from router.runtime.program.load import Program
from router.runtime.program.redacted_routes import find_needs
from router.runtime.program.redaction import IDENTITY, Redaction, ValueRedactor, content_of
from router.tools.dlq.messages import SOURCE_ARN, DlqMessage

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of the ids of SQS."""
_INDEX = re.compile(r"\*|\d{1,5}")
"""What is shown of a pointer: `*`, and the indexes of lists."""
_MOST_TIMES = 10_000


def as_redacted(program: Program, message: DlqMessage, queue: CompiledQueue | None) -> DlqMessage:
    """Return a message as it may be shown and exported: without what its queue redacts, whoever sent it.

    If its queue is not known, and any queue has `redact`, its body and attributes are redacted as a whole.
    """
    queues = (queue,) if queue else program.engine.queues.values()
    redactions = [each.redaction for each in queues if isinstance(each.redaction, Redaction)]
    if not redactions:
        return message
    redaction = redactions[0]
    if queue:
        record, _ = redaction.redact(message.record)
    else:
        record = redact_all(redaction.values, message.record)
    failed = message.failed
    if failed and message.moved_by_sqs:
        failed = _verified(program, redaction, message.record, failed)
    elif failed and queue and not failed.redacted:  # sent before its queue had `redact`
        outcome = Outcome("rejected", failed.code, failed.reason)
        reason = redaction.redact_reason(message.record, outcome).reason
        failed = structs.replace(redaction.redact_failure(message.record, failed), reason=reason)
    if ATTRIBUTE in record.message_attributes:
        # Written anew: it may have further members, or be of another program.
        own = content_of(message.record.message_attributes[ATTRIBUTE])
        text = msgspec.json.encode(failed).decode() if failed else redaction.values.redact(own)
        shown = {"DataType": "String", "StringValue": text}
        attributes = {**record.message_attributes, ATTRIBUTE: shown}
        record = structs.replace(record, message_attributes=attributes)
    return structs.replace(message, record=record, failed=failed)


def redact_all(values: ValueRedactor, record: Record) -> Record:
    """Return a record whose body, ids and message attributes are redacted.

    The attribute of the router stays.
    """
    system = {**record.attributes}
    for key in IDENTITY.values():
        if key in system:
            system[key] = values.redact(system[key])
    attributes = {**record.message_attributes}
    for name, attribute in attributes.items():
        if name != ATTRIBUTE:
            attributes[name] = values.redact_attribute(attribute)
    return structs.replace(
        record,
        body=values.redact_body(record.body),
        attributes=system,
        message_attributes=attributes,
        fetched=None,
    )


def _verified(
    program: Program, redaction: Redaction, record: Record, failed: FailedMessage
) -> FailedMessage:
    """Return what may be shown of the attribute of a message that SQS moved, as its sender may have written it.

    That is what is of a closed vocabulary, has a form that leaves no room for other text, or is what SQS reports.
    """
    engine = program.engine
    reported = record.attributes

    def keep(text: str, *known: str | None) -> str:
        return text if not text or text in known else str(redaction.values.redact(text))

    return FailedMessage(
        code=keep(failed.code, *declared()),
        reason="not shown: the attribute 'router' of a message that SQS moved may be of its sender; rehearse it",
        queue=keep(failed.queue, *engine.queues),
        route=keep(failed.route, *program.config.routes),
        pointer="".join(
            f"/{part if _INDEX.fullmatch(part) else '*'}" for part in failed.pointer.split("/")[1:]
        ),
        message_id=failed.message_id
        if _UUID.fullmatch(failed.message_id)
        else keep(failed.message_id, record.message_id),
        receive_count=min(max(failed.receive_count, 0), _MOST_TIMES),
        failed_at=failed.failed_at,
        source=failed.source
        if engine.queue_of(failed.source)
        else keep(failed.source, reported.get(SOURCE_ARN)),
        config=keep(failed.config, program.hash),
        sent_at=failed.sent_at,
        first_received_at=failed.first_received_at,
        group_id=keep(failed.group_id, record.group_id),
        sequence_number=failed.sequence_number
        if failed.sequence_number == reported.get("SequenceNumber")
        else "",
        deduplication_id=keep(failed.deduplication_id, reported.get("MessageDeduplicationId")),
        sender_id=keep(failed.sender_id, reported.get("SenderId")),
        attempt=min(failed.attempt, _MOST_TIMES),
        first_failed_at=failed.first_failed_at,
        redacted=tuple(
            dict.fromkeys(name if name in redaction.names else "*" for name in failed.redacted)
        ),
    )


class RedactedTable(Struct, frozen=True):
    """What may be redacted in the items of a table: the attributes of these names; with None, all."""

    values: ValueRedactor
    names: frozenset[str] | None = frozenset()

    def joined(self, names: frozenset[str] | None) -> "RedactedTable":
        """Return the table with these names, too."""
        if names is None or self.names is None:
            return RedactedTable(self.values, None)
        return RedactedTable(self.values, self.names | names)

    def redact(self, item: Item) -> Item:
        """Return an item of the table without redacted values."""
        redacted = {**item}
        for name, value in item.items():
            if self.names is None or name in self.names:
                is_set = isinstance(value, set | frozenset)
                redacted[name] = self.values.redact(sorted(value) if is_set else value)
        return redacted


def redacted_tables(program: Program) -> Mapping[str, RedactedTable]:
    """Return the tables whose items may have redacted values in them, by their names."""
    found: dict[str, RedactedTable] = {}
    for queue in program.engine.queues.values():
        redaction = queue.redaction
        if not isinstance(redaction, Redaction):
            continue
        for route in queue.routes:
            plugins = bool(route.transform_message or route.transform_item)
            settings = program.config.routes[route.route.name]
            needs = find_needs(settings, redaction.redacted, NO_TREES, plugins=plugins)
            name = route.write.table.name
            table = found.get(name) or RedactedTable(redaction.values)
            # What `merge` reads may be in any attribute.
            found[name] = table.joined(None if needs.paths.get("merge") else needs.mapped)
    return found

"""Shows the shape of values without the values."""

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import structs

from router.codes import declared
from router.model import Outcome, Record
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE, FailedMessage
from router.runtime.program.expressions.compile import NO_TREES
from router.runtime.program.load import Program
from router.runtime.program.redacted_routes import Redacted, find_needs
from router.runtime.program.redaction import Masker, Redaction, content_of
from router.tools.dlq.messages import SOURCE_ARN, DlqMessage

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of the ids of SQS."""
_INDEX = re.compile(r"\*|\d{1,5}")
"""What is shown of a pointer: `*`, and the indexes of lists."""
_MOST_TIMES = 10_000
_NOT_VERIFIED = "not shown: the attribute 'router' of a message that SQS moved may be of its sender; rehearse it"


def masked(value: Any, names: Collection[str]) -> Any:
    """Return a value in which text, numbers, booleans and binary values are replaced by their type.

    Null is kept, and so are the names in objects that are among `names`: another one may be a value.
    """
    if isinstance(value, dict):
        shown = shown_names(value, names)
        return {shown[name]: masked(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each, names) for each in value]
    if isinstance(value, str):
        return f"(text, {len(value)} characters)"
    if isinstance(value, bool):
        return "(boolean)"
    if isinstance(value, int | float | Decimal):
        return "(number)"
    if isinstance(value, bytes):
        return f"(binary, {len(value)} bytes)"
    if isinstance(value, set | frozenset):
        return f"(set of {len(value)})"
    return value


def shown_names(found: Iterable[str], names: Collection[str]) -> dict[str, str]:
    """Return how the names of one object are shown: those among `names` as they are, the others by their number."""
    shown: dict[str, str] = {}
    for name in found:
        number = len(shown) + 1
        shown[name] = name if name in names else f"(name {number}, {len(name)} characters)"
    return shown


_IDENTITY = ("group_id", "deduplication_id", "sender_id")
"""What senders choose of the identity of a message, and who they are."""


def masked_failure(failure: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dead letter says of its failure, without what its sender chose."""
    return {
        name: masked(value, ()) if name in _IDENTITY and value else value  # empty: SQS has none
        for name, value in failure.items()
    }


def as_redacted(program: Program, message: DlqMessage, queue: CompiledQueue | None) -> DlqMessage:
    """Return a message as it may be shown and exported: what its queue redacts is masked, whoever sent it.

    If its queue is not known, and any queue has `redact`, its body and attributes are masked as a whole.
    """
    queues = (queue,) if queue else program.engine.queues.values()
    redaction = next(
        (each.redaction for each in queues if isinstance(each.redaction, Redaction)), None
    )
    if redaction is None:
        return message
    record = (
        redaction.redact_all(message.record)
        if queue is None
        else redaction.redact(message.record)[0]
    )
    failed = message.failed
    if failed and message.moved_by_sqs:
        failed = _verified(program, redaction, message.record, failed)
    elif failed and queue and not failed.redacted:  # sent before its queue had `redact`
        shown = redaction.hide(message.record, Outcome("rejected", failed.code, failed.reason))
        failed = structs.replace(
            failed,
            reason=shown.reason,
            group_id=redaction.mask_shared(message.record, failed.group_id),
            deduplication_id=redaction.mask_shared(message.record, failed.deduplication_id),
        )
    if ATTRIBUTE in record.message_attributes:
        # Written anew: it may have further members, or be of another program.
        own = content_of(message.record.message_attributes[ATTRIBUTE])
        text = msgspec.json.encode(failed).decode() if failed else redaction.masker.mask(own)
        attributes = {
            **record.message_attributes,
            ATTRIBUTE: {"DataType": "String", "StringValue": text},
        }
        record = structs.replace(record, message_attributes=attributes)
    return DlqMessage(record, failed)


def _verified(
    program: Program, redaction: Redaction, record: Record, failed: FailedMessage
) -> FailedMessage:
    """Return what may be shown of the attribute of a message that SQS moved, as its sender may have written it.

    That is what is of a closed vocabulary, has a form that leaves no room for other text, or is what SQS reports.
    """
    engine, reported = program.engine, record.attributes

    def keep(text: str, *known: str | None) -> str:
        verified = not text or text in known
        return text if verified else str(redaction.masker.mask(text))

    return FailedMessage(
        code=keep(failed.code, *declared()),
        reason=_NOT_VERIFIED,
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


def derived_attributes(program: Program) -> Mapping[str, tuple[Masker, frozenset[str] | None]]:
    """Return for the name of each table the attributes that may have a redacted value in them, None for all."""
    found: dict[str, tuple[Masker, frozenset[str] | None]] = {}
    for queue in program.engine.queues.values():
        for route in queue.routes if isinstance(queue.redaction, Redaction) else ():
            assert isinstance(queue.redaction, Redaction)
            plugins = bool(route.transform_message or route.transform_item)
            settings = program.config.routes[route.route.name]
            redacted = Redacted(queue.redaction.paths, queue.redaction.attributes)
            derived = find_needs(settings, redacted, NO_TREES, plugins=plugins).derived
            masker, before = found.get(
                route.write.table.name, (queue.redaction.masker, frozenset[str]())
            )
            both = None if derived is None or before is None else before | derived
            found[route.write.table.name] = masker, both
    return found

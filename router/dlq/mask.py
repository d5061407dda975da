"""Shows the shape of values without the values."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import structs

from router.dlq.messages import DlqMessage
from router.engine.engine import CompiledQueue
from router.model import Outcome
from router.program.expressions.compile import NO_TREES
from router.program.load import Program
from router.program.masking import Masker, Redaction
from router.program.redaction import Redacted, find_needs


def masked(value: Any) -> Any:
    """Return a value in which text, numbers, booleans and binary values are replaced by their type.

    The names in objects are kept, and null.
    """
    if isinstance(value, dict):
        return {name: masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
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


def as_redacted(program: Program, message: DlqMessage, queue: CompiledQueue | None) -> DlqMessage:
    """Return a message as it may be shown and exported: what its queue redacts is masked, whoever sent it.

    If its queue is not known, and any queue has `redact`, its body and attributes are masked as a whole.
    """
    queues = (queue,) if queue else program.engine.queues.values()
    redaction = next((each.redaction for each in queues if each.redaction), None)
    if redaction is None:
        return message
    if queue is None:
        return DlqMessage(redaction.redact_all(message.record), message.failed)
    record, _ = redaction.redact(message.record)
    failed = message.failed
    if failed and not failed.redacted:  # sent before its queue had `redact`
        shown = redaction.hide(message.record, Outcome("rejected", failed.code, failed.reason))
        failed = structs.replace(failed, reason=shown.reason)
    return DlqMessage(record, failed)


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
            masker, before = found.get(route.write.table.name, (queue.redaction.masker, frozenset[str]()))
            both = None if derived is None or before is None else before | derived
            found[route.write.table.name] = masker, both
    return found

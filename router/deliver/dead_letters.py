"""Sends dead letters: the unchanged message, with the reason as a message attribute."""

import time
from collections.abc import Sequence

import msgspec
from msgspec import structs

from router import codes
from router.aws.protocols import AwsFault, OutgoingMessage, Queues
from router.engine.engine import CompiledQueue
from router.engine.writes import PlannedMessage
from router.model import Outcome, iso_ms

ATTRIBUTE = "router"
"""The message attribute that has the reason."""
MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
MAX_MESSAGE_BYTES = 1024 * 1024
"""Of body and attributes together: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def send_dead_letters(queues: Queues, queue: CompiledQueue, messages: Sequence[PlannedMessage]) -> dict[str, Outcome]:
    """Send the dead letters of rejected messages; return the outcomes of those that were not confirmed, by id."""
    url = queues.url(queue.dead_letter)
    if isinstance(url, AwsFault):
        return {planned.record.message_id: _not_sent(url) for planned in messages}
    failed = queues.send(url, [_dead_letter(queue, planned) for planned in messages])
    return {message_id: _not_sent(fault) for message_id, fault in failed.items()}


def _not_sent(fault: AwsFault) -> Outcome:
    reason = f"the dead letter was not taken: {fault.code}"
    return Outcome("retry", codes.NO_DEAD_LETTER.id, reason, configuration_error=fault.kind == "configuration")


def _dead_letter(queue: CompiledQueue, planned: PlannedMessage) -> OutgoingMessage:
    record = planned.record
    fifo = queue.dead_letter.endswith(".fifo")
    outgoing = OutgoingMessage(
        id=record.message_id,
        body=record.body,
        message_attributes=record.message_attributes,
        group_id=(record.group_id or record.message_id) if fifo else "",
        deduplication_id=record.message_id if fifo else "",
    )
    # A message that was a dead letter before has an older reason, which the new one replaces.
    if len(record.message_attributes.keys() - {ATTRIBUTE}) >= MAX_ATTRIBUTES:
        return outgoing
    reason = {"DataType": "String", "StringValue": _reason(queue, planned)}
    with_reason = structs.replace(outgoing, message_attributes={**record.message_attributes, ATTRIBUTE: reason})
    return with_reason if with_reason.size <= MAX_MESSAGE_BYTES else outgoing


def _reason(queue: CompiledQueue, planned: PlannedMessage) -> str:
    outcome = planned.outcome or Outcome("rejected")
    reason = {
        "code": outcome.code,
        "reason": outcome.reason,
        "queue": queue.name,
        "route": outcome.route,
        "pointer": outcome.pointer,
        "message_id": planned.record.message_id,
        "receive_count": planned.record.receive_count,
        "failed_at": iso_ms(int(time.time() * 1000)),
    }
    return msgspec.json.encode(reason).decode()

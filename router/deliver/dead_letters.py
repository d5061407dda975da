"""What is sent to a dead-letter queue: the untouched message, and why it is there."""

import time
from collections.abc import Sequence

import msgspec
from msgspec import structs

from router import codes
from router.aws.client import Letter, Queues
from router.aws.faults import Fault
from router.engine.engine import CompiledQueue
from router.engine.ticket import Ticket
from router.model import Outcome, iso_ms

ATTRIBUTE = "router"
"""The message attribute that says why."""
MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
MAX_MESSAGE_BYTES = 1024 * 1024
"""Of body and attributes together: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""


def send_dead_letters(queues: Queues, queue: CompiledQueue, tickets: Sequence[Ticket]) -> dict[str, Outcome]:
    """Send the letters of rejected tickets; those that the dead-letter queue did not confirm are to be retried."""
    url = queues.url(queue.dead_letter)
    if isinstance(url, Fault):
        return {ticket.record.message_id: _unsent(url) for ticket in tickets}
    failed = queues.send(url, [_letter(queue, ticket) for ticket in tickets])
    return {message_id: _unsent(fault) for message_id, fault in failed.items()}


def _unsent(fault: Fault) -> Outcome:
    return Outcome(
        "retry", codes.NO_DEAD_LETTER.id, f"the dead letter was not taken: {fault.code}", setup=fault.kind == "setup"
    )


def _letter(queue: CompiledQueue, ticket: Ticket) -> Letter:
    record = ticket.record
    fifo = queue.dead_letter.endswith(".fifo")
    letter = Letter(
        id=record.message_id,
        body=record.body,
        message_attributes=record.message_attributes,
        group_id=record.attributes.get("MessageGroupId", record.message_id) if fifo else "",
        deduplication_id=record.message_id if fifo else "",
    )
    # A message that was a dead letter once brings an older reason along, which gives way to the new one.
    if len(record.message_attributes.keys() - {ATTRIBUTE}) >= MAX_ATTRIBUTES:
        return letter
    reason = {"DataType": "String", "StringValue": _reason(queue, ticket)}
    told = structs.replace(letter, message_attributes={**record.message_attributes, ATTRIBUTE: reason})
    return told if told.size <= MAX_MESSAGE_BYTES else letter


def _reason(queue: CompiledQueue, ticket: Ticket) -> str:
    outcome = ticket.outcome or Outcome("rejected")
    told = {
        "code": outcome.code,
        "reason": outcome.reason,
        "queue": queue.name,
        "route": outcome.route,
        "pointer": outcome.pointer,
        "message_id": ticket.record.message_id,
        "receive_count": ticket.record.receive_count,
        "failed_at": iso_ms(int(time.time() * 1000)),
    }
    return msgspec.json.encode(told).decode()

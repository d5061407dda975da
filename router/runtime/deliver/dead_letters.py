"""Sends dead letters: the unchanged message, with the reason as a message attribute."""

import time
from collections.abc import Sequence

import msgspec
from msgspec import structs

from router import codes
from router.model import Message, Outcome, Record, iso_ms
from router.runtime.aws.calls import Clock
from router.runtime.aws.protocols import OUT_OF_TIME, AwsFault, OutgoingMessage, Queues
from router.runtime.aws.references import is_fifo, is_name
from router.runtime.deliver.time_limits import StartLimit
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE, FailedMessage, read_failed, with_original_identity

MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
MAX_MESSAGE_BYTES = 1024 * 1024
"""Of body and attributes together: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
_LATE = Outcome("retry", codes.NOT_STARTED.id, "the deadline passed before its dead letter was sent")


def send_dead_letters(
    queues: Queues,
    queue: CompiledQueue,
    rejected: Sequence[tuple[Record, Outcome]],
    limit: StartLimit,
    clock: Clock,
    config: str = "",
) -> dict[str, Outcome]:
    """Send the dead letters of rejected messages; return the outcomes of those that were not confirmed, by id.

    `config` is the hash of the running config.
    """
    timeout = limit.final_timeout(clock())
    url = queues.url(queue.dead_letter, timeout) if timeout > 0 else OUT_OF_TIME
    if isinstance(url, AwsFault):
        return {record.message_id: _not_sent(queue, outcome, url) for record, outcome in rejected}
    dead_letters = [_dead_letter(queue, record, outcome, config) for record, outcome in rejected]
    failed = queues.send(url, dead_letters, limit.final_timeout(clock()))
    by_id = {record.message_id: outcome for record, outcome in rejected}
    return {message_id: _not_sent(queue, by_id[message_id], fault) for message_id, fault in failed.items()}


def _not_sent(queue: CompiledQueue, rejected: Outcome, fault: AwsFault) -> Outcome:
    if fault == OUT_OF_TIME:
        return _LATE
    return Outcome(
        "retry",
        codes.NO_DEAD_LETTER.id,
        f"queue '{queue.dead_letter}' did not accept the dead letter: {fault.code}",
        rejected.route,
        configuration_error=fault.kind == "configuration",
    )


def _dead_letter(queue: CompiledQueue, record: Record, outcome: Outcome, config: str) -> OutgoingMessage:
    """Return the dead letter of a message, with what the queue redacts masked."""
    if queue.redaction is None:
        return with_failure(_outgoing(queue, record), describe_failure(queue, record, outcome, config))
    masked, names = queue.redaction.redact(record)
    outgoing = _outgoing(queue, masked)
    if outgoing.size > MAX_MESSAGE_BYTES:  # masks may be longer than values
        masked, names = queue.redaction.redact(record, whole=True)
        outgoing = _outgoing(queue, masked)
    failed = describe_failure(queue, structs.replace(record, attributes=masked.attributes), outcome, config)
    failed = structs.replace(
        failed,
        # Of a dead letter that was sent before its queue had `redact`.
        group_id=queue.redaction.mask_shared(record, failed.group_id),
        deduplication_id=queue.redaction.mask_shared(record, failed.deduplication_id),
        redacted=tuple(dict.fromkeys((*failed.redacted, *names))),
    )
    return with_failure(outgoing, failed)


def _outgoing(queue: CompiledQueue, record: Record) -> OutgoingMessage:
    fifo = is_fifo(queue.dead_letter)
    return OutgoingMessage(
        id=record.message_id,
        body=record.body,
        message_attributes=record.message_attributes,
        # A standard queue keeps the group too: with fair queues it names the tenant.
        group_id=record.group_id or (record.message_id if fifo else ""),
        deduplication_id=record.message_id if fifo else "",
    )


def with_failure(message: OutgoingMessage, failed: FailedMessage) -> OutgoingMessage:
    """Return a message with the attribute that describes its failure, in place of an earlier one.

    Without the attribute if SQS would not accept it: the message has ten others, or would be over 1 MiB.
    """
    attributes = {name: value for name, value in message.message_attributes.items() if name != ATTRIBUTE}
    if len(attributes) >= MAX_ATTRIBUTES:
        return message
    text = msgspec.json.encode(failed).decode()
    attributes[ATTRIBUTE] = {"DataType": "String", "StringValue": text}
    with_attribute = structs.replace(message, message_attributes=attributes)
    return with_attribute if with_attribute.size <= MAX_MESSAGE_BYTES else message


def describe_failure(queue: CompiledQueue, record: Record, outcome: Outcome, config: str = "") -> FailedMessage:
    """Describe a failure; of a message that failed before, the identity, the first time and the attempts go on."""
    now = iso_ms(int(time.time() * 1000))
    before = read_failed(record)
    message = with_original_identity(Message(None, record.message_id, system=record.attributes), record)
    return FailedMessage(
        code=outcome.code,
        reason=outcome.reason,
        queue=queue.name,
        route=outcome.route,
        pointer=outcome.pointer,
        message_id=message.id,
        receive_count=record.receive_count,
        failed_at=now,
        source=_source(queue, record, before),
        config=config,
        sent_at=message.time("sent_at"),
        first_received_at=message.time("first_received_at"),
        group_id=message.system.get("MessageGroupId", ""),
        sequence_number=message.system.get("SequenceNumber", ""),
        deduplication_id=message.system.get("MessageDeduplicationId", ""),
        sender_id=before.sender_id if before and before.sender_id else message.system.get("SenderId", ""),
        attempt=before.attempt + 1 if before else 1,
        first_failed_at=(before.first_failed_at or before.failed_at if before else None) or now,
        redacted=before.redacted if before else (),
    )


def _source(queue: CompiledQueue, record: Record, before: FailedMessage | None) -> str:
    """Return the ARN or URL of the queue of a message: a name alone is one of each account and region."""
    moved_from = record.attributes.get("DeadLetterQueueSourceArn", "")
    known = (queue.reference, before.source if before else "", moved_from)
    return next((each for each in known if not is_name(each)), queue.reference)

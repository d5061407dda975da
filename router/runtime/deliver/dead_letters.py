"""Sends dead letters: the unchanged message, with the reason as a message attribute."""

import re
import time
from collections.abc import Sequence

import msgspec
from msgspec import structs

from router import codes
from router.model import META_TIMES, Message, Outcome, Record, iso_ms, time_text
from router.runtime.aws.calls import Clock
from router.runtime.aws.protocols import OUT_OF_TIME, AwsFault, OutgoingMessage, Queues
from router.runtime.aws.references import is_fifo, is_name
from router.runtime.deliver.time_limits import StartLimit
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import (
    ATTRIBUTE,
    FailedMessage,
    read_failed,
    with_original_identity,
)

MAX_ATTRIBUTES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html"""
MAX_MESSAGE_BYTES = 1024 * 1024
"""Of body and attributes together:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
_TRACE_HEADER = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}(;[A-Za-z]+=[^;=\s]*)*"
"""https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader

A text: a cold start does without the compilation."""
_LATE = Outcome(
    "retry",
    codes.NOT_STARTED.id,
    "the deadline passed before its dead letter was sent",
)


def send_dead_letters(
    queues: Queues,
    queue: CompiledQueue,
    rejected: Sequence[tuple[Record, Outcome]],
    limit: StartLimit,
    clock: Clock,
    config: str = "",
) -> dict[str, Outcome]:
    """Send the dead letters of rejected messages.

    Return the outcomes of those that were not confirmed, by message id. `config` is the hash of the
    running config.
    """
    timeout = limit.final_timeout(clock())
    url = queues.url(queue.dead_letter, timeout) if timeout > 0 else OUT_OF_TIME
    if isinstance(url, AwsFault):
        failed = {record.message_id: url for record, _ in rejected}
    else:
        dead_letters = [make_dead_letter(queue, *each, config) for each in rejected]
        failed = queues.send(url, dead_letters, limit.final_timeout(clock()))
    return {
        record.message_id: _not_sent(queue, outcome, failed[record.message_id])
        for record, outcome in rejected
        if record.message_id in failed
    }


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


def make_dead_letter(
    queue: CompiledQueue,
    record: Record,
    outcome: Outcome,
    config: str,
) -> OutgoingMessage:
    """Return the dead letter of a message, with what the queue redacts."""
    fifo = is_fifo(queue.dead_letter)
    redaction = queue.redaction
    if redaction is None:
        failed = describe_failure(queue, record, outcome, config)
        return with_failure(outgoing_of(record, fifo=fifo), failed)
    redacted, names = redaction.redact(record)
    outgoing = outgoing_of(redacted, fifo=fifo)
    if outgoing.size > MAX_MESSAGE_BYTES:
        # What replaces a value may be longer.
        redacted, names = redaction.redact(record, whole=True)
        outgoing = outgoing_of(redacted, fifo=fifo)
    own = structs.replace(record, attributes=redacted.attributes)
    failed = redaction.redact_failure(record, describe_failure(queue, own, outcome, config))
    all_names = tuple(dict.fromkeys((*failed.redacted, *names)))
    return with_failure(outgoing, structs.replace(failed, redacted=all_names))


def outgoing_of(record: Record, *, fifo: bool, delay: int = 0) -> OutgoingMessage:
    """Return a message that is sent again, unchanged, to a standard or FIFO queue."""
    # A FIFO queue needs both ids; a standard queue takes no deduplication id.
    own_id = record.message_id if fifo else ""
    # SQS refuses a message with a malformed header, as one that somebody wrote to try the function
    # can have.
    header = record.attributes.get("AWSTraceHeader", "")
    is_header = header and re.fullmatch(_TRACE_HEADER, header)
    return OutgoingMessage(
        id=record.message_id,
        body=record.body,
        message_attributes=record.message_attributes,
        # A standard queue keeps the group too: with fair queues it names the tenant.
        group_id=record.group_id or own_id,
        deduplication_id=own_id,
        trace_header=header if is_header else "",
        delay=delay,
    )


def with_failure(message: OutgoingMessage, failed: FailedMessage) -> OutgoingMessage:
    """Return a message with the attribute that describes its failure, in place of an earlier one.

    SQS does not accept the attribute if the message has ten others, or would be over 1 MiB with it.
    The message is returned without it then.
    """
    attributes = dict(message.message_attributes)
    attributes.pop(ATTRIBUTE, None)
    if len(attributes) >= MAX_ATTRIBUTES:
        return message
    text = msgspec.json.encode(failed).decode()
    attributes[ATTRIBUTE] = {"DataType": "String", "StringValue": text}
    with_attribute = structs.replace(message, message_attributes=attributes)
    if with_attribute.size > MAX_MESSAGE_BYTES:
        return message
    return with_attribute


def describe_failure(
    queue: CompiledQueue,
    record: Record,
    outcome: Outcome,
    config: str = "",
) -> FailedMessage:
    """Describe a failure.

    If the message failed before, its identity and the time of its first failure are kept, and its
    attempts are counted on.
    """
    now = iso_ms(int(time.time() * 1000))
    before = read_failed(record)
    message_id, system = record.message_id, record.attributes
    if before is not None:
        message = with_original_identity(Message(None, message_id, system=system), record)
        message_id, system = message.id, message.system
    # In the order of the fields: with their names, a call takes five times as long.
    failed = FailedMessage(
        outcome.code,
        outcome.reason,
        queue.name,
        outcome.route,
        outcome.pointer,
        message_id,
        record.receive_count,
        now,
        _source(queue, record, before),
        config,
        time_text(system.get(META_TIMES["sent_at"])),
        time_text(system.get(META_TIMES["first_received_at"])),
        system.get("MessageGroupId", ""),
        system.get("SequenceNumber", ""),
        system.get("MessageDeduplicationId", ""),
        system.get("SenderId", ""),
        first_failed_at=now,
    )
    if before is None:
        return failed
    return structs.replace(
        failed,
        # A redrive changes the sender.
        sender_id=before.sender_id or failed.sender_id,
        attempt=before.attempt + 1,
        first_failed_at=before.first_failed_at or before.failed_at or now,
        redacted=before.redacted,
    )


def _source(queue: CompiledQueue, record: Record, before: FailedMessage | None) -> str:
    """Return the ARN or URL of the queue of a message, as far as one is known.

    A name alone may be that of a queue in each account and region.
    """
    if not is_name(queue.reference):
        return queue.reference
    known_before = before.source if before else ""
    moved_from = record.attributes.get("DeadLetterQueueSourceArn", "")
    for known in (known_before, moved_from):
        if not is_name(known):
            return known
    return queue.reference

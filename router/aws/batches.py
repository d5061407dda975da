"""SQS's batch operations: entries of at most ten messages, and which of them a response confirms."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from router.aws.faults import translate
from router.aws.protocols import AwsFault, OutgoingMessage, Receipt
from router.aws.references import queue_name

BATCH_ENTRIES = 10
BATCH_BYTES = 1_048_576
"""The most bytes of a SendMessageBatch request (SQS quotas: "Message batch", "Message size")."""
UNCONFIRMED = AwsFault("retry", "Unconfirmed", 200)
"""The response to a batch does not mention the entry."""

BatchEntry = dict[str, Any]
EntryBatch = list[tuple[str, BatchEntry]]
"""Message ids, each with the entry of a batch operation."""
SendEntries = Callable[[list[BatchEntry]], Mapping[str, Any] | AwsFault]
"""Calls a batch operation with its entries."""


def queue_request(reference: str) -> dict[str, str]:
    """Return the parameters of GetQueueUrl for a name or an ARN."""
    # arn:aws:sqs:REGION:ACCOUNT:NAME
    owner = {"QueueOwnerAWSAccountId": reference.split(":")[4]} if reference.startswith("arn:") else {}
    return {"QueueName": queue_name(reference), **owner}


def receipt_batches(messages: Sequence[Receipt]) -> Iterator[EntryBatch]:
    """Yield the batches of DeleteMessageBatch."""
    return _batches_of_ten([(id_, {"ReceiptHandle": handle}) for id_, handle in messages])


def visibility_batches(messages: Sequence[tuple[str, str, int]]) -> Iterator[EntryBatch]:
    """Yield the batches of ChangeMessageVisibilityBatch, for (id, receipt handle, seconds)."""
    return _batches_of_ten([(id_, {"ReceiptHandle": handle, "VisibilityTimeout": to}) for id_, handle, to in messages])


def _batches_of_ten(entries: EntryBatch) -> Iterator[EntryBatch]:
    for start in range(0, len(entries), BATCH_ENTRIES):
        yield entries[start : start + BATCH_ENTRIES]


def message_batches(messages: Sequence[OutgoingMessage]) -> Iterator[EntryBatch]:
    """Yield the batches of SendMessageBatch, of 1 MiB at most; a larger message is alone, and SQS refuses it."""
    batch: EntryBatch = []
    filled = 0
    for message in messages:
        size = message.size
        if batch and (len(batch) == BATCH_ENTRIES or filled + size > BATCH_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append((message.id, _message_entry(message)))
        filled += size
    if batch:
        yield batch


def _message_entry(message: OutgoingMessage) -> BatchEntry:
    entry: BatchEntry = {"MessageBody": message.body}
    if message.message_attributes:
        entry["MessageAttributes"] = message.message_attributes
    if message.group_id:
        entry["MessageGroupId"] = message.group_id
    if message.deduplication_id:
        entry["MessageDeduplicationId"] = message.deduplication_id
    return entry


def number_entries(batch: EntryBatch) -> list[BatchEntry]:
    """Return the entries of a batch, with their positions as ids: message ids may have characters that SQS forbids."""
    return [{"Id": str(position), **entry} for position, (_, entry) in enumerate(batch)]


def call_in_batches(send: SendEntries, batches: Iterable[EntryBatch]) -> dict[str, AwsFault]:
    """Send each batch; return the faults of the entries that SQS does not confirm, by message id."""
    failed: dict[str, AwsFault] = {}
    for batch in batches:
        response = send(number_entries(batch))
        if isinstance(response, AwsFault):
            failed |= {id_: response for id_, _ in batch}
            continue
        done = {each["Id"] for each in response.get("Successful", ())}
        faults = {
            each["Id"]: translate(each["Code"], 200, sender_fault=each["SenderFault"])
            for each in response.get("Failed", ())
        }
        failed |= {
            id_: faults.get(str(position), UNCONFIRMED)
            for position, (id_, _) in enumerate(batch)
            if str(position) not in done
        }
    return failed

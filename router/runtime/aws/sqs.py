"""SQS, as the router uses it, whatever makes the calls; and the entries of its batch operations."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import md5
from logging import getLogger
from typing import Any

import msgspec
from msgspec import Struct, field

from router.model import Record
from router.runtime.aws.calls import Clock, boottime
from router.runtime.aws.faults import translate
from router.runtime.aws.protocols import (
    DAMAGED,
    OUT_OF_TIME,
    UNREADABLE,
    UNREADABLE_ERRORS,
    AwsFault,
    OutgoingMessage,
    QueueAttributes,
    Receipt,
    VisibilityTimeout,
)
from router.runtime.aws.references import queue_name

BATCH_ENTRIES = 10
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
_POSITIONS = tuple(map(str, range(BATCH_ENTRIES)))
_hash = partial(md5, usedforsecurity=False)
"""SQS's MD5 detects accidental damage; systems that forbid MD5 for secrets allow it for that."""
BATCH_BYTES = 1_048_576
"""The most bytes of a SendMessageBatch request (SQS quotas: "Message batch", "Message size")."""
UNCONFIRMED = AwsFault("retry", "Unconfirmed", 200)
"""The response to a batch does not mention the entry."""


class ResponseMessage(Struct, gc=False, rename="pascal"):
    """A message of ReceiveMessage."""

    message_id: str
    receipt_handle: str
    body: str
    md5: str | None = field(default=None, name="MD5OfBody")
    attributes: dict[str, str] | None = None
    message_attributes: dict[str, dict[str, Any]] | None = None


BatchEntry = dict[str, Any]
EntryBatch = list[tuple[str, BatchEntry]]
"""Message ids, each with the entry of a batch operation."""
_Result = tuple[str, Mapping[str, Any]]
"""The position of an entry, and what a response says about it."""
Call = Callable[[str, Mapping[str, Any], float], Mapping[str, Any] | AwsFault]
"""Calls an operation by AWS's name for it, with its parameters and a time-out in seconds."""


class SqsQueues:
    """The `Queues` of the interface by one call after another."""

    def __init__(self, call: Call, clock: Clock = boottime) -> None:
        self._call = call
        self._clock = clock
        self._urls: dict[str, str] = {}

    def url(self, reference: str, timeout: float) -> str | AwsFault:
        """Call GetQueueUrl, and cache its result; a URL is returned as it is."""
        if "://" in reference:
            return reference
        if reference not in self._urls:
            response = self._call("GetQueueUrl", _queue_request(reference), timeout)
            if isinstance(response, AwsFault):
                return response
            if not isinstance(response.get("QueueUrl"), str):
                return UNREADABLE
            self._urls[reference] = response["QueueUrl"]
        return self._urls[reference]

    def attributes(self, url: str, timeout: float) -> QueueAttributes | AwsFault:
        """Call GetQueueAttributes."""
        names = ["VisibilityTimeout", "RedrivePolicy", _IN_FLIGHT]
        response = self._call(
            "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": names}, timeout
        )
        if isinstance(response, AwsFault):
            return response
        try:
            found = response["Attributes"]
            return QueueAttributes(
                int(found["VisibilityTimeout"]),
                max_receive_count(found),
                int(found.get(_IN_FLIGHT, 0)),
            )
        except (KeyError, TypeError, ValueError):
            return UNREADABLE

    def receive(
        self, url: str, count: int, wait_seconds: int, visibility: int
    ) -> list[Record] | AwsFault:
        """Call ReceiveMessage, for all attributes of each message; for more than ten, several times."""
        records: list[Record] = []
        while len(records) < count:
            request = receive_request(url, count - len(records), wait_seconds, visibility)
            # Not limited in total: messages of a response that is given up would stay invisible.
            response = self._call("ReceiveMessage", request, float("inf"))
            if isinstance(response, AwsFault):
                return records or response
            messages = response.get("Messages", ())
            if not isinstance(messages, list | tuple):
                return records or UNREADABLE
            records += read_records(map(read_message, messages), lambda value: value)
            if len(messages) < BATCH_ENTRIES:
                break
        return records

    def delete(self, url: str, messages: Sequence[Receipt], timeout: float) -> dict[str, AwsFault]:
        """Call DeleteMessageBatch, for up to ten messages each time."""
        return self._call_in_batches("DeleteMessageBatch", url, delete_batches(messages), timeout)

    def change_visibility(
        self, url: str, messages: Sequence[VisibilityTimeout], timeout: float
    ) -> dict[str, AwsFault]:
        """Call ChangeMessageVisibilityBatch, for up to ten messages each time."""
        return self._call_in_batches(
            "ChangeMessageVisibilityBatch", url, visibility_batches(messages), timeout
        )

    def send(
        self, url: str, messages: Sequence[OutgoingMessage], timeout: float
    ) -> dict[str, AwsFault]:
        """Call SendMessageBatch, for up to ten messages and 1 MiB each time; SQS refuses a message over 1 MiB."""
        return self._call_in_batches("SendMessageBatch", url, message_batches(messages), timeout)

    def _call_in_batches(
        self, operation: str, url: str, batches: Iterable[EntryBatch], timeout: float
    ) -> dict[str, AwsFault]:
        """Call a batch operation for each batch; return the faults of the entries that SQS does not confirm."""
        until = self._clock() + timeout
        failed: dict[str, AwsFault] = {}
        for batch in batches:
            left = until - self._clock()
            request = batch_request(url, batch)
            response = self._call(operation, request, left) if left > 0 else OUT_OF_TIME
            failed |= find_failed(batch, response)
        return failed


def max_receive_count(attributes: Mapping[str, str]) -> int:
    """Return the `maxReceiveCount` of a queue's redrive policy; 0 without one. Raises ValueError."""
    # SQS accepts it as a number and as text, and returns it as it was given.
    return int(_redrive_policy(attributes).get("maxReceiveCount", 0))


def redrive_target(attributes: Mapping[str, str]) -> str:
    """Return the ARN of the dead-letter queue of a queue's redrive policy; "" without one. Raises ValueError."""
    target: str = _redrive_policy(attributes).get("deadLetterTargetArn", "")
    return target


def _redrive_policy(attributes: Mapping[str, str]) -> dict[str, Any]:
    policy: dict[str, Any] = msgspec.json.decode(attributes.get("RedrivePolicy") or "{}")
    return policy


def _queue_request(reference: str) -> dict[str, str]:
    """Return the parameters of GetQueueUrl for a name or an ARN."""
    request = {"QueueName": queue_name(reference)}
    if reference.startswith("arn:"):
        # arn:aws:sqs:REGION:ACCOUNT:NAME
        request["QueueOwnerAWSAccountId"] = reference.split(":")[4]
    return request


def delete_batches(messages: Sequence[Receipt]) -> Iterator[EntryBatch]:
    """Yield the batches of DeleteMessageBatch, of up to ten messages."""
    return _batches_of_ten([(id_, {"ReceiptHandle": handle}) for id_, handle in messages])


def visibility_batches(messages: Sequence[VisibilityTimeout]) -> Iterator[EntryBatch]:
    """Yield the batches of ChangeMessageVisibilityBatch, of up to ten messages."""
    return _batches_of_ten(
        [
            (id_, {"ReceiptHandle": handle, "VisibilityTimeout": seconds})
            for id_, handle, seconds in messages
        ]
    )


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
            batch = []
            filled = 0
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
    if message.trace_header:
        header = {"DataType": "String", "StringValue": message.trace_header}
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": header}
    if message.delay:
        entry["DelaySeconds"] = message.delay
    return entry


def batch_request(url: str, batch: EntryBatch) -> dict[str, Any]:
    """Return the parameters of a batch operation.

    The id of an entry is its position: a message id may have characters that SQS refuses in an entry's id.
    """
    entries = [entry for _, entry in batch]
    for position, entry in zip(_POSITIONS, entries, strict=False):
        entry["Id"] = position
    return {"QueueUrl": url, "Entries": entries}


def find_failed(batch: EntryBatch, response: Mapping[str, Any] | AwsFault) -> dict[str, AwsFault]:
    """Return the faults of the entries of a batch that SQS does not confirm, by message id."""
    if isinstance(response, AwsFault):
        return {id_: response for id_, _ in batch}
    faults = {position: _entry_fault(each) for position, each in _results(response, "Failed")}
    successful = _results(response, "Successful")
    # An entry that is reported as done and as failed is not confirmed.
    done = {position for position, _ in successful} - faults.keys()
    if "MessageBody" in batch[0][1]:
        faults |= _find_damaged(batch, successful)
        done -= faults.keys()
    if done.issuperset(_POSITIONS[: len(batch)]):
        return {}
    return {
        id_: faults.get(position, UNCONFIRMED)
        for position, (id_, _) in zip(_POSITIONS, batch, strict=False)
        if position not in done
    }


def _find_damaged(batch: EntryBatch, successful: Iterable[_Result]) -> dict[str, AwsFault]:
    """Return a fault for each message that SQS has received with another text, by its position in the batch."""
    digests = {
        position: _hash(entry["MessageBody"].encode(errors="surrogatepass")).hexdigest()
        for position, (_, entry) in zip(_POSITIONS, batch, strict=False)
    }
    return {
        position: DAMAGED
        for position, result in successful
        if result.get("MD5OfMessageBody", "") not in ("", digests.get(position))
    }


def _results(response: Mapping[str, Any], member: str) -> list[_Result]:
    """Return the results of entries that a response lists in a member, by the ids of the entries.

    Malformed ones are left out.
    """
    listed = response.get(member)
    if not isinstance(listed, list):
        return []
    return [
        (each["Id"], each)
        for each in listed
        if isinstance(each, dict) and isinstance(each.get("Id"), str)
    ]


def _entry_fault(failed: Mapping[str, Any]) -> AwsFault:
    code = failed.get("Code")
    if not isinstance(code, str):
        return UNCONFIRMED
    return translate(code, 200, sender_fault=failed.get("SenderFault") is True)


def receive_request(url: str, count: int, wait_seconds: int, visibility: int) -> dict[str, Any]:
    """Return the parameters of ReceiveMessage, for at most ten messages and all of their attributes.

    The visibility timeout is stated, as that of the queue may be changed at any time.
    """
    return {
        "QueueUrl": url,
        "MaxNumberOfMessages": min(count, BATCH_ENTRIES),
        "WaitTimeSeconds": wait_seconds,
        "VisibilityTimeout": visibility,
        "MessageSystemAttributeNames": ["All"],
        "MessageAttributeNames": ["All"],
    }


def read_message(message: Any) -> ResponseMessage | None:
    """Return a message of a response; None if it is malformed."""
    try:
        return msgspec.convert(message, ResponseMessage)
    except msgspec.ValidationError:
        return None


def read_records(
    messages: Iterable[ResponseMessage | None], read_binary: Callable[[Any], bytes]
) -> Iterator[Record]:
    """Yield the records of messages. A message that is damaged or malformed stays on the queue, to be received again.

    On a FIFO queue, the messages after it stay, too: they may be of its message group.
    """
    is_one_left = False
    # One loop, since it is hot: with functions for its parts, a small message would take 65 calls instead of 61.
    for message in messages:
        if message is None:
            _log_unread("", UNREADABLE)
            is_one_left = True
            continue
        if is_one_left and message.attributes and "SequenceNumber" in message.attributes:
            continue
        if (
            message.md5 is not None
            and message.md5 != _hash(message.body.encode(errors="surrogatepass")).hexdigest()
        ):
            _log_unread(message.message_id, DAMAGED)
            is_one_left = True
            continue
        sent = message.message_attributes
        try:
            attributes = (
                {name: _read_attribute(value, read_binary) for name, value in sent.items()}
                if sent
                else {}
            )
        except UNREADABLE_ERRORS:
            _log_unread(message.message_id, UNREADABLE)
            is_one_left = True
            continue
        yield Record(
            message.message_id,
            message.receipt_handle,
            message.body,
            message.attributes or {},
            attributes,
        )


def _log_unread(message_id: str, fault: AwsFault) -> None:
    text = "the body is damaged" if fault is DAMAGED else "the message cannot be read"
    fields = {"message_id": message_id, "error": fault.code}
    getLogger("router").warning(text, extra={"fields": fields})


def _read_attribute(
    attribute: Mapping[str, Any], read_binary: Callable[[Any], bytes]
) -> dict[str, Any]:
    """Return a message attribute as `Record` has it; raises one of UNREADABLE_ERRORS."""
    if "BinaryValue" in attribute:
        return {
            "DataType": attribute["DataType"],
            "BinaryValue": read_binary(attribute["BinaryValue"]),
        }
    text = attribute.get("StringValue", "")
    if not isinstance(text, str):
        raise TypeError
    return {"DataType": attribute["DataType"], "StringValue": text}

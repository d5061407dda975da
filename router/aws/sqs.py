"""SQS through boto3's low-level client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from router.aws.batches import (
    BATCH_ENTRIES,
    SendEntries,
    call_in_batches,
    message_batches,
    queue_request,
    receipt_batches,
    visibility_batches,
)
from router.aws.boto import call
from router.aws.protocols import AwsFault, OutgoingMessage, Receipt
from router.model import Record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

TIMEOUT = 30
"""Seconds to wait for a response: longer than the longest poll, 20 seconds."""
ATTEMPTS = 3


class SqsQueues:
    """The `Queues` of the interface."""

    def __init__(self, client: "SQSClient") -> None:
        self._client = client
        self._urls: dict[str, str] = {}

    def url(self, reference: str) -> str | AwsFault:
        """Call GetQueueUrl, and cache its result; a URL is returned as it is."""
        if "://" in reference:
            return reference
        if reference in self._urls:
            return self._urls[reference]
        response = call(self._client.get_queue_url, "QueueUrl", **queue_request(reference))
        if isinstance(response, AwsFault):
            return response
        self._urls[reference] = response["QueueUrl"]
        return self._urls[reference]

    def visibility(self, url: str) -> int | AwsFault:
        """Call GetQueueAttributes."""
        response = call(
            self._client.get_queue_attributes, "Attributes", QueueUrl=url, AttributeNames=["VisibilityTimeout"]
        )
        return response if isinstance(response, AwsFault) else int(response["Attributes"]["VisibilityTimeout"])

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | AwsFault:
        """Call ReceiveMessage, for all attributes of each message; for more than ten, one call after another."""
        records: list[Record] = []
        while len(records) < count:
            response = self._receive(url, min(count - len(records), BATCH_ENTRIES), wait_seconds)
            if isinstance(response, AwsFault):
                return records or response
            records += response
            if len(response) < BATCH_ENTRIES:
                break
        return records

    def _receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | AwsFault:
        response = call(
            self._client.receive_message,
            QueueUrl=url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        if isinstance(response, AwsFault):
            return response
        return [_record(message) for message in response.get("Messages", ())]

    def delete(self, url: str, messages: Sequence[Receipt]) -> dict[str, AwsFault]:
        """Call DeleteMessageBatch, for up to ten messages each time."""
        return call_in_batches(_batch(self._client.delete_message_batch, url), receipt_batches(messages))

    def change_visibility(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, AwsFault]:
        """Call ChangeMessageVisibilityBatch, for up to ten messages each time."""
        send = _batch(self._client.change_message_visibility_batch, url)
        return call_in_batches(send, visibility_batches(messages))

    def send(self, url: str, messages: Sequence[OutgoingMessage]) -> dict[str, AwsFault]:
        """Call SendMessageBatch, for up to ten messages and 1 MiB each time; SQS refuses a message over 1 MiB."""
        return call_in_batches(_batch(self._client.send_message_batch, url), message_batches(messages))


def _batch(operation: Callable[..., Any], url: str) -> SendEntries:
    return lambda entries: call(operation, QueueUrl=url, Entries=entries)


def _record(message: Mapping[str, Any]) -> Record:
    return Record(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        message.get("Attributes", {}),
        message.get("MessageAttributes", {}),
    )

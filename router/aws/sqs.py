"""SQS through boto3's low-level client."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from router.aws.batches import BATCH_ENTRIES, SendEntries, in_batches, parcels, queue_request, tens
from router.aws.calls import call
from router.aws.client import Letter, Received
from router.aws.faults import Fault
from router.model import Record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsQueues:
    """The `Queues` of the seam."""

    def __init__(self, client: "SQSClient") -> None:
        self._client = client
        self._urls: dict[str, str] = {}

    def url(self, reference: str) -> str | Fault:
        """GetQueueUrl, kept if it succeeds; a URL is taken as it is."""
        if "://" in reference:
            return reference
        if reference in self._urls:
            return self._urls[reference]
        answer = call(self._client.get_queue_url, "QueueUrl", **queue_request(reference))
        if isinstance(answer, Fault):
            return answer
        self._urls[reference] = answer["QueueUrl"]
        return self._urls[reference]

    def visibility(self, url: str) -> int | Fault:
        """GetQueueAttributes."""
        answer = call(
            self._client.get_queue_attributes, "Attributes", QueueUrl=url, AttributeNames=["VisibilityTimeout"]
        )
        return answer if isinstance(answer, Fault) else int(answer["Attributes"]["VisibilityTimeout"])

    def receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | Fault:
        """ReceiveMessage, with every attribute of each message; for more than ten, one call after the other."""
        records: list[Record] = []
        while len(records) < count:
            answer = self._receive(url, min(count - len(records), BATCH_ENTRIES), wait_seconds)
            if isinstance(answer, Fault):
                return records or answer
            records += answer
            if len(answer) < BATCH_ENTRIES:
                break
        return records

    def _receive(self, url: str, count: int, wait_seconds: int) -> list[Record] | Fault:
        answer = call(
            self._client.receive_message,
            QueueUrl=url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        if isinstance(answer, Fault):
            return answer
        return [_record(message) for message in answer.get("Messages", ())]

    def delete(self, url: str, messages: Sequence[Received]) -> dict[str, Fault]:
        """DeleteMessageBatch, ten messages a call."""
        entries = [(id_, {"ReceiptHandle": handle}) for id_, handle in messages]
        return in_batches(_batch(self._client.delete_message_batch, url), tens(entries))

    def release(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, Fault]:
        """ChangeMessageVisibilityBatch, ten messages a call."""
        entries = [(id_, {"ReceiptHandle": handle, "VisibilityTimeout": hidden}) for id_, handle, hidden in messages]
        return in_batches(_batch(self._client.change_message_visibility_batch, url), tens(entries))

    def send(self, url: str, letters: Sequence[Letter]) -> dict[str, Fault]:
        """SendMessageBatch, up to ten letters and 1 MiB a call; a letter over 1 MiB goes alone, and SQS refuses it."""
        return in_batches(_batch(self._client.send_message_batch, url), parcels(letters))


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

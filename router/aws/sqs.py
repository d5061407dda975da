"""SQS through boto3's low-level client."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from router.aws.calls import call
from router.aws.client import Letter, Received
from router.aws.faults import Fault, translate
from router.compile.references import queue_name
from router.model import Record

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

BATCH_ENTRIES = 10
BATCH_BYTES = 1_048_576
"""What one SendMessageBatch takes in all (SQS quotas: "Message batch", "Message size")."""
UNCONFIRMED = Fault("retry", "Unconfirmed", 200)
"""An entry that SQS's answer to its batch does not mention."""

_Entry = dict[str, Any]


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
        # arn:aws:sqs:REGION:ACCOUNT:NAME
        owner = {"QueueOwnerAWSAccountId": reference.split(":")[4]} if reference.startswith("arn:") else {}
        answer = call(self._client.get_queue_url, "QueueUrl", QueueName=queue_name(reference), **owner)
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
        """ReceiveMessage, with every attribute of each message."""
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
        return _in_batches(self._client.delete_message_batch, url, _tens(entries))

    def release(self, url: str, messages: Sequence[tuple[str, str, int]]) -> dict[str, Fault]:
        """ChangeMessageVisibilityBatch, ten messages a call."""
        entries = [(id_, {"ReceiptHandle": handle, "VisibilityTimeout": hidden}) for id_, handle, hidden in messages]
        return _in_batches(self._client.change_message_visibility_batch, url, _tens(entries))

    def send(self, url: str, letters: Sequence[Letter]) -> dict[str, Fault]:
        """SendMessageBatch, up to ten letters and 1 MiB a call; a letter over 1 MiB goes alone, and SQS refuses it."""
        return _in_batches(self._client.send_message_batch, url, _parcels(letters))


def _record(message: Mapping[str, Any]) -> Record:
    return Record(
        message["MessageId"],
        message["ReceiptHandle"],
        message["Body"],
        message.get("Attributes", {}),
        message.get("MessageAttributes", {}),
    )


def _entry(letter: Letter) -> _Entry:
    entry: _Entry = {"MessageBody": letter.body}
    if letter.message_attributes:
        entry["MessageAttributes"] = letter.message_attributes
    if letter.group_id:
        entry["MessageGroupId"] = letter.group_id
    if letter.deduplication_id:
        entry["MessageDeduplicationId"] = letter.deduplication_id
    return entry


def _tens(entries: list[tuple[str, _Entry]]) -> Iterator[list[tuple[str, _Entry]]]:
    for start in range(0, len(entries), BATCH_ENTRIES):
        yield entries[start : start + BATCH_ENTRIES]


def _parcels(letters: Sequence[Letter]) -> Iterator[list[tuple[str, _Entry]]]:
    parcel: list[tuple[str, _Entry]] = []
    filled = 0
    for letter in letters:
        size = letter.size
        if parcel and (len(parcel) == BATCH_ENTRIES or filled + size > BATCH_BYTES):
            yield parcel
            parcel, filled = [], 0
        parcel.append((letter.id, _entry(letter)))
        filled += size
    if parcel:
        yield parcel


def _in_batches(
    operation: Callable[..., Any], url: str, batches: Iterator[list[tuple[str, _Entry]]]
) -> dict[str, Fault]:
    """Call a batch operation for each batch; only what SQS confirms is done."""
    failed: dict[str, Fault] = {}
    for batch in batches:
        # Ids of ours may hold what SQS allows in none, so entries go by their position.
        entries = [{"Id": str(position), **entry} for position, (_, entry) in enumerate(batch)]
        answer = call(operation, QueueUrl=url, Entries=entries)
        if isinstance(answer, Fault):
            failed |= {id_: answer for id_, _ in batch}
            continue
        done = {each["Id"] for each in answer.get("Successful", ())}
        faults = {
            each["Id"]: translate(each["Code"], 200, sender_fault=each["SenderFault"])
            for each in answer.get("Failed", ())
        }
        failed |= {
            id_: faults.get(str(position), UNCONFIRMED)
            for position, (id_, _) in enumerate(batch)
            if str(position) not in done
        }
    return failed

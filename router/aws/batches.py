"""The batches of SQS: entries by tens, and what its answer says of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from router.aws.client import Letter
from router.aws.faults import Fault, translate
from router.aws.references import queue_name

BATCH_ENTRIES = 10
BATCH_BYTES = 1_048_576
"""What one SendMessageBatch takes in all (SQS quotas: "Message batch", "Message size")."""
UNCONFIRMED = Fault("retry", "Unconfirmed", 200)
"""An entry that SQS's answer to its batch does not mention."""

Entry = dict[str, Any]
SendEntries = Callable[[list[Entry]], Mapping[str, Any] | Fault]
"""Calls a batch operation with its entries."""


def queue_request(reference: str) -> dict[str, str]:
    """The parameters of GetQueueUrl for a name or an ARN."""
    # arn:aws:sqs:REGION:ACCOUNT:NAME
    owner = {"QueueOwnerAWSAccountId": reference.split(":")[4]} if reference.startswith("arn:") else {}
    return {"QueueName": queue_name(reference), **owner}


def letter_entry(letter: Letter) -> Entry:
    """A letter as an entry of SendMessageBatch."""
    entry: Entry = {"MessageBody": letter.body}
    if letter.message_attributes:
        entry["MessageAttributes"] = letter.message_attributes
    if letter.group_id:
        entry["MessageGroupId"] = letter.group_id
    if letter.deduplication_id:
        entry["MessageDeduplicationId"] = letter.deduplication_id
    return entry


def tens(entries: list[tuple[str, Entry]]) -> Iterator[list[tuple[str, Entry]]]:
    """Batches of ten."""
    for start in range(0, len(entries), BATCH_ENTRIES):
        yield entries[start : start + BATCH_ENTRIES]


def parcels(letters: Sequence[Letter]) -> Iterator[list[tuple[str, Entry]]]:
    """Batches of ten letters and 1 MiB at most; a letter that is larger goes alone, and SQS refuses it."""
    parcel: list[tuple[str, Entry]] = []
    filled = 0
    for letter in letters:
        size = letter.size
        if parcel and (len(parcel) == BATCH_ENTRIES or filled + size > BATCH_BYTES):
            yield parcel
            parcel, filled = [], 0
        parcel.append((letter.id, letter_entry(letter)))
        filled += size
    if parcel:
        yield parcel


def numbered(batch: list[tuple[str, Entry]]) -> list[Entry]:
    """The entries of a batch by their position: ids of ours may hold what SQS allows in none."""
    return [{"Id": str(position), **entry} for position, (_, entry) in enumerate(batch)]


def in_batches(send: SendEntries, batches: Iterator[list[tuple[str, Entry]]]) -> dict[str, Fault]:
    """Send each batch of entries; only what SQS confirms is done, and the faults of the others are returned."""
    failed: dict[str, Fault] = {}
    for batch in batches:
        answer = send(numbered(batch))
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

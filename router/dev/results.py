"""Results of a demo: the outcome of each sample message, compared with the expected one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from router.aws.references import table_name
from router.deliver.dead_letters import ATTRIBUTE
from router.dev.samples import Sample
from router.model import Item

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LogLine = Mapping[str, str]
"""The fields of a log line about a message."""
_RECEIVE_COUNT = 10


class DeadLetter(Struct, frozen=True):
    """A message on a dead-letter queue; `message_id`, `code` and `reason` are empty if it has no `router` attribute."""

    queue: str
    body: str
    message_id: str = ""
    code: str = ""
    reason: str = ""

    def is_of(self, message_id: str, body: str) -> bool:
        """Return whether it is the dead letter of a message, by the message's id, or by its body if it has no id."""
        return self.message_id == message_id if self.message_id else self.body == body


class SampleResult(Struct, frozen=True):
    """The outcome of a sample message, its reason, and whether it is the expected one."""

    sample: Sample
    outcome: str
    reason: str
    expected: bool


class DemoResult(Struct, frozen=True):
    """The result of a demo: that of each message, the items of each table by its name in AWS, and the dead letters."""

    results: tuple[SampleResult, ...]
    tables: Mapping[str, list[Item]]
    dead_letters: tuple[DeadLetter, ...]


class DemoState(Struct, frozen=True):
    """The state of the log, the queues and the tables at the end of a demo.

    `log` has the last line about each message by its id; a message that was written has none. `left` has the number of
    messages on each queue, by its name in the config. `dead_letter_queues` has the dead-letter queues that no route
    reads, by the name of their source queue.
    """

    log: Mapping[str, LogLine]
    left: Mapping[str, int]
    tables: Mapping[str, list[Item]]
    dead_letters: tuple[DeadLetter, ...]
    dead_letter_queues: Mapping[str, str]


def read_dead_letters(client: "SQSClient", queues: Iterable[str]) -> tuple[DeadLetter, ...]:
    """Read and delete all messages of queues, which are named as in AWS."""
    return tuple(dead_letter for queue in queues for dead_letter in _read_queue(client, queue))


def _read_queue(client: "SQSClient", queue: str) -> Iterator[DeadLetter]:
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    while True:
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_RECEIVE_COUNT, MessageAttributeNames=[ATTRIBUTE], VisibilityTimeout=3600
        )
        messages = answer.get("Messages", [])
        if not messages:
            return
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            fields = json.loads(attributes[ATTRIBUTE]["StringValue"]) if ATTRIBUTE in attributes else {}
            known = {name: fields.get(name, "") for name in ("message_id", "code", "reason")}
            yield DeadLetter(queue, message["Body"], **known)
            # A FIFO queue returns no further messages of a group while one of them is in flight.
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def stays(sample: Sample, dead_letters: Mapping[str, str]) -> bool:
    """Return whether a message is expected to remain on its queue."""
    return sample.outcome == "retry" or (sample.outcome == "rejected" and not dead_letters[sample.queue])


def evaluate(sent: Mapping[str, Sample], state: DemoState) -> DemoResult:
    """Compare the outcome of each message, by its id, with the expected one."""
    samples = tuple(sent.values())
    results = tuple(_result(id_, sample, state, samples) for id_, sample in sent.items())
    return DemoResult(results, state.tables, state.dead_letters)


def _result(id_: str, sample: Sample, state: DemoState, samples: Sequence[Sample]) -> SampleResult:
    line = state.log.get(id_)
    if sample.fault:
        return SampleResult(sample, line["outcome"] if line else "written", sample.fault, expected=False)
    missing_letter = _missing_dead_letter(id_, sample, state)
    if line and line["outcome"] == "rejected" and missing_letter:
        return SampleResult(sample, "rejected", missing_letter, expected=False)
    if line:
        reason = f"{line['code']} {line['reason']}"
        return SampleResult(sample, line["outcome"], reason, line["outcome"] == sample.outcome)
    if state.left[sample.queue]:
        return SampleResult(sample, "retry", "it is still on its queue", expected=False)
    missing = [each.table for each in sample.items if not _is_stored(each.identity, each.table, state, samples)]
    reason = f"its item is not in {', '.join(missing)}" if missing else ""
    return SampleResult(sample, "written", reason, expected=sample.outcome == "written" and not missing)


def _missing_dead_letter(message_id: str, sample: Sample, state: DemoState) -> str:
    """Return the sentence for a rejected message whose dead letter is missing, or ""."""
    queue = state.dead_letter_queues.get(sample.queue, "")
    if not queue or any(each.queue == queue and each.is_of(message_id, sample.body) for each in state.dead_letters):
        return ""
    return f"its dead letter is not in {queue}"


def _is_stored(identity: tuple[str, ...], table: str, state: DemoState, samples: Sequence[Sample]) -> bool:
    """Return whether an item is stored as one of its messages writes it, since their order is not known."""
    candidates = [each.attributes for sample in samples for each in sample.items if each.identity == identity]
    return any(
        all(name in item and item[name] == value for name, value in wanted.items())
        for wanted in candidates
        for item in state.tables[table_name(table)]
    )

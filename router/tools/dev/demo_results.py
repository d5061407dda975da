"""The results of a demo: what became of each sample message, by the log, the queues and the tables."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from router.model import WRITTEN, Item
from router.runtime.aws.references import table_name
from router.runtime.engine.identity import ATTRIBUTE
from router.tools.dev.samples import Expected, Sample

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LogLine = Mapping[str, Any]
"""The fields of a log line."""
_RECEIVE_COUNT = 10
UNKNOWN = "unknown"
"""What became of a message of which nothing was seen."""


class MessageLog(Struct, frozen=True):
    """What a log says about messages."""

    lines: Mapping[str, LogLine]
    """The last line about each message, by its id. A message that was written has none."""
    written: Mapping[str, int]
    """How many messages of each queue were written, as the lines about batches count them."""


def read_log(lines: Iterable[LogLine]) -> MessageLog:
    """Return what lines say about messages; they are in the order of their times.

    A plugin can write lines with these members, too.
    """
    about: dict[str, LogLine] = {}
    written: Counter[str] = Counter()
    for line in lines:
        match line:
            case {"message_id": str(id_), "outcome": _, "code": _, "reason": _}:
                about[id_] = line
            case {"service": _, "queue": str(queue), "counts": {"written": int(number)}}:
                written[queue] += number
    return MessageLog(about, written)


class DeadLetter(Struct, frozen=True):
    """A message on a dead-letter queue."""

    queue: str
    body: str
    message_id: str = ""
    """Like `code` and `reason` it is "" if the message has no attribute `router`."""
    code: str = ""
    reason: str = ""

    def is_of(self, message_id: str, body: str) -> bool:
        """Return whether it is the dead letter of a message, by the message's id, or by its body if
        it has no id.
        """
        return self.message_id == message_id if self.message_id else self.body == body


class SampleResult(Struct, frozen=True):
    """What became of a sample message."""

    sample: Sample
    outcome: str
    reason: str
    expected: bool
    """Whether the outcome is the expected one."""


class DemoResult(Struct, frozen=True):
    """The result of a demo."""

    results: Sequence[SampleResult]
    tables: Mapping[str, list[Item]]
    """The items of each table, by its name in AWS."""
    dead_letters: Sequence[DeadLetter]


class DemoState(Struct, frozen=True):
    """The log, the queues and the tables at the end of a demo. Queues have their names in the config."""

    log: MessageLog
    left: Mapping[str, int]
    """How many messages each queue has, besides those that are expected to stay there."""
    unseen: Collection[str]
    """The queues with messages that the log has no line about, and does not count as written."""
    tables: Mapping[str, list[Item]]
    """The items of each table, by its name in AWS."""
    dead_letters: Sequence[DeadLetter]
    dead_letter_queues: Mapping[str, str]
    """The dead-letter queue of each queue. One that a route reads is left out."""


def read_dead_letters(client: "SQSClient", queues: Iterable[str]) -> Sequence[DeadLetter]:
    """Read and delete all messages of queues, which are named as in AWS."""
    return [letter for queue in queues for letter in _read_queue(client, queue)]


def _read_queue(client: "SQSClient", queue: str) -> Iterator[DeadLetter]:
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    while True:
        response = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_RECEIVE_COUNT,
            MessageAttributeNames=[ATTRIBUTE],
            VisibilityTimeout=3600,
        )
        messages = response.get("Messages")
        if not messages:
            return
        for message in messages:
            attribute = message.get("MessageAttributes", {}).get(ATTRIBUTE)
            fields = json.loads(attribute["StringValue"]) if attribute else {}
            known = {name: fields.get(name, "") for name in ("message_id", "code", "reason")}
            yield DeadLetter(queue, message["Body"], **known)
            # A FIFO queue returns no further messages of a group while one of them is in flight.
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def evaluate(
    sent: Mapping[str, Sample],
    state: DemoState,
    others: Sequence[SampleResult] = (),
) -> DemoResult:
    """Compare the outcome of each message, by its id, with the expected one; `others` are results
    that are known.
    """
    samples = tuple(sent.values())
    results = [result_of(id_, sample, state, samples) for id_, sample in sent.items()]
    return DemoResult([*results, *others], state.tables, state.dead_letters)


def find_unseen(sent: Mapping[str, Sample], log: MessageLog) -> set[str]:
    """Return the queues with messages of which a log says nothing; `sent` has all messages by their
    ids.
    """
    silent = Counter(sample.queue for id_, sample in sent.items() if id_ not in log.lines)
    return {queue for queue, number in silent.items() if log.written.get(queue, 0) < number}


def without_retried(
    sent: Mapping[str, Sample],
    log: MessageLog,
    left: Mapping[str, int],
) -> MessageLog:
    """Return a log without its last lines about messages that were written when they were delivered
    again.

    That is so if nothing is left on their queue, and the log counts as many written messages.
    """
    retried = set()
    for id_, line in log.lines.items():
        sample = sent.get(id_)
        if sample is None or line["outcome"] != "retry" or sample.outcome == "retry":
            continue
        if not left[sample.queue]:
            retried.add(id_)
    # Without their lines, the messages of a queue may be more than the log counts as written.
    unseen = find_unseen(sent, _without(log, retried))
    return _without(log, {id_ for id_ in retried if sent[id_].queue not in unseen})


def _without(log: MessageLog, ids: Collection[str]) -> MessageLog:
    lines = {id_: line for id_, line in log.lines.items() if id_ not in ids}
    return MessageLog(lines, log.written)


def result_of(
    id_: str,
    sample: Sample,
    state: DemoState,
    samples: Sequence[Sample],
) -> SampleResult:
    """Return the result of a message by its id; `samples` are all that were sent together."""
    line = state.log.lines.get(id_)
    if line:
        result = _result_of_line(id_, line, sample, state, samples)
    else:
        result = _result_without(sample, state, samples)
    if sample.fault:
        return structs.replace(result, reason=sample.fault, expected=False)
    return result


def _result_of_line(
    id_: str,
    line: LogLine,
    sample: Sample,
    state: DemoState,
    samples: Sequence[Sample],
) -> SampleResult:
    outcome = line["outcome"]
    missing_letter = _missing_dead_letter(id_, sample, state)
    if outcome == "rejected" and missing_letter:
        return SampleResult(sample, outcome, missing_letter, expected=False)
    reason = f"{line['code']} {line['reason']}"
    return SampleResult(sample, outcome, reason, _is_expected(sample, outcome, samples))


def _result_without(sample: Sample, state: DemoState, samples: Sequence[Sample]) -> SampleResult:
    """Return the result of a message that the log has no line about: it was written, or that is not
    known.
    """
    left = state.left[sample.queue]
    if sample.queue in state.unseen:
        if left and not state.log.written.get(sample.queue, 0):
            return SampleResult(sample, "retry", "it is still on its queue", expected=False)
        reason = "the log does not say what became of it"
        return SampleResult(sample, UNKNOWN, reason, expected=False)
    missing = [each.table for each in sample.items if not _is_stored(each, state, samples)]
    reason = ""
    if missing:
        reason = f"its item is not in {', '.join(missing)}"
    elif left:
        reason = "its queue is not empty"
    is_expected = sample.outcome == WRITTEN.kind and not reason
    return SampleResult(sample, WRITTEN.kind, reason, is_expected)


def _is_expected(sample: Sample, outcome: str, samples: Sequence[Sample]) -> bool:
    """Return whether a message has the outcome that it should have.

    That another message wrote its item makes it a duplicate or stale, by the conditions that the
    config has for that.
    """
    if outcome not in ("duplicate", "stale") or sample.outcome != "written":
        return outcome == sample.outcome and not sample.unexpected
    own = set(sample.identities)
    return any(own & set(other.identities) for other in samples if other is not sample)


def _missing_dead_letter(message_id: str, sample: Sample, state: DemoState) -> str:
    """Return the sentence for a rejected message whose dead letter is missing, or ""."""
    queue = state.dead_letter_queues.get(sample.queue, "")
    if not queue:
        return ""
    for letter in state.dead_letters:
        if letter.queue == queue and letter.is_of(sample.message_id or message_id, sample.body):
            return ""
    return f"its dead letter is not in {queue}"


def _is_stored(expected: Expected, state: DemoState, samples: Sequence[Sample]) -> bool:
    """Return whether an item is stored as one of its messages writes it, since their order is not
    known.
    """
    stored = state.tables[table_name(expected.table)]
    for sample in samples:
        for each in sample.items:
            wanted = each.attributes.items()
            if each.identity == expected.identity and any(
                wanted <= item.items() for item in stored
            ):
                return True
    return False

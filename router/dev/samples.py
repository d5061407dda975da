"""Sample messages of a demo: the outcome that the engine plans for each, and the observed one."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from router.aws.references import table_name
from router.config import spec
from router.dev.records import META, make_record, record_with, wrap_text
from router.dev.run_tests import plan_record, run_test
from router.engine.attributes import decode_item, identify
from router.engine.identity import ATTRIBUTE
from router.engine.writes import Write
from router.model import WRITTEN, Item, Record
from router.program.load import Program

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_OTHER_META: Mapping[str, str] = {name: f"{value}1" for name, value in META.items()}


class Expected(Struct, frozen=True):
    """An item that a table is expected to contain: its identity, and the attributes that do not depend on delivery."""

    table: str
    identity: tuple[str, ...]
    attributes: Item


class Sample(Struct, frozen=True):
    """A message to send: its queue's name in the config, a name for it, and its expected outcome."""

    queue: str
    name: str
    body: str
    attributes: Mapping[str, Any]
    """Its message attributes, as parameters of SendMessage."""
    outcome: str
    items: tuple[Expected, ...]
    fault: str = ""
    """Why its test fails without AWS."""
    identities: tuple[tuple[str, ...], ...] = ()
    """What it writes if that depends on what is stored: items, and idempotency keys."""
    unexpected: bool = False
    """Whether no test expects its outcome, which is none that a message should have."""
    message_id: str = ""
    """Its message id in its attribute `router`, if it has one."""


def from_tests(program: Program, env: Mapping[str, str] | None = None) -> list[Sample]:
    """Return the messages of the config's tests whose `env` is this one, and that do not depend on stored items."""
    samples = []
    for name, route in program.config.routes.items():
        settings = program.config.queues.get(route.queue) or spec.Queue()
        for index, test in enumerate(route.tests):
            if test.env != (env or {}) or test.is_stateful:
                continue
            verdict = run_test(program, name, test, index)
            record = make_record(test, settings, program.plugins.envelopes, program.folder)
            sample = _sample(program, route.queue, f"{name}: {verdict.name}", record)
            fault = "" if verdict.passed else f"router test: {', '.join(each.what for each in verdict.differences)}"
            samples.append(structs.replace(sample, fault=fault))
    return samples


def environments(program: Program) -> list[Mapping[str, str]]:
    """Return each distinct `env` of the tests, the empty one first."""
    found: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    for route in program.config.routes.values():
        for test in route.tests:
            found.setdefault(tuple(sorted(test.env.items())), test.env)
    return [found[key] for key in sorted(found, key=bool)]


def from_lines(program: Program, queue: str, lines: Iterable[str]) -> list[Sample]:
    """Return the messages of JSON lines, wrapped in the queue's envelopes, with the outcomes that the engine plans.

    That it plans to reject or retry a message does not make this the outcome that the message should have.
    """
    settings = program.config.queues.get(queue) or spec.Queue()
    samples = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            body = wrap_text(line.strip(), settings, program.plugins.envelopes)
            sample = _sample(program, queue, f"line {number}", record_with(body))
            samples.append(structs.replace(sample, unexpected=sample.outcome in ("rejected", "retry")))
    return samples


def _sample(program: Program, queue: str, name: str, record: Record) -> Sample:
    planned = plan_record(program, queue, record)
    other = plan_record(program, queue, structs.replace(record, message_id="other", attributes=_OTHER_META))
    items = []
    for write, twin in zip(planned.writes, other.writes, strict=False):
        item, changed = decode_item(write.item), decode_item(twin.item)
        # Attributes that differ between two deliveries of one message (sent_at …) are not comparable.
        same = {name: value for name, value in item.items() if changed.get(name) == value}
        # The result of a conditional write or of an update depends on the stored item.
        if write.mode.stores == "item" and write.call is None:
            items.append(Expected(write.table.name, write.identity, same))
    outcome = (planned.outcome or WRITTEN).kind
    identities = tuple(each for write in planned.writes for each in _conditional(write))
    return Sample(queue, name, record.body, record.message_attributes, outcome, tuple(items), identities=identities)


def _conditional(write: Write) -> Iterator[tuple[str, ...]]:
    """Yield what identifies the items that a write may find: that with a condition, and an idempotency key."""
    if write.call is not None:
        yield write.identity
    if write.idempotency_key is not None:
        once = write.idempotency_key
        yield identify(once.table.name, once.table.key, once.call["Item"])


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
    messages on each queue, by its name in the config, besides those that are expected to stay there.
    `dead_letter_queues` has the dead-letter queues that no route reads, by the name of their source queue.
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


def evaluate(sent: Mapping[str, Sample], state: DemoState, others: Sequence[SampleResult] = ()) -> DemoResult:
    """Compare the outcome of each message, by its id, with the expected one; `others` are results that are known."""
    samples = tuple(sent.values())
    results = tuple(result_of(id_, sample, state, samples) for id_, sample in sent.items())
    return DemoResult((*results, *others), state.tables, state.dead_letters)


def result_of(id_: str, sample: Sample, state: DemoState, samples: Sequence[Sample]) -> SampleResult:
    """Return the result of a message by its id; `samples` are all that were sent together."""
    line = state.log.get(id_)
    if sample.fault:
        return SampleResult(sample, line["outcome"] if line else "written", sample.fault, expected=False)
    missing_letter = _missing_dead_letter(id_, sample, state)
    if line and line["outcome"] == "rejected" and missing_letter:
        return SampleResult(sample, "rejected", missing_letter, expected=False)
    if line:
        reason = f"{line['code']} {line['reason']}"
        return SampleResult(sample, line["outcome"], reason, _is_expected(sample, line["outcome"], samples))
    if state.left[sample.queue]:
        return SampleResult(sample, "retry", "it is still on its queue", expected=False)
    missing = [each.table for each in sample.items if not _is_stored(each.identity, each.table, state, samples)]
    reason = f"its item is not in {', '.join(missing)}" if missing else ""
    return SampleResult(sample, "written", reason, expected=sample.outcome == "written" and not missing)


def _is_expected(sample: Sample, outcome: str, samples: Sequence[Sample]) -> bool:
    """Return whether a message has the outcome that it should have.

    That another message wrote its item makes it a duplicate or stale, by the conditions that the config has for that.
    """
    if outcome in ("duplicate", "stale") and sample.outcome == "written":
        others = {each for other in samples if other is not sample for each in other.identities}
        return any(each in others for each in sample.identities)
    return outcome == sample.outcome and not sample.unexpected


def _missing_dead_letter(message_id: str, sample: Sample, state: DemoState) -> str:
    """Return the sentence for a rejected message whose dead letter is missing, or ""."""
    message_id = sample.message_id or message_id
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

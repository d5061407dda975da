"""Tests with stored items or several messages, for a demo: each by itself, on tables that hold its
items only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from router.model import WRITTEN, AttributeValue, Item, Record, Table
from router.runtime.config import spec
from router.runtime.deliver.dead_letters import MAX_ATTRIBUTES, describe_failure
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.identity import ATTRIBUTE
from router.runtime.program.load import Program
from router.runtime.program.route_tests import Identity, StoredTypes
from router.tools.dev.compare import Observed, to_json
from router.tools.dev.demo_results import DemoState, SampleResult, result_of
from router.tools.dev.emulator import replace_items, scan_table
from router.tools.dev.records import records_of
from router.tools.dev.run_tests import observe_records, run_test
from router.tools.dev.samples import Sample, fault_of
from router.tools.dev.stateful import StoredTable, is_stateful, tables_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_DEPENDS = "its outcome depends on 'id', 'group' or 'sent_at', which SQS sets unless the queue has a 'dead_letter'"


GivenItems = Sequence[tuple[Table, Sequence[dict[str, AttributeValue]]]]
"""The items that each table holds at the beginning, in DynamoDB's JSON."""


class SampleTest(Struct, frozen=True):
    """A test to send."""

    samples: Sequence[Sample]
    given: GivenItems
    """The items that the tables hold before it."""
    table: StoredTable
    """The table of its route."""
    expected: Mapping[Identity, Item]
    """The attributes of the items afterwards that do not depend on delivery."""
    count: int | None
    """The number of items afterwards, None if the key of one depends on delivery."""


class DemoRound(Struct, frozen=True):
    """The messages of tests with the same environment, for one embedded AWS."""

    env: Mapping[str, str]
    """Its additional variables."""
    program: Program
    samples: Sequence[Sample]
    tests: Sequence[SampleTest]

    @property
    def count(self) -> int:
        """The number of its messages."""
        return len(self.samples) + sum(len(test.samples) for test in self.tests)


class SentTest(Struct, frozen=True):
    """A test that was sent."""

    test: SampleTest
    ids: Sequence[str]
    """The ids of its messages."""
    stored: Sequence[Item]
    """The items of its table afterwards."""


def sample_tests(program: Program, env: Mapping[str, str]) -> list[SampleTest]:
    """Return the tests whose `env` is this one, and that depend on stored items."""
    tests = []
    for name, route in program.config.routes.items():
        for index, test in enumerate(route.tests):
            if is_stateful(test) and test.env == env:
                tests.append(_sample_test(program, name, test, index))
    return tests


def _sample_test(
    program: Program,
    route: str,
    test: spec.Test,
    index: int,
) -> SampleTest:
    queue = program.engine.queues[program.config.routes[route].queue]
    records = records_of(program, route, test)
    verdict = run_test(program, route, test, index)
    observed = observe_records(program, route, test, records)
    reported = [_reported(queue, *each) for each in enumerate(records)]
    delivered = observe_records(program, route, test, reported)
    fault = fault_of(verdict)
    if not fault and _kinds(observed) != _kinds(delivered):
        fault = _DEPENDS
    samples = []
    for number, (record, outcome) in enumerate(zip(records, observed.outcomes, strict=True)):
        suffix = f" [{number}]" if test.messages else ""
        name = f"{route}: {verdict.name}{suffix}"
        sample = _sample(queue, record, name, outcome.kind, fault)
        samples.append(structs.replace(sample, traceback=verdict.traceback))
    table = StoredTable(program, route)
    first = table.by_identity(observed.stored or ())
    second = table.by_identity(delivered.stored or ())
    expected = {}
    for identity, item in first.items():
        if identity in second:
            other = second[identity]
            expected[identity] = {
                name: value for name, value in item.items() if other.get(name) == value
            }
    count = len(first) if first.keys() == second.keys() else None
    return SampleTest(samples, _given(program, test), table, expected, count)


def _kinds(observed: Observed) -> list[str]:
    return [outcome.kind for outcome in observed.outcomes]


def _given(program: Program, test: spec.Test) -> GivenItems:
    tables = tables_of(program)
    types = StoredTypes(program.config, tables)
    given = []
    for name, table in tables.items():
        items = [types.encode(name, item) for item in test.given.get(name, ())]
        given.append((table, items))
    return given


def _keeps_identity(queue: CompiledQueue, record: Record) -> bool:
    return bool(queue.dead_letter) and len(record.message_attributes) < MAX_ATTRIBUTES


def _sample(
    queue: CompiledQueue,
    record: Record,
    name: str,
    outcome: str,
    fault: str,
) -> Sample:
    sample = Sample(queue.name, name, record.body, record.message_attributes, outcome, (), fault)
    if not _keeps_identity(queue, record):
        return sample
    # A message that was redriven has its original id and times: this one has those of its test.
    failed = msgspec.json.encode(describe_failure(queue, record, WRITTEN)).decode()
    attribute = {"DataType": "String", "StringValue": failed}
    attributes = {**record.message_attributes, ATTRIBUTE: attribute}
    return structs.replace(sample, attributes=attributes, message_id=record.message_id)


def _reported(queue: CompiledQueue, number: int, record: Record) -> Record:
    """Return a record as it may be received: with other values where SQS has its own."""
    system = dict(record.attributes)
    system.pop("SequenceNumber", None)
    system["SenderId"] = "other"
    if _keeps_identity(queue, record):
        return structs.replace(record, attributes=system)
    system |= {
        "SentTimestamp": str(number),
        "ApproximateFirstReceiveTimestamp": str(number),
        "MessageGroupId": "other",
        "MessageDeduplicationId": f"other-{number}",
    }
    return structs.replace(record, message_id=f"other-{number}", attributes=system)


def run_tests(
    tests: Sequence[SampleTest],
    client: "DynamoDBClient",
    deliver: Callable[[Sample], str],
) -> Iterator[SentTest]:
    """Run each test; `deliver` sends a message, waits until it is delivered, and returns its id."""
    for test in tests:
        for table, items in test.given:
            replace_items(client, table, items)
        ids = [deliver(sample) for sample in test.samples]
        yield SentTest(test, ids, scan_table(client, test.table.name))
    for table, _ in tests[0].given if tests else ():
        replace_items(client, table, ())


def evaluate_test(sent: SentTest, state: DemoState) -> Iterator[SampleResult]:
    """Yield the result of each message; that of the last one includes the table."""
    samples = sent.test.samples
    for id_, sample in zip(sent.ids, samples, strict=True):
        result = result_of(id_, sample, state, ())
        if sample is samples[-1] and result.expected:
            wrong = _wrong_items(sent)
            if wrong:
                result = structs.replace(result, reason=wrong, expected=False)
        yield result


def _wrong_items(sent: SentTest) -> str:
    """Return what is wrong with the items of the table, or ""."""
    found = sent.test.table.by_identity(sent.stored)
    for identity, item in sent.test.expected.items():
        key = ", ".join(identity[1:])
        other = found.get(identity)
        if other is None:
            return f"the table has no item {key}"
        for name, value in item.items():
            if other.get(name) != value:
                return f"the item {key} has the '{name}' {to_json(other.get(name))}"
    count = sent.test.count
    if count not in (None, len(found)):
        return f"the table has {len(found)} items, not {count}"
    return ""

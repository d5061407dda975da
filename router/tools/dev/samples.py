"""Sample messages of a demo, and the outcome that the engine plans for each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.model import WRITTEN, Item, Record
from router.runtime.engine.attributes import identify
from router.runtime.engine.engine import plan
from router.runtime.engine.writes import Write
from router.runtime.program.load import Program
from router.runtime.program.route_tests import Identity
from router.tools.dev.plugin_errors import watching
from router.tools.dev.records import META, records_of, wrapped_record
from router.tools.dev.run_tests import Verdict, run_test
from router.tools.dev.starting import start_plugins
from router.tools.dev.stateful import is_stateful
from router.tools.memory.decoding import decode_item

_OTHER_META: Mapping[str, str] = {name: f"{value}1" for name, value in META.items()}


class Expected(Struct, frozen=True):
    """An item that a table is expected to contain: its identity, and the attributes that do not
    depend on delivery.
    """

    table: str
    identity: Identity
    attributes: Item


class Sample(Struct, frozen=True):
    """A message to send: its queue's name in the config, a name for it, and its expected outcome."""

    queue: str
    name: str
    body: str
    attributes: Mapping[str, Any]
    """Its message attributes, as parameters of SendMessage."""
    outcome: str
    items: Sequence[Expected]
    fault: str = ""
    """Why its test fails without AWS."""
    identities: Sequence[Identity] = ()
    """What it writes if that depends on what is stored: items, and idempotency keys."""
    unexpected: bool = False
    """Whether no test expects its outcome, which is none that a message should have."""
    message_id: str = ""
    """Its message id in its attribute `router`, if it has one."""
    traceback: str = ""
    """What plugins raise for it; "" if they raise nothing."""


def from_tests(program: Program, env: Mapping[str, str] | None = None) -> list[Sample]:
    """Return the messages of the config's tests whose `env` is this one, and that do not depend on
    stored items.
    """
    samples = []
    for name, route in program.config.routes.items():
        for index, test in enumerate(route.tests):
            if test.env != (env or {}) or is_stateful(test):
                continue
            verdict = run_test(program, name, test, index)
            record = records_of(program, name, test)[0]
            sample = _sample(program, route.queue, f"{name}: {verdict.name}", record)
            samples.append(structs.replace(sample, fault=fault_of(verdict)))
    return samples


def fault_of(verdict: Verdict) -> str:
    """Return why a test fails without AWS; "" if it passes."""
    return "" if verdict.passed else f"router test: {verdict.subjects}"


def environments(program: Program) -> list[Mapping[str, str]]:
    """Return each distinct `env` of the tests, the empty one first."""
    found: list[Mapping[str, str]] = []
    for route in program.config.routes.values():
        for test in route.tests:
            if test.env not in found:
                found.append(test.env)
    return sorted(found, key=bool)


def from_lines(program: Program, queue: str, lines: Iterable[str]) -> list[Sample]:
    """Return the messages of JSON lines, wrapped in the queue's envelopes, with the outcomes that
    the engine plans.

    That it plans to reject or retry a message does not make this the outcome that the message
    should have.
    """
    samples = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            record = wrapped_record(program, queue, line.strip())
            sample = _sample(program, queue, f"line {number}", record)
            failed = sample.outcome in ("rejected", "retry")
            samples.append(structs.replace(sample, unexpected=failed))
    return samples


def _sample(
    program: Program,
    queue: str,
    name: str,
    record: Record,
) -> Sample:
    compiled = program.engine.queues[queue]
    start_plugins(program)
    raised: list[str] = []
    planned = plan(compiled, record, watching(raised))
    # Attributes that differ between two deliveries of one message (sent_at …) are not comparable.
    other = plan(compiled, structs.replace(record, message_id="other", attributes=_OTHER_META))
    items = []
    identities: list[Identity] = []
    for write, twin in zip(planned.writes, other.writes, strict=False):
        # The result of a conditional write or of an update depends on the stored item.
        if write.mode.stores == "item" and write.call is None:
            first, second = decode_item(write.item), decode_item(twin.item)
            same = {name: value for name, value in first.items() if second.get(name) == value}
            items.append(Expected(write.table.name, write.identity, same))
    for write in planned.writes:
        identities += _conditional(write)
    return Sample(
        queue,
        name,
        record.body,
        record.message_attributes,
        (planned.outcome or WRITTEN).kind,
        items,
        identities=identities,
        traceback="\n".join(raised),
    )


def _conditional(write: Write) -> Iterator[Identity]:
    """Yield what identifies the items that a write may find: that with a condition, and an
    idempotency key.
    """
    if write.call is not None:
        yield write.identity
    if write.idempotency_key is not None:
        once = write.idempotency_key
        yield identify(once.table.name, once.table.key, once.call["Item"])


def stays(sample: Sample, dead_letters: Mapping[str, str]) -> bool:
    """Return whether a message is expected to remain on its queue."""
    if sample.outcome == "rejected":
        return not dead_letters[sample.queue]
    return sample.outcome == "retry"

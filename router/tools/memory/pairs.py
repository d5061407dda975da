"""Runs a message alone, or two in both orders, on tables in memory: what the second write makes of
the item.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from router.model import WRITTEN, Outcome, Record
from router.runtime.engine.decode import decode_plain
from router.runtime.engine.engine import plan
from router.runtime.engine.writes import PlannedMessage, StoredItem
from router.runtime.program.load import Program
from router.tools.memory.deliveries import write_together
from router.tools.memory.tables import MemoryTables

Identity = tuple[str, ...]
"""What identifies an item: its table and its key."""
Items = Mapping[Identity, StoredItem]
"""Items in DynamoDB's JSON, those that are there."""


class PairMessage(Struct, frozen=True):
    """A message of a pair: the JSON text that its queue's envelopes hold, and what SQS tells of it.

    Without a `route` every route of the queue takes it; with one, only the writes of this are made.
    """

    queue: str
    text: str
    route: str = ""
    message_id: str = "first"
    system: Mapping[str, str] = {}
    attributes: Mapping[str, Mapping[str, Any]] = {}


class OrderedRun(Struct, frozen=True):
    """What became of two messages that were delivered one after the other.

    `before` are the items after the first of them, and `after` those after both.
    """

    outcomes: tuple[Outcome, Outcome]
    before: Items
    after: Items


class PairRun(Struct, frozen=True):
    """Both orders of two messages; `shared` are the items that both write."""

    shared: tuple[Identity, ...]
    first_then_second: OrderedRun
    second_then_first: OrderedRun


def run_alone(program: Program, message: PairMessage) -> tuple[Outcome, Items]:
    """Run a message through the routes of a config on empty tables; return its items, too."""
    run = (message.queue, plan_alone(program, message))
    tables = MemoryTables.of(program)
    return _write(program, run, tables), _items(tables, (run,))


def run_pair(program: Program, first: PairMessage, second: PairMessage) -> PairRun:
    """Run two messages through the routes of a config in both orders, each on empty tables."""
    planned = plan_alone(program, first)
    other = plan_alone(program, second)
    written = {write.identity for write in other.writes}
    shared = [write.identity for write in planned.writes if write.identity in written]
    return PairRun(
        tuple(dict.fromkeys(shared)),
        _run(program, (first.queue, planned), (second.queue, other)),
        _run(program, (second.queue, other), (first.queue, planned)),
    )


def plan_alone(program: Program, message: PairMessage) -> PlannedMessage:
    """Return a message as planned, with the writes of its route only."""
    record = Record(message.message_id, "", message.text, message.system, message.attributes)
    queue = structs.replace(program.queue(message.queue), decode=decode_plain)
    planned = plan(queue, record)
    if not message.route:
        return planned
    writes = [write for write in planned.writes if write.route == message.route]
    return structs.replace(planned, writes=writes)


def _run(program: Program, *messages: tuple[str, PlannedMessage]) -> OrderedRun:
    tables = MemoryTables.of(program)
    outcomes = []
    items: list[Items] = []
    for message in messages:
        outcomes.append(_write(program, message, tables))
        items.append(_items(tables, messages))
    return OrderedRun((outcomes[0], outcomes[1]), items[0], items[1])


def _write(program: Program, message: tuple[str, PlannedMessage], tables: MemoryTables) -> Outcome:
    queue, planned = message
    if not planned.writes:
        return planned.outcome or WRITTEN
    return write_together([planned], tables, program.queue(queue).atomic)[planned]


def _items(tables: MemoryTables, messages: tuple[tuple[str, PlannedMessage], ...]) -> Items:
    found: dict[Identity, StoredItem] = {}
    for _, planned in messages:
        for write in planned.writes:
            item = tables.get(write.table.name, write.item)
            if item is not None:
                found[write.identity] = item
    return found

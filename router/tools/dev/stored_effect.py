"""What a message makes of the items that earlier messages stored, on tables in memory."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import UNSET, Struct

from router.model import Item, Outcome, Record
from router.runtime.engine.engine import plan
from router.runtime.engine.writes import PlannedMessage, Write, same_value
from router.runtime.program.load import Program
from router.tools.dev.compare import to_json
from router.tools.dev.records import numbered
from router.tools.memory.decoding import decode_item
from router.tools.memory.deliveries import write_together
from router.tools.memory.tables import MemoryTables, StoredItem


class AttributeChange(Struct, frozen=True, omit_defaults=True):
    """An attribute that differs; UNSET where the item does not have it."""

    attribute: str
    before: Any = UNSET
    after: Any = UNSET


class ItemChange(Struct, frozen=True):
    """What a message makes of an item; None is no item."""

    table: str
    routes: Sequence[str]
    key: Item
    before: Item | None
    after: Item | None
    changes: Sequence[AttributeChange]


class StoredEffect(Struct, frozen=True):
    """What becomes of a message after others, whose outcomes are `earlier`."""

    earlier: Sequence[Outcome]
    outcome: Outcome
    items: Sequence[ItemChange]

    def of_route(self, route: str | None) -> list[ItemChange]:
        """Return the items that a route writes, or all for None."""
        return [each for each in self.items if route is None or route in each.routes]


def show_stored(value: Any) -> str:
    """Return an item or a value of an attribute as text."""
    return "none" if value is None or value is UNSET else to_json(value)


def effect_after(
    program: Program, earlier: Sequence[tuple[str, Record]], queue: str, record: Record
) -> StoredEffect:
    """Write earlier messages, each with its queue, then one more."""
    tables = MemoryTables.of(program)
    outcomes = []
    for number, (name, each) in enumerate(earlier, 1):
        planned = plan(program.engine.queues[name], numbered(each, number))
        outcomes.append(_write(program, name, planned, tables))
    planned = plan(program.engine.queues[queue], record)
    by_item: dict[object, list[Write]] = {}
    for write in planned.writes:
        by_item.setdefault(write.identity, []).append(write)
    before = [_stored(tables, writes[0]) for writes in by_item.values()]
    outcome = _write(program, queue, planned, tables)
    items = [
        _change(writes, was, _stored(tables, writes[0]))
        for writes, was in zip(by_item.values(), before, strict=True)
    ]
    return StoredEffect(outcomes, outcome, items)


def _write(program: Program, queue: str, planned: PlannedMessage, tables: MemoryTables) -> Outcome:
    return write_together([planned], tables, program.engine.queues[queue].atomic)[planned]


def _key(write: Write) -> StoredItem:
    return {name: write.item[name] for name, _ in write.table.key}


def _stored(tables: MemoryTables, write: Write) -> StoredItem | None:
    return tables.get(write.table.name, _key(write))


def _change(
    writes: Sequence[Write], before: StoredItem | None, after: StoredItem | None
) -> ItemChange:
    return ItemChange(
        writes[0].table.name,
        [*dict.fromkeys(write.route for write in writes)],
        decode_item(_key(writes[0])),
        None if before is None else decode_item(before),
        None if after is None else decode_item(after),
        [*_changes(before or {}, after or {})],
    )


def _changes(before: StoredItem, after: StoredItem) -> Iterator[AttributeChange]:
    one, other = decode_item(before), decode_item(after)
    for name in {**before, **after}:
        if name in one and name in other and same_value(before[name], after[name]):
            continue
        yield AttributeChange(name, one.get(name, UNSET), other.get(name, UNSET))

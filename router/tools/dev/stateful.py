"""Tests that start from stored items or have several messages: writes to tables in memory, and what
these hold then.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.model import Item, Table
from router.runtime.config import spec
from router.runtime.program.load import Program
from router.runtime.program.route_tests import Identity, StoredTypes
from router.tools.dev.compare import NO_ITEM, Difference, compare_item, within
from router.tools.memory.tables import MemoryTables


def is_stateful(test: spec.Test) -> bool:
    """Whether what the tables hold decides about a test."""
    return (
        bool(test.given or test.messages)
        or test.table is not None
        or test.outcome in ("duplicate", "stale")
    )


class StoredTable:
    """The table of a route, as its tests see it: items by what identifies them."""

    def __init__(self, program: Program, route: str) -> None:
        self._name = program.config.routes[route].table
        self._tables = tables_of(program)
        self._types = StoredTypes(program.config, self._tables)

    @property
    def name(self) -> str:
        """Its name in AWS."""
        return self._tables[self._name].name

    def by_identity(self, items: Iterable[Item]) -> dict[Identity, Item]:
        """Return items of a test, or stored ones, by what identifies them."""
        return {self._types.identify(self._name, item): item for item in items}

    def compare(self, test: spec.Test, stored: Sequence[Item]) -> tuple[Difference, ...]:
        """Return the differences between what the table is expected to hold and what it holds."""
        if test.table is None:
            return ()
        found = self.by_identity(stored)
        expected, whole = expected_items(test.table)
        differences: list[Difference] = []
        wanted = self.by_identity(expected)
        for identity, item in wanted.items():
            differences += _compare(identity, item, found.get(identity), whole)
        extra = [each for each in found if whole and each not in wanted]
        if not isinstance(test.table, tuple):
            absent = self.by_identity(test.table.absent)
            extra += [each for each in absent if each in found]
        differences += [Difference(_subject(each), NO_ITEM, found[each]) for each in extra]
        return tuple(differences)


def expected_items(
    table: tuple[dict[str, Any], ...] | spec.StoredItems,
) -> tuple[Sequence[Item], bool]:
    """Return the items that a test expects in its table, and whether they are all, with all their
    attributes.
    """
    if isinstance(table, tuple):
        return table, True
    return (table.contains, False) if table.items is None else (table.items, True)


def _compare(
    identity: Identity,
    expected: Item,
    found: Item | None,
    whole: bool,
) -> list[Difference]:
    subject = _subject(identity)
    if found is None:
        return [Difference(subject, expected, NO_ITEM)]
    return within(f"{subject}.", compare_item(expected, found, whole))


def _subject(identity: Identity) -> str:
    return f"table[{', '.join(identity[1:])}]"


def tables_of(program: Program) -> dict[str, Table]:
    """Return the tables of a config by their names in it."""
    tables = program.config.tables.items()
    return {name: Table(table.name or name, tuple(table.key.items())) for name, table in tables}


def given_tables(
    program: Program,
    given: Mapping[str, Sequence[Item]],
) -> MemoryTables:
    """Return tables in memory that hold the items that a test gives, by table."""
    tables, by_name = MemoryTables.of(program), tables_of(program)
    types = StoredTypes(program.config, by_name)
    for name, items in given.items():
        for item in items:
            tables.write("Put", {"TableName": by_name[name].name, "Item": types.encode(name, item)})
    return tables

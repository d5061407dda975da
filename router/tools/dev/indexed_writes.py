"""Which indexes the items of a message are in."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from router.runtime.config.spec import TableIndex
from router.runtime.engine.writes import Write
from router.runtime.program.load import Program
from router.tools.memory.indexes import index_fault, lacking


class IndexedWrite(Struct, frozen=True):
    """What becomes of an item in an index of its table: `enters` is None if it depends on what is stored.

    `why` is the reason if it is not in the index, or `refused` for it.
    """

    route: str
    table: str
    index: str
    key: Sequence[str]
    enters: bool | None
    refused: bool = False
    why: str = ""

    @property
    def in_words(self) -> str:
        """A sentence about the index."""
        key = ", ".join(self.key)
        if self.refused:
            return f"refused for index {self.index} ({key}): {self.why}"
        verb = {True: "in", False: "not in", None: "perhaps in"}[self.enters]
        return f"{verb} index {self.index} ({key})" + (self.why and f": {self.why}")


def indexes_of(program: Program, writes: Sequence[Write]) -> Iterator[IndexedWrite]:
    """Yield what becomes of each item that is stored in each index of its table."""
    names, tables = program.tables_by_reference, program.config.tables
    for write in writes:
        if write.mode.stores == "nothing":
            continue
        for name, index in tables[names[write.table.name]].indexes.items():
            yield _entry(write, name, index)


def _entry(write: Write, name: str, index: TableIndex) -> IndexedWrite:
    fault = index_fault(write.item, index)
    missing = lacking(write.item, index)
    enters: bool | None = not (fault or missing)
    why = fault
    if missing and not fault:
        why = f"without {', '.join(missing)}"
        if write.mode.stores == "attributes":
            enters, why = None, f"it depends on the stored {', '.join(missing)}"
    return IndexedWrite(write.route, write.table.name, name, [*index.key], enters, bool(fault), why)

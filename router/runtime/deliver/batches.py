"""The batches of writes that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from router.errors import Rejection
from router.model import Table
from router.runtime.aws.protocols import (
    UNREADABLE_ERRORS,
    NonBlockingTables,
    PendingWrite,
    Request,
    Tables,
    WriteResponse,
)
from router.runtime.deliver.item_writes import Identity, ItemWrites
from router.runtime.engine.attributes import identify
from router.runtime.engine.writes import PlannedMessage, Write

T = TypeVar("T")

UNIT_BYTES = 1024
"""One write unit writes so many bytes of an item, or a part of them.

A transaction takes two units instead of one:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""
MAX_BATCH_ITEMS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024
_MAX_EXPANSION = 70
"""JSON text is at most so many times longer than what DynamoDB counts.

The worst case is a number of two digits in a set. It counts two bytes, and is written with up to
134 characters, two quotes and a comma: -1.2E-130.
"""
_SMALL = MAX_BATCH_BYTES // MAX_BATCH_ITEMS // _MAX_EXPANSION
"""Items of at most this size fit into a batch by their number alone.

They are not encoded to be measured.
"""


class _BatchWrite:
    """Plain writes of one table that one call sends."""

    __slots__ = ("writes",)

    writes: list[Write]

    def begin(self, tables: NonBlockingTables, timeout: float) -> PendingWrite:
        """Begin BatchWriteItem."""
        table = self.writes[0].table
        # As they are encoded fastest: as text if that was made already.
        requests = [write.request or write.batch_request() for write in self.writes]
        return tables.begin_batch_write(table.name, requests, timeout, table.is_measured)

    def call(self, tables: Tables, timeout: float) -> WriteResponse:
        """Call BatchWriteItem."""
        table = self.writes[0].table
        requests = [write.batch_request() for write in self.writes]
        return tables.batch_write(table.name, requests, timeout, table.is_measured)

    def _identities(self, unprocessed: Sequence[Request]) -> set[Identity]:
        """Return the items that are still to be written.

        Requests are matched by table and key, since a server may write a number in another form
        than it was sent in. If one is malformed, or is none of the batch, it is not known what was
        written: return all.
        """
        table = self.writes[0].table
        all_items = {write.identity for write in self.writes}
        again = set()
        try:
            for request in unprocessed:
                put = request.get("PutRequest")
                item = request["DeleteRequest"]["Key"] if put is None else put["Item"]
                again.add(identify(table.name, table.key, item))
        except (*UNREADABLE_ERRORS, Rejection):
            return all_items
        return again if again <= all_items else all_items


class PlainBatch(_BatchWrite):
    """Plain writes of one table that are sent in one call, each the last one of its item.

    `superseded` has the earlier messages of items, by the message whose write is sent.

    Why it is not a `Batch`: nearly all writes are plain, and nearly all succeed at once. The items
    of a `Batch` would cost a small message three calls of functions more than its 35.
    """

    __slots__ = ("messages", "superseded")

    def __init__(
        self,
        messages: Sequence[PlannedMessage],
        superseded: Mapping[PlannedMessage, list[PlannedMessage]],
    ) -> None:
        self.messages = messages
        self.superseded = superseded
        self.writes = [planned.writes[0] for planned in messages]

    def written(self, unprocessed: Sequence[Request]) -> list[PlannedMessage]:
        """Return the messages that are written if the call succeeds but for some requests."""
        written = [*self.messages]
        if unprocessed:
            again = self._identities(unprocessed)
            written = [each for each in written if each.writes[0].identity not in again]
        if self.superseded:
            for planned in self.superseded.keys() & written:
                written += self.superseded[planned]
        return written


class Batch(_BatchWrite):
    """The first steps of items of one table that are sent in one call."""

    __slots__ = ("items",)

    is_transaction = False

    def __init__(self, items: list[ItemWrites]) -> None:
        self.items = items
        self.writes = [item.writes[0] for item in items]

    def halves(self) -> "list[Batch]":
        """Return two smaller batches, to find the item that the table refuses."""
        middle = len(self.items) // 2
        return [Batch(self.items[:middle]), Batch(self.items[middle:])]

    def left_of(self, unprocessed: Sequence[Request]) -> list[ItemWrites]:
        """Return the items whose requests are unprocessed."""
        again = self._identities(unprocessed)
        return [item for item in self.items if item.writes[0].identity in again]


def count_units(write: Write) -> int:
    """Return the write units that a write takes at least, alone or in a batch."""
    return -(-write.size // UNIT_BYTES)


def pack_plain(messages: list[PlannedMessage]) -> list[PlainBatch] | None:
    """Return batches of messages that need no steps, in order; None if some need them.

    Each message makes one plain put or delete that fits into a batch by its number alone. Of the
    writes of one item the last is sent, in the place of the first.
    """
    # Nearly all messages pass here. Loops over all of them do without a call for each, which would
    # be one of 36 for a small message.
    writes = [planned.writes[0] for planned in messages if len(planned.writes) == 1]
    if len(writes) < len(messages):
        return None
    tables: dict[str, Table] = {}
    table: Table | None = None
    for write in writes:
        # A request that was made already has at most the size of an item, of which 25 fit.
        if write.call is not None or (write.request is None and write.size > _SMALL):
            return None
        if write.table is not table:
            table = write.table
            if table.write_units:
                return None
            tables[table.name] = table
    last_of = {write.identity: each for write, each in zip(writes, messages, strict=True)}
    sent = [*last_of.values()]
    superseded: dict[PlannedMessage, list[PlannedMessage]] = {}
    if len(sent) < len(messages):
        last = set(sent)
        for planned in messages:
            if planned not in last:
                replaced_by = last_of[planned.writes[0].identity]
                superseded.setdefault(replaced_by, []).append(planned)
    batches = []
    for name in tables:
        of_table = sent
        if len(tables) > 1:
            of_table = [planned for planned in sent if planned.writes[0].table.name == name]
        batches += [PlainBatch(part, superseded) for part in _by_number(of_table)]
    return batches


def pack(
    items: Iterable[ItemWrites],
    most_units: Callable[[Table], float] = lambda table: table.write_units,
) -> list[Batch]:
    """Return batches of one table each, in order.

    A batch has at most 25 items, 16 MB, and the units that a table with a budget has.
    """
    by_table: dict[str, list[ItemWrites]] = {}
    for item in items:
        by_table.setdefault(item.writes[0].table.name, []).append(item)
    batches = []
    for same in by_table.values():
        writes = [item.writes[0] for item in same]
        table = writes[0].table
        if table.write_units or max([write.size for write in writes]) > _SMALL:
            parts = _split(same, most_units(table))
        else:
            parts = _by_number(same)
        batches += [Batch(part) for part in parts]
    return batches


def _by_number(each: list[T]) -> list[list[T]]:
    """Return parts of at most 25."""
    starts = range(0, len(each), MAX_BATCH_ITEMS)
    return [each[start : start + MAX_BATCH_ITEMS] for start in starts]


def _split(items: Iterable[ItemWrites], most_units: float) -> list[list[ItemWrites]]:
    """Return items of one table in parts that fit by their number, bytes and write units."""
    parts: list[list[ItemWrites]] = []
    part: list[ItemWrites] = []
    bytes_left = units_left = 0.0
    for item in items:
        write = item.writes[0]
        # Small items are not encoded to measure them.
        is_small = write.size <= _SMALL
        size = write.size * _MAX_EXPANSION if is_small else write.request_bytes()
        units = count_units(write) if write.table.write_units else 0
        is_full = len(part) in (0, MAX_BATCH_ITEMS) or size > bytes_left
        if is_full or units > max(0, units_left):
            part = []
            parts.append(part)
            bytes_left = MAX_BATCH_BYTES
            units_left = most_units
        part.append(item)
        bytes_left -= size
        units_left -= units
    return parts

"""The batches of writes that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from msgspec import Raw

from router.errors import Rejection
from router.model import WRITTEN, Table
from router.runtime.aws.protocols import UNREADABLE_ERRORS, Request
from router.runtime.deliver.item_writes import CoalescedWrites
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


class Batch:
    """Writes of one table that are sent in one call.

    A batch has either `steps`, or `messages` whose writes need no steps. `superseded` has the
    earlier messages of the same item, by the message whose write is sent.
    """

    __slots__ = ("messages", "steps", "superseded", "table")

    def __init__(
        self,
        table: Table,
        steps: list[CoalescedWrites],
        messages: Sequence[PlannedMessage] = (),
        superseded: Mapping[PlannedMessage, list[PlannedMessage]] | None = None,
    ) -> None:
        self.table = table
        self.steps = steps
        self.messages = messages
        self.superseded = superseded or {}

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        if self.messages:
            return [planned.writes[0] for planned in self.messages]
        return [step.write for step in self.steps]

    def requests(self) -> list[Request]:
        """Return the requests of BatchWriteItem, in the order of the writes."""
        return [write.batch_request() for write in self.writes]

    def encodable_requests(self) -> list[Request | Raw]:
        """Return the requests as they are encoded fastest: as text if that was made already."""
        return [write.request or write.batch_request() for write in self.writes]

    def of_item(self, planned: PlannedMessage) -> list[PlannedMessage]:
        """Return the messages of the item of one of `messages`, in the order of receipt."""
        return [*self.superseded.get(planned, ()), planned]

    def with_steps(self, messages: Iterable[PlannedMessage]) -> "Batch":
        """Return a batch of some of the messages, with a step for each."""
        return Batch(self.table, [self._step(planned) for planned in messages])

    def halves(self) -> "tuple[Batch, Batch]":
        """Return two smaller batches, to find the item that the table refuses."""
        middle = len(self.steps) // 2
        return Batch(self.table, self.steps[:middle]), Batch(self.table, self.steps[middle:])

    def settle(self, unprocessed: Sequence[Request]) -> list[CoalescedWrites]:
        """Settle the steps that were written; return those whose requests are unprocessed."""
        again = self._identities(unprocessed)
        if again is None:
            return [*self.steps]
        left = []
        for step in self.steps:
            if step.write.identity in again:
                left.append(step)
            else:
                step.settle(WRITTEN)
        return left

    def settle_messages(self, unprocessed: Sequence[Request]) -> list[PlannedMessage]:
        """Settle the messages that were written; return those whose requests are unprocessed."""
        left: list[PlannedMessage] = []
        written = self.messages
        if unprocessed:
            again = self._identities(unprocessed)
            if again is None:
                return [*self.messages]
            left = [planned for planned in self.messages if planned.writes[0].identity in again]
            written = [planned for planned in self.messages if planned not in left]
        for planned in written:
            planned.outcome = WRITTEN
        if self.superseded:
            for planned in self.superseded.keys() & written:
                for earlier in self.superseded[planned]:
                    earlier.outcome = WRITTEN
        return left

    def _step(self, planned: PlannedMessage) -> CoalescedWrites:
        first, *later = self.of_item(planned)
        step = CoalescedWrites(first, first.writes[0])
        for each in later:
            step.add(each, each.writes[0])
        return step

    def _identities(self, requests: Iterable[Request]) -> set[tuple[str, ...]] | None:
        """Return the tables and keys of requests that were not processed.

        Requests are matched by them, since a server may write a number in another form than it was
        sent in. If one is malformed, or is none of the batch, it is not known what was written:
        return None.
        """
        identities = set()
        try:
            for request in requests:
                put = request.get("PutRequest")
                item = request["DeleteRequest"]["Key"] if put is None else put["Item"]
                identities.add(identify(self.table.name, self.table.key, item))
        except (*UNREADABLE_ERRORS, Rejection):
            return None
        if identities and not identities.issubset([write.identity for write in self.writes]):
            return None
        return identities


def count_units(write: Write) -> int:
    """Return the write units that a write takes at least, alone or in a batch."""
    return -(-write.size // UNIT_BYTES)


def pack_plain(messages: Sequence[PlannedMessage]) -> list[Batch] | None:
    """Return batches of messages that need no steps, in order; None if some need them.

    Each message makes one plain put or delete that fits into a batch by its number alone. Of the
    writes of one item the last is sent, in the place of the first.
    """
    # Nearly all messages pass here. Loops over all of them do without a call for each, which would
    # be one of 36 for a small message.
    writes = [planned.writes[0] for planned in messages if len(planned.writes) == 1]
    if len(writes) < len(messages):
        return None
    for write in writes:
        # A request that was made already has at most the size of an item, of which 25 fit.
        if write.call is not None or (write.request is None and write.size > _SMALL):
            return None
    tables = {write.table.name: write.table for write in writes}
    if any(table.write_units for table in tables.values()):
        return None
    last_of = {write.identity: each for write, each in zip(writes, messages, strict=True)}
    sent = [*last_of.values()]
    superseded = _superseded(messages, last_of) if len(sent) < len(messages) else {}
    batches = []
    for name, table in tables.items():
        of_table = sent
        if len(tables) > 1:
            of_table = [planned for planned in sent if planned.writes[0].table.name == name]
        batches += [Batch(table, [], part, superseded) for part in _by_number(of_table)]
    return batches


def _superseded(
    messages: Sequence[PlannedMessage],
    last_of: Mapping[tuple[str, ...], PlannedMessage],
) -> dict[PlannedMessage, list[PlannedMessage]]:
    """Return the earlier messages of an item, by its last message."""
    superseded: dict[PlannedMessage, list[PlannedMessage]] = {}
    # Nearly all messages are the only ones of their items.
    last = set(last_of.values())
    for planned in messages:
        if planned not in last:
            identity = planned.writes[0].identity
            superseded.setdefault(last_of[identity], []).append(planned)
    return superseded


def pack(
    steps: Iterable[CoalescedWrites],
    most_units: Callable[[Table], float] = lambda table: table.write_units,
) -> list[Batch]:
    """Return batches of one table each, in order.

    A batch has at most 25 items, 16 MB, and the units that a table with a budget has.
    """
    by_table: dict[str, list[CoalescedWrites]] = {}
    for step in steps:
        by_table.setdefault(step.write.table.name, []).append(step)
    batches = []
    for same in by_table.values():
        table = same[0].write.table
        if table.write_units or max([step.write.size for step in same]) > _SMALL:
            parts = _split(same, most_units(table))
        else:
            parts = _by_number(same)
        batches += [Batch(table, part) for part in parts]
    return batches


def _by_number(each: list[T]) -> list[list[T]]:
    """Return parts of at most 25."""
    starts = range(0, len(each), MAX_BATCH_ITEMS)
    return [each[start : start + MAX_BATCH_ITEMS] for start in starts]


def _split(steps: list[CoalescedWrites], most_units: float) -> list[list[CoalescedWrites]]:
    """Return the steps of one table in parts that fit by their number, bytes and write units."""
    parts: list[list[CoalescedWrites]] = []
    part: list[CoalescedWrites] = []
    bytes_left = units_left = 0.0
    for step in steps:
        write = step.write
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
        part.append(step)
        bytes_left -= size
        units_left -= units
    return parts

"""The batches of writes that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Raw

from router.errors import Rejection
from router.model import WRITTEN, Table
from router.runtime.aws.protocols import UNREADABLE_ERRORS
from router.runtime.deliver.lanes import Chain
from router.runtime.engine.attributes import identify
from router.runtime.engine.writes import PlannedMessage, Write

UNIT_BYTES = 1024
"""One write unit writes so many bytes of an item, or a part of them; in a transaction it takes two units:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""
MAX_BATCH_ITEMS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024
# JSON text is at most so many times longer than what DynamoDB counts: a number of two digits counts two bytes, and is
# written with up to 134 characters, two quotes and a comma (-1.2E-130 in a set); nothing else comes near. An item is
# encoded to measure it only where that could matter.
_MAX_EXPANSION = 70
_SMALL = MAX_BATCH_BYTES // MAX_BATCH_ITEMS // _MAX_EXPANSION


class Batch:
    """Writes of one table that are sent in one call: those of `chains`, or of `messages` without any.

    `superseded` has the earlier messages of the same item, by the message whose write is sent.
    """

    __slots__ = ("chains", "messages", "superseded", "table")

    def __init__(
        self,
        table: Table,
        chains: list[Chain],
        messages: Sequence[PlannedMessage] = (),
        superseded: Mapping[PlannedMessage, list[PlannedMessage]] | None = None,
    ) -> None:
        self.table = table
        self.chains = chains
        self.messages = messages
        self.superseded = superseded or {}

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return [each.writes[0] for each in self.messages] or [chain.write for chain in self.chains]

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests of BatchWriteItem, in the order of the writes."""
        return [write.batch_request() for write in self.writes]

    def encodable_requests(self) -> list[dict[str, Any] | Raw]:
        """Return the requests, those that are encoded already as their text."""
        return [write.request or write.batch_request() for write in self.writes]

    def of_item(self, planned: PlannedMessage) -> list[PlannedMessage]:
        """Return the messages of the item of one of `messages`, in the order of receipt."""
        return [*self.superseded.get(planned, ()), planned]

    def with_chains(self, messages: Iterable[PlannedMessage]) -> "Batch":
        """Return a batch of some of the messages with a chain for each."""
        return Batch(self.table, [self._chain(planned) for planned in messages])

    def halves(self) -> "tuple[Batch, Batch]":
        """Return two smaller batches, to find the item that the table refuses."""
        middle = len(self.chains) // 2
        return Batch(self.table, self.chains[:middle]), Batch(self.table, self.chains[middle:])

    def settle(self, unprocessed: Iterable[dict[str, Any]]) -> list[Chain]:
        """Settle the chains that were written; return those whose requests are unprocessed.

        Requests are matched by table and key, since a server may write a number in another form than it was sent in.
        If one is none of the batch, it is not known what was written: all are unprocessed.
        """
        again = self._identities(unprocessed)
        if again is None:
            return [*self.chains]
        left = []
        for chain in self.chains:
            if again and chain.write.identity in again:
                left.append(chain)
            else:
                chain.settle(WRITTEN)
        return left

    def settle_messages(self, unprocessed: Iterable[dict[str, Any]]) -> list[PlannedMessage]:
        """Settle the messages that were written; return those whose requests are unprocessed, as `settle` does."""
        again = self._identities(unprocessed)
        if again is None:
            return [*self.messages]
        left = [planned for planned in self.messages if planned.writes[0].identity in again] if again else []
        written = [planned for planned in self.messages if planned not in left] if left else self.messages
        for planned in written:
            planned.outcome = WRITTEN
        for planned in self.superseded.keys() & written if self.superseded else ():
            for earlier in self.superseded[planned]:
                earlier.outcome = WRITTEN
        return left

    def _chain(self, planned: PlannedMessage) -> Chain:
        first, *later = self.of_item(planned)
        chain = Chain(first, first.writes[0])
        for each in later:
            chain.add(each, each.writes[0])
        return chain

    def _identities(self, requests: Iterable[dict[str, Any]]) -> set[tuple[str, ...]] | None:
        """Return what requests identify; None if one is malformed, or none of the batch."""
        identities = set()
        try:
            for each in requests:
                item = each["PutRequest"]["Item"] if "PutRequest" in each else each["DeleteRequest"]["Key"]
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
    """Return batches of messages that need no chains, in order; None if some need them.

    Each makes one plain put or delete: of those of one item the last is sent, in the place of the first. They fit into
    batches by their number alone.
    """
    writes = [
        write
        for each in messages
        if len(each.writes) == 1
        and (write := each.writes[0]).call is None
        and (write.request is not None or write.size <= _SMALL)
    ]
    tables = {write.table.name: write.table for write in writes}
    if len(writes) < len(messages) or any(table.write_units for table in tables.values()):
        return None
    last_of = {write.identity: each for write, each in zip(writes, messages, strict=True)}
    superseded: dict[PlannedMessage, list[PlannedMessage]] = {}
    sent = [*last_of.values()]
    if len(sent) < len(messages):
        last = set(sent)
        for each in messages:
            if each not in last:
                superseded.setdefault(last_of[each.writes[0].identity], []).append(each)
    return [
        Batch(table, [], same[start : start + MAX_BATCH_ITEMS], superseded)
        for name, table in tables.items()
        for same in [sent if len(tables) == 1 else [each for each in sent if each.writes[0].table.name == name]]
        for start in range(0, len(same), MAX_BATCH_ITEMS)
    ]


def pack(
    chains: Iterable[Chain], most_units: Callable[[Table], float] = lambda table: table.write_units
) -> list[Batch]:
    """Return batches of one table each, in order: at most 25 items, 16 MB, and the units of a table with a budget."""
    by_table: dict[str, list[Chain]] = {}
    for chain in chains:
        by_table.setdefault(chain.write.table.name, []).append(chain)
    batches = []
    for same in by_table.values():
        table = same[0].write.table
        if table.write_units or max([chain.write.size for chain in same]) > _SMALL:
            parts = _split(same, most_units(table))
        else:
            parts = [same[start : start + MAX_BATCH_ITEMS] for start in range(0, len(same), MAX_BATCH_ITEMS)]
        batches += [Batch(table, part) for part in parts]
    return batches


def _split(chains: list[Chain], most_units: float) -> list[list[Chain]]:
    """Return the chains of one table in parts that fit in a batch by their number, bytes and write units."""
    parts: list[list[Chain]] = []
    room = units_left = 0.0
    for chain in chains:
        write = chain.write
        weight = write.size * _MAX_EXPANSION if write.size <= _SMALL else write.request_bytes()
        units = count_units(write) if write.table.write_units else 0
        full = not parts or len(parts[-1]) == MAX_BATCH_ITEMS
        if full or weight > room or (units and units > units_left):
            parts.append([])
            room, units_left = MAX_BATCH_BYTES, most_units
        parts[-1].append(chain)
        room -= weight
        units_left -= units
    return parts

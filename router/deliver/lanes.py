"""The order in which writes are sent, and how they are packed into the batches that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from router.codes import NOT_STARTED
from router.deliver.chain import Chain, Transaction
from router.engine.attributes import identify
from router.engine.writes import Ticket
from router.model import WRITTEN, Outcome, Table

MAX_BATCH_ITEMS = 25
MAX_BATCH_BYTES = 16 * 1024 * 1024
# JSON text is at most so many times longer than what DynamoDB counts: a number of two digits counts two bytes, and is
# written with up to 134 characters, two quotes and a comma (-1.2E-130 in a set); nothing else comes near. An item is
# encoded to measure it only where that could matter.
_MAX_EXPANSION = 70
_SMALL = MAX_BATCH_BYTES // MAX_BATCH_ITEMS // _MAX_EXPANSION

Step = Chain | Transaction
Lane = list[Step]
"""The steps of one item in order: each is sent when the one before has ended. Lanes are independent of each other."""
_TOO_EARLY = Outcome("retry", NOT_STARTED.id, "an earlier write of one of its items is still to be made")


def schedule(tickets: Iterable[Ticket], *, atomic: bool) -> Iterator[list[Lane]]:
    """Yield the lanes of all tickets without outcome, in groups to be sent one after the other."""
    still_open = [ticket for ticket in tickets if ticket.outcome is None]
    if not atomic:
        yield coalesce(still_open)
        return
    blocked: set[tuple[str, ...]] = set()
    for wave in _disjoint(still_open):
        ready = [ticket for ticket in wave if not _is_blocked(ticket, blocked)]
        yield [[Transaction(ticket)] for ticket in ready]
        for ticket in ready:
            if ticket.outcome is not None and ticket.outcome.kind == "retry":
                blocked |= _items(ticket)


def coalesce(tickets: Iterable[Ticket]) -> list[Lane]:
    """Return a lane of chains for each item, in the order of each item's first write."""
    lanes: dict[tuple[str, ...], list[Any]] = {}
    for ticket in tickets:
        for write in ticket.writes:
            lane = lanes.get(write.identity)
            if lane is None:
                lanes[write.identity] = [Chain(ticket, write)]
            elif not lane[-1].add(ticket, write):
                lane.append(Chain(ticket, write))
    return list(lanes.values())


class Batch:
    """Chains of one table whose writes are sent in one call; `weight` is an upper bound of their bytes in it."""

    __slots__ = ("chains", "table", "weight")

    def __init__(self, table: Table, chains: list[Chain], weight: int = 0) -> None:
        self.table = table
        self.chains = chains
        self.weight = weight

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests of BatchWriteItem, in the order of `chains`."""
        return [chain.write.batch_request() for chain in self.chains]

    def halves(self) -> "tuple[Batch, Batch]":
        """Return two smaller batches, to find the item that the table refuses."""
        middle = len(self.chains) // 2
        return Batch(self.table, self.chains[:middle]), Batch(self.table, self.chains[middle:])

    def settle(self, unprocessed: Iterable[dict[str, Any]]) -> list[Chain]:
        """Settle the chains that were written; return those whose requests are unprocessed.

        Requests are matched by table and key, since a server may write a number in another form than it was sent in.
        """
        again = {self._identity(request) for request in unprocessed}
        left = []
        for chain in self.chains:
            if again and chain.write.identity in again:
                left.append(chain)
            else:
                chain.settle(WRITTEN)
        return left

    def _identity(self, request: dict[str, Any]) -> tuple[str, ...]:
        item = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
        return identify(self.table.name, self.table.key, item)


def pack(chains: Iterable[Chain]) -> list[Batch]:
    """Return batches of one table each, at most 25 items and 16 MB, in order."""
    batches: list[Batch] = []
    filling: dict[str, Batch] = {}
    for chain in chains:
        write = chain.write
        size, name = write.size, write.table.name
        batch = filling.get(name)
        weight = size * _MAX_EXPANSION if size <= _SMALL else len(msgspec.json.encode(write.item))
        if batch is None or batch.weight + weight > MAX_BATCH_BYTES or len(batch.chains) == MAX_BATCH_ITEMS:
            batch = filling[name] = Batch(write.table, [])
            batches.append(batch)
        batch.chains.append(chain)
        batch.weight += weight
    return batches


def _is_blocked(ticket: Ticket, blocked: set[tuple[str, ...]]) -> bool:
    """Return whether an earlier write of one of the ticket's items is still to be made; it is then left for a retry."""
    items = _items(ticket)
    if blocked.isdisjoint(items):
        return False
    for _ in ticket.writes:
        ticket.settle(_TOO_EARLY)
    blocked |= items
    return True


def _items(ticket: Ticket) -> set[tuple[str, ...]]:
    return {write.identity for write in ticket.writes}


def _disjoint(tickets: Iterable[Ticket]) -> list[list[Ticket]]:
    """Return tickets in waves: those of one wave write different items; of two that write one, the earlier is first."""
    waves: list[list[Ticket]] = []
    next_wave: dict[tuple[str, ...], int] = {}
    for ticket in tickets:
        items = [write.identity for write in ticket.writes]
        number = max(next_wave.get(item, 0) for item in items)
        if number == len(waves):
            waves.append([])
        waves[number].append(ticket)
        next_wave |= dict.fromkeys(items, number + 1)
    return waves

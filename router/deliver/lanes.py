"""The order in which writes are sent, and how they are packed into the batches that BatchWriteItem takes.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Raw, structs

from router.codes import NOT_STARTED, SUPERSEDED
from router.engine.attributes import identify
from router.engine.writes import PlannedMessage, StoredItem, Write
from router.model import WRITTEN, Action, Outcome, Table

_NONE: list[tuple[PlannedMessage, Write]] = []
"""Shared by the chains of one write, which are most: none has a list of its own."""


class Chain:
    """Neighbouring writes of one item, each with its message, of which one is sent.

    Of plain puts and deletes, the last received is sent: once it is written, the others are superseded; if it is
    rejected, the one before is sent. Of writes that combine by version, the greatest version is sent: once it is
    written, the lesser ones are stale. Any other write is a chain by itself.
    """

    __slots__ = ("_before", "_planned", "batched", "write")

    def __init__(self, planned: PlannedMessage, write: Write) -> None:
        self.batched = write.call is None
        """Whether BatchWriteItem carries it."""
        self.write = write
        """The write to send."""
        self._planned = planned
        self._before: list[tuple[PlannedMessage, Write]] = _NONE

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together: one."""
        return [self.write]

    def actions(self) -> list[Action]:
        """Return the actions to send: one, or with an idempotency key two in one transaction."""
        return _actions(self.write)

    def condition_failed(self, position: int, stored: StoredItem | None) -> Outcome:
        """Return the outcome if the condition of the action at `position` failed."""
        return _condition_failed(self.write, self.actions()[position], stored)

    def add(self, planned: PlannedMessage, write: Write) -> bool:
        """Add a later write of the item if the two can be combined; return whether it was added."""
        if not _can_combine(self.write, write):
            return False
        if self._before is _NONE:
            self._before = []
        before, at = self._before, len(self._before)
        if not self.batched:
            # Of equal versions the first received is sent first.
            order = write.version_order
            if self.write.version_order >= order:
                while at and before[at - 1][1].version_order >= order:
                    at -= 1
                before.insert(at, (planned, write))
                return True
        before.append((self._planned, self.write))
        self._planned, self.write = planned, write
        return True

    def settle(self, outcome: Outcome) -> bool:
        """Settle the write that was sent; return whether another one is to be sent now."""
        self._planned.settle(outcome if outcome is WRITTEN else _of(self.write, outcome))
        if self._before is _NONE:
            return False
        if outcome.kind != "rejected":
            if not self.batched and outcome.kind != "retry":
                self._settle_lesser()
            else:
                while self._before:
                    planned, write = self._before.pop()
                    planned.settle(outcome if outcome is WRITTEN else _of(write, outcome))
        if not self._before:
            return False
        self._planned, self.write = self._before.pop()
        return True

    def _settle_lesser(self) -> None:
        """Settle the writes whose version is less than the one that was sent."""
        greatest = self.write.version_order
        left, self._before = self._before, []
        for planned, write in left:
            if write.version_order < greatest:
                reason = f"a greater '{write.version_name}' for table '{write.table.name}' came in the same batch"
                planned.settle(Outcome("stale", SUPERSEDED.id, reason, write.route))
            else:
                self._before.append((planned, write))


class Transaction:
    """A message whose writes are one transaction; it has the interface of a chain."""

    __slots__ = ("_parts", "_planned")

    batched = False

    def __init__(self, planned: PlannedMessage) -> None:
        self._planned = planned
        self._parts = [(action, write) for write in planned.writes for action in _actions(write)]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self._planned.writes

    def actions(self) -> list[Action]:
        """Return the actions to send."""
        return [action for action, _ in self._parts]

    def condition_failed(self, position: int, stored: StoredItem | None) -> Outcome:
        """Return the outcome if the condition of the action at `position` failed, so that nothing was written."""
        action, write = self._parts[position]
        return _condition_failed(write, action, stored)

    def settle(self, outcome: Outcome) -> bool:
        """Settle all writes; there is never another one to send."""
        for write in self.writes:
            self._planned.settle(_of(write, outcome))
        return False


def _of(write: Write, outcome: Outcome) -> Outcome:
    """Return an outcome with the route of its write, unless it has one."""
    return outcome if outcome is WRITTEN or outcome.route else structs.replace(outcome, route=write.route)


def _actions(write: Write) -> list[Action]:
    return [("Put", write.idempotency_key.call), write.action()] if write.idempotency_key else [write.action()]


def _condition_failed(write: Write, action: Action, stored: StoredItem | None) -> Outcome:
    key = write.idempotency_key
    if key is not None and action[1] is key.call:
        return write.already_applied()
    return write.mode.on_condition_failed(write, stored)


def _can_combine(write: Write, later: Write) -> bool:
    if write.mode.combine != later.mode.combine:
        return False
    match write.mode.combine:
        case "last":
            return write.call is None and later.call is None
        case "greatest version":
            # Versions of different types have no order: the table decides about them in the order of receipt.
            return write.version_order[0] == later.version_order[0]
        case "never":
            return False


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

Step = Chain | Transaction
Lane = list[Step]
"""The steps of one item in order: each is sent when the one before has ended. Lanes are independent of each other."""
_TOO_EARLY = Outcome("retry", NOT_STARTED.id, "an earlier write of one of its items is still to be made")


def schedule(messages: Iterable[PlannedMessage], *, atomic: bool) -> Iterator[list[Lane]]:
    """Yield the lanes of all messages without outcome, in groups to be sent one after the other."""
    still_open = [planned for planned in messages if planned.outcome is None]
    if not atomic:
        yield coalesce(still_open)
        return
    blocked: set[tuple[str, ...]] = set()
    for wave in _disjoint(still_open):
        ready = [planned for planned in wave if not _is_blocked(planned, blocked)]
        yield [[Transaction(planned)] for planned in ready]
        for planned in ready:
            if planned.outcome is not None and planned.outcome.kind == "retry":
                blocked |= _items(planned)


def coalesce(messages: Iterable[PlannedMessage]) -> list[Lane]:
    """Return a lane of chains for each item, in the order of each item's first write."""
    lanes: dict[tuple[str, ...], list[Any]] = {}
    for planned in messages:
        for write in planned.writes:
            lane = lanes.get(write.identity)
            if lane is None:
                lanes[write.identity] = [Chain(planned, write)]
            elif not lane[-1].add(planned, write):
                lane.append(Chain(planned, write))
    return list(lanes.values())


class Batch:
    """Writes of one table that are sent in one call: those of `chains`, or of `messages` without any."""

    __slots__ = ("chains", "messages", "table")

    def __init__(self, table: Table, chains: list[Chain], messages: Sequence[PlannedMessage] = ()) -> None:
        self.table = table
        self.chains = chains
        self.messages = messages

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

    def with_chains(self) -> "Batch":
        """Return a batch of messages with a chain for each."""
        return Batch(self.table, [Chain(planned, planned.writes[0]) for planned in self.messages])

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


def count_units(write: Write) -> int:
    """Return the write units that a write takes at least, alone or in a batch."""
    return -(-write.size // UNIT_BYTES)


def pack_plain(messages: Sequence[PlannedMessage]) -> list[Batch] | None:
    """Return batches of messages that need no chains, in order; None if some need them.

    Each makes one plain put or delete, of an item that no other of them writes: the writes have no order. They fit into
    batches by their number alone.
    """
    writes = [
        write
        for each in messages
        if len(each.writes) == 1
        and (write := each.writes[0]).call is None
        and (write.request is not None or write.size <= _SMALL)
    ]
    if not len(messages) == len(writes) == len({write.identity for write in writes}):
        return None
    tables = {write.table.name: write.table for write in writes}
    if any(table.write_units for table in tables.values()):
        return None
    return [
        Batch(table, [], same[start : start + MAX_BATCH_ITEMS])
        for name, table in tables.items()
        for same in [messages if len(tables) == 1 else [each for each in messages if each.writes[0].table.name == name]]
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


def _is_blocked(planned: PlannedMessage, blocked: set[tuple[str, ...]]) -> bool:
    """Return whether an earlier write of one of the message's items is still to be made; it is then retried."""
    items = _items(planned)
    if blocked.isdisjoint(items):
        return False
    for write in planned.writes:
        planned.settle(_of(write, _TOO_EARLY))
    blocked |= items
    return True


def _items(planned: PlannedMessage) -> set[tuple[str, ...]]:
    return {write.identity for write in planned.writes}


def _disjoint(messages: Iterable[PlannedMessage]) -> list[list[PlannedMessage]]:
    """Return messages in waves: those of a wave write different items; of two that write one, the earlier is first."""
    waves: list[list[PlannedMessage]] = []
    next_wave: dict[tuple[str, ...], int] = {}
    for planned in messages:
        items = [write.identity for write in planned.writes]
        number = max(next_wave.get(item, 0) for item in items)
        if number == len(waves):
            waves.append([])
        waves[number].append(planned)
        next_wave |= dict.fromkeys(items, number + 1)
    return waves

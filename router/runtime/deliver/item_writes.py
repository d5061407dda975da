"""The order in which the writes of an item are sent, and which of them are."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import structs

from router.codes import NOT_STARTED, RETRY_LATER, SUPERSEDED
from router.model import WRITTEN, Action, Outcome, Table
from router.runtime.engine.writes import PlannedMessage, StoredItem, Write

_NONE: list[tuple[PlannedMessage, Write]] = []
"""Shared by all that have one write, which are most: none has a list of its own."""


class CoalescedWrites:
    """Neighbouring writes of one item, each with its message, of which one is sent.

    Of plain puts and deletes, the last received is sent. Once it is written, the others are
    superseded. If it is rejected, the one before is sent.

    Of writes that combine by version, the greatest version is sent. Once it is written, the lesser
    ones are stale.

    Any other write is alone.
    """

    __slots__ = ("_before", "_planned", "batched", "write")

    def __init__(self, planned: PlannedMessage, write: Write) -> None:
        self.batched = write.call is None
        """Whether BatchWriteItem carries it."""
        self.write = write
        """The write to send."""
        self._planned = planned
        self._before: list[tuple[PlannedMessage, Write]] = _NONE
        """The writes to send if this one is rejected: the last of them first."""

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
        # A lesser version is never sent before a greater one.
        is_lesser = not self.batched and self.write.version_order >= write.version_order
        if is_lesser:
            self._insert(planned, write)
        else:
            self._before.append((self._planned, self.write))
            self._planned = planned
            self.write = write
        return True

    def settle(self, outcome: Outcome) -> bool:
        """Settle the write that was sent; return whether another one is to be sent now."""
        self._planned.settle(_with_route(outcome, self.write))
        if self._before is _NONE:
            return False
        if outcome.kind != "rejected":
            # A rejected write says nothing about those before.
            is_by_version = not self.batched and outcome.kind != "retry"
            if is_by_version:
                self._settle_lesser()
            else:
                self._settle_before(outcome)
        if not self._before:
            return False
        self._planned, self.write = self._before.pop()
        return True

    def _insert(self, planned: PlannedMessage, write: Write) -> None:
        """Insert a write by its version; of equal versions the first received is sent first."""
        before = self._before
        order = write.version_order
        at = len(before)
        while at and before[at - 1][1].version_order >= order:
            at -= 1
        before.insert(at, (planned, write))

    def _settle_before(self, outcome: Outcome) -> None:
        """Settle all writes before the one that was sent, as it was: it superseded them."""
        while self._before:
            planned, write = self._before.pop()
            planned.settle(_with_route(outcome, write))

    def _settle_lesser(self) -> None:
        """Settle the writes whose version is less than the one that was sent."""
        greatest = self.write.version_order
        left = []
        for planned, write in self._before:
            if write.version_order < greatest:
                version = f"'{write.version_name}' for table '{write.table.name}'"
                reason = f"a greater {version} came in the same batch"
                planned.settle(Outcome("stale", SUPERSEDED.id, reason, write.route))
            else:
                left.append((planned, write))
        self._before = left


class Transaction:
    """A message whose writes are one transaction; it has the interface of `CoalescedWrites`."""

    __slots__ = ("_parts", "_planned")

    batched = False

    def __init__(self, planned: PlannedMessage) -> None:
        self._planned = planned
        self._parts: list[tuple[Action, Write]] = []
        """The actions in order, each with its write."""
        for write in planned.writes:
            self._parts += [(action, write) for action in _actions(write)]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self._planned.writes

    def actions(self) -> list[Action]:
        """Return the actions to send."""
        return [action for action, _ in self._parts]

    def condition_failed(self, position: int, stored: StoredItem | None) -> Outcome:
        """Return the outcome if the condition of the action at `position` failed.

        Nothing was written then.
        """
        action, write = self._parts[position]
        return _condition_failed(write, action, stored)

    def settle(self, outcome: Outcome) -> bool:
        """Settle all writes; there is never another one to send."""
        for write in self.writes:
            self._planned.settle(_with_route(outcome, write))
        return False


def _with_route(outcome: Outcome, write: Write) -> Outcome:
    """Return an outcome with the route of its write, unless it has one."""
    if outcome is WRITTEN or outcome.route:
        return outcome
    return structs.replace(outcome, route=write.route)


def _actions(write: Write) -> list[Action]:
    if write.idempotency_key:
        return [("Put", write.idempotency_key.call), write.action()]
    return [write.action()]


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
            # Versions of different types have no order: the table decides, in the order of receipt.
            return write.version_order[0] == later.version_order[0]
        case "never":
            return False


Step = CoalescedWrites | Transaction
Steps = Sequence[Step]
"""The steps of one item in order: each is sent when the one before has ended.

Those of different items are independent of each other.
"""
_TOO_EARLY = Outcome(
    "retry",
    NOT_STARTED.id,
    "an earlier write of one of its items is still to be made",
)


def schedule(messages: Iterable[PlannedMessage], *, atomic: bool) -> Iterator[Sequence[Steps]]:
    """Yield the steps of all messages without outcome, by item.

    What is yielded together may be sent together. What is yielded next is sent after it.
    """
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


def coalesce(messages: Iterable[PlannedMessage]) -> list[list[CoalescedWrites]]:
    """Return the steps of each item, in the order of each item's first write."""
    by_item: dict[tuple[str, ...], list[CoalescedWrites]] = {}
    for planned in messages:
        for write in planned.writes:
            steps = by_item.setdefault(write.identity, [])
            if not steps or not steps[-1].add(planned, write):
                steps.append(CoalescedWrites(planned, write))
    return [*by_item.values()]


class ItemWrites:
    """The writes of one item, or one transaction, under way.

    `tries` are those of its first step, which may be sent from `ready_at` on. `failure` says why
    the last try failed. `waits_for_units` says that the first step waits for the budget of its
    table.
    """

    __slots__ = ("failure", "ready_at", "steps", "tries", "waits_for_units")

    def __init__(self, steps: Steps) -> None:
        self.steps = [*steps]
        self.tries = 0
        self.ready_at = float("-inf")
        self.failure = ""
        self.waits_for_units = False

    @property
    def tables(self) -> str:
        """The tables of the first step, for a reason.

        AWS does not say which table of a transaction it means.
        """
        names = dict.fromkeys([f"'{table.name}'" for table in tables_of(self.steps[0])])
        return f"table {' or '.join(names)}"

    def advance(self, more: bool) -> None:
        """Go on after a response to the first step; with `more` it has another write to send."""
        self.tries = 0
        self.waits_for_units = False
        if not more:
            del self.steps[0]

    def wait_for_units(self, moment: float) -> None:
        """Wait for the budget of a table, which has enough units by some moment."""
        self.ready_at = moment
        self.waits_for_units = True

    def abandon(self, outcome: Outcome) -> None:
        """Settle all steps without sending them.

        The later writes of an item must not be made before the first.
        """
        for step in self.steps:
            step.settle(outcome)
        self.steps.clear()

    def give_up(self) -> None:
        """Leave all steps for the next delivery of their messages: the first one keeps failing."""
        reason = f"{self.tables} did not accept the write in time: {self.failure}"
        self.abandon(retry_later(reason))


def tables_of(step: Step) -> list[Table]:
    """Return the tables that a step writes to."""
    tables = [write.table for write in step.writes]
    keys = [write.idempotency_key for write in step.writes]
    return tables + [key.table for key in keys if key]


def retry_later(reason: str) -> Outcome:
    """Return the outcome of a write that is left for the next delivery of its message."""
    return Outcome("retry", RETRY_LATER.id, reason)


def _is_blocked(planned: PlannedMessage, blocked: set[tuple[str, ...]]) -> bool:
    """Return whether an earlier write of one of the message's items is still to be made.

    The message is then retried, and blocks all its items.
    """
    items = _items(planned)
    if blocked.isdisjoint(items):
        return False
    for write in planned.writes:
        planned.settle(_with_route(_TOO_EARLY, write))
    blocked |= items
    return True


def _items(planned: PlannedMessage) -> set[tuple[str, ...]]:
    return {write.identity for write in planned.writes}


def _disjoint(messages: Iterable[PlannedMessage]) -> list[list[PlannedMessage]]:
    """Return messages in waves: those of a wave write different items.

    Of two messages that write one item, the earlier is in an earlier wave.
    """
    waves: list[list[PlannedMessage]] = []
    next_wave: dict[tuple[str, ...], int] = {}
    for planned in messages:
        items = _items(planned)
        number = max([next_wave.get(item, 0) for item in items])
        if number == len(waves):
            waves.append([])
        waves[number].append(planned)
        next_wave |= dict.fromkeys(items, number + 1)
    return waves

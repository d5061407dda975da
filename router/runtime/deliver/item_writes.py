"""The order in which the writes of an item are sent, and which of them are."""

from collections.abc import Iterable, Sequence

from msgspec import structs

from router.codes import RETRY_LATER, SUPERSEDED
from router.model import WRITTEN, Action, Outcome, Table
from router.runtime.aws.protocols import (
    UNREADABLE_ERRORS,
    NonBlockingTables,
    PendingWrite,
    Request,
    Tables,
    WriteResponse,
)
from router.runtime.engine.writes import PlannedMessage, Write

Identity = tuple[str, ...]
"""What identifies an item: its table and its key."""
SettledWrites = list[tuple[PlannedMessage, Outcome]]
"""Messages, each with the outcome of one of its writes."""


class CoalescedWrites:
    """Neighbouring writes of one item, each with its message, of which one is sent.

    Of plain puts and deletes, the last received is sent. Once it is written, the others are
    superseded. If it is rejected, the one before is sent.

    Of writes that combine by version, the greatest version is sent. Once it is written, the lesser
    ones are stale.

    Any other write is alone.
    """

    __slots__ = ("_writes", "batched")

    def __init__(self, planned: PlannedMessage, write: Write) -> None:
        self.batched = write.call is None
        """Whether BatchWriteItem carries it."""
        self._writes = [(planned, write)]
        """The last is sent. If it is rejected, the one before is."""

    @property
    def write(self) -> Write:
        """The write to send."""
        return self._writes[-1][1]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together: one."""
        return [self._writes[-1][1]]

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to send."""
        return not self._writes

    def actions(self) -> list[Action]:
        """Return the actions to send: one, or with an idempotency key two in one transaction."""
        return _actions(self.write)

    def add(self, planned: PlannedMessage, write: Write) -> bool:
        """Add a later write of the item if the two can be combined; return whether it was added."""
        if not _can_combine(self.write, write):
            return False
        at = len(self._writes)
        if not self.batched:
            # The greatest version is last. Of equal ones, the first received is sent first.
            order = write.version_order
            while at and self._writes[at - 1][1].version_order >= order:
                at -= 1
        self._writes.insert(at, (planned, write))
        return True

    def settle(self, outcome: Outcome) -> SettledWrites:
        """Return what the outcome of the write that was sent settles."""
        planned, sent = self._writes.pop()
        settled = [(planned, _with_route(outcome, sent))]
        if outcome.kind == "rejected" or not self._writes:
            # A rejection says nothing about those before.
            return settled
        before = self._writes[::-1]
        if self.batched or outcome.kind == "retry":
            self._writes = []
            return settled + [(each, _with_route(outcome, write)) for each, write in before]
        # Only an equal version is still to be sent: the table decides about it.
        greatest = sent.version_order
        self._writes = [each for each in self._writes if each[1].version_order == greatest]
        for each, write in before:
            if write.version_order != greatest:
                settled.append((each, _superseded(write)))
        return settled


class Transaction:
    """A message whose writes are one transaction.

    It has the interface of `CoalescedWrites`, which cannot do this: a transaction is of one message
    and several items, and nothing replaces it.
    """

    __slots__ = ("_actions", "_planned", "is_settled")

    batched = False

    def __init__(self, planned: PlannedMessage) -> None:
        self.is_settled = False
        self._planned = planned
        self._actions = [action for write in planned.writes for action in _actions(write)]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self._planned.writes

    def actions(self) -> list[Action]:
        """Return the actions to send."""
        return self._actions

    def settle(self, outcome: Outcome) -> SettledWrites:
        """Return the outcomes of all writes."""
        self.is_settled = True
        return [(self._planned, _with_route(outcome, write)) for write in self.writes]


Step = CoalescedWrites | Transaction


class ItemWrites:
    """The writes of one item, or one transaction, under way.

    It is also what one call writes: its first step. `tries` are those of this step, which may be
    sent from `ready_at` on. `failure` says why the last try failed, and `cause` what kind of failure
    that is. `waits_for_units` says that it waits for the budget of its table.
    """

    __slots__ = ("cause", "failure", "ready_at", "steps", "tries", "waits_for_units")

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = [*steps]
        self.tries = 0
        self.ready_at = float("-inf")
        self.failure = ""
        self.cause = ""
        self.waits_for_units = False

    @property
    def step(self) -> Step:
        """The step to send."""
        return self.steps[0]

    @property
    def items(self) -> "list[ItemWrites]":
        """The items of its call: one."""
        return [self]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self.steps[0].writes

    @property
    def is_transaction(self) -> bool:
        """Whether its call is TransactWriteItems."""
        return len(self.step.actions()) > 1

    @property
    def name(self) -> str:
        """The tables of the first step, for a reason.

        AWS does not say which table of a transaction it means.
        """
        names = dict.fromkeys([f"'{table.name}'" for table in tables_of(self.writes)])
        return f"table {' or '.join(names)}"

    def begin(self, tables: NonBlockingTables, timeout: float) -> PendingWrite:
        """Begin PutItem, UpdateItem, DeleteItem or TransactWriteItems."""
        step = self.steps[0]
        return tables.begin_actions(step.actions(), timeout, is_measured(step.writes))

    def call(self, tables: Tables, timeout: float) -> WriteResponse:
        """Call PutItem, UpdateItem, DeleteItem or TransactWriteItems."""
        actions = self.step.actions()
        measured = is_measured(self.writes)
        if len(actions) > 1:
            return tables.transact(actions, timeout, measured)
        return tables.write(*actions[0], timeout, measured)

    def left_of(self, unprocessed: Sequence[Request]) -> "list[ItemWrites]":
        """Return the items whose requests are unprocessed: none, as only batches have such."""
        return []

    def settle(self, outcome: Outcome) -> SettledWrites:
        """Go on after the first step has an outcome; return what that settles."""
        self.tries = 0
        self.cause = ""
        self.waits_for_units = False
        step = self.steps[0]
        settled = step.settle(outcome)
        if step.is_settled:
            del self.steps[0]
        return settled

    def wait_for_units(self, moment: float) -> None:
        """Wait for the budget of a table, which has enough units by some moment."""
        self.ready_at = moment
        self.cause = "throttled"
        self.waits_for_units = True

    def retry_at(self, moment: float, failure: str, cause: str) -> None:
        """Send the first step once more."""
        self.tries += 1
        self.waits_for_units = False
        self.ready_at = moment
        self.failure = failure
        self.cause = cause

    def abandon(self, outcome: Outcome) -> SettledWrites:
        """Settle all steps without sending them.

        The later writes of an item must not be made before the first.
        """
        settled: SettledWrites = []
        for step in self.steps:
            settled += step.settle(outcome)
        self.steps.clear()
        return settled

    def give_up(self) -> SettledWrites:
        """Leave all steps for the next delivery of their messages: the first one keeps failing."""
        reason = f"{self.name} did not accept the write in time: {self.failure}"
        return self.abandon(Outcome("retry", RETRY_LATER.id, reason, cause=self.cause))

    def run_out_of_time(self) -> SettledWrites:
        """Leave all steps for the next delivery of their messages: no call may start any more."""
        reason = f"the deadline passed before it was written to {self.name}"
        if self.waits_for_units:
            reason += ", whose write_units are used up"
        cause = self.cause or "deadline"
        return self.abandon(Outcome("retry", RETRY_LATER.id, reason, cause=cause))


def coalesce(messages: Iterable[PlannedMessage]) -> list[list[CoalescedWrites]]:
    """Return the steps of each item, in the order of each item's first write."""
    by_item: dict[Identity, list[CoalescedWrites]] = {}
    for planned in messages:
        for write in planned.writes:
            steps = by_item.setdefault(write.identity, [])
            if not steps or not steps[-1].add(planned, write):
                steps.append(CoalescedWrites(planned, write))
    return [*by_item.values()]


def transaction_waves(messages: Iterable[PlannedMessage]) -> list[list[PlannedMessage]]:
    """Return messages in waves: those of a wave write different items.

    Of two messages that write one item, the earlier is in an earlier wave.
    """
    waves: list[list[PlannedMessage]] = []
    next_wave: dict[Identity, int] = {}
    for planned in messages:
        items = items_of(planned)
        number = max([next_wave.get(item, 0) for item in items])
        if number == len(waves):
            waves.append([])
        waves[number].append(planned)
        next_wave |= dict.fromkeys(items, number + 1)
    return waves


def items_of(planned: PlannedMessage) -> set[Identity]:
    """Return the items that a message writes."""
    return {write.identity for write in planned.writes}


def tables_of(writes: Iterable[Write]) -> list[Table]:
    """Return the tables of writes, and of their idempotency keys."""
    tables = []
    for write in writes:
        tables.append(write.table)
        if write.idempotency_key:
            tables.append(write.idempotency_key.table)
    return tables


def is_measured(writes: Iterable[Write]) -> bool:
    """Whether a call says how many write units it has consumed."""
    return any(table.is_measured for table in tables_of(writes))


def has_budget(writes: Iterable[Write]) -> bool:
    """Whether a table of writes has a budget."""
    return any(table.write_units for table in tables_of(writes))


def _with_route(outcome: Outcome, write: Write) -> Outcome:
    """Return an outcome with the route of its write, unless it has one."""
    if outcome is WRITTEN or outcome.route:
        return outcome
    return structs.replace(outcome, route=write.route)


def _superseded(write: Write) -> Outcome:
    version = f"'{write.version_name}' for table '{write.table.name}'"
    reason = f"a greater {version} came in the same batch"
    return Outcome("stale", SUPERSEDED.id, reason, write.route)


def _actions(write: Write) -> list[Action]:
    if write.idempotency_key:
        return [("Put", write.idempotency_key.call), write.action()]
    return [write.action()]


def outcome_of_condition(writes: Iterable[Write], response: WriteResponse) -> Outcome | None:
    """Return the outcome of writes that were sent together if a condition of theirs failed.

    None if the response contradicts the writes: a message that is taken for stale or for a
    duplicate is lost if it is none.
    """
    parts = [(action, write) for write in writes for action in _actions(write)]
    if not 0 <= response.position < len(parts):
        return None
    (_, parameters), write = parts[response.position]
    if "ConditionExpression" not in parameters:
        return None
    key = write.idempotency_key
    if key is not None and parameters is key.call:
        return write.already_applied()
    try:
        return write.mode.on_condition_failed(write, response.stored)
    except UNREADABLE_ERRORS:
        return None


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

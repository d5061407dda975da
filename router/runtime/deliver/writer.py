"""Sends the planned writes.

Calls overlap, and each write is retried by itself until it is settled.

Why by itself: docs/decisions/2026-11-25-each-write-retried-alone.md
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from router import codes
from router.model import WRITTEN, Outcome, Table, worst
from router.runtime.aws.calls import (
    CONCURRENT_CALLS,
    Clock,
    Duration,
    PolledCalls,
    ThreadedCalls,
    blocking,
    boottime,
    result_of_write,
)
from router.runtime.aws.protocols import (
    CONFLICTS,
    THROTTLING,
    UNREADABLE,
    AwsFault,
    KeySchema,
    NonBlockingTables,
    Tables,
    WriteResponse,
)
from router.runtime.deliver.batches import Batch, PlainBatch, pack, pack_plain
from router.runtime.deliver.budgets import Reservation, WriteBudgets
from router.runtime.deliver.item_writes import (
    Identity,
    ItemWrites,
    SettledWrites,
    Transaction,
    coalesce,
    has_budget,
    items_of,
    outcome_of_condition,
    tables_of,
    transaction_waves,
)
from router.runtime.deliver.time_limits import Jitter, Sleep, StartLimit, WaitBudget
from router.runtime.engine.backoff import jitter
from router.runtime.engine.writes import PlannedMessage, Write

BACKOFF_BASE = 0.05
"""Seconds; the wait before the first retry is random up to twice this.

The bound doubles with each further one.
"""
BACKOFF_CAP = 5.0
"""Seconds; no wait is longer."""
MAX_TRIES = 8
"""The tries of one delivery; then the write is left for the next delivery of its message."""
KEY_SECONDS = 1.0
"""How long the key of a table is kept.

A table cannot be deleted and created with another key in less.
"""
THROTTLED_MINORITY = 0.1
"""If no larger share of the writes is left, their keys are throttled.

Otherwise the table is at its capacity.
"""

Job = Batch | ItemWrites
"""What one call writes."""
Call = PlainBatch | Job
Settled = dict[PlannedMessage, Outcome]
"""The outcomes of messages, in the order of receipt."""
_TOO_EARLY = Outcome(
    "retry",
    codes.NOT_STARTED.id,
    "an earlier write of one of its items is still to be made",
)


class Settlement:
    """The outcomes of the messages of one call of `write`.

    A message is settled once all of its writes are. Its outcome is the worst of theirs.
    """

    __slots__ = ("_outcomes", "_results")

    def __init__(self, messages: Sequence[PlannedMessage]) -> None:
        self._outcomes: dict[PlannedMessage, Outcome | None]
        self._outcomes = {planned: planned.outcome for planned in messages}
        """Of each message that was not taken; None if it is not settled."""
        self._results: dict[PlannedMessage, list[Outcome]] = {}
        """The outcomes of writes."""

    @property
    def unsettled(self) -> list[PlannedMessage]:
        """The messages with a write that has no outcome."""
        return [planned for planned, outcome in self._outcomes.items() if outcome is None]

    def add(self, writes: SettledWrites) -> None:
        """Add the outcomes of writes."""
        for planned, outcome in writes:
            results = self._results.setdefault(planned, [])
            results.append(outcome)
            if len(results) == len(planned.writes):
                self._outcomes[planned] = worst(results)

    def add_written(self, messages: Iterable[PlannedMessage]) -> None:
        """Add messages of one write each, which was written."""
        self._outcomes.update(dict.fromkeys(messages, WRITTEN))

    def outcome_of(self, planned: PlannedMessage) -> Outcome:
        """Return the outcome of a message whose writes were added."""
        return worst(self._results[planned])

    def take(self) -> Settled:
        """Return the messages that were settled since the last call."""
        taken = self._outcomes
        self._outcomes = {}
        if None in taken.values():
            # Only before a wait: nearly always, all are settled at once.
            self._outcomes = {each: None for each, outcome in taken.items() if outcome is None}
            for unsettled in self._outcomes:
                del taken[unsettled]
        # Each has an outcome now, which mypy cannot infer.
        return cast("Settled", taken)


class Writer:
    """Writes through one connection.

    Between calls of `write` it keeps how long calls take, and the keys of tables. `jitter` chooses
    a wait between two bounds in seconds. At most `most_calls` are under way at a time.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
        jitter: Jitter = jitter,
        max_tries: int | None = None,
        most_calls: int = CONCURRENT_CALLS,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._max_tries = MAX_TRIES if max_tries is None else max_tries
        self._keys: dict[str, tuple[KeySchema, float]] = {}
        """The key of a table, and when it was looked up."""
        self._budgets = WriteBudgets(clock)
        self._calls: PolledCalls[Call, WriteResponse] | ThreadedCalls[Call, WriteResponse]
        self._calls = ThreadedCalls(lambda job, timeout: job.call(tables, timeout), clock)
        if isinstance(tables, NonBlockingTables):
            self._calls = PolledCalls(
                lambda job, timeout: job.begin(tables, timeout),
                result_of_write,
                clock,
                most_calls,
            )

    @property
    def duration(self) -> Duration:
        """How long calls take."""
        return self._calls.duration

    def write(
        self,
        messages: Sequence[PlannedMessage],
        limit: StartLimit,
        waits: WaitBudget,
        *,
        atomic: bool,
    ) -> Iterator[Settled]:
        """Write messages until each is settled, or no call may start any more.

        Yield what is settled: before each wait for retries, so that it can be acknowledged
        meanwhile, and at last. A message that was decided when it was planned is settled already.
        """
        settlement = Settlement(messages)
        if atomic:
            yield from self._write_transactions(settlement, limit, waits)
        else:
            unsettled = settlement.unsettled
            batches = pack_plain(unsettled)
            if batches is None:
                items = [ItemWrites(steps) for steps in coalesce(unsettled)]
                tried = len(items)
            else:
                items = self._send_plain(batches, settlement, limit)
                tried = sum([len(batch.writes) for batch in batches])
            if items:
                yield from self._run(items, tried, settlement, limit, waits)
        settled = settlement.take()
        if settlement.unsettled:
            # Its message would be taken for one that is acknowledged.
            raise AssertionError("a write was not settled")
        if settled:
            yield settled

    def _write_transactions(
        self,
        settlement: Settlement,
        limit: StartLimit,
        waits: WaitBudget,
    ) -> Iterator[Settled]:
        """Write each message in one transaction, after the earlier ones of its items."""
        blocked: set[Identity] = set()
        for wave in transaction_waves(settlement.unsettled):
            ready = []
            for planned in wave:
                item = ItemWrites([Transaction(planned)])
                if blocked.isdisjoint(items_of(planned)):
                    ready.append(item)
                else:
                    settlement.add(item.abandon(_TOO_EARLY))
            yield from self._run(ready, len(ready), settlement, limit, waits)
            for planned in wave:
                if settlement.outcome_of(planned).kind == "retry":
                    blocked |= items_of(planned)

    def _send_plain(
        self,
        batches: Sequence[PlainBatch],
        settlement: Settlement,
        limit: StartLimit,
    ) -> list[ItemWrites]:
        """Send batches of plain writes; return the items that are left."""
        failed: list[tuple[PlainBatch, WriteResponse]] = []
        is_late = False
        for batch, response in zip(batches, self._calls.make(batches, limit), strict=True):
            limit.usage.add(batch.writes[0].table.name, response)
            if response is None:
                is_late = True
                continue
            if not response.fault:
                settlement.add_written(batch.written(response.unprocessed))
            if response.fault or response.unprocessed:
                failed.append((batch, response))
        if not failed and not is_late:
            # Nearly always: all are written.
            return []
        items: dict[Identity, ItemWrites] = {}
        for steps in coalesce(settlement.unsettled):
            items[steps[0].write.identity] = ItemWrites(steps)
        answered: list[tuple[Job, WriteResponse]] = []
        for batch, response in failed:
            left = [items[each.identity] for each in batch.writes if each.identity in items]
            answered.append((Batch(left), response))
        settlement.add(self._settle(answered, limit))
        return [item for item in items.values() if item.steps]

    def _run(
        self,
        running: list[ItemWrites],
        tried: int,
        settlement: Settlement,
        limit: StartLimit,
        waits: WaitBudget,
    ) -> Iterator[Settled]:
        """Send the steps of items; `tried` is the number of writes of the last try.

        Yield what is settled before each wait.
        """
        reserved = 0.0
        since = 0.0
        while running:
            now = self._clock()
            if now >= limit.moment:
                for item in running:
                    settlement.add(item.run_out_of_time())
                return
            ready = [item for item in running if item.ready_at <= now]
            if ready:
                settlement.add(self._send(ready, limit))
                if reserved:
                    # A retry that is likely to fail again takes the time of its call too.
                    took = self._clock() - since
                    waits.correct(took - reserved)
                    waits.waited += took
                    reserved = 0.0
                running = [item for item in running if item.steps]
                continue
            wake = min([limit.moment, *[item.ready_at for item in running]])
            waits_for_units = any(item.waits_for_units for item in running)
            # A table at its capacity takes some writes with each try.
            takes_some = THROTTLED_MINORITY * tried < len(running) < tried
            # The budget of a table bounds all messages alike: nothing is gained by leaving some.
            is_worth_waiting = takes_some or waits_for_units
            # Else a few writes cost the whole batch a wait, which is paid from `waits`. When that
            # is used up, SQS delivers their messages again later.
            reserved = 0.0 if is_worth_waiting else wake - now
            if reserved and not waits.take(reserved):
                for item in running:
                    settlement.add(item.give_up())
                return
            settled = settlement.take()
            if settled:
                yield settled
            tried = len(running)
            since = self._clock()
            # The limit may have moved nearer meanwhile.
            wait = max(0.0, min(wake, limit.moment) - since)
            with blocking:
                self._sleep(wait)
            if not waits_for_units and not reserved:
                # Further receivers could use this time. They would not make a budget larger.
                waits.waited += wait

    def _send(self, ready: Sequence[ItemWrites], limit: StartLimit) -> SettledWrites:
        """Send the first step of each item; return what is settled."""
        batched: list[ItemWrites] = []
        alone: list[ItemWrites] = []
        for item in ready:
            kind = batched if item.step.batched else alone
            kind.append(item)
        return self._make([*pack(batched, self._budgets.most_units), *alone], limit)

    def _make(self, jobs: Iterable[Job], limit: StartLimit) -> SettledWrites:
        """Make the calls that the budgets of their tables allow; the items of others wait."""
        allowed: list[Job] = []
        reserved: list[tuple[list[Write], Reservation | None]] = []
        for job in jobs:
            writes = job.writes
            reservation = None
            if has_budget(writes):
                reservation = self._budgets.reserve(writes, transactional=job.is_transaction)
                if reservation.wait:
                    for item in job.items:
                        item.wait_for_units(self._clock() + reservation.wait)
                    continue
            allowed.append(job)
            reserved.append((writes, reservation))
        responses = self._calls.make(allowed, limit)
        answered: list[tuple[Job, WriteResponse]] = []
        for job, (writes, reservation), response in zip(allowed, reserved, responses, strict=True):
            limit.usage.add(writes[0].table.name, response)
            if reservation is not None:
                reservation.settle(response, len(writes))
            if response is not None:
                answered.append((job, response))
        return self._settle(answered, limit)

    def _settle(
        self,
        answered: Iterable[tuple[Job, WriteResponse]],
        limit: StartLimit,
    ) -> SettledWrites:
        """Settle what calls have done; the halves of a batch that was refused are sent at once."""
        settled: SettledWrites = []
        halves: list[Job] = []
        for job, response in answered:
            fault = response.fault
            is_refused = fault is not None and fault.kind == "refused"
            if is_refused and isinstance(job, Batch) and len(job.items) > 1:
                halves += job.halves()
            else:
                settled += self._handle(job, response, limit)
        if halves:
            settled += self._make(halves, limit)
        return settled

    def _handle(self, job: Job, response: WriteResponse, limit: StartLimit) -> SettledWrites:
        """Settle the items of a call, or retry them."""
        fault = response.fault
        if fault is None:
            if not response.unprocessed:
                return _settle_all(job.items, WRITTEN)
            left = job.left_of(response.unprocessed)
            settled = self._retry(left, "the table was throttled", "throttled")
            return settled + _settle_all([item for item in job.items if item not in left], WRITTEN)
        item = job.items[0]
        match fault.kind:
            case "retry":
                return self._retry(job.items, fault.code, _cause_of(fault))
            case "configuration":
                return _misconfigured(job.items, f"{item.name}: {fault.code}")
            case "condition":
                outcome = outcome_of_condition(item.writes, response)
                if outcome is None:
                    return self._retry([item], UNREADABLE.code, "outage")
                return item.settle(outcome)
            case "refused":
                return self._refuse(item, fault, limit)

    def _refuse(self, item: ItemWrites, fault: AwsFault, limit: StartLimit) -> SettledWrites:
        """Handle a refused item that was sent alone.

        Either the item is wrong, or the configured key of its table.
        """
        for table in tables_of(item.writes):
            key = self._key_of(table, limit)
            if isinstance(key, AwsFault):
                if key.kind == "retry":
                    return self._retry([item], key.code, _cause_of(key))
                return _misconfigured([item], f"table '{table.name}': {key.code}")
            if key != table.key:
                reason = f"table '{table.name}' has another key than the config says"
                return _misconfigured([item], reason)
        write = item.writes[0]
        reason = f"table '{write.table.name}' refused the item: {fault.code}"
        return item.settle(Outcome("rejected", codes.REFUSED.id, reason, write.route))

    def _key_of(self, table: Table, limit: StartLimit) -> KeySchema | AwsFault:
        """Return the key that a table has now.

        While many items are refused, it is looked up once in KEY_SECONDS.
        """
        now = self._clock()
        known = self._keys.get(table.name)
        if known:
            key, looked_up_at = known
            if now - looked_up_at < KEY_SECONDS:
                return key
        found = self._tables.key_schema(table.name, limit.timeout(now))
        if not isinstance(found, AwsFault):
            self._keys[table.name] = found, now
        return found

    def _retry(self, items: Iterable[ItemWrites], reason: str, cause: str) -> SettledWrites:
        """Retry after a back-off; return what is settled as an item has used up its tries.

        Items with equally many tries wait equally long, to be sent together again.
        """
        waits: dict[int, float] = {}
        settled: SettledWrites = []
        for item in items:
            if item.tries not in waits:
                bound = min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (item.tries + 1))
                waits[item.tries] = self._jitter(0, bound)
            item.retry_at(self._clock() + waits[item.tries], reason, cause)
            if item.tries == self._max_tries:
                settled += item.give_up()
        return settled


def _settle_all(items: Iterable[ItemWrites], outcome: Outcome) -> SettledWrites:
    settled: SettledWrites = []
    for item in items:
        settled += item.settle(outcome)
    return settled


def _cause_of(fault: AwsFault) -> str:
    """Return why a call is retried: the service is at its capacity, it fails, or another one writes the item."""
    if fault.code in THROTTLING:
        return "throttled"
    return "condition" if fault.code in CONFLICTS else "outage"


def _misconfigured(items: Iterable[ItemWrites], reason: str) -> SettledWrites:
    """Leave items for the next delivery of their messages: no message is at fault."""
    outcome = Outcome(
        "retry",
        codes.CONFIGURATION_ERROR.id,
        reason,
        configuration_error=True,
    )
    settled: SettledWrites = []
    for item in items:
        settled += item.abandon(outcome)
    return settled

"""Sends the planned writes.

Calls overlap, and each write is retried by itself until it is settled.

Why by itself: docs/decisions/2026-11-25-each-write-retried-alone.md
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from router import codes
from router.model import WRITTEN, Outcome, Table
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
    UNREADABLE,
    UNREADABLE_ERRORS,
    AwsFault,
    KeySchema,
    NonBlockingTables,
    PendingWrite,
    Tables,
    WriteResponse,
)
from router.runtime.deliver.batches import Batch, pack, pack_plain
from router.runtime.deliver.budgets import Reservation, WriteBudgets
from router.runtime.deliver.item_writes import (
    CoalescedWrites,
    ItemWrites,
    Step,
    Steps,
    retry_later,
    schedule,
    tables_of,
)
from router.runtime.deliver.time_limits import StartLimit, WaitBudget
from router.runtime.engine.backoff import jitter
from router.runtime.engine.writes import PlannedMessage

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

Job = Batch | Step
"""What one call writes."""


class Writer:
    """Writes through one connection.

    Between calls of `write` it keeps how long calls take, and the keys of tables. `jitter` chooses
    a wait between two bounds in seconds. At most `most_calls` are under way at a time.
    """

    def __init__(
        self,
        tables: Tables,
        clock: Clock = boottime,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = jitter,
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
        self._calls: PolledCalls[Job, WriteResponse] | ThreadedCalls[Job, WriteResponse]
        if isinstance(tables, NonBlockingTables):
            self._calls = PolledCalls(_begin(tables), result_of_write, clock, most_calls)
        else:
            self._calls = ThreadedCalls(self._call, clock)

    @property
    def duration(self) -> Duration:
        """How long calls take."""
        return self._calls.duration

    def write_messages(
        self,
        messages: Sequence[PlannedMessage],
        limit: StartLimit,
        waits: WaitBudget,
        *,
        atomic: bool,
    ) -> Iterator[None]:
        """Make the writes of all messages without outcome, as `write` does.

        Of plain puts and deletes, steps are made only for what the first try leaves.
        """
        still_open = [planned for planned in messages if planned.outcome is None]
        batches = None if atomic else pack_plain(still_open)
        if batches is None:
            for steps in schedule(still_open, atomic=atomic):
                yield from self.write(steps, limit, waits)
            return
        left = self._send_plain(batches, limit)
        if left:
            # In the order of the messages again, whose tables may alternate.
            running = [left[planned] for planned in still_open if planned in left]
            tried = sum([len(batch.messages) for batch in batches])
            yield from self._run(running, tried, limit, waits)

    def write(
        self,
        items: Iterable[Steps],
        limit: StartLimit,
        waits: WaitBudget,
    ) -> Iterator[None]:
        """Send the steps of all items until each is settled, or no call may start any more.

        Yields before each wait for retries: what is settled by then can be acknowledged meanwhile.
        """
        running = [ItemWrites(steps) for steps in items]
        yield from self._run(running, len(running), limit, waits)

    def _run(
        self,
        running: list[ItemWrites],
        tried: int,
        limit: StartLimit,
        waits: WaitBudget,
    ) -> Iterator[None]:
        """Send the steps of items; `tried` is the number of writes of the last try."""
        reserved = 0.0
        since = 0.0
        while running:
            now = self._clock()
            if now >= limit.moment:
                _abandon(running)
                return
            ready = [item for item in running if item.ready_at <= now]
            if ready:
                self._send(ready, limit)
                if reserved:
                    # A retry that is likely to fail again takes the time of its call too.
                    took = self._clock() - since
                    waits.correct(took - reserved)
                    waits.waited += took
                    reserved = 0.0
                running = [item for item in running if item.steps]
                continue
            wake = min([item.ready_at for item in running])
            waits_for_units = any(item.waits_for_units for item in running)
            # A table at its capacity takes some writes with each try.
            takes_some = THROTTLED_MINORITY * tried < len(running) < tried
            # The budget of a table bounds all messages alike: nothing is gained by leaving some.
            is_worth_waiting = takes_some or waits_for_units
            # Else a few writes cost the whole batch a wait, which is paid from `waits`. When that
            # is used up, SQS delivers their messages again later.
            reserved = 0.0 if is_worth_waiting else min(wake, limit.moment) - now
            if reserved and not waits.take(reserved):
                for item in running:
                    item.give_up()
                return
            yield
            tried = len(running)
            since = self._clock()
            wait = max(0.0, min(wake, limit.moment) - since)
            with blocking:
                self._sleep(wait)
            if not waits_for_units and not reserved:
                # Further receivers could use this time. They would not make a budget larger.
                waits.waited += wait

    def _send_plain(
        self,
        batches: Sequence[Batch],
        limit: StartLimit,
    ) -> dict[PlannedMessage, ItemWrites]:
        """Send batches of messages.

        Return the items that are not settled, by their first message.
        """
        by_step: dict[Step, ItemWrites] = {}
        by_message: dict[PlannedMessage, ItemWrites] = {}
        refused: list[Job] = []
        responses = self._calls.make(batches, limit)
        for batch, response in zip(batches, responses, strict=True):
            left = batch.messages
            if response is not None and response.fault is None:
                left = batch.settle_messages(response.unprocessed)
            if not left:
                continue
            with_steps = batch.with_steps(left)
            for planned, step in zip(left, with_steps.steps, strict=True):
                item = ItemWrites([step])
                by_step[step] = item
                by_message[batch.of_item(planned)[0]] = item
            if response is not None:
                refused += self._handle_batch(with_steps, response, by_step, limit)
        self._make(refused, by_step, limit)
        return {planned: item for planned, item in by_message.items() if item.steps}

    def _send(self, ready: Sequence[ItemWrites], limit: StartLimit) -> None:
        """Send the first step of each item."""
        by_step: dict[Step, ItemWrites] = {item.steps[0]: item for item in ready}
        batched: list[CoalescedWrites] = []
        alone: list[Job] = []
        for step in by_step:
            if isinstance(step, CoalescedWrites) and step.batched:
                batched.append(step)
            else:
                alone.append(step)
        self._make([*pack(batched, self._budgets.most_units), *alone], by_step, limit)

    def _make(self, jobs: list[Job], by_step: Mapping[Step, ItemWrites], limit: StartLimit) -> None:
        """Make calls, and at once those for the halves of batches that were refused."""
        while jobs:
            allowed, reservations = self._reserve(jobs, by_step)
            responses = self._calls.make(allowed, limit)
            jobs = []
            for job, response in zip(allowed, responses, strict=True):
                if job in reservations:
                    reservations[job].settle(response, len(job.writes))
                if response is None:
                    continue
                if isinstance(job, Batch):
                    jobs += self._handle_batch(job, response, by_step, limit)
                else:
                    self._handle_step(job, response, by_step[job], limit)

    def _reserve(
        self,
        jobs: Sequence[Job],
        by_step: Mapping[Step, ItemWrites],
    ) -> tuple[list[Job], dict[Job, Reservation]]:
        """Return the calls that the budgets of their tables allow, with what is reserved.

        The items of other calls wait.
        """
        allowed: list[Job] = []
        reservations: dict[Job, Reservation] = {}
        for job in jobs:
            if not _is_measured(job):
                allowed.append(job)
                continue
            transactional = not isinstance(job, Batch) and len(job.actions()) > 1
            reservation = self._budgets.reserve(job.writes, transactional=transactional)
            if not reservation.wait:
                allowed.append(job)
                reservations[job] = reservation
                continue
            steps = job.steps if isinstance(job, Batch) else [job]
            for step in steps:
                by_step[step].wait_for_units(self._clock() + reservation.wait)
        return allowed, reservations

    def _call(self, job: Job, timeout: float) -> WriteResponse:
        measured = _is_measured(job)
        if isinstance(job, Batch):
            return self._tables.batch_write(job.table.name, job.requests(), timeout, measured)
        actions = job.actions()
        if len(actions) > 1:
            return self._tables.transact(actions, timeout, measured)
        return self._tables.write(*actions[0], timeout, measured)

    def _handle_batch(
        self,
        batch: Batch,
        response: WriteResponse,
        by_step: Mapping[Step, ItemWrites],
        limit: StartLimit,
    ) -> Sequence[Job]:
        """Handle the response to a BatchWriteItem; return the batches to send at once."""
        items = [by_step[step] for step in batch.steps]
        fault = response.fault
        if fault is None:
            left = {by_step[step] for step in batch.settle(response.unprocessed)}
            for item in items:
                if item not in left:
                    item.advance(more=False)
            if left:
                self._retry([item for item in items if item in left], "the table was throttled")
        elif fault.kind == "retry":
            self._retry(items, fault.code)
        elif fault.kind == "configuration":
            for item in items:
                item.abandon(_configuration_error(f"{item.tables}: {fault.code}"))
        elif len(items) > 1:
            return batch.halves()
        else:
            self._refuse(batch.steps[0], fault, items[0], limit)
        return []

    def _handle_step(
        self,
        step: Step,
        response: WriteResponse,
        item: ItemWrites,
        limit: StartLimit,
    ) -> None:
        """Handle the response to a PutItem, UpdateItem, DeleteItem or TransactWriteItems."""
        fault = response.fault
        if fault is None:
            item.advance(step.settle(WRITTEN))
        elif fault.kind == "condition":
            outcome = _outcome_of_condition(step, response)
            if outcome is None:
                self._retry([item], UNREADABLE.code)
            else:
                item.advance(step.settle(outcome))
        elif fault.kind == "retry":
            self._retry([item], fault.code)
        elif fault.kind == "configuration":
            item.abandon(_configuration_error(f"{item.tables}: {fault.code}"))
        else:
            self._refuse(step, fault, item, limit)

    def _refuse(self, step: Step, fault: AwsFault, item: ItemWrites, limit: StartLimit) -> None:
        """Handle a refused item that was sent alone.

        Either the item is wrong, or the configured key of its table.
        """
        for table in tables_of(step):
            key = self._key_of(table, limit)
            if isinstance(key, AwsFault):
                if key.kind == "retry":
                    self._retry([item], key.code)
                else:
                    item.abandon(_configuration_error(f"table '{table.name}': {key.code}"))
                return
            if key != table.key:
                reason = f"table '{table.name}' has another key than the config says"
                item.abandon(_configuration_error(reason))
                return
        write = step.writes[0]
        reason = f"table '{write.table.name}' refused the item: {fault.code}"
        item.advance(step.settle(Outcome("rejected", codes.REFUSED.id, reason, write.route)))

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

    def _retry(self, items: Sequence[ItemWrites], reason: str) -> None:
        """Retry after a back-off.

        Items with equally many tries wait equally long, to be sent together again.
        """
        by_tries: dict[int, list[ItemWrites]] = {}
        for item in items:
            by_tries.setdefault(item.tries, []).append(item)
        for tries, alike in by_tries.items():
            wait = self._jitter(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (tries + 1)))
            for item in alike:
                item.tries += 1
                item.waits_for_units = False
                item.ready_at = self._clock() + wait
                item.failure = reason
                if item.tries == self._max_tries:
                    item.give_up()


def _begin(tables: NonBlockingTables) -> Callable[[Job, float], PendingWrite]:
    def begin(job: Job, timeout: float) -> PendingWrite:
        measured = _is_measured(job)
        if isinstance(job, Batch):
            requests = job.encodable_requests()
            return tables.begin_batch_write(job.table.name, requests, timeout, measured)
        return tables.begin_actions(job.actions(), timeout, measured)

    return begin


def _outcome_of_condition(step: Step, response: WriteResponse) -> Outcome | None:
    """Return the outcome of a write whose condition failed.

    None if the response contradicts the write: a message that is taken for stale or for a
    duplicate is lost if it is none.
    """
    actions = step.actions()
    if not 0 <= response.position < len(actions):
        return None
    _, parameters = actions[response.position]
    if "ConditionExpression" not in parameters:
        return None
    try:
        return step.condition_failed(response.position, response.stored)
    except UNREADABLE_ERRORS:
        return None


def _is_measured(job: Job) -> bool:
    """Whether a table of a call has a budget."""
    if isinstance(job, Batch):
        return job.table.write_units > 0
    return any(table.write_units for table in tables_of(job))


def _abandon(running: Iterable[ItemWrites]) -> None:
    """Leave items for the next delivery of their messages, as no call may start any more."""
    for item in running:
        reason = f"the deadline passed before it was written to {item.tables}"
        if item.waits_for_units:
            reason += ", whose write_units are used up"
        item.abandon(retry_later(reason))


def _configuration_error(reason: str) -> Outcome:
    return Outcome("retry", codes.CONFIGURATION_ERROR.id, reason, configuration_error=True)

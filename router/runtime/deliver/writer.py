"""Sends the planned writes: calls overlap, and each write is retried by itself until it is settled.

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
from router.runtime.aws.protocols import AwsFault, KeySchema, NonBlockingTables, PendingWrite, Tables, WriteResponse
from router.runtime.deliver.batches import Batch, pack, pack_plain
from router.runtime.deliver.budgets import Reservation, WriteBudgets
from router.runtime.deliver.lanes import Chain, Lane, RunningLane, Step, retry_later, schedule, tables_of
from router.runtime.deliver.time_limits import StartLimit, WaitBudget
from router.runtime.engine.backoff import jitter
from router.runtime.engine.writes import PlannedMessage

BACKOFF_BASE = 0.05
"""Seconds; the wait before the first retry is random up to twice this, and the bound doubles with each further one."""
BACKOFF_CAP = 5.0
"""Seconds; no wait is longer."""
MAX_TRIES = 8
"""The tries of one delivery; after them, the write is left for the next delivery of its message."""
KEY_SECONDS = 1.0
"""How long the key of a table is kept: a table cannot be deleted and created with another key in less."""

FEW_SHARE = 0.1
"""If no larger share of the writes is left, their keys are throttled; otherwise the table is at its capacity."""

Job = Batch | Step


class Writer:
    """Writes through one connection; between calls of `write` it keeps how long calls take, and the keys of tables.

    `jitter` chooses a wait between two bounds in seconds. At most `most_calls` are under way at a time.
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
        # The key of a table, and when it was looked up.
        self._keys: dict[str, tuple[KeySchema, float]] = {}
        self._budgets = WriteBudgets(clock)
        self._calls: PolledCalls[Job, WriteResponse] | ThreadedCalls[Job, WriteResponse] = (
            PolledCalls(_begin(tables), result_of_write, clock, most_calls)
            if isinstance(tables, NonBlockingTables)
            else ThreadedCalls(self._call, clock)
        )

    @property
    def duration(self) -> Duration:
        """How long calls take."""
        return self._calls.duration

    def write_messages(
        self, messages: Sequence[PlannedMessage], limit: StartLimit, waits: WaitBudget, *, atomic: bool
    ) -> Iterator[None]:
        """Make the writes of all messages without outcome, as `write` does.

        Of plain puts and deletes, lanes are made only for what the first try leaves.
        """
        still_open = [planned for planned in messages if planned.outcome is None]
        batches = None if atomic else pack_plain(still_open)
        if batches is not None:
            left = self._send_plain(batches, limit)
            # In the order of the messages again, whose tables may alternate.
            running = [left[planned] for planned in still_open if planned in left] if left else []
            yield from self._run(running, sum([len(batch.messages) for batch in batches]), limit, waits)
            return
        for lanes in schedule(still_open, atomic=atomic):
            yield from self.write(lanes, limit, waits)

    def write(self, lanes: Iterable[Lane], limit: StartLimit, waits: WaitBudget) -> Iterator[None]:
        """Send the steps of all lanes until each is settled, or no call may start any more.

        Yields before each wait for retries: what is settled by then can be acknowledged meanwhile. A table at its
        capacity takes some writes with each try. If few writes are left, or a try had no effect, the time of the next
        one is taken from `waits`; if that has too little, the writes are left for the next delivery of their messages.
        """
        running = [RunningLane(lane) for lane in lanes]
        yield from self._run(running, len(running), limit, waits)

    def _run(self, running: list[RunningLane], tried: int, limit: StartLimit, waits: WaitBudget) -> Iterator[None]:
        """Run lanes; `tried` is the number of writes of the last try."""
        reserved = since = 0.0
        while running:
            now = self._clock()
            if now >= limit.moment:
                for lane in running:
                    why = ", whose write_units are used up" if lane.waits_for_units else ""
                    lane.abandon(retry_later(f"the deadline passed before it was written to {lane.tables}{why}"))
                return
            ready = [lane for lane in running if lane.ready_at <= now]
            if ready:
                self._send(ready, limit)
                if reserved:
                    # A retry that is likely to fail again takes the time of its call too.
                    took = self._clock() - since
                    waits.correct(took - reserved)
                    waits.waited += took
                    reserved = 0.0
                running = [lane for lane in running if lane.steps]
                continue
            wake = min(lane.ready_at for lane in running)
            # The budget of a table is a bound that holds for all messages: nothing is gained by leaving some.
            waits_for_units = any(lane.waits_for_units for lane in running)
            takes_some = FEW_SHARE * tried < len(running) < tried
            reserved = 0.0 if takes_some or waits_for_units else min(wake, limit.moment) - now
            if reserved and not waits.take(reserved):
                for lane in running:
                    lane.give_up()
                return
            yield
            tried = len(running)
            since = self._clock()
            seconds = max(0.0, min(wake, limit.moment) - since)
            with blocking:
                self._sleep(seconds)
            # Further receivers would not make a budget larger, as they would overlap other waits.
            waits.waited += 0 if waits_for_units or reserved else seconds

    def _send_plain(self, batches: Sequence[Batch], limit: StartLimit) -> dict[PlannedMessage, RunningLane]:
        """Send batches of messages; return the lanes of those items that are not settled, by their first message."""
        lanes: dict[Step, RunningLane] = {}
        by_message: dict[PlannedMessage, RunningLane] = {}
        refused: list[Job] = []
        for batch, response in zip(batches, self._calls.make(batches, limit), strict=True):
            left = batch.messages if response is None or response.fault else batch.settle_messages(response.unprocessed)
            if not left:
                continue
            chained = batch.with_chains(left)
            for planned, chain in zip(left, chained.chains, strict=True):
                by_message[batch.of_item(planned)[0]] = lanes[chain] = RunningLane([chain])
            if response is not None:
                refused += self._handle_batch(chained, response, lanes, limit)
        self._make(refused, lanes, limit)
        return {planned: lane for planned, lane in by_message.items() if lane.steps}

    def _send(self, ready: Sequence[RunningLane], limit: StartLimit) -> None:
        """Send the first step of each lane."""
        lanes: dict[Step, RunningLane] = {lane.steps[0]: lane for lane in ready}
        jobs: list[Job] = [
            *pack([step for step in lanes if isinstance(step, Chain) and step.batched], self._budgets.most_units)
        ]
        jobs += [step for step in lanes if not step.batched]
        self._make(jobs, lanes, limit)

    def _make(self, jobs: list[Job], lanes: dict[Step, RunningLane], limit: StartLimit) -> None:
        """Make calls, and at once those for the halves of batches that were refused."""
        while jobs:
            jobs, reservations = self._reserve(jobs, lanes)
            responses = self._calls.make(jobs, limit)
            made = list(zip(jobs, responses, strict=True))
            jobs = []
            for job, response in made:
                if job in reservations:
                    reservations[job].settle(response, len(job.writes))
                if response is None:
                    continue
                if isinstance(job, Batch):
                    jobs += self._handle_batch(job, response, lanes, limit)
                else:
                    self._handle_step(job, response, lanes[job], limit)

    def _reserve(
        self, jobs: Sequence[Job], lanes: Mapping[Step, RunningLane]
    ) -> tuple[list[Job], dict[Job, Reservation]]:
        """Return the calls that the budgets of their tables allow, with what is reserved; the lanes of others wait."""
        allowed: list[Job] = []
        reservations: dict[Job, Reservation] = {}
        for job in jobs:
            if _is_measured(job):
                transactional = not isinstance(job, Batch) and len(job.actions()) > 1
                reservation = self._budgets.reserve(job.writes, transactional=transactional)
                if reservation.wait:
                    for step in job.chains if isinstance(job, Batch) else (job,):
                        lanes[step].wait_for_units(self._clock() + reservation.wait)
                    continue
                reservations[job] = reservation
            allowed.append(job)
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
        self, batch: Batch, response: WriteResponse, lanes: dict[Step, RunningLane], limit: StartLimit
    ) -> list[Job]:
        """Handle the response to a BatchWriteItem; return the batches to send at once."""
        fault = response.fault
        if fault is None:
            left = batch.settle(response.unprocessed)
            for chain in batch.chains:
                if not left or chain not in left:
                    lanes[chain].advance(more=False)
            if left:
                self._retry([lanes[chain] for chain in left], "the table was throttled")
        elif fault.kind == "retry":
            self._retry([lanes[chain] for chain in batch.chains], fault.code)
        elif fault.kind == "configuration":
            for chain in batch.chains:
                lanes[chain].abandon(_configuration_error(f"{lanes[chain].tables}: {fault.code}"))
        elif len(batch.chains) > 1:
            return list(batch.halves())
        else:
            (chain,) = batch.chains
            self._refuse(chain, fault, lanes[chain], limit)
        return []

    def _handle_step(self, step: Step, response: WriteResponse, lane: RunningLane, limit: StartLimit) -> None:
        """Handle the response to a PutItem, UpdateItem, DeleteItem or TransactWriteItems."""
        fault = response.fault
        if fault is None:
            lane.advance(step.settle(WRITTEN))
        elif fault.kind == "condition":
            lane.advance(step.settle(step.condition_failed(response.position, response.stored)))
        elif fault.kind == "retry":
            self._retry([lane], fault.code)
        elif fault.kind == "configuration":
            lane.abandon(_configuration_error(f"{lane.tables}: {fault.code}"))
        else:
            self._refuse(step, fault, lane, limit)

    def _refuse(self, step: Step, fault: AwsFault, lane: RunningLane, limit: StartLimit) -> None:
        """Handle a refused item that was sent alone: either the configured key of its table is wrong, or the item."""
        for table in tables_of(step):
            key = self._key_of(table, limit)
            if isinstance(key, AwsFault) and key.kind == "retry":
                self._retry([lane], key.code)
                return
            if isinstance(key, AwsFault):
                lane.abandon(_configuration_error(f"table '{table.name}': {key.code}"))
                return
            if key != table.key:
                lane.abandon(_configuration_error(f"table '{table.name}' has another key than the config says"))
                return
        write = step.writes[0]
        reason = f"table '{write.table.name}' refused the item: {fault.code}"
        lane.advance(step.settle(Outcome("rejected", codes.REFUSED.id, reason, write.route)))

    def _key_of(self, table: Table, limit: StartLimit) -> KeySchema | AwsFault:
        """Return the key that a table has now; while many items are refused, it is looked up once in KEY_SECONDS."""
        now = self._clock()
        key, since = self._keys.get(table.name, ((), now))
        if key and now - since < KEY_SECONDS:
            return key
        found = self._tables.key_schema(table.name, limit.timeout(now))
        if not isinstance(found, AwsFault):
            self._keys[table.name] = found, now
        return found

    def _retry(self, lanes: Sequence[RunningLane], reason: str) -> None:
        """Retry after a back-off; lanes with equally many tries wait equally long, to be sent together again."""
        by_tries: dict[int, list[RunningLane]] = {}
        for lane in lanes:
            by_tries.setdefault(lane.tries, []).append(lane)
        for tries, alike in by_tries.items():
            wait = self._jitter(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (tries + 1)))
            for lane in alike:
                lane.tries += 1
                lane.waits_for_units = False
                lane.ready_at = self._clock() + wait
                lane.failure = reason
                if lane.tries == self._max_tries:
                    lane.give_up()


def _begin(tables: NonBlockingTables) -> Callable[[Job, float], PendingWrite]:
    def begin(job: Job, timeout: float) -> PendingWrite:
        if isinstance(job, Batch):
            return tables.begin_batch_write(job.table.name, job.encodable_requests(), timeout, _is_measured(job))
        return tables.begin_actions(job.actions(), timeout, _is_measured(job))

    return begin


def _is_measured(job: Job) -> bool:
    """Whether a table of a call has a budget."""
    if isinstance(job, Batch):
        return job.table.write_units > 0
    return any(table.write_units for table in tables_of(job))


def _configuration_error(reason: str) -> Outcome:
    return Outcome("retry", codes.CONFIGURATION_ERROR.id, reason, configuration_error=True)

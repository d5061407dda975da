"""The shell around the engine.

It plans a batch, writes it, sends dead letters, and says what may be acknowledged.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct

from router import codes
from router.model import (
    WRITTEN,
    Outcome,
    Record,
    Summary,
)
from router.runtime.aws.calls import Clock, Duration, boottime, end_copy
from router.runtime.aws.protocols import Aws, AwsFault
from router.runtime.deliver.dead_letters import send_dead_letters
from router.runtime.deliver.fast_paths import FastPath, FastPaths
from router.runtime.deliver.metrics import cause_of
from router.runtime.deliver.telemetry import (
    LOGGER,
    Meter,
    ignore,
    log_batch,
    log_results,
    measure_ages,
)
from router.runtime.deliver.time_limits import (
    MAX_PLANNING_SECONDS,
    Deadline,
    PlanningBudget,
    StartLimit,
    WaitBudget,
)
from router.runtime.deliver.visibility import Delivered, visibility_timeouts
from router.runtime.deliver.writer import Settled, Writer
from router.runtime.engine.attributes import memory_bytes
from router.runtime.engine.backoff import MAX_BACKOFF_SECONDS
from router.runtime.engine.engine import CompiledQueue, OutOfBudget, plan
from router.runtime.engine.identity import is_malformed
from router.runtime.engine.writes import PlannedMessage, Write
from router.runtime.program.hooks import ObserverHook
from router.runtime.program.load import Program

if TYPE_CHECKING:
    from router.runtime.deliver.payloads import Fetcher
    from router.runtime.deliver.route_counts import RouteCounts
    from router.runtime.deliver.traces import TraceBatch

MAX_PLANNED_BATCH_BYTES = 128 * 1024 * 1024
"""The memory that items of a batch may take before the first are written; the last may exceed it."""
WRITE_BYTES = 350
"""What a write takes besides its text."""
LARGE_BODY = 16 * 1024
"""Characters; the one item of a message with a shorter body is not counted."""

_NOT_PLANNED = Outcome(
    "retry",
    codes.NOT_STARTED.id,
    "the deadline passed before it was planned",
    delay=0,
)
_PLANNED_LATE = Outcome("retry", codes.NOT_STARTED.id, "time was up while it was planned")
TOO_COSTLY = Outcome(
    "rejected",
    codes.OUT_OF_BOUNDS.id,
    f"'for_each' takes more than {MAX_PLANNING_SECONDS:.0f} s of CPU time",
)


class DeliveryOptions(Struct, frozen=True):
    """What differs between those who deliver.

    `meter` is called for each batch. Without `sends_dead_letters` a rejected message is not
    acknowledged. Without `interruptible`, KeyboardInterrupt is an exception of a plugin: that is for
    callers in which no signal raises it. `trace` is called with each batch after its last messages are
    acknowledged, if traces are on.
    """

    meter: Meter = ignore
    sends_dead_letters: bool = True
    interruptible: bool = False
    trace: "TraceBatch | None" = None


DEFAULT_OPTIONS = DeliveryOptions()


class _Batch(Struct):
    """A batch under way."""

    queue: CompiledQueue
    left: dict[str, Record]
    """Its messages by their ids; of a FIFO queue, those that have no outcome yet."""
    limit: StartLimit
    waits: WaitBudget
    blocked: dict[str | None, Outcome] = {}
    """The groups of a FIFO queue with a message that stays on it, each with the outcome of that one."""
    routes: "RouteCounts | None" = None
    """The outcomes by route, if they are counted."""


class Delivery:
    """Delivers batches of one program through one connection; keeps no message between batches."""

    def __init__(
        self,
        program: Program,
        aws: Aws,
        clock: Clock = boottime,
        writer: Writer | None = None,
        cpu: Clock = time.thread_time,
        options: DeliveryOptions = DEFAULT_OPTIONS,
    ) -> None:
        self._program = program
        self._aws = aws
        self._clock = clock
        self._cpu = cpu
        self._options = options
        self._writer = writer or Writer(aws.tables, clock)
        self._fast_paths = FastPaths()
        self._durations = [self._writer.duration]
        self._fetcher: Fetcher | None = None
        if program.fetches:
            from router.runtime.deliver import payloads  # which other programs do without

            self._fetcher = payloads.Fetcher(aws, clock)
            self._durations.append(self._fetcher.duration)
        self.final_duration = Duration()
        self._process = os.getpid()
        # Most programs have no observers: a batch does without the calls.
        self._observes_outcomes = program.plugins.observes("router_outcome")
        self._observes_batches = program.plugins.observes("router_batch_done")
        self._counts_routes = program.counts_routes
        self._tables = program.tables_by_reference

    def deliver(
        self,
        queue: CompiledQueue,
        records: Sequence[Record],
        deadline: Deadline,
    ) -> list[Delivered]:
        """Bring each record to exactly one outcome, in their order.

        A call starts only if it can end in time.
        """
        parts = [*self.deliver_in_parts(queue, records, deadline, WaitBudget(self._clock))]
        if len(parts) == 1 and not queue.fifo:
            return parts[0]
        delivered = {each.record.message_id: each for each in chain.from_iterable(parts)}
        in_order = {record.message_id: delivered[record.message_id] for record in records}
        return [*in_order.values()]

    def deliver_in_parts(
        self,
        queue: CompiledQueue,
        records: Sequence[Record],
        deadline: Deadline,
        waits: WaitBudget,
    ) -> Iterator[list[Delivered]]:
        """Deliver records; yield those that are decided: before each wait for others, and at last.

        A message group is in order, in one part and over the parts. `waits` limits how long the
        batch waits.
        """
        started = self._clock()
        # A message that was received twice is one message. Only its newest receipt handle is valid.
        distinct = {record.message_id: record for record in records}
        limit = StartLimit(deadline, started, self._durations, self.final_duration)
        batch = _Batch(queue, distinct, limit, waits)
        if self._counts_routes:
            # Only where the config asks for metrics by route.
            from router.runtime.deliver.route_counts import RouteCounts

            batch.routes = RouteCounts()
        # Those of a FIFO queue are removed from `distinct` as they are decided.
        count = len(distinct)
        results: list[Delivered] = []
        seconds = 0.0
        for part in self._deliver(batch):
            results += part
            self._report(queue, part)
            if len(results) == count:
                # Before the last messages are acknowledged.
                seconds = self._clock() - started
                self._summarize(batch, results, seconds)
            yield part
        if self._options.trace is not None:
            since = time.time() - (self._clock() - started)
            self._options.trace(queue, results, since, seconds)

    def set_visibility(
        self,
        queue: CompiledQueue,
        url: str,
        delivered: Sequence[Delivered],
        timeout: float,
        longest: int = MAX_BACKOFF_SECONDS,
    ) -> dict[str, AwsFault]:
        """Set when the messages that are not acknowledged become visible again.

        Return the faults by message id. If a call fails, or is not made within `timeout` seconds,
        the visibility timeout of the queue applies. No message stays invisible for more than
        `longest` seconds.
        """
        started = self._clock()
        timeouts = visibility_timeouts(queue, delivered, longest)
        # Those that were not started first, so that waiting does not use up their receive count.
        visible_now = [each for each in timeouts if not each[2]]
        later = [each for each in timeouts if each[2]]
        failed: dict[str, AwsFault] = {}
        for group in (visible_now, later):
            if group:
                left = started + timeout - self._clock()
                failed |= self._aws.queues.change_visibility(url, group, left)
        self.final_duration.add(self._clock() - started)
        return failed

    def _deliver(self, batch: _Batch) -> Iterator[list[Delivered]]:
        """Plan and write the records of a batch."""
        queue = batch.queue
        # A view: of a FIFO queue, a message is not in it any more once it has an outcome.
        records = batch.left.values()
        found: Iterable[PlannedMessage | Record] = records
        if queue.pointers is not None:
            assert self._fetcher  # the program has the queue
            found = self._fetcher.fetch(queue.pointers, records, batch.limit, batch.waits)
        budget = PlanningBudget(batch.limit, self._clock, self._cpu)
        fast = self._fast_paths.of(queue, len(records))
        messages, costly = _plan_quickly(queue, fast, found, budget, self._options.interruptible)
        end_copy(self._process)
        yield from self._write(batch, messages)
        # The costly ones may need the memory.
        messages.clear()
        for record in costly:
            if record.group_id in batch.blocked:
                continue
            planned = _plan_costly(queue, record, budget, self._options.interruptible)
            end_copy(self._process)
            yield from self._write(batch, [planned])
        if queue.fifo and batch.left:
            from router.runtime.deliver.message_groups import behind_of

            # A message of a blocked group waits on its queue, and is received again at once.
            behind = {group: behind_of(earlier) for group, earlier in batch.blocked.items()}
            yield [Delivered(left, behind[left.group_id], acknowledged=False) for left in records]

    def _write(
        self,
        batch: _Batch,
        messages: Sequence[PlannedMessage],
    ) -> Iterator[list[Delivered]]:
        """Write messages, of a FIFO queue one of each group at a time."""
        queue = batch.queue
        waves: Iterable[Sequence[PlannedMessage]] = (messages,)
        if queue.fifo:
            # A cold start of standard queues does without the module.
            from router.runtime.deliver.message_groups import group_waves

            waves = group_waves(
                messages,
                attrgetter("record.group_id"),
                lambda planned: planned.record.group_id not in batch.blocked,
            )
        part: list[Delivered] = []
        for wave in waves:
            left = len(wave)
            for settled in self._writer.write(wave, batch.limit, batch.waits, atomic=queue.atomic):
                decided = self._decide(queue, settled, batch.limit)
                if batch.routes is not None:
                    batch.routes.add(settled, decided)
                if queue.fifo:
                    for each in decided:
                        del batch.left[each.record.message_id]
                        if not each.acknowledged:
                            batch.blocked[each.record.group_id] = each.outcome
                part += decided
                left -= len(settled)
                if left:
                    # The writer waits for them.
                    yield part
                    part = []
        if part:
            yield part

    def _decide(
        self,
        queue: CompiledQueue,
        settled: Settled,
        limit: StartLimit,
    ) -> list[Delivered]:
        """Decide which messages are acknowledged, after the dead letters of rejected ones."""
        others = [outcome for outcome in settled.values() if outcome is not WRITTEN]
        if not others:
            return [Delivered(planned.record, WRITTEN, acknowledged=True) for planned in settled]
        # Without a dead-letter queue of the router, the queue's own redrive policy applies.
        keeps_rejected = not queue.dead_letter or not self._options.sends_dead_letters
        failed: dict[str, Outcome] = {}
        if not keeps_rejected:
            failed = self._send_dead_letters(queue, settled, limit)
        part = []
        for planned, settled_as in settled.items():
            record = planned.record
            outcome = failed.get(record.message_id, settled_as)
            kept = outcome.kind == "retry" or (keeps_rejected and outcome.kind == "rejected")
            part.append(Delivered(record, outcome, acknowledged=not kept))
        return part

    def _send_dead_letters(
        self,
        queue: CompiledQueue,
        settled: Settled,
        limit: StartLimit,
    ) -> dict[str, Outcome]:
        """Send the dead letters of rejected messages.

        Return the outcomes of those that were not confirmed, by message id.
        """
        rejected = [
            (planned.record, outcome)
            for planned, outcome in settled.items()
            if outcome.kind == "rejected"
        ]
        if not rejected:
            return {}
        started = self._clock()
        failed = send_dead_letters(
            self._aws.queues,
            queue,
            rejected,
            limit,
            self._clock,
            self._program.hash,
        )
        self.final_duration.add(self._clock() - started)
        return failed

    def _report(self, queue: CompiledQueue, part: Sequence[Delivered]) -> None:
        """Log outcomes, and show them to observers, before the messages are acknowledged."""
        if not self._observes_outcomes:
            others = [each for each in part if each.outcome is not WRITTEN]
            log_results([each.result(queue.name) for each in others])
            return
        for each in part:
            result = each.result(queue.name)
            log_results([result])
            self._notify("router_outcome", result)

    def _summarize(
        self,
        batch: _Batch,
        results: Sequence[Delivered],
        seconds: float,
    ) -> None:
        """Log a batch, and show it to observers."""
        queue = batch.queue
        written = results
        others = [each for each in results if each.outcome is not WRITTEN]
        if others:
            # Some of these have a conflict of one of their writes.
            written = [each for each in results if each.outcome.kind == WRITTEN.kind]
        outcomes = [each.outcome for each in others]
        unwritten = [outcome for outcome in outcomes if outcome.kind != WRITTEN.kind]
        counts = Counter([outcome.kind for outcome in unwritten])
        if written:
            counts[WRITTEN.kind] = len(written)
        malformed = 0
        if queue.dead_letter:
            failed_before = [each.record for each in results if each.record.message_attributes]
            malformed = sum([is_malformed(record) for record in failed_before])
        ages, age_seconds = measure_ages(written, int(time.time() * 1000))
        usage = batch.limit.usage
        # Without a dead-letter queue, a rejected message is not acknowledged.
        acknowledged = [each.outcome for each in others if each.acknowledged]
        summary = Summary(
            queue.name,
            counts,
            seconds,
            conflicts=sum([outcome.conflict for outcome in outcomes]),
            configuration_errors=sum([outcome.configuration_error for outcome in outcomes]),
            malformed_failures=malformed,
            codes=Counter([outcome.code for outcome in unwritten]),
            dead_letters=Counter([each.code for each in acknowledged if each.kind == "rejected"]),
            retries=Counter([cause_of(each) for each in outcomes if each.kind == "retry"]),
            ages=ages,
            age_seconds=age_seconds,
            write_calls=usage.calls,
            write_units={self._tables[name]: units for name, units in usage.units.items()},
            routes=batch.routes.by_route(self._program.config.routes)
            if batch.routes is not None
            else {},
        )
        log_batch(summary, self._program.hash)
        self._options.meter(summary)
        if self._observes_batches:
            self._notify("router_batch_done", summary)

    def _notify(self, hook: ObserverHook, seen: object) -> None:
        try:
            self._program.plugins.notify(hook, seen)
        except KeyboardInterrupt:
            if self._options.interruptible:
                raise
            LOGGER.error("%s of a plugin raised KeyboardInterrupt", hook)
        end_copy(self._process)


def _plan_quickly(
    queue: CompiledQueue,
    fast: FastPath | None,
    found: Iterable[PlannedMessage | Record],
    budget: PlanningBudget,
    interruptible: bool,
) -> tuple[list[PlannedMessage], list[Record]]:
    """Plan records; return what is planned, and the records that take more than a moment.

    The later records of their FIFO groups are not planned either. Once the items of the batch
    take MAX_PLANNED_BATCH_BYTES, the rest of it is not planned.
    """
    messages: list[PlannedMessage] = []
    costly: list[Record] = []
    costly_groups: set[str | None] = set()
    clock = budget.clock
    # The limit may move, and takes several calls: it is asked only where it may be reached.
    moment = budget.limit.moment
    room = MAX_PLANNED_BATCH_BYTES
    for each in found:
        if isinstance(each, PlannedMessage):
            messages.append(each)
            continue
        if room <= 0 or (costly_groups and each.group_id in costly_groups):
            costly.append(each)
            continue
        if clock() >= moment and budget.is_late:
            messages.append(PlannedMessage(each, _NOT_PLANNED))
            continue
        try:
            planned = None if fast is None else fast(each)
            if planned is None:
                planned = plan(queue, each, None, budget)
        except OutOfBudget:
            costly.append(each)
            if queue.fifo:
                costly_groups.add(each.group_id)
            continue
        except BaseException as error:  # a plugin may raise anything
            planned = _not_planned(each, error, interruptible)
        messages.append(planned)
        # Slices instead of two calls of `len`, which would be 2 of 37 for a small message.
        if planned.writes and (planned.writes[1:] or each.body[LARGE_BODY:]):
            room -= sum([_memory_of(write) for write in planned.writes])
    return messages, costly


def _memory_of(write: Write) -> int:
    return memory_bytes(write.item) if write.request is None else write.size + WRITE_BYTES


def _not_planned(record: Record, error: BaseException, interruptible: bool) -> PlannedMessage:
    """Return the message of a plugin that raised what no plugin should; it stays on its queue."""
    if interruptible and isinstance(error, KeyboardInterrupt):
        raise error
    reason = f"unexpected {type(error).__name__}"
    return PlannedMessage(record, Outcome("retry", codes.PLUGIN_FAILED.id, reason))


def _plan_costly(
    queue: CompiledQueue,
    record: Record,
    budget: PlanningBudget,
    interruptible: bool,
) -> PlannedMessage:
    """Plan a record that takes long.

    Reject it if it takes too long, and retry it if the batch has no time left.
    """
    if budget.is_late:
        return PlannedMessage(record, _NOT_PLANNED)
    budget.seconds = MAX_PLANNING_SECONDS
    try:
        return plan(queue, record, None, budget)
    except OutOfBudget:
        return PlannedMessage(record, _PLANNED_LATE if budget.is_late else TOO_COSTLY)
    except BaseException as error:  # a plugin may raise anything
        return _not_planned(record, error, interruptible)

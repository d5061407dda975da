"""The shell around the engine: plans a batch, writes it, sends dead letters, and says what may be acknowledged."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct

from router import codes
from router.model import WRITTEN, Outcome, Record, Result, Summary
from router.runtime.aws.calls import Clock, Duration, boottime
from router.runtime.aws.protocols import Aws, AwsFault, VisibilityTimeout
from router.runtime.deliver.dead_letters import send_dead_letters
from router.runtime.deliver.payloads import Fetcher
from router.runtime.deliver.telemetry import Meter, ignore, log_batch, log_result
from router.runtime.deliver.time_limits import MAX_PLANNING_SECONDS, Deadline, PlanningBudget, StartLimit, WaitBudget
from router.runtime.deliver.writer import Writer
from router.runtime.engine.backoff import MAX_BACKOFF_SECONDS
from router.runtime.engine.engine import CompiledQueue, OutOfBudget, fast_plan, plan
from router.runtime.engine.identity import is_malformed
from router.runtime.engine.writes import PlannedMessage
from router.runtime.program.load import Program

T = TypeVar("T")


class Delivered(Struct, frozen=True, gc=False):
    """A message, its outcome, and whether it is to be deleted from its queue."""

    record: Record
    outcome: Outcome
    acknowledged: bool


class Delivery:
    """Delivers batches of one program through one connection; keeps no message between batches.

    `meter` is called for each batch. Without `sends_dead_letters` a rejected message is not acknowledged.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        clock: Clock = boottime,
        meter: Meter = ignore,
        writer: Writer | None = None,
        cpu: Clock = time.thread_time,
        *,
        sends_dead_letters: bool = True,
    ) -> None:
        self._program = program
        self._aws = aws
        self._clock = clock
        self._cpu = cpu
        self._writer = writer or Writer(aws.tables, clock)
        self._fetcher = Fetcher(aws, clock) if program.fetches else None
        self._durations = [each.duration for each in (self._writer, self._fetcher) if each]
        self._final_duration = Duration()
        self._meter = meter
        self._sends_dead_letters = sends_dead_letters
        # Most programs have no observers: a batch does without the calls.
        self._observes_outcomes = program.plugins.observes("router_outcome")
        self._observes_batches = program.plugins.observes("router_batch_done")

    def deliver(self, queue: CompiledQueue, records: Sequence[Record], deadline: Deadline) -> list[Delivered]:
        """Bring each record to exactly one outcome, in their order; a call starts only if it can end in time."""
        parts = [*self.deliver_in_parts(queue, records, deadline, WaitBudget(self._clock))]
        if len(parts) == 1 and not queue.fifo:
            return parts[0]
        delivered = {each.record.message_id: each for part in parts for each in part}
        return [delivered[message_id] for message_id in dict.fromkeys([record.message_id for record in records])]

    def deliver_in_parts(
        self, queue: CompiledQueue, records: Sequence[Record], deadline: Deadline, waits: WaitBudget
    ) -> Iterator[list[Delivered]]:
        """Deliver records; before each wait for a few of them, yield those that are decided, and at last the others.

        A message group is in order, in one part and over the parts. `waits` limits how long the batch waits.
        """
        started = self._clock()
        # A message that was received twice is one message; only its newest receipt handle is valid.
        distinct = {record.message_id: record for record in records}
        delivered: dict[str, Delivered] = {}
        yielded = 0
        limit = StartLimit(deadline, started, self._durations, self._final_duration)
        for _ in self._settle_all(queue, distinct, limit, waits, delivered):
            if part := [*delivered.values()][yielded:]:
                yielded += len(part)
                self._report(queue, part)
                yield part
        if len(delivered) < len(distinct):
            for message_id, record in distinct.items():
                if message_id not in delivered:
                    delivered[message_id] = Delivered(record, _GROUP_BLOCKED, acknowledged=False)
        results = [*delivered.values()]
        self._report(queue, results[yielded:])
        self._summarize(queue, results, self._clock() - started)
        yield results[yielded:]

    def _settle_all(
        self,
        queue: CompiledQueue,
        distinct: Mapping[str, Record],
        limit: StartLimit,
        waits: WaitBudget,
        delivered: dict[str, Delivered],
    ) -> Iterator[None]:
        """Plan and settle the records whose message group is not blocked; yields before each wait."""
        found: Iterable[PlannedMessage | Record] = distinct.values()
        if queue.pointers is not None:
            assert self._fetcher  # the program has the queue
            found = self._fetcher.fetch(queue.pointers, distinct.values(), limit, waits)
        budget = PlanningBudget(limit, self._clock, self._cpu)
        messages, costly = _plan_quickly(queue, found, budget)
        yield from self._settle(queue, messages, limit, waits, delivered)
        for record in costly:
            yield
            # The quick messages of the batch are written by now. A group goes on only if all before is acknowledged.
            if not queue.fifo or _is_group_done(record, distinct.values(), delivered):
                yield from self._settle(queue, [_plan_costly(queue, record, budget)], limit, waits, delivered)

    def _settle(
        self,
        queue: CompiledQueue,
        messages: Sequence[PlannedMessage],
        limit: StartLimit,
        waits: WaitBudget,
        delivered: dict[str, Delivered],
    ) -> Iterator[None]:
        """Write messages and send the dead letters; add what was decided to `delivered`, by message id."""

        def is_acknowledged(planned: PlannedMessage) -> bool:
            return delivered[planned.record.message_id].acknowledged

        for wave in (
            group_waves(messages, attrgetter("record.group_id"), is_acknowledged) if queue.fifo else (messages,)
        ):
            left = wave
            for _ in self._writer.write_messages(wave, limit, waits, atomic=queue.atomic):
                self._finish(queue, [each for each in left if each.outcome], limit, delivered)
                left = [each for each in left if not each.outcome]
                yield
            self._finish(queue, left, limit, delivered)

    def set_visibility(
        self,
        queue: CompiledQueue,
        url: str,
        delivered: Sequence[Delivered],
        timeout: float,
        longest: int = MAX_BACKOFF_SECONDS,
    ) -> dict[str, AwsFault]:
        """Set when the messages that are not acknowledged become visible again; return the faults by message id.

        Messages that were not started are changed before the others, so that waiting does not use up their receive
        count. If a call fails, or is not made within `timeout` seconds, the visibility timeout of the queue applies. No
        message stays invisible for more than `longest` seconds.
        """
        failed: dict[str, AwsFault] = {}
        started = self._clock()
        waits = visibility_timeouts(queue, delivered, longest)
        for group in ([each for each in waits if not each[2]], [each for each in waits if each[2]]):
            if group:
                failed |= self._aws.queues.change_visibility(url, group, started + timeout - self._clock())
        self._final_duration.add(self._clock() - started)
        return failed

    def _finish(
        self,
        queue: CompiledQueue,
        messages: Sequence[PlannedMessage],
        limit: StartLimit,
        delivered: dict[str, Delivered],
    ) -> None:
        """Send the dead letters of rejected messages, and decide what is acknowledged."""
        others = [(each, each.outcome or _unsettled()) for each in messages if each.outcome is not WRITTEN]
        leaves = not queue.dead_letter or not self._sends_dead_letters
        rejected = [] if leaves else [(each.record, found) for each, found in others if found.kind == "rejected"]
        failed: dict[str, Outcome] = {}
        if rejected:
            started = self._clock()
            failed = send_dead_letters(self._aws.queues, queue, rejected, limit, self._clock, self._program.hash)
            self._final_duration.add(self._clock() - started)
        decided: dict[str, Delivered] = {}
        for planned, found in others:
            outcome = failed.get(planned.record.message_id, found)
            # Without a dead-letter queue of the router, a rejected message is left to the queue's own redrive policy.
            kept = outcome.kind == "retry" or (outcome.kind == "rejected" and leaves)
            decided[planned.record.message_id] = Delivered(planned.record, outcome, acknowledged=not kept)
        # All in their order, then those that differ.
        delivered |= {planned.record.message_id: Delivered(planned.record, WRITTEN, True) for planned in messages}
        delivered |= decided

    def _report(self, queue: CompiledQueue, part: Sequence[Delivered]) -> None:
        """Log outcomes, and show them to observers, before the messages are acknowledged."""
        shown = part if self._observes_outcomes else [each for each in part if each.outcome is not WRITTEN]
        for each in shown:
            result = Result(each.record.message_id, queue.name, each.outcome, each.record.receive_count)
            log_result(result)
            self._program.plugins.notify("router_outcome", result)

    def _summarize(self, queue: CompiledQueue, results: Sequence[Delivered], seconds: float) -> None:
        """Log a batch, and show it to observers."""
        others = [each.outcome for each in results if each.outcome is not WRITTEN]
        counts = Counter([outcome.kind for outcome in others])
        if len(others) < len(results):
            counts[WRITTEN.kind] += len(results) - len(others)
        carried = [each.record for each in results if each.record.message_attributes] if queue.dead_letter else []
        summary = Summary(
            queue.name,
            counts,
            seconds,
            conflicts=sum([outcome.conflict for outcome in others]),
            configuration_errors=sum([outcome.configuration_error for outcome in others]),
            malformed_failures=sum([is_malformed(record) for record in carried]),
        )
        log_batch(summary, self._program.hash)
        self._meter(summary)
        if self._observes_batches:
            self._program.plugins.notify("router_batch_done", summary)


_NOT_PLANNED = Outcome("retry", codes.NOT_STARTED.id, "the deadline passed before it was planned", delay=0)
_PLANNED_LATE = Outcome("retry", codes.NOT_STARTED.id, "time was up while it was planned")
TOO_COSTLY = Outcome(
    "rejected", codes.OUT_OF_BOUNDS.id, f"'for_each' takes more than {MAX_PLANNING_SECONDS:.0f} s of CPU time"
)


def _plan_quickly(
    queue: CompiledQueue, found: Iterable[PlannedMessage | Record], budget: PlanningBudget
) -> tuple[list[PlannedMessage], list[Record]]:
    """Plan records; return those that take more than a moment unplanned, with the later ones of their FIFO groups."""
    messages: list[PlannedMessage] = []
    costly: list[Record] = []
    costly_groups: set[str | None] = set()
    short = fast_plan(queue)
    # The limit, which may move, is asked only where it may be reached.
    clock, moment = budget.clock, budget.limit.moment
    for each in found:
        if isinstance(each, PlannedMessage):
            messages.append(each)
        elif costly_groups and each.group_id in costly_groups:
            costly.append(each)
        elif clock() >= moment and budget.is_late:
            messages.append(PlannedMessage(each, _NOT_PLANNED))
        elif short is not None and (planned := short(each)) is not None:
            messages.append(planned)
        else:
            try:
                messages.append(plan(queue, each, None, budget))
            except OutOfBudget:
                costly.append(each)
                if queue.fifo:
                    costly_groups.add(each.group_id)
    return messages, costly


def _plan_costly(queue: CompiledQueue, record: Record, budget: PlanningBudget) -> PlannedMessage:
    """Plan a record that takes long; reject it if it takes too long, and retry it if the batch has no time left."""
    if budget.is_late:
        return PlannedMessage(record, _NOT_PLANNED)
    budget.seconds = MAX_PLANNING_SECONDS
    try:
        return plan(queue, record, None, budget)
    except OutOfBudget:
        return PlannedMessage(record, _PLANNED_LATE if budget.is_late else TOO_COSTLY)


_OUTAGE = (codes.RETRY_LATER.id, codes.NO_DEAD_LETTER.id)
_GROUP_BLOCKED = Outcome(
    "retry", codes.NOT_STARTED.id, "an earlier message of its group is still on the queue", delay=0
)


def met_outage(outcome: Outcome) -> bool:
    """Return whether no message is at fault: a configuration error, or a table, bucket or queue that fails."""
    return outcome.configuration_error or outcome.code in _OUTAGE


def visibility_timeouts(queue: CompiledQueue, delivered: Iterable[Delivered], longest: int) -> list[VisibilityTimeout]:
    """Return those of the messages that are not acknowledged, `longest` at most; messages not started become visible.

    A rejected message is left out: the visibility timeout of the queue applies.
    """
    waits = [(each.record, _wait(queue, each, longest)) for each in delivered if not each.acknowledged]
    return [(record.message_id, record.receipt_handle, wait) for record, wait in waits if wait is not None]


def _wait(queue: CompiledQueue, delivered: Delivered, longest: int) -> int | None:
    """Return the visibility timeout of a message in seconds; None to leave the one of the queue."""
    outcome, receive_count = delivered.outcome, delivered.record.receive_count
    if outcome.kind == "rejected":
        return None
    if met_outage(outcome):
        return min(queue.outage.wait(receive_count), longest)
    if outcome.delay is not None:
        return min(math.ceil(outcome.delay), longest)
    return queue.backoff.wait(receive_count)


def group_waves(
    items: Sequence[T], group_id: Callable[[T], str | None], is_done: Callable[[T], bool]
) -> Iterator[list[T]]:
    """Yield the items of a FIFO queue in waves with one item of each group.

    `is_done` is called after a wave for each of its items; if one is not done, the rest of its group is left out.
    """
    groups: dict[str | None, list[T]] = {}
    for item in items:
        groups.setdefault(group_id(item), []).append(item)
    left = list(groups.values())
    while left:
        yield [group[0] for group in left]
        left = [group[1:] for group in left if is_done(group[0]) and len(group) > 1]


def _is_group_done(record: Record, batch: Iterable[Record], delivered: Mapping[str, Delivered]) -> bool:
    """Whether all messages of the batch before a message of its group are acknowledged."""
    for each in batch:
        if each.message_id == record.message_id:
            break
        if each.group_id == record.group_id and not (
            each.message_id in delivered and delivered[each.message_id].acknowledged
        ):
            return False
    return True


def _unsettled() -> Outcome:
    raise AssertionError("a write was not settled")

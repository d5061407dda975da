"""Plans messages outside of the worker and the function, one after the other, with all the time that each may take."""

import time
from collections.abc import Iterator, Sequence

from msgspec import structs

from router.model import Outcome, Record
from router.runtime.aws.calls import Duration, boottime
from router.runtime.aws.protocols import Aws
from router.runtime.deliver.delivery import TOO_COSTLY
from router.runtime.deliver.fast_paths import FastPath, FastPaths
from router.runtime.deliver.payloads import Fetcher
from router.runtime.deliver.time_limits import (
    MAX_PLANNING_SECONDS,
    FixedDeadline,
    PlanningBudget,
    StartLimit,
    WaitBudget,
)
from router.runtime.engine.engine import CompiledQueue, OutOfBudget, plan
from router.runtime.engine.writes import PlannedMessage

SECONDS = 60.0
"""The deadline of planning some messages."""
_AT_A_TIME = 8
"""Payloads in S3 may be large."""
LEFT_OUT = Outcome("dropped", "", "no route that is selected takes it")


class Planner:
    """Plans messages; of `routes`, if there are any, it keeps the writes, and leaves those of others out."""

    def __init__(self, aws: Aws, routes: frozenset[str] = frozenset()) -> None:
        """`aws` only fetches the payloads that messages point to."""
        self._fetcher = Fetcher(aws)
        self._fast_paths = FastPaths()
        self._routes = routes

    def tables(self, queue: CompiledQueue) -> frozenset[str]:
        """Return the names of the tables that the messages of a queue may be written to."""
        return frozenset(
            each.write.table.name
            for each in queue.routes
            if not self._routes or each.route.name in self._routes
        )

    def plan_all(self, queue: CompiledQueue, records: Sequence[Record]) -> Iterator[PlannedMessage]:
        """Yield the plans of records, in order."""
        fast = self._fast_paths.of(queue, len(records))
        for start in range(0, len(records), _AT_A_TIME):
            some: Sequence[Record | PlannedMessage] = records[start : start + _AT_A_TIME]
            limit = StartLimit(FixedDeadline(boottime() + SECONDS), boottime(), (Duration(),))
            if queue.pointers is not None:
                some = self._fetcher.fetch(
                    queue.pointers, records[start : start + _AT_A_TIME], limit, WaitBudget()
                )
            for each in some:
                if isinstance(each, PlannedMessage):
                    yield each
                else:
                    yield self._of_routes(_plan(queue, each, fast, limit))

    def _of_routes(self, planned: PlannedMessage) -> PlannedMessage:
        if not self._routes or not planned.writes:
            return planned
        writes = [write for write in planned.writes if write.route in self._routes]
        return PlannedMessage(planned.record, None if writes else LEFT_OUT, writes)


def _plan(
    queue: CompiledQueue, record: Record, fast: FastPath | None, limit: StartLimit
) -> PlannedMessage:
    planned = None if fast is None else fast(record)
    if planned is not None:
        return planned
    budget = PlanningBudget(limit, boottime, time.thread_time)
    budget.seconds = MAX_PLANNING_SECONDS
    without = structs.replace(record, fetched=None)
    try:
        planned = plan(queue, record, None, budget)
    except OutOfBudget:
        return PlannedMessage(without, TOO_COSTLY)
    return PlannedMessage(without, planned.outcome, planned.writes)

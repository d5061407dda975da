"""Plans messages outside of the worker and the function: with their payloads in S3, within bounds of time and memory."""

import time
from collections.abc import Iterator, Sequence

from msgspec import structs

from router.model import Record
from router.runtime.aws.calls import Duration, boottime
from router.runtime.deliver.delivery import TOO_COSTLY
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
_FETCHED_AT_A_TIME = 8
"""Payloads may be large."""


def plan_all(
    queue: CompiledQueue, records: Sequence[Record], fetcher: Fetcher
) -> Iterator[PlannedMessage]:
    """Yield the plans of records, without their payloads in S3, which are fetched some at a time."""
    for start in range(0, len(records), _FETCHED_AT_A_TIME):
        some: Sequence[Record | PlannedMessage] = records[start : start + _FETCHED_AT_A_TIME]
        limit = StartLimit(FixedDeadline(boottime() + SECONDS), boottime(), (Duration(),))
        if queue.pointers is not None:
            some = fetcher.fetch(
                queue.pointers, records[start : start + _FETCHED_AT_A_TIME], limit, WaitBudget()
            )
        for each in some:
            yield each if isinstance(each, PlannedMessage) else _plan(queue, each, limit)


def _plan(queue: CompiledQueue, record: Record, limit: StartLimit) -> PlannedMessage:
    budget = PlanningBudget(limit, boottime, time.thread_time)
    budget.seconds = MAX_PLANNING_SECONDS
    try:
        planned = plan(queue, record, None, budget)
    except OutOfBudget:
        return PlannedMessage(structs.replace(record, fetched=None), TOO_COSTLY)
    return PlannedMessage(
        structs.replace(record, fetched=None), planned.outcome, planned.writes
    )

"""What `router status` says of queues, tables and functions that are not as they should be."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from router.tools.deploy.status import (
    MINUTES,
    SINCE_PERIOD,
    FunctionStatus,
    QueueStatus,
    TableStatus,
)
from router.tools.deploy.template.alarms import IN_FLIGHT_QUOTA

DEPLOYED_MINUTES = 30
"""A change of the function is named if retries began within so many minutes after it."""
OLD_SECONDS = 900
"""A message on its queue for longer is named: the default of the alarm for the age."""
MANY_IN_FLIGHT = IN_FLIGHT_QUOTA // 2
"""Messages in flight of a queue that are named, before the alarm for them rings."""


def concerns(
    queues: Iterable[QueueStatus],
    tables: Iterable[TableStatus],
    functions: Sequence[FunctionStatus],
) -> Iterator[str]:
    """Yield a sentence for what is not as it should be.

    That is a queue that is paused, has dead letters, old messages or many in flight, or cannot be read, a throttled
    table, and a function that fails.
    """
    for queue in queues:
        yield from _of_queue(queue, functions)
    for table in tables:
        if table.throttled:
            yield f"table {table.table}: {table.throttled} writes throttled in the last 15 minutes"
    for function in functions:
        if function.failure:
            yield f"function {function.function}: {function.failure}"
        elif function.failed and function.failed == function.invocations:
            yield (
                f"function {function.function} may not start: all of its {function.failed} invocations in the last "
                "15 minutes failed; --probe invokes it without records"
            )


def _of_queue(queue: QueueStatus, functions: Sequence[FunctionStatus]) -> Iterator[str]:
    """Yield the sentences about a queue."""
    if queue.paused:
        yield f"queue {queue.queue} is paused: {queue.paused}"
    if queue.dead_letters:
        end = f"; SQS deletes the first {queue.letters_end}" if queue.letters_end else ""
        yield f"queue {queue.queue} has dead letters: {queue.dead_letters}{end}"
    if queue.retries:
        yield _retried(queue, functions)
    if (queue.oldest_seconds or 0) > OLD_SECONDS:
        yield (
            f"the oldest message of queue {queue.queue} is {queue.oldest_seconds} s old; {queue.waiting} wait, "
            f"{queue.in_flight} are in flight: worked on, or hidden until their next try"
        )
    if (queue.in_flight or 0) > MANY_IN_FLIGHT:
        yield (
            f"queue {queue.queue} has {queue.in_flight} messages in flight; at {IN_FLIGHT_QUOTA} SQS delivers no "
            "more of it, of no route"
        )
    if queue.waiting is None:
        yield f"queue {queue.queue} cannot be read"


def _retried(queue: QueueStatus, functions: Sequence[FunctionStatus]) -> str:
    """Return a sentence about messages that are left on a queue: since when, why, in which routes, and after what."""
    causes = ", ".join(f"{cause} {count}" for cause, count in queue.retries.items())
    routes = ", ".join(f"{route} {count}" for route, count in queue.failing_routes.items())
    text = f"messages of queue {queue.queue} are retried since {queue.retried_since}: {causes}"
    if routes:
        text += f"; by route: {routes}"
    if queue.retries_minutes != MINUTES:
        text += (
            f"; in the last {queue.retries_minutes} minutes, but none in the last {MINUTES}: messages in flight are "
            "worked on, or hidden until their next try"
        )
    if queue.postponed:
        text += (
            f"; postponed in the last {queue.retries_minutes} minutes, since many are in flight: {queue.postponed}; "
            f"delayed now, and will return by themselves: {queue.delayed}"
        )
    began = datetime.fromisoformat(queue.retried_since)
    own = {each.function for each in queue.receivers}
    # A period of five minutes may begin before what happened in it.
    early = timedelta(seconds=SINCE_PERIOD)
    for function in functions:
        if function.function not in own or not function.changed:
            continue
        changed = datetime.fromisoformat(function.changed)
        if -early <= began - changed <= timedelta(minutes=DEPLOYED_MINUTES):
            text += f"; function {function.function} was changed at {function.changed}"
    return text

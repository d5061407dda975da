"""What `router status` says of queues, tables and functions that need attention."""

from typing import Any

import pytest
from msgspec import structs

from router.tools.deploy.concerns import concerns
from router.tools.deploy.status import FunctionStatus, QueueStatus, ReceivingFunction, TableStatus

RETRIED = QueueStatus(
    "orders",
    "orders",
    waiting=1,
    receivers=(ReceivingFunction("flows:live", "Enabled"),),
    retries={"throttled": 5, "outage": 2},
    retried_since="2026-01-02T03:00:00Z",
)
SENTENCE = "messages of queue orders are retried since 2026-01-02T03:00:00Z: throttled 5, outage 2"


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (FunctionStatus("flows:live", changed="2026-01-02T02:50:00Z"), True),
        # The period began before.
        (FunctionStatus("flows:live", changed="2026-01-02T03:04:00Z"), True),
        (FunctionStatus("flows:live", changed="2026-01-02T02:00:00Z"), False),
        (FunctionStatus("flows:live", changed="2026-01-02T09:00:00Z"), False),
        (FunctionStatus("flows:live"), False),
        (FunctionStatus("another:live", changed="2026-01-02T02:50:00Z"), False),
    ],
)
def test_a_change_before_retries(function: FunctionStatus, named: bool) -> None:
    """A change of the function that receives from the queue is named if retries began shortly after it."""
    end = f"; function flows:live was changed at {function.changed}" if named else ""

    assert [*concerns([RETRIED], [], [function])] == [f"{SENTENCE}{end}"]


def test_retries_by_route() -> None:
    """They are named if the config measures routes."""
    queue = structs.replace(RETRIED, failing_routes={"a": 6, "b": 1})

    assert [*concerns([queue], [], [])] == [f"{SENTENCE}; by route: a 6, b 1"]


@pytest.mark.parametrize(("units", "dollars"), [(None, None), (0, 0.0), (900_000, 2.25)])
def test_what_a_table_costs(units: Any, dollars: Any) -> None:
    """An hour of what was consumed in a quarter of an hour."""
    assert TableStatus("orders", 0, units).dollars_an_hour == dollars


def test_postponed_messages() -> None:
    """Their queue is not paused: it says how many of its messages are delayed, and that they return."""
    queue = structs.replace(RETRIED, postponed=9, delayed=4)

    postponed = "postponed in the last 15 minutes, since many are in flight: 9"
    delayed = "delayed now, and will return by themselves: 4"
    assert [*concerns([queue], [], [])] == [f"{SENTENCE}; {postponed}; {delayed}"]


def test_old_retries() -> None:
    """Those of a queue whose messages are hidden for longer than a quarter of an hour."""
    queue = structs.replace(RETRIED, retries_minutes=60)
    minutes = "in the last 60 minutes, but none in the last 15"
    why = f"{minutes}: messages in flight are worked on, or hidden until their next try"

    assert [*concerns([queue], [], [])] == [f"{SENTENCE}; {why}"]
    [text] = concerns([structs.replace(queue, postponed=9)], [], [])
    assert text.startswith(f"{SENTENCE}; {why}; postponed in the last 60 minutes, since")


@pytest.mark.parametrize(("seconds", "named"), [(900, False), (901, True)])
def test_old_messages(seconds: int, named: bool) -> None:
    """A queue whose messages wait for longer than the alarm allows, such as those of a blocked group."""
    queue = QueueStatus("orders", "orders.fifo", waiting=345, in_flight=187, oldest_seconds=seconds)

    found = [*concerns([queue], [], [])]

    counts = "345 wait, 187 are in flight: worked on, or hidden until their next try"
    assert found == [f"the oldest message of queue orders is 901 s old; {counts}"] * named


@pytest.mark.parametrize(("count", "named"), [(60_000, False), (60_001, True)])
def test_many_in_flight(count: int, named: bool) -> None:
    """They are named before the alarm rings, with the quota."""
    found = [*concerns([QueueStatus("orders", "orders", waiting=0, in_flight=count)], [], [])]

    sentence = "queue orders has 60001 messages in flight; at 120000 SQS delivers no more of it, of no route"
    assert found == [sentence] * named


def test_the_end_of_dead_letters() -> None:
    """When SQS deletes the first."""
    queue = QueueStatus("orders", "orders", waiting=0, dead_letters=3, letters_end="at 2026-01-02T03:00:00.000Z")

    end = "SQS deletes the first at 2026-01-02T03:00:00.000Z"
    assert [*concerns([queue], [], [])] == [f"queue orders has dead letters: 3; {end}"]

"""A ticket ends when its last write has, as the worst of them."""

from typing import Any

import pytest

from router.engine.writes import MAX_ACTIONS, Marker, Ticket, Write, check_transaction
from router.errors import Refusal
from router.model import WRITTEN, Outcome, Record, Table
from tests.support.modes import MODES

RECORD = Record("id", "handle", "{}")
THINGS = Table("things", (("id", "S"),))
WRITE = Write("r", THINGS, MODES["put"], ("things", "a"), {"id": {"S": "a"}}, 3)
RETRY = Outcome("retry", "RT814")
REJECTED = Outcome("rejected", "RT815")


def test_a_decided_ticket_has_nothing_to_write() -> None:
    """It has its outcome from the start."""
    ticket = Ticket(RECORD, REJECTED)

    assert (ticket.record, ticket.outcome, ticket.writes, ticket.results) == (RECORD, REJECTED, [], [])


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([WRITTEN], None),
        ([RETRY], None),
        ([WRITTEN, WRITTEN], WRITTEN),
        ([WRITTEN, RETRY], RETRY),
        ([RETRY, REJECTED], RETRY),
        ([REJECTED, WRITTEN], REJECTED),
        ([Outcome("duplicate"), Outcome("stale")], Outcome("stale")),
    ],
)
def test_the_worst_of_all_writes_is_the_outcome(results: Any, outcome: Any) -> None:
    """There is no outcome before all writes are settled."""
    ticket = Ticket(RECORD, None, [WRITE, WRITE])

    for result in results:
        ticket.settle(result)

    assert (ticket.outcome, ticket.results) == (outcome, results)


def put(number: int, size: int = 3, marker: Marker | None = None) -> Write:
    """The write of an item of its own."""
    return Write("r", THINGS, MODES["put"], ("things", str(number)), {}, size, marker=marker)


@pytest.mark.parametrize(
    ("writes", "reason"),
    [
        (
            [put(at) for at in range(MAX_ACTIONS + 1)],
            "the message makes more than 100 writes, too many for one transaction",
        ),
        (
            [put(at, marker=Marker(THINGS, {})) for at in range(51)],
            "the message makes more than 100 writes, too many for one transaction",
        ),
        ([put(1), put(1)], "the message writes one item twice, which no transaction can"),
        (
            [put(at, size=400_000) for at in range(11)],
            "the items of the message have more than 4194304 bytes together",
        ),
    ],
)
def test_too_large_a_transaction_is_refused(writes: Any, reason: Any) -> None:
    """Too many actions with markers, two writes of one item, or too many bytes."""
    with pytest.raises(Refusal, match=reason):
        check_transaction(writes)


def test_a_hundred_writes_are_one_transaction() -> None:
    """The limit itself."""
    check_transaction([put(at) for at in range(MAX_ACTIONS)])

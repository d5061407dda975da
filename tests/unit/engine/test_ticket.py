"""A ticket ends when its last write has, as the worst of them."""

from typing import Any

import pytest

from router.engine.ticket import Ticket
from router.model import WRITTEN, Outcome, Record, Table, Write

RECORD = Record("id", "handle", "{}")
WRITE = Write("r", Table("things", (("id", "S"),)), "put", ("things", "a"), {"id": {"S": "a"}}, 3)
RETRY = Outcome("retry", "RT814")
REJECTED = Outcome("rejected", "RT815")


def test_a_decided_ticket_has_nothing_to_write() -> None:
    """It is made with its outcome."""
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
    """And there is none before all have ended."""
    ticket = Ticket(RECORD, None, [WRITE, WRITE])

    for result in results:
        ticket.settle(result)

    assert (ticket.outcome, ticket.results) == (outcome, results)

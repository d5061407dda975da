"""A message is settled when its last write is, as the worst of them."""

from typing import Any

import pytest

from router.model import WRITTEN, Outcome, Record, Table
from router.runtime.deliver.writer import Settlement
from tests.support.engine import PlannedMessage, Write
from tests.support.modes import MODES

RECORD = Record("id", "handle", "{}")
WRITE = Write("r", Table("things", (("id", "S"),)), MODES["put"], ("things", "a"), {"id": {"S": "a"}}, 3)
RETRY = Outcome("retry", "RT814")
REJECTED = Outcome("rejected", "RT815")


def test_a_decided_message_is_settled() -> None:
    """It has its outcome from the start, and is given once."""
    decided, other = PlannedMessage(RECORD, REJECTED), PlannedMessage(RECORD, None, [WRITE])
    settlement = Settlement([decided, other])

    assert (settlement.unsettled, settlement.take(), settlement.take()) == ([other], {decided: REJECTED}, {})


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
    planned = PlannedMessage(RECORD, None, [WRITE, WRITE])
    settlement = Settlement([planned])

    for result in results:
        settlement.add([(planned, result)])

    assert settlement.take() == ({} if outcome is None else {planned: outcome})


@pytest.mark.parametrize("outcome", [WRITTEN, RETRY])
def test_a_message_with_one_write(outcome: Outcome) -> None:
    """Its outcome is that of the write."""
    planned = PlannedMessage(RECORD, None, [WRITE])
    settlement = Settlement([planned])

    settlement.add([(planned, outcome)])

    assert (settlement.outcome_of(planned), settlement.take()) == (outcome, {planned: outcome})


def test_messages_are_given_in_the_order_of_receipt() -> None:
    """Whichever is settled first."""
    messages = [PlannedMessage(RECORD, None, [WRITE]) for _ in range(4)]
    settlement = Settlement(messages)
    settlement.add([(messages[3], RETRY), (messages[0], RETRY)])
    first = settlement.take()
    settlement.add([(messages[2], RETRY)])
    settlement.add_written([messages[1]])

    assert [[*first], [*settlement.take()]] == [[messages[0], messages[3]], [messages[1], messages[2]]]

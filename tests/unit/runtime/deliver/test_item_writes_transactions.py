"""What is sent together: a write with its idempotency key, and all writes of a message of an atomic queue."""

from typing import Any

import pytest

from router.model import WRITTEN, Message, Outcome, Record, Table
from router.runtime.deliver.item_writes import CoalescedWrites, Transaction, coalesce, outcome_of_condition
from tests.support.aws import WriteResponse
from tests.support.engine import IdempotencyConfig, PlannedMessage, WriteConfig
from tests.support.modes import MODES

THINGS = Table("things", (("id", "S"), ("at", "N")))
MARKERS = Table("markers", (("m", "S"),))
KEY = {"id": {"S": "a"}, "at": {"N": "1"}}
ITEM = {"id": "a", "at": 1}


def write(item: Any, mode: str, **shape: Any) -> Any:
    """The write of an item by a route `r`."""
    config = WriteConfig("r", THINGS, MODES[mode], **shape)
    return config.mode.plan(config, item, Message({}, "m1"), 1)


def planned(*writes: Any) -> Any:
    """A planned message of these writes."""
    return PlannedMessage(Record("id", "handle", "{}"), None, list(writes))


MARKED = write({**ITEM, "n": 1}, "update", once=IdempotencyConfig(MARKERS, ""))
APPLIED = Outcome("duplicate", "RT820", "the update was already applied to table 'things'", "r")
THERE = Outcome("duplicate", "RT820", "table 'things' has the item already", "r")


@pytest.mark.parametrize("make", [lambda: coalesce([planned(MARKED)])[0][0], lambda: Transaction(planned(MARKED))])
def test_an_update_and_its_idempotency_key_are_one_transaction(make: Any) -> None:
    """The key first: if its condition fails, the update was already applied."""
    step = make()

    assert (step.actions(), outcome_of_condition(step.writes, WriteResponse()), step.writes) == (
        [("Put", MARKED.idempotency_key.call), ("Update", MARKED.call)],
        APPLIED,
        [MARKED],
    )


@pytest.mark.parametrize("step", [CoalescedWrites, lambda planned, write: Transaction(planned)])
def test_a_failed_condition_is_read_by_the_mode(step: Any) -> None:
    """From the stored item."""
    insert = write(ITEM, "insert")

    made = step(planned(insert), insert)

    failed = outcome_of_condition(made.writes, WriteResponse(stored=KEY))
    assert (made.actions(), failed, made.batched) == ([("Put", insert.call)], THERE, False)


def test_all_writes_of_a_message_are_one_transaction() -> None:
    """Plain ones too; they have one outcome."""
    together = planned(write(ITEM, "put"), write({**ITEM, "id": "b"}, "delete"), write({**ITEM, "id": "c"}, "insert"))
    transaction = Transaction(together)

    settled = transaction.settle(WRITTEN)

    assert (transaction.actions(), transaction.is_settled, settled) == (
        [
            ("Put", {"TableName": "things", "Item": KEY}),
            ("Delete", {"TableName": "things", "Key": {**KEY, "id": {"S": "b"}}}),
            ("Put", together.writes[2].call),
        ],
        True,
        [(together, WRITTEN)] * 3,
    )

"""A planned message, and the limits of its transaction."""

from typing import Any

import pytest

from router.codes import NOT_ATOMIC
from router.errors import Rejection
from router.model import Outcome, Record, Table
from router.runtime.engine.writes import (
    MAX_ACTIONS,
    MAX_TRANSACTION_BYTES,
    IdempotencyKey,
    PlannedMessage,
    Write,
    check_transaction,
)
from tests.support.modes import MODES

RECORD = Record("id", "handle", "{}")
THINGS = Table("things", (("id", "S"),))
REJECTED = Outcome("rejected", "RT815")


def test_a_decided_message_has_nothing_to_write() -> None:
    """It has its outcome from the start."""
    planned = PlannedMessage(RECORD, REJECTED)

    assert (planned.record, planned.outcome, planned.writes) == (RECORD, REJECTED, [])


def put(number: int, size: int = 3, idempotency_key: IdempotencyKey | None = None) -> Write:
    """The write of an item of its own."""
    return Write("r", THINGS, MODES["put"], ("things", str(number)), {}, size, idempotency_key=idempotency_key)


@pytest.mark.parametrize(
    ("writes", "reason"),
    [
        (
            [put(at) for at in range(MAX_ACTIONS + 1)],
            "the message makes more than 100 writes, too many for one transaction",
        ),
        (
            [put(at, idempotency_key=IdempotencyKey(THINGS, {})) for at in range(51)],
            "the message makes more than 100 writes, too many for one transaction",
        ),
        (
            [put(2), put(1), put(1)],
            (
                "the message writes one item twice, which no transaction can: two items of table 'things' have "
                "the same key 'id'"
            ),
        ),
        (
            [put(at, size=400_000) for at in range(11)],
            "the items of the message have more than 4194304 bytes together",
        ),
    ],
)
def test_too_large_a_transaction_is_refused(writes: Any, reason: Any) -> None:
    """Too many actions with markers, two writes of one item, or too many bytes."""
    with pytest.raises(Rejection) as caught:
        check_transaction(writes)

    assert (caught.value.code, caught.value.reason) == (NOT_ATOMIC, reason)


@pytest.mark.parametrize(
    "writes",
    [
        [put(at) for at in range(MAX_ACTIONS)],
        [put(at, idempotency_key=IdempotencyKey(THINGS, {})) for at in range(MAX_ACTIONS // 2)],
        [put(at, size=MAX_TRANSACTION_BYTES // 16) for at in range(16)],
    ],
)
def test_the_largest_transactions(writes: list[Write]) -> None:
    """The limits themselves: a hundred actions, with those of idempotency keys, and 4 MiB."""
    check_transaction(writes)

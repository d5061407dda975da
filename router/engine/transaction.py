"""The transaction: all writes of one message, which are made together or not at all.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

from router.codes import ALREADY_THERE, NOT_ATOMIC
from router.engine.ticket import Ticket
from router.errors import Refusal
from router.model import Action, Outcome, Write
from router.modes.conflicts import Stored, judge
from router.modes.requests import make_action

MAX_ACTIONS = 100
MAX_BYTES = 4 * 1024 * 1024
"""Of all items of a transaction together."""


class Transaction:
    """A ticket whose writes are made in one call; it has the interface of a chain."""

    __slots__ = ("_parts", "_ticket")

    batched = False

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._parts = [part for write in ticket.writes for part in _parts(write)]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self._ticket.writes

    def actions(self) -> list[Action]:
        """What is called for it."""
        return [action for action, _, _ in self._parts]

    def judge(self, position: int, stored: Stored | None) -> Outcome:
        """What it means that the condition of an action, by its position, has failed: nothing was written."""
        _, write, is_marker = self._parts[position]
        return had_already(write) if is_marker else judge(write, stored)

    def settle(self, outcome: Outcome) -> bool:
        """All have ended so; there is nothing more to send."""
        for _ in self.writes:
            self._ticket.settle(outcome)
        return False


def had_already(write: Write) -> Outcome:
    """The outcome of a write whose marker is there."""
    return Outcome("duplicate", ALREADY_THERE.id, "its effect was had already", write.route)


def check_transaction(writes: list[Write]) -> None:
    """Raise Refusal if the writes of a message cannot be one transaction."""
    actions = sum(2 if write.marker else 1 for write in writes)
    if actions > MAX_ACTIONS:
        raise Refusal(NOT_ATOMIC, f"the message makes more than {MAX_ACTIONS} writes, too many for one transaction")
    if len({write.identity for write in writes}) < len(writes):
        raise Refusal(NOT_ATOMIC, "the message writes one item twice, which no transaction can")
    if sum(write.size for write in writes) > MAX_BYTES:
        raise Refusal(NOT_ATOMIC, f"the items of the message have more than {MAX_BYTES} bytes together")


def _parts(write: Write) -> list[tuple[Action, Write, bool]]:
    marker: list[tuple[Action, Write, bool]] = [(("Put", write.marker.call), write, True)] if write.marker else []
    return [*marker, (make_action(write), write, False)]

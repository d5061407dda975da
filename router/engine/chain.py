"""The chain: neighbouring writes of one item, of which one is sent."""

from router.engine.codes import SUPERSEDED
from router.engine.judge import Stored, judge
from router.engine.order import version_order
from router.engine.requests import Action, make_action
from router.engine.ticket import Ticket
from router.engine.transaction import had_already
from router.model import Outcome, Write

_STALE = Outcome("stale", SUPERSEDED.id, "a greater version came in the same batch")


class Chain:
    """Neighbouring writes of one item, each with the ticket that it belongs to; the last one is to be sent.

    Puts and deletes are in the order of receipt, and the last stands for them all: where it is written, the others
    have had their effect and lost it again; where it is rejected, the one before is sent. Writes of mode `newest` are
    in the order of their versions: once the greatest is through, the lesser ones are stale. Any other write is alone.
    """

    __slots__ = ("_entries", "_kind")

    def __init__(self, ticket: Ticket, write: Write) -> None:
        self._kind = _kind(write)
        self._entries: list[tuple[Ticket, Write]] = [(ticket, write)]

    @property
    def batched(self) -> bool:
        """Whether it goes by BatchWriteItem."""
        return self._kind == "batched"

    @property
    def write(self) -> Write:
        """The write to send."""
        return self._entries[-1][1]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together: one."""
        return [self.write]

    def actions(self) -> list[Action]:
        """What is called for it: one action, or with a marker two, as one transaction."""
        write = self.write
        action = make_action(write)
        return [("Put", write.marker.call), action] if write.marker else [action]

    def judge(self, position: int, stored: Stored | None) -> Outcome:
        """What it means that the condition of an action, by its position, has failed."""
        write = self.write
        if write.marker and position == 0:
            return had_already(write)
        return judge(write, stored)

    def take(self, ticket: Ticket, write: Write) -> bool:
        """Take in a later write, if it belongs here."""
        if self._kind == "alone" or self._kind != _kind(write):
            return False
        at = len(self._entries)
        if self._kind == "newest":
            # Among equal versions the first received is sent first.
            order = version_order(write)
            while at and version_order(self._entries[at - 1][1]) >= order:
                at -= 1
        self._entries.insert(at, (ticket, write))
        return True

    def settle(self, outcome: Outcome) -> bool:
        """The write that was sent has ended so; whether there is another one to send now."""
        ticket, write = self._entries.pop()
        ticket.settle(outcome)
        if outcome.kind == "rejected":
            return bool(self._entries)
        if self._kind == "newest" and outcome.kind != "retry":
            return self._pass_over(write)
        while self._entries:
            self._entries.pop()[0].settle(outcome)
        return False

    def _pass_over(self, sent: Write) -> bool:
        kind, value = version_order(sent)
        left, self._entries = self._entries, []
        for ticket, write in left:
            other, lesser = version_order(write)
            # Between values of different types there is no order: the table is to say what that is.
            if other == kind and lesser < value:
                ticket.settle(_STALE)
            else:
                self._entries.append((ticket, write))
        return bool(self._entries)


def _kind(write: Write) -> str:
    if write.call is None:
        return "batched"
    return "newest" if write.kind == "newest" else "alone"

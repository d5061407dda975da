"""The chain: neighbouring writes of one item, of which one is sent."""

from router.codes import SUPERSEDED
from router.engine.order import version_order
from router.engine.ticket import Ticket
from router.engine.transaction import had_already
from router.model import Action, Outcome, Write
from router.modes.conflicts import Stored, judge
from router.modes.requests import make_action

_NONE: list[tuple[Ticket, Write]] = []
"""Of the many chains that are of one write, none has a list of its own."""
_STALE = Outcome("stale", SUPERSEDED.id, "a greater version came in the same batch")


class Chain:
    """Neighbouring writes of one item, each with the ticket that it belongs to; the last one is to be sent.

    Puts and deletes are in the order of receipt, and the last stands for them all: where it is written, the others
    have had their effect and lost it again; where it is rejected, the one before is sent. Writes of mode `newest` are
    in the order of their versions: once the greatest is through, the lesser ones are stale. Any other write is alone.
    """

    __slots__ = ("_before", "_ticket", "batched", "write")

    def __init__(self, ticket: Ticket, write: Write) -> None:
        self.batched = write.call is None
        """Whether it goes by BatchWriteItem."""
        self.write = write
        """The write to send."""
        self._ticket = ticket
        self._before: list[tuple[Ticket, Write]] = _NONE

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
        if not _neighbours(self.write, write):
            return False
        if self._before is _NONE:
            self._before = []
        before, at = self._before, len(self._before)
        if not self.batched:
            # Among equal versions the first received is sent first.
            order = version_order(write)
            if version_order(self.write) >= order:
                while at and version_order(before[at - 1][1]) >= order:
                    at -= 1
                before.insert(at, (ticket, write))
                return True
        before.append((self._ticket, self.write))
        self._ticket, self.write = ticket, write
        return True

    def settle(self, outcome: Outcome) -> bool:
        """The write that was sent has ended so; whether there is another one to send now."""
        self._ticket.settle(outcome)
        if self._before is _NONE:
            return False
        if outcome.kind != "rejected":
            if not self.batched and outcome.kind != "retry":
                self._pass_over()
            else:
                while self._before:
                    self._before.pop()[0].settle(outcome)
        if not self._before:
            return False
        self._ticket, self.write = self._before.pop()
        return True

    def _pass_over(self) -> None:
        """What is lesser than the version that was sent is stale."""
        kind, value = version_order(self.write)
        left, self._before = self._before, []
        for ticket, write in left:
            other, lesser = version_order(write)
            # Between values of different types there is no order: the table is to say what that is.
            if other == kind and lesser < value:
                ticket.settle(_STALE)
            else:
                self._before.append((ticket, write))


def _neighbours(write: Write, later: Write) -> bool:
    """Whether one of two writes can stand for both."""
    if write.call is None or later.call is None:
        return write.call is later.call
    return write.kind == later.kind == "newest"

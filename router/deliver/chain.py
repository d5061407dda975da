"""What is sent to DynamoDB for one item, or for one message of an atomic queue."""

from router.codes import SUPERSEDED
from router.engine.conflicts import already_applied, version_order
from router.engine.writes import StoredItem, Ticket, Write
from router.model import Action, Outcome

_NONE: list[tuple[Ticket, Write]] = []
"""Shared by the chains of one write, which are most: none has a list of its own."""
_STALE = Outcome("stale", SUPERSEDED.id, "a greater version came in the same batch")


class Chain:
    """Neighbouring writes of one item, each with its ticket, of which one is sent.

    Of plain puts and deletes, the last received is sent: once it is written, the others are superseded; if it is
    rejected, the one before is sent. Of writes that combine by version, the greatest version is sent: once it is
    written, the lesser ones are stale. Any other write is a chain by itself.
    """

    __slots__ = ("_before", "_ticket", "batched", "write")

    def __init__(self, ticket: Ticket, write: Write) -> None:
        self.batched = write.call is None
        """Whether BatchWriteItem carries it."""
        self.write = write
        """The write to send."""
        self._ticket = ticket
        self._before: list[tuple[Ticket, Write]] = _NONE

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together: one."""
        return [self.write]

    def actions(self) -> list[Action]:
        """Return the actions to send: one, or with a marker two in one transaction."""
        return _actions(self.write)

    def condition_failed(self, position: int, stored: StoredItem | None) -> Outcome:
        """Return the outcome if the condition of the action at `position` failed."""
        return _condition_failed(self.write, stored, is_marker=position == 0 and self.write.marker is not None)

    def add(self, ticket: Ticket, write: Write) -> bool:
        """Add a later write of the item if the two can be combined; return whether it was added."""
        if not _can_combine(self.write, write):
            return False
        if self._before is _NONE:
            self._before = []
        before, at = self._before, len(self._before)
        if not self.batched:
            # Of equal versions the first received is sent first.
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
        """Settle the write that was sent; return whether another one is to be sent now."""
        self._ticket.settle(outcome)
        if self._before is _NONE:
            return False
        if outcome.kind != "rejected":
            if not self.batched and outcome.kind != "retry":
                self._settle_lesser()
            else:
                while self._before:
                    self._before.pop()[0].settle(outcome)
        if not self._before:
            return False
        self._ticket, self.write = self._before.pop()
        return True

    def _settle_lesser(self) -> None:
        """Settle the writes whose version is less than the one that was sent."""
        kind, value = version_order(self.write)
        left, self._before = self._before, []
        for ticket, write in left:
            other, lesser = version_order(write)
            # Versions of different types have no order: the table decides about each type.
            if other == kind and lesser < value:
                ticket.settle(_STALE)
            else:
                self._before.append((ticket, write))


class Transaction:
    """A ticket whose writes are one transaction; it has the interface of a chain."""

    __slots__ = ("_parts", "_ticket")

    batched = False

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._parts = [(action, write) for write in ticket.writes for action in _actions(write)]

    @property
    def writes(self) -> list[Write]:
        """The writes that are sent together."""
        return self._ticket.writes

    def actions(self) -> list[Action]:
        """Return the actions to send."""
        return [action for action, _ in self._parts]

    def condition_failed(self, position: int, stored: StoredItem | None) -> Outcome:
        """Return the outcome if the condition of the action at `position` failed, so that nothing was written."""
        action, write = self._parts[position]
        return _condition_failed(write, stored, is_marker=write.marker is not None and action[1] is write.marker.call)

    def settle(self, outcome: Outcome) -> bool:
        """Settle all writes; there is never another one to send."""
        for _ in self.writes:
            self._ticket.settle(outcome)
        return False


def _actions(write: Write) -> list[Action]:
    return [("Put", write.marker.call), write.action()] if write.marker else [write.action()]


def _condition_failed(write: Write, stored: StoredItem | None, *, is_marker: bool) -> Outcome:
    return already_applied(write) if is_marker else write.mode.on_condition_failed(write, stored)


def _can_combine(write: Write, later: Write) -> bool:
    if write.mode.combine != later.mode.combine:
        return False
    match write.mode.combine:
        case "last":
            return write.call is None and later.call is None
        case "greatest version":
            return True
        case "never":
            return False

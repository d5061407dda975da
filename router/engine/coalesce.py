"""Writes of one item become a chain, of which only the last is sent."""

from collections.abc import Iterable

from router.engine.ticket import Ticket
from router.model import Outcome, Write


class Chain:
    """Neighbouring puts and deletes of one item, in order, each with the ticket that it belongs to.

    The last one stands for them all: where it is written, the others have had their effect and lost it again. Where it
    is rejected, the one before is sent.
    """

    __slots__ = ("_tickets", "_writes")

    def __init__(self) -> None:
        self._tickets: list[Ticket] = []
        self._writes: list[Write] = []

    def add(self, ticket: Ticket, write: Write) -> None:
        """Put a later write at the end."""
        self._tickets.append(ticket)
        self._writes.append(write)

    @property
    def write(self) -> Write:
        """The write to send."""
        return self._writes[-1]

    def settle(self, outcome: Outcome) -> None:
        """All of them have ended so."""
        for ticket in self._tickets:
            ticket.settle(outcome)

    def reject(self, outcome: Outcome) -> bool:
        """The last one is rejected; whether there is one before it, which is then to be sent."""
        self._writes.pop()
        self._tickets.pop().settle(outcome)
        return bool(self._writes)


def coalesce(tickets: Iterable[Ticket]) -> list[Chain]:
    """The chains of all open writes, in the order of each item's first write."""
    chains: dict[tuple[str, ...], Chain] = {}
    for ticket in tickets:
        if ticket.outcome is not None:
            continue
        for write in ticket.writes:
            chain = chains.get(write.identity)
            if chain is None:
                chain = chains[write.identity] = Chain()
            chain.add(ticket, write)
    return list(chains.values())

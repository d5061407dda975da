"""Tickets become lanes: what is to be sent for one item, in order, while other lanes go on."""

from collections.abc import Iterable, Iterator
from typing import Any

from router.codes import NOT_STARTED
from router.deliver.chain import Chain
from router.engine.ticket import Ticket
from router.engine.transaction import Transaction
from router.model import Outcome

Step = Chain | Transaction
Lane = list[Step]
"""Steps, each to be sent when the one before has ended."""
_TOO_EARLY = Outcome("retry", NOT_STARTED.id, "an earlier write of one of its items is still to be made")


def schedule(tickets: Iterable[Ticket], *, atomic: bool) -> Iterator[list[Lane]]:
    """The lanes of all open writes, in one or more groups to be sent one after the other."""
    still_open = [ticket for ticket in tickets if ticket.outcome is None]
    if not atomic:
        yield coalesce(still_open)
        return
    blocked: set[tuple[str, ...]] = set()
    for wave in _disjoint(still_open):
        going = [ticket for ticket in wave if not _hold_back(ticket, blocked)]
        yield [[Transaction(ticket)] for ticket in going]
        for ticket in going:
            if ticket.outcome is not None and ticket.outcome.kind == "retry":
                blocked |= _items(ticket)


def coalesce(tickets: Iterable[Ticket]) -> list[Lane]:
    """A lane for each item, with its chains, in the order of each item's first write."""
    lanes: dict[tuple[str, ...], list[Any]] = {}
    for ticket in tickets:
        for write in ticket.writes:
            lane = lanes.get(write.identity)
            if lane is None:
                lanes[write.identity] = [Chain(ticket, write)]
            elif not lane[-1].take(ticket, write):
                lane.append(Chain(ticket, write))
    return list(lanes.values())


def _hold_back(ticket: Ticket, blocked: set[tuple[str, ...]]) -> bool:
    """Leave a ticket on its queue if it writes an item whose write before it is still to be made."""
    items = _items(ticket)
    if blocked.isdisjoint(items):
        return False
    for _ in ticket.writes:
        ticket.settle(_TOO_EARLY)
    blocked |= items
    return True


def _items(ticket: Ticket) -> set[tuple[str, ...]]:
    return {write.identity for write in ticket.writes}


def _disjoint(tickets: Iterable[Ticket]) -> list[list[Ticket]]:
    """Tickets in waves: within one, no two write the same item; of two that do, the earlier is in an earlier wave."""
    waves: list[list[Ticket]] = []
    next_wave: dict[tuple[str, ...], int] = {}
    for ticket in tickets:
        items = [write.identity for write in ticket.writes]
        number = max(next_wave.get(item, 0) for item in items)
        if number == len(waves):
            waves.append([])
        waves[number].append(ticket)
        next_wave |= dict.fromkeys(items, number + 1)
    return waves

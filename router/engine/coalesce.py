"""Tickets become lanes: what is to be sent for one item, in order, while other lanes go on."""

from collections import deque
from collections.abc import Iterable, Iterator

from router.engine.chain import Chain
from router.engine.ticket import Ticket
from router.engine.transaction import Transaction

Step = Chain | Transaction
Lane = deque[Step]
"""Steps, each to be sent when the one before has ended."""


def schedule(tickets: Iterable[Ticket], *, atomic: bool) -> Iterator[list[Lane]]:
    """The lanes of all open writes, in one or more groups to be sent one after the other."""
    still_open = [ticket for ticket in tickets if ticket.outcome is None]
    if not atomic:
        yield coalesce(still_open)
        return
    for wave in _disjoint(still_open):
        yield [deque([Transaction(ticket)]) for ticket in wave]


def coalesce(tickets: Iterable[Ticket]) -> list[Lane]:
    """A lane for each item, with its chains, in the order of each item's first write."""
    lanes: dict[tuple[str, ...], deque[Chain]] = {}
    for ticket in tickets:
        for write in ticket.writes:
            lane = lanes.setdefault(write.identity, deque())
            if not (lane and lane[-1].take(ticket, write)):
                lane.append(Chain(ticket, write))
    return [deque[Step](lane) for lane in lanes.values()]


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

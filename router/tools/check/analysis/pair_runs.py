"""Runs the messages of two routes in both orders, and looks for what they lose in the items."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from router.model import AttributeValue
from router.runtime.program.load import Program
from router.tools.check.analysis.pair_losses import Loss, Order
from router.tools.check.analysis.pair_messages import MadeMessage, MessageMaker, Wanted
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites
from router.tools.memory.pairs import OrderedRun, run_pair

# Which of the two messages has the older version (0), and which the newer one.
_LEVELS = ((0, 1), (1, 0), (0, 0))


class Event(Struct, frozen=True):
    """A message of a pair, how its route writes, and the item that it stores alone."""

    made: MadeMessage
    writes: RouteWrites
    item: Mapping[str, AttributeValue]


class SeenLosses(Struct, frozen=True):
    """Two messages in the order in which they are received, and the losses that were seen.

    The first loss is of these two messages.
    """

    first: MadeMessage
    second: MadeMessage
    losses: tuple[Loss, ...]


class _ReceivedPair(Struct, frozen=True):
    order: Order
    first: MadeMessage
    second: MadeMessage
    older: Event
    newer: Event
    after: Mapping[str, AttributeValue] | None


def see_losses(
    program: Program,
    makers: tuple[MessageMaker, MessageMaker],
    writes: tuple[RouteWrites, RouteWrites],
    wanted: Wanted,
    losses: Sequence[Loss],
) -> SeenLosses | None:
    """Return the losses that messages of a key show; None if the two routes do not write one item."""
    shown: dict[Loss, _ReceivedPair] = {}
    run = None
    orders = {loss.order for loss in losses}
    for run in _runs(program, makers, writes, wanted):
        for loss in losses:
            if loss not in shown and run.order == loss.order and _is_seen(loss, run):
                shown[loss] = run
        if {loss.order for loss in shown} == orders:
            break
    seen = tuple(loss for loss in losses if loss in shown)
    first = shown[seen[0]] if seen else run
    return None if first is None else SeenLosses(first.first, first.second, seen)


def _runs(
    program: Program,
    makers: tuple[MessageMaker, MessageMaker],
    writes: tuple[RouteWrites, RouteWrites],
    wanted: Wanted,
) -> Iterator[_ReceivedPair]:
    # What a late delete removes is clearer than what a late write brings back.
    for levels in sorted(_LEVELS, key=lambda each: writes[each.index(max(each))].deletes):
        one = makers[0].make(wanted, levels[0])
        other = makers[1].make(wanted, levels[1])
        if one is None or other is None or one.write.identity != other.write.identity:
            continue
        found = run_pair(program, one.message, other.message)
        identity = one.write.identity
        mine = Event(one, writes[0], found.first_then_second.before.get(identity, {}))
        theirs = Event(other, writes[1], found.second_then_first.before.get(identity, {}))
        received: tuple[tuple[OrderedRun, Event, Event], ...] = (
            (found.first_then_second, mine, theirs),
            (found.second_then_first, theirs, mine),
        )
        for run, first, second in received:
            is_late = levels in ((1, 0), (0, 1)) and (levels[0] == 1) == (first is mine)
            older, newer = (second, first) if is_late else (first, second)
            yield _ReceivedPair(
                "out of order" if is_late else "in order",
                first.made,
                second.made,
                older,
                newer,
                run.after.get(identity),
            )


def _is_seen(loss: Loss, run: _ReceivedPair) -> bool:
    """Return whether the item does not have what it would have if nothing was lost."""
    if run.newer.writes.deletes:
        return loss.victim == run.newer.writes.name and run.after is not None
    if run.older.writes.deletes and loss.victim != run.newer.writes.name:
        return False
    names: Collection[str] = loss.attributes
    if OTHERS in names:
        names = run.older.item.keys() | run.newer.item.keys()
    after = run.after or {}
    return any(_is_lost(name, run, after.get(name)) for name in names)


def _is_lost(name: str, run: _ReceivedPair, stored: AttributeValue | None) -> bool:
    older, newer = run.older.writes, run.newer.writes
    before, own = run.older.item.get(name), run.newer.item.get(name)
    sums = older.adds | older.appends | newer.adds | newer.appends
    if name in sums and before is not None and own is not None:
        return stored in (before, own)
    expected = before if own is None or (name in newer.keeps and before) else own
    return expected is not None and stored != expected

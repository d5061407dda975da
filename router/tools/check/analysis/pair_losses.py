"""Says what two routes that write one key of one table lose of each other's attributes.

It compares settings only: whether two keys meet is decided elsewhere. The model in
tests/soundness/pairs.py runs orders of events through each pair of modes and agrees with it.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from msgspec import Struct, structs

from router.model import Severity
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites

Order = Literal["in order", "out of order"]
"""Whether messages are received in the order of their events, which a FIFO queue keeps within a
message group.
"""


class Loss(Struct, frozen=True, kw_only=True):
    """What one of two routes loses; `edit_of` has the edit that ends all losses of the two."""

    order: Order
    severity: Severity
    sentence: str
    attributes: tuple[str, ...]
    victim: str
    """The route whose event does not have its effect."""


def losses(one: RouteWrites, other: RouteWrites, *, ordered: bool = False) -> Sequence[Loss]:
    """Return what the two routes lose if their keys meet, what is lost in order first.

    `ordered`: both receive the messages of a key in order, as those of one message group.

    An attribute that both set is lost if it does not have the value of the newest event. Two routes
    that `put` the same attributes are as one route: what the older message of the two does, it does
    after a message of its own route, too.
    """
    if one.deletes or other.deletes:
        found = [*_of_delete(one, other), *_of_delete(other, one)]
    elif one.mode == other.mode and _is_plain(one, other):
        return ()
    else:
        pairs = ((one, other), (other, one))
        found = [
            structs.replace(loss, victim=victim.name)
            for victim, culprit in pairs
            for loss in _of_writes(victim, culprit)
        ]
    orders: Sequence[Order] = ("in order",) if ordered else ("in order", "out of order")
    return [loss for order in orders for loss in found if loss.order == order]


def _is_plain(one: RouteWrites, other: RouteWrites) -> bool:
    """Whether two routes of one mode replace the same attributes, whatever is stored."""
    return one.replaces and not one.version and one.attributes == other.attributes


def _is_stale(late: RouteWrites, stored: RouteWrites) -> bool:
    """Whether the condition of a late write fails on what a newer write of the other route stored."""
    return late.version != "" and late.version in stored.sets


def _of_writes(victim: RouteWrites, culprit: RouteWrites) -> Iterator[Loss]:
    yield from _erased(victim, culprit)
    yield from _refused(victim, culprit)
    yield from _replaced(victim, culprit)
    yield from _sums(victim, culprit)


def _erased(victim: RouteWrites, culprit: RouteWrites) -> Iterator[Loss]:
    """Yield what a whole item that does not have them erases."""
    own = victim.attributes - culprit.attributes
    if not culprit.replaces or not own:
        return
    again = ", also for its redelivery ('once')" if victim.once else ""
    what = f"{_named(own)} of '{victim.name}'{again}"
    yield _loss("in order", f"'{culprit.name}' replaces the item, and erases {what}", own)
    if not victim.inserts and not _is_stale(culprit, victim):
        late = f"a late message of '{culprit.name}'"
        yield _loss("out of order", f"{late} replaces the item, and erases {what}", own)


def _refused(victim: RouteWrites, culprit: RouteWrites) -> Iterator[Loss]:
    """Yield what is never stored, since a condition fails on what the other route stored."""
    depending = victim.adds - culprit.appends | victim.appends - culprit.adds
    only = victim.sets - culprit.sets | depending | victim.keeps - culprit.attributes
    never = f"its {_named(only)} are never stored"
    if victim.inserts and victim.attributes:
        found = f"'{victim.name}' finds the item of '{culprit.name}' and is a duplicate"
        everything = f"its {_named(victim.attributes)} are never stored"
        yield _loss("in order", f"{found}: {everything}", victim.attributes)
        if only and not culprit.replaces:
            late = f"a late message of '{victim.name}' finds the item of '{culprit.name}'"
            yield _loss("out of order", f"{late} and is a duplicate: {never}", only)
    elif only and _is_stale(victim, culprit):
        equal = f"'{victim.name}' is stale after '{culprit.name}' with an equal version"
        yield _loss("in order", f"{equal}: {never}", only)
        late = f"a late message of '{victim.name}' is stale after '{culprit.name}'"
        yield _loss("out of order", f"{late}: {never}", only)


def _replaced(victim: RouteWrites, culprit: RouteWrites) -> Iterator[Loss]:
    """Yield common attributes that get an older value."""
    common = victim.sets & culprit.sets
    common -= {name for name in common if victim.has_same_constant(name, culprit)}
    if common and not culprit.inserts and not _is_stale(culprit, victim):
        what = f"the newer {_named(common)} of '{victim.name}'"
        yield _loss("out of order", f"a late message of '{culprit.name}' replaces {what}", common)


def _sums(victim: RouteWrites, culprit: RouteWrites) -> Iterator[Loss]:
    """Yield what was added or appended, and is set; and what keeps the first, which is a sum."""
    depending = culprit.adds | culprit.appends
    refused = victim.adds & culprit.appends | victim.appends & culprit.adds
    unset = victim.keeps & depending
    if refused:
        what = f"'{culprit.name}' stores {_named(refused)} of another type"
        yield _loss("in order", f"'{victim.name}' is rejected: {what}", victim.attributes)
        others = victim.attributes - culprit.sets - refused
        if others and not _is_stale(victim, culprit):
            yield _loss(
                "out of order", f"a late message of '{victim.name}' is rejected: {what}", others
            )
    if unset:
        yield _loss(
            "in order",
            f"'{culprit.name}' adds to {_named(unset)} before '{victim.name}' sets the first value",
            unset,
        )
    replaced = (victim.adds | victim.appends) & culprit.sets
    if replaced and not culprit.inserts:
        what = f"what '{victim.name}' added to {_named(replaced)}"
        yield _loss("in order", f"'{culprit.name}' replaces {what}", replaced)
        if not _is_stale(culprit, victim):
            yield _loss(
                "out of order", f"a late message of '{culprit.name}' replaces {what}", replaced
            )


def _of_delete(delete: RouteWrites, other: RouteWrites) -> Iterator[Loss]:
    if not delete.deletes or other.deletes:
        return
    what = f"the newer item of '{other.name}'"
    late = f"a late message of '{delete.name}' deletes {what}"
    back = f"a late message of '{other.name}' brings the item back"
    if not delete.version:
        yield _loss("out of order", f"{late}, and {back}", other.attributes, victim=other.name)
    elif other.sets.isdisjoint((delete.version, OTHERS)):
        yield _loss(
            "out of order",
            f"'{other.name}' does not store '{delete.version}', so that {late}",
            other.attributes,
            "error",
            other.name,
        )
    else:
        severity: Severity = "info" if other.version == delete.version else "warning"
        after = f"{back} after '{delete.name}'"
        yield _loss(
            "in order",
            f"the item of '{other.name}' stays after '{delete.name}' with an equal version",
            other.attributes,
            "info",
            delete.name,
        )
        yield _loss("out of order", after, other.attributes, severity, delete.name)


def _loss(
    order: Order,
    sentence: str,
    attributes: Collection[str],
    severity: Severity = "warning",
    victim: str = "",
) -> Loss:
    names = tuple(sorted(attributes))
    return Loss(order=order, severity=severity, sentence=sentence, attributes=names, victim=victim)


def _named(attributes: Collection[str]) -> str:
    names = [f"'{each}'" for each in sorted(attributes) if each != OTHERS]
    names = names or ["what its config does not name"]
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)

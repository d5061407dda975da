"""Finds routes of one table whose versions have no order among each other, though named alike."""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import UNSET, Struct

from router.prover.schema_prover import YES
from router.runtime.transforms.times import TO_EPOCH, TO_EPOCH_NS
from router.tools.check.analysis.attributes import (
    counts_milliseconds,
    counts_seconds,
    stored,
)
from router.tools.check.analysis.key_separation import are_plainly_apart, keyed, why_apart
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.analysis.values import ORDERED

Scale = Literal["", "text", "number", "seconds", "milliseconds", "nanoseconds"]
"""How a version counts; "" if that is not known, and `number` if only that is."""
# Any time in one of them is less than any in the next, as a number.
_RANKS: Sequence[Scale] = ("seconds", "milliseconds", "nanoseconds")
_BY_TRANSFORM: dict[str, Scale] = {TO_EPOCH.name: "seconds", TO_EPOCH_NS.name: "nanoseconds"}
_MOST_COMPARED = 4


class ScaleConflict(Struct, frozen=True):
    """Two routes that may write one key with versions of two scales; `other` is the later one."""

    one: AnalyzedRoute
    other: AnalyzedRoute
    scales: tuple[Scale, Scale]


def scale_of(route: AnalyzedRoute) -> Scale:
    """Return how the version of a route counts."""
    version = route.route.write.version
    if version is None:
        return ""
    inferred = stored(route, version)
    value = inferred.value
    ordered = [kind for kind in ORDERED if value.may_be(kind)]
    if ordered == ["string"]:
        return "text"
    if ordered != ["number"]:
        return ""
    if inferred.steps:
        return _BY_TRANSFORM.get(inferred.steps[-1].name, "number")
    if counts_milliseconds(route, inferred):
        return "milliseconds"
    return "seconds" if counts_seconds(route, inferred, UNSET) is YES else "number"


def scale_conflicts(routes: Sequence[AnalyzedRoute]) -> Iterator[ScaleConflict]:
    """Yield one conflict of each route with earlier ones of its table, if there is one."""
    by_version: dict[tuple[str, str], list[AnalyzedRoute]] = {}
    for route in routes:
        version = route.route.write.version
        if version is not None and route.table is not None:
            table = route.table.name or route.route.table
            by_version.setdefault((table, version), []).append(route)
    for sharing in by_version.values():
        if len(sharing) > 1:
            yield from _of_version(sharing)


def _of_version(routes: Sequence[AnalyzedRoute]) -> Iterator[ScaleConflict]:
    seen: dict[Scale, list[AnalyzedRoute]] = {}
    for route in routes:
        scale = scale_of(route)
        earlier = [
            (each, other)
            for other, others in seen.items()
            if _conflict(scale, other)
            for each in others[:_MOST_COMPARED]
        ]
        for each, other in earlier:
            if _may_meet(each, route):
                yield ScaleConflict(each, route, (other, scale))
                break
        seen.setdefault(scale, []).append(route)


def _conflict(one: Scale, other: Scale) -> bool:
    if "" in (one, other) or one == other:
        return False
    return "text" in (one, other) or "number" not in (one, other)


def _may_meet(one: AnalyzedRoute, other: AnalyzedRoute) -> bool:
    """Whether it is not proved that the keys of two routes are apart."""
    assert one.table is not None
    key = tuple(one.table.key.items())
    mine = keyed(one, key)
    theirs = keyed(other, key)
    return not are_plainly_apart(mine, theirs) and not why_apart(mine, theirs, key)


def is_always_less(scales: tuple[Scale, Scale]) -> bool:
    """Whether numbers of the first scale are less than those of the second."""
    return _RANKS.index(scales[0]) < _RANKS.index(scales[1])

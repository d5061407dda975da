"""What the writes of a route do to an item, as far as other routes with the same key notice."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, Struct, field, structs

from router.runtime.config import spec
from router.runtime.modes import MODES, ModeName

OTHERS = "*"
"""Stands for the attributes that a route stores and its config does not name."""


class RouteWrites(Struct, frozen=True, kw_only=True):
    """What the writes of a route do to the attributes of an item, its key excepted.

    `sets` are set or removed, whatever is stored; the version is one of them. Those of `adds`,
    `appends` and `keeps` (`keep_first`) depend on what is stored.
    """

    name: str
    mode: ModeName = "put"
    version: str = ""
    sets: frozenset[str] = frozenset()
    adds: frozenset[str] = frozenset()
    appends: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    once: str = ""
    key: Mapping[str, Any] = field(default_factory=dict)
    mapped: Mapping[str, Any] = field(default_factory=dict)
    """The attributes of the key, and the others, as `item` maps them: for the edit."""

    @property
    def attributes(self) -> frozenset[str]:
        """All attributes that it writes."""
        return self.sets | self.adds | self.appends | self.keeps

    @property
    def deletes(self) -> bool:
        """Whether it stores nothing, and deletes the item."""
        return MODES[self.mode].stores == "nothing"

    @property
    def inserts(self) -> bool:
        """Whether it stores an item only if there is none."""
        return "existence" in MODES[self.mode].relies_on

    @property
    def replaces(self) -> bool:
        """Whether it replaces the whole item."""
        return MODES[self.mode].stores == "item" and not self.inserts


def writes_of(name: str, route: spec.RouteSettings, key: Collection[str]) -> RouteWrites:
    """Return what a route does to the attributes of an item, besides those of its table's key."""
    write = route.write
    given = {each: _as_written(attribute) for each, attribute in (route.item or {}).items()}
    mapped = {each: value for each, value in given.items() if each not in key}
    named = frozenset(mapped)
    special = frozenset((*write.add, *write.append, *write.keep_first))
    sets = named - special
    if route.item is None or route.merge is not None:
        sets |= {OTHERS}
    return RouteWrites(
        name=name,
        mode=write.mode,
        version=write.version or "",
        sets=frozenset() if MODES[write.mode].stores == "nothing" else sets,
        adds=named & frozenset(write.add),
        appends=named & frozenset(write.append),
        keeps=named & frozenset(write.keep_first),
        once=write.once or "",
        key={each: value for each, value in given.items() if each in key},
        mapped=mapped,
    )


def _as_written(attribute: spec.Attribute) -> Any:
    given = {
        name.removesuffix("_"): value
        for name, value in structs.asdict(attribute).items()
        if value is not UNSET and value is not None and value != ()
    }
    return given.pop("from") if given.keys() == {"from"} else given

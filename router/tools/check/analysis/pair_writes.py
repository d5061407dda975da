"""What the writes of a route do to an item, as far as other routes with the same key notice, or other
elements of one message.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any, Literal

from msgspec import UNSET, Struct, field, json, structs

from router.prover.expressions import paths_in
from router.prover.predicates import there
from router.prover.schema_prover import NO, YES
from router.runtime.config import spec
from router.runtime.modes import MODES, ModeName
from router.tools.check.analysis.routes import AnalyzedRoute, at_most

ElementKeys = Literal["differ", "may be equal", "are equal"]
"""What is known of the keys of the elements of one message."""
OTHERS = "*"
"""Stands for the attributes that a route stores and its config does not name."""
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_UNNAMED = "a property that no schema names"


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
    scale: str = ""
    """How its version counts, as far as that is known: versions of two scales have no order."""

    @property
    def attributes(self) -> frozenset[str]:
        """All attributes that it writes."""
        return self.sets | self.adds | self.appends | self.keeps

    @property
    def named(self) -> Mapping[str, Any]:
        """The attributes that its config names, as `item` maps them, sorted by name."""
        return {name: self.mapped.get(name, name) for name in sorted(self.attributes - {OTHERS})}

    def constant(self, name: str) -> tuple[Any, ...]:
        """Return the value and type to which it always sets an attribute; () if there is none."""
        given = self.mapped.get(name)
        if not isinstance(given, Mapping) or not given.keys() <= {"value", "type"}:
            return ()
        return (given["value"], given.get("type"))

    def has_same_constant(self, name: str, other: "RouteWrites") -> bool:
        """Whether two routes always set an attribute to one value."""
        return self.constant(name) != () and self.constant(name) == other.constant(name)

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
        sets |= {OTHERS, *filter(None, [write.version])}
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
    if "transform" in given:
        steps = [
            next(iter(each)) if [*each.values()] == [[]] else each for each in given["transform"]
        ]
        given["transform"] = steps[0] if len(steps) == 1 else steps
    return given.pop("from") if given.keys() == {"from"} else given


def with_properties(writes: RouteWrites, route: AnalyzedRoute, key: Collection[str]) -> RouteWrites:
    """Return what a route that stores whole messages does, with the properties that its schema has."""
    if route.route.item is not None:
        return writes
    found = structs.replace(writes, key={name: _path_of(name, route) for name in key})
    if OTHERS not in writes.sets or route.index is None:
        return found
    names = frozenset(route.index.names(route.scope.element or ())) - frozenset(key)
    sets = writes.sets | names
    if _is_closed(route):
        sets -= {OTHERS}
    mapped = {name: _path_of(name, route) for name in sorted(names)}
    return structs.replace(found, sets=sets, mapped=mapped)


def _path_of(name: str, route: AnalyzedRoute) -> str:
    path = name if _IDENTIFIER.fullmatch(name) else json.encode(name).decode()
    return f"element.{path}" if route.scope.each else path


def _is_closed(route: AnalyzedRoute) -> bool:
    """Whether no message has a property that its schema does not name."""
    if route.mapped is None or route.scope.each:
        return False
    return route.mapped.allows(there((_UNNAMED,), {})) is NO


def element_keys(route: AnalyzedRoute) -> ElementKeys | None:
    """Return what is known of the keys; None if equal ones lose nothing, or no key is mapped."""
    table = route.table
    if table is None or not (route.is_whole or table.key.keys() <= route.attributes.keys()):
        return None
    if not route.queue.atomic and not _loses(route):
        return None
    if not _may_be_several(route):
        return "differ"
    if not any(_is_of_element(route, name) for name in table.key):
        return "are equal"
    if not route.queue.atomic and _is_of_element(route, route.route.write.version):
        return None  # the newer element is meant to stay
    return "differ" if _are_unique(route) else "may be equal"


def _loses(route: AnalyzedRoute) -> bool:
    """Whether one of two writes of an item is lost; sums and lists have what all elements add."""
    assert route.table is not None
    writes = writes_of(route.name, route.route, route.table.key)
    return bool((writes.sets | writes.keeps) - {writes.version})


def _may_be_several(route: AnalyzedRoute) -> bool:
    """Whether a message may have several elements."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return True
    return route.mapped.holds_at(steps[:-1], at_most(1)) is not YES


def _is_of_element(route: AnalyzedRoute, name: str | None) -> bool:
    """Whether an attribute is made of the element."""
    paths = chain.from_iterable(map(paths_in, _texts(route, name)))
    return any(steps[0] == "element" for steps in paths)


def _texts(route: AnalyzedRoute, name: str | None) -> Iterator[str]:
    """Yield the expressions of an attribute."""
    if name and (route.is_whole or name in route.attributes):
        for use in route.uses(route.attribute_of(name)):
            yield use.text


def _are_unique(route: AnalyzedRoute) -> bool:
    """Whether the schema proves that no two elements have one key: it is the whole element."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return False
    assert route.table is not None
    # A transform may make one text of two elements.
    plain = [name for name in route.table.key if not route.attribute_of(name).transform]
    texts = [text for name in plain for text in _texts(route, name)]
    return "element" in texts and route.mapped.holds_at(steps[:-1], {"uniqueItems": True}) is YES

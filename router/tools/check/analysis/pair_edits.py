"""Finds the edit of the routes that write one key, after which none loses what another stores."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites

# What orders messages whose routes have no version in common.
_SENT: Mapping[str, Any] = {"meta": "sent_at"}
# When TTL deletes what is closed: no message is late for so long.
_CLOSES_AFTER = "30d"
Attribute = str
RouteName = str


class Surroundings(Struct, frozen=True, kw_only=True):
    """What an edit has to fit into.

    `ttl` is the attribute of the table's time to live. `taken` are names of attributes of other
    routes of the table. `undivided` are routes whose messages no second route can write.
    """

    ttl: str = "expires_at"
    taken: frozenset[str] = frozenset()
    undivided: frozenset[RouteName] = frozenset()


_ANYWHERE = Surroundings()


class _FreeNames:
    """Makes names of attributes that no route of the table has."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def new(self, name: str) -> str:
        """Return a name, or one like it that is free."""
        found = name
        number = 2
        while found in self._taken:
            found = f"{name}_{number}"
            number += 1
        self._taken.add(found)
        return found


def edited(
    routes: Sequence[RouteWrites], around: Surroundings = _ANYWHERE
) -> Mapping[RouteName, Sequence[RouteWrites]]:
    """Return what each route becomes: updates that own their attributes.

    What several set is stored by routes of its own, with a version that these share.
    """
    attributes = [name for route in routes for name in route.attributes]
    names = _FreeNames([*around.taken, *attributes, around.ttl])
    # A version keeps its name where items have it already, which those of a delete do not.
    updates = _as_updates(sorted(routes, key=lambda each: each.deletes), around.ttl, names)
    updates = [_with_own_sums(route, _ways(updates), names) for route in updates]
    for number, route in enumerate(updates):
        if route.name in around.undivided:
            common = [name for name in _common(updates) if name in route.sets]
            updates[number] = _renamed(route, common, names)
    return _divided(updates, names)


def _as_updates(routes: Sequence[RouteWrites], ttl: str, names: _FreeNames) -> list[RouteWrites]:
    versions = {route.version for route in routes} - {""}
    deleting = [route.name for route in routes if route.deletes]
    closed = {names.new("closed"): {"value": True}, ttl: {"ttl": _CLOSES_AFTER}} if deleting else {}
    # What several routes close stays closed since the first time.
    is_kept = len(deleting) > 1
    return [_as_update(route, versions, closed, is_kept=is_kept) for route in routes]


def _as_update(
    route: RouteWrites, versions: set[str], closed: Mapping[str, Any], *, is_kept: bool
) -> RouteWrites:
    version = route.version or min(versions & route.sets, default="")
    sets, keeps, mapped = route.sets, route.keeps, route.mapped
    if route.deletes:
        sets = frozenset([*(() if is_kept else closed), *filter(None, [version])])
        keeps = frozenset(closed if is_kept else ())
        mapped = {**mapped, **closed}
    elif route.inserts:
        sets, keeps = sets & {version, OTHERS}, sets - {version, OTHERS}
    return structs.replace(
        route, mode="update", version=version, sets=sets, keeps=keeps, mapped=mapped
    )


def _ways(routes: Sequence[RouteWrites]) -> Mapping[Attribute, set[str]]:
    """Return how attributes are written that not all routes set."""
    found: dict[Attribute, set[str]] = {}
    for route in routes:
        ways = {"set": route.sets, "add": route.adds, "append": route.appends, "keep": route.keeps}
        for way, attributes in ways.items():
            for name in attributes:
                found.setdefault(name, set()).add(way)
    return found


def _with_own_sums(
    route: RouteWrites, ways: Mapping[Attribute, set[str]], names: _FreeNames
) -> RouteWrites:
    """Return a route that adds and appends to attributes that no other writes in another way."""
    sums = sorted(route.adds | route.appends)
    return _renamed(route, [name for name in sums if len(ways[name]) > 1], names)


def _renamed(route: RouteWrites, attributes: Sequence[Attribute], names: _FreeNames) -> RouteWrites:
    """Return a route that stores some attributes under names of its own."""
    own = {name: names.new(f"{route.name}_{name}") for name in attributes}

    def new(given: frozenset[str]) -> frozenset[str]:
        return frozenset(own.get(name, name) for name in given)

    sources = {new_name: route.mapped.get(name, name) for name, new_name in own.items()}
    return structs.replace(
        route,
        version=own.get(route.version, route.version),
        sets=new(route.sets),
        adds=new(route.adds),
        appends=new(route.appends),
        keeps=new(route.keeps),
        mapped={**route.mapped, **sources},
    )


def _common(routes: Sequence[RouteWrites]) -> Mapping[Attribute, Sequence[RouteWrites]]:
    """Return the attributes that several routes set and could lose, with these routes."""
    found: dict[Attribute, list[RouteWrites]] = {}
    for route in routes:
        for name in route.sets - {OTHERS}:
            found.setdefault(name, []).append(route)
    return {name: writers for name, writers in found.items() if _may_lose(name, writers)}


def _may_lose(name: Attribute, writers: Sequence[RouteWrites]) -> bool:
    """Whether several routes set an attribute: not as the version of each, nor to one value."""
    if len(writers) == 1 or all(route.version == name for route in writers):
        return False
    return not all(route.has_same_constant(name, writers[0]) for route in writers)


def _divided(
    updates: Sequence[RouteWrites], names: _FreeNames
) -> Mapping[RouteName, Sequence[RouteWrites]]:
    """Return a route for the own attributes of each, and those for what it has in common."""
    common = _common(updates)
    classes: dict[tuple[RouteName, ...], list[Attribute]] = {}
    for name, writers in sorted(common.items()):
        classes.setdefault(tuple(route.name for route in writers), []).append(name)
    used: set[Attribute] = set(common)
    parts: dict[RouteName, list[RouteWrites]] = {route.name: [] for route in updates}
    for members, attributes in classes.items():
        sharing = [route for route in updates if route.name in members]
        order, sources = _order_of(sharing, used, names)
        used.add(order)
        for route, source in zip(sharing, sources, strict=True):
            parts[route.name].append(_part(route, attributes, order, source))
    found = {}
    for route in updates:
        own = structs.replace(route, sets=route.sets - common.keys())
        version = route.version
        if version and version in used:
            own = _renamed(structs.replace(own, sets=own.sets | {version}), [version], names)
        used.add(version)
        found[route.name] = _named(own, parts[route.name])
    return found


def _order_of(
    routes: Sequence[RouteWrites], used: set[Attribute], names: _FreeNames
) -> tuple[Attribute, Sequence[Any]]:
    """Return a version for what some routes have in common, and its source in each."""
    versions = {route.version for route in routes}
    sources = [route.mapped.get(route.version, route.version) for route in routes]
    has_one_scale = "" not in versions and len({route.scale for route in routes}) == 1
    if has_one_scale and len(versions) == 1 and versions.isdisjoint(used):
        return versions.pop(), sources
    if not has_one_scale or any(source != sources[0] for source in sources):
        return names.new("sent_at"), [_SENT for _ in routes]
    last = re.search(r"[A-Za-z_]\w*$", sources[0]) if isinstance(sources[0], str) else None
    return names.new(last[0] if last else "common_at"), sources


def _part(
    route: RouteWrites, attributes: Sequence[Attribute], order: Attribute, source: Any
) -> RouteWrites:
    return RouteWrites(
        name=route.name,
        mode="update",
        version=order,
        sets=frozenset([*attributes, order]),
        key=route.key,
        mapped={**route.mapped, order: source},
    )


def _named(own: RouteWrites, parts: Sequence[RouteWrites]) -> Sequence[RouteWrites]:
    """Return the routes that one becomes, of which the first has its name."""
    routes = [own, *parts] if own.attributes - {own.version} or not parts else [*parts]
    for number, each in enumerate(routes[1:], 1):
        suffix = "" if number == 1 else number
        routes[number] = structs.replace(each, name=f"{own.name}_common{suffix}")
    return routes

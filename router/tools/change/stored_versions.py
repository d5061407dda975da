"""Versions that a change introduces on tables that hold items already: no stored item has them."""

from collections.abc import Sequence

from msgspec import structs

from router.runtime.config import spec
from router.tools.change.change_codes import VERSION_NOT_STORED
from router.tools.change.report import Changes
from router.tools.change.routes import RoutePairs, Routes, RouteVersion, change_of
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites, writes_of

_AGAIN = "send the current state of each item again before late messages can come"


def unstored_versions(old: Routes, new: Routes, pairs: RoutePairs) -> Changes:
    """Yield the versions that routes newly write with, and that items of earlier routes do not have."""
    before = {after.name: was for was, after in pairs.both}
    for route in new.values():
        was, version = before.get(route.name), route.write.version
        if not version or (was and was.write.version == version):
            continue
        earlier = [each for each in old.values() if each.table == route.table]
        yield from _of_route(route, was, [each for each in earlier if not _writes(each).deletes])


def _of_route(
    route: RouteVersion, was: RouteVersion | None, earlier: Sequence[RouteVersion]
) -> Changes:
    table = route.table.name
    lacking = [each for each in earlier if not _stores(each, route)]
    effect = _effect(_writes(route), [_writes(each) for each in lacking])
    if not effect:
        return
    where = f"on none of the items that table '{table}' holds"
    if len(lacking) < len(earlier):
        names = " and ".join(f"'{each.name}'" for each in lacking)
        kind = "routes" if len(lacking) > 1 else "route"
        where = f"not on the items of table '{table}' that {kind} {names} stored"
    wins = "the first message of each key wins, also a late one"
    sentence = f"version '{route.write.version}' is {where}: {wins}, and {effect}"
    advice = _AGAIN
    versions = {each.write.version for each in lacking}
    known = versions.pop()
    if known and not versions:
        advice = f"keep '{known}', which the stored items have, or {_AGAIN}"
    change = change_of(
        was or route, route, VERSION_NOT_STORED, sentence, "write", "version", suggestion=advice
    )
    # A new route is no route of both versions, under which a report could show it.
    yield change if was else structs.replace(change, sentence=change.with_route, route="")


def _writes(route: RouteVersion) -> RouteWrites:
    return writes_of(route.name, route.settings, route.table_settings.key)


def _stores(earlier: RouteVersion, route: RouteVersion) -> bool:
    """Whether the items of an earlier route have the version of another, as far as its config says."""
    version, stored = route.write.version, _writes(earlier).attributes
    plain = spec.Attribute(from_=version)
    mapped = (route.attributes or {}).get(version, plain)
    return version in stored or (OTHERS in stored and mapped == plain)


def _effect(route: RouteWrites, earlier: Sequence[RouteWrites]) -> str:
    """Return what a late message does to items of earlier routes, or "" for nothing."""
    if not earlier:
        return ""
    if route.deletes:
        return "deletes the item"
    if route.replaces:
        return "replaces the item"
    stored = frozenset[str]().union(*(each.attributes for each in earlier))
    sets = route.sets - {route.version}
    if OTHERS in sets:
        return "replaces its attributes"
    common = sets if OTHERS in stored else sets & stored
    names = ", ".join(f"'{name}'" for name in sorted(common))
    return names and f"replaces its {names}"

"""Finds the tables whose routes could lose something to each other, by their settings alone."""

from collections.abc import Collection, Hashable, Iterable
from itertools import combinations_with_replacement

from router.runtime.config import spec
from router.tools.check.analysis.pair_losses import losses
from router.tools.check.analysis.pair_writes import writes_of
from router.tools.check.analysis.routes import AnalyzedRoute

_MOST_KINDS = 8


def sharing_routes(
    config: spec.Config, routes: Iterable[AnalyzedRoute]
) -> list[list[AnalyzedRoute]]:
    """Return the routes of each table that several write, if some of them could lose anything."""
    tables: dict[str, list[AnalyzedRoute]] = {}
    for route in routes:
        name = route.route.table
        tables.setdefault(config.tables[name].name or name, []).append(route)
    sharing = [each for each in tables.values() if len(each) > 1]
    return [each for each in sharing if _may_lose(each, config.tables[each[0].route.table].key)]


def _may_lose(routes: list[AnalyzedRoute], key: Collection[str]) -> bool:
    """Return whether some of the routes could lose anything."""
    kinds = {_settings_of(route.route): route for route in routes}
    # With more kinds, some nearly always do.
    if len(kinds) > _MOST_KINDS:
        return True
    writes = [writes_of(each.name, each.route, key) for each in kinds.values()]
    return any(losses(*pair) for pair in combinations_with_replacement(writes, 2))


def _settings_of(route: spec.RouteSettings) -> Hashable:
    """Return settings that are equal only for routes which lose the same to any other route."""
    write = route.write
    names = None if route.item is None else frozenset(route.item)
    kept = (write.add, write.append, write.keep_first, write.once)
    return (write.mode, write.version, names, route.merge is None, *kept)

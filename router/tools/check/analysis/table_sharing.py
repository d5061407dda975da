"""Finds the tables whose routes could lose something to each other, by their settings alone."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import combinations_with_replacement

from msgspec import structs

from router.runtime.config import spec
from router.tools.check.analysis.pair_losses import losses
from router.tools.check.analysis.pair_writes import writes_of

_MOST_KINDS = 8


def sharing_routes(config: spec.Config) -> Mapping[str, Sequence[str]]:
    """Return the routes of each table that several write, if some of them could lose anything.

    All are names: tables have those in AWS.
    """
    return {table: names for table, names in writers_of(config).items() if _may_lose(config, names)}


def writers_of(config: spec.Config) -> Mapping[str, Sequence[str]]:
    """Return the routes of each table that several write; all are names, tables have those in AWS."""
    tables: dict[str, list[str]] = {}
    for name, route in config.routes.items():
        table = config.tables[route.table].name or route.table
        tables.setdefault(table, []).append(name)
    return {table: names for table, names in tables.items() if len(names) > 1}


def _may_lose(config: spec.Config, names: Sequence[str]) -> bool:
    """Return whether some of the routes of a table could lose anything."""
    kinds = {_settings_of(config.routes[name]): name for name in names}
    whole = [name for name in kinds.values() if config.routes[name].item is None]
    # With more kinds, some nearly always do; whole messages of two schemas have other properties.
    if len(kinds) > _MOST_KINDS or len(whole) > 1:
        return True
    key: Collection[str] = config.tables[config.routes[names[0]].table].key
    # Constants differ within a kind.
    writes = [
        structs.replace(writes_of(name, config.routes[name], key), mapped={})
        for name in kinds.values()
    ]
    return any(losses(*pair) for pair in combinations_with_replacement(writes, 2))


def _settings_of(route: spec.RouteSettings) -> Hashable:
    """Return settings that are equal only for routes which lose the same to any other route."""
    write = route.write
    names = repr(route.schema) if route.item is None else frozenset(route.item)
    kept = (write.add, write.append, write.keep_first, write.once)
    return (write.mode, write.version, names, route.merge is None, *kept)

"""The routes of one version whose items an index of the other version refuses.

While both versions write, a table has the indexes of both: new ones are made before the function or the worker is
changed, and old ones are deleted after that. DynamoDB refuses the whole item then, and its message is rejected.
"""

from collections.abc import Mapping, Sequence

from msgspec import structs

from router.runtime.aws.references import is_name
from router.runtime.config import spec
from router.tools.change.change_codes import SIDE_BY_SIDE
from router.tools.change.items import mapped
from router.tools.change.report import Changes
from router.tools.change.routes import Routes, RouteVersion, change_of
from router.tools.check.analysis.index_keys import (
    IndexedAttribute,
    index_doubts,
    indexed_attributes,
)

_ADVICE = {
    "new": "first deploy the new mapping without the index, then the index",
    "old": "first deploy the config without the index, then the new mapping",
}
"""What to do about an index, by the version that has it."""


def index_refusals(old: Routes, new: Routes) -> Changes:
    """Yield the routes whose items an index that only the other version has may refuse.

    Routes of one version only count, too: a removed one writes until the old version ends.
    """
    yield from _refused(old, new, "old", "new")
    yield from _refused(new, old, "new", "old")


def _refused(routes: Routes, others: Routes, own: str, other: str) -> Changes:
    tables = {route.table.name: route for route in others.values()}
    for name, route in routes.items():
        with_table = tables.get(route.table.name)
        if with_table is None or not _changes_indexes(with_table):
            continue
        table = structs.replace(route.table_settings, indexes=_own_indexes(with_table, route))
        analyzed = structs.replace(route.analyzed, table=table)
        for indexed in indexed_attributes(analyzed):
            known = _known_doubts(route, others.get(name), indexed)
            doubts = [each for each in index_doubts(analyzed, indexed) if each not in known]
            if not doubts:
                continue
            sentence = (
                f"two versions must not write side by side: {indexed.in_words} of the {other} version may refuse "
                f"items of the {own} one: attribute '{indexed.name}': {'; '.join(doubts)}"
            )
            yield change_of(route, route, SIDE_BY_SIDE, sentence, suggestion=_ADVICE[other])


def _changes_indexes(route: RouteVersion) -> bool:
    """Return whether a deployment makes the indexes of a table: it changes nothing of a table that others create."""
    settings = route.table_settings
    return settings.managed and is_name(settings.name or route.settings.table)


def _own_indexes(route: RouteVersion, other: RouteVersion) -> Mapping[str, spec.TableIndex]:
    """Return the indexes of a table whose keys no index has by the other version."""
    known = [_key(index) for index in other.table_settings.indexes.values()]
    indexes = route.table_settings.indexes
    return {name: index for name, index in indexes.items() if _key(index) not in known}


def _key(index: spec.TableIndex) -> tuple[object, ...]:
    """Return the key of an index; the order of its attributes counts."""
    return index.partition_key, index.sort_key


def _known_doubts(
    route: RouteVersion, same: RouteVersion | None, indexed: IndexedAttribute
) -> Sequence[str]:
    """Return the doubts that the other version has about an attribute that it maps in the same way.

    It refuses the same messages then, whichever version receives them.
    """
    if same is None or route.parts["merge"] != same.parts["merge"]:
        return ()
    is_mapped_alike = mapped(route, indexed.name) == mapped(same, indexed.name)
    return same.doubts.get(("index", indexed.name), ()) if is_mapped_alike else ()

"""Which routes write a table, and what one of them can do to what another one stored."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, structs

from router.runtime.config import spec
from router.runtime.program.load import Program
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites, writes_of


class TableWriters(Struct, frozen=True):
    """The routes that write a table; `ttl` is the attribute by which its items expire, "" if none writes it.

    `indexes` are those of the table. `partial` is whether other messages may have written the table than those of the
    source. `removable` are the attributes that an update may remove.
    """

    routes: Mapping[str, RouteWrites]
    ttl: str
    partial: bool
    removable: frozenset[str]
    indexes: Sequence[spec.TableIndex]

    @property
    def deletes(self) -> bool:
        """Whether a route deletes items."""
        return any(route.deletes for route in self.routes.values())

    def removes(self, attribute: str) -> bool:
        """Return whether an update of some route may remove an attribute."""
        return not self.removable.isdisjoint((attribute, OTHERS))

    def other(self, name: str) -> str:
        """Return a route that stores items by other rules than the route `name`; "" if there is none."""
        own = self.routes[name]
        for other in self.routes.values():
            if not other.deletes and (other.mode, other.version) != (own.mode, own.version):
                return other.name
        return ""

    def is_written_otherwise(self, name: str, attribute: str) -> bool:
        """Return whether a route stores an attribute by another rule than the route `name`, perhaps of another type."""
        own = self.routes[name]
        return any(
            not other.attributes.isdisjoint((attribute, OTHERS))
            and not _alike(own, other, attribute)
            for other in self.routes.values()
        )

    def rival(self, name: str, attribute: str) -> str:
        """Return a route that changes an attribute by other rules than the route `name`; "" if there is none.

        Deletes are not among them: they leave no attribute.
        """
        own = self.routes[name]
        for other in self.routes.values():
            touches = other.replaces or not other.attributes.isdisjoint((attribute, OTHERS))
            if not other.deletes and touches and not _alike(own, other, attribute):
                return other.name
        return ""


def _alike(one: RouteWrites, other: RouteWrites, attribute: str) -> bool:
    """Return whether two routes write an attribute by the same rule."""
    if one.mode != other.mode or one.version != other.version:
        return False
    ways = (
        (one.adds, other.adds),
        (one.appends, other.appends),
        (one.keeps, other.keeps),
    )
    return all((attribute in mine) == (attribute in theirs) for mine, theirs in ways)


def writers_by_table(
    program: Program, queues: Collection[str], ends: Mapping[str, str | None], *, complete: bool
) -> Mapping[str, TableWriters]:
    """Return the writers of each table, by its name in AWS; `queues` are those that the source has messages of.

    `ends` are the attributes by which the items of tables expire, None where that is not known.
    """
    config = program.config
    found: dict[str, list[str]] = {}
    for name, route in config.routes.items():
        found.setdefault(config.tables[route.table].name or route.table, []).append(name)
    writers = {}
    for table, names in found.items():
        is_whole = complete and all(config.routes[each].queue in queues for each in names)
        writers[table] = _writers(program, names, ends.get(table), partial=not is_whole)
    return writers


def _writers(
    program: Program, names: Sequence[str], end: str | None, *, partial: bool
) -> TableWriters:
    config = program.config
    hooked = {
        route.route.name
        for queue in program.engine.queues.values()
        for route in queue.routes
        if route.transform_item
    }
    routes = {}
    removable = set()
    ttls = set()
    for name in names:
        settings = config.routes[name]
        table = config.tables[settings.table]
        writes = writes_of(name, settings, table.key)
        for attribute, value in (settings.item or {}).items():
            if "remove" in (value.missing, value.null):
                removable.add(attribute)
        if name in hooked:
            # A plugin may set and remove any attribute.
            writes = structs.replace(writes, sets=writes.sets | {OTHERS})
            removable.add(OTHERS)
        routes[name] = writes
        ttl = table.ttl if end is None else end
        if ttl and not writes.attributes.isdisjoint((ttl, OTHERS)):
            ttls.add(ttl)
    indexes = config.tables[config.routes[names[0]].table].indexes
    return TableWriters(
        routes, min(ttls, default=""), partial, frozenset(removable), [*indexes.values()]
    )

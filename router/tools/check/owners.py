"""Says which team or person owns each queue, table and route."""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct

from router.runtime.config import spec


class Owners(Struct, frozen=True):
    """The owner of each queue, table and route by its name in the config.

    It is "" if there is none.
    """

    queues: Mapping[str, str]
    tables: Mapping[str, str]
    routes: Mapping[str, str]


def owners_of(config: spec.Config) -> Owners:
    """Return the owners.

    A queue or table without one belongs to the owner of all its routes, if that is one.
    A dead-letter queue without one belongs to the owner of the queues that it serves.
    """
    routes: dict[str, str] = {}
    of_routes = defaultdict[str, set[str]](set)
    of_tables = defaultdict[str, set[str]](set)
    for name, route in config.routes.items():
        routes[name] = route.owner
        of_routes[route.queue].add(route.owner)
        of_tables[route.table].add(route.owner)
        if route.write.once is not None:
            of_tables[route.write.once].add(route.owner)
    queues: dict[str, str] = {}
    for name in dict.fromkeys((*config.queues, *of_routes)):
        queues[name] = _owner(config.queues.get(name), of_routes[name])
    of_served = defaultdict[str, set[str]](set)
    for name, queue in config.queues.items():
        if queue.dead_letter:
            of_served[queue.dead_letter].add(queues[name])
    for name, owners in of_served.items():
        queues[name] = queues.get(name) or _owner(config.queues.get(name), owners)
    tables = {name: _owner(table, of_tables[name]) for name, table in config.tables.items()}
    return Owners(queues, tables, routes)


def _owner(settings: spec.Queue | spec.TableSettings | None, users: set[str]) -> str:
    if settings is not None and settings.owner:
        return settings.owner
    return next(iter(users)) if len(users) == 1 else ""

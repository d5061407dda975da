"""Says which team or person owns each queue, table and route."""

from collections.abc import Iterable, Mapping

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
    of_routes: dict[str, set[str]] = {}
    of_tables: dict[str, set[str]] = {}
    for route in config.routes.values():
        of_routes.setdefault(route.queue, set()).add(route.owner)
        of_tables.setdefault(route.table, set()).add(route.owner)
        if isinstance(route.write.once, str):
            of_tables.setdefault(route.write.once, set()).add(route.owner)
    queues: dict[str, str] = {}
    for name in dict.fromkeys((*config.queues, *of_routes)):
        queues[name] = _owner(config.queues.get(name), of_routes.get(name, ()))
    of_served: dict[str, set[str]] = {}
    for name, queue in config.queues.items():
        if queue.dead_letter:
            of_served.setdefault(queue.dead_letter, set()).add(queues[name])
    for name, owners in of_served.items():
        queues[name] = queues.get(name) or _owner(config.queues.get(name), owners)
    tables = {}
    for name, table in config.tables.items():
        tables[name] = _owner(table, of_tables.get(name, ()))
    routes = {name: route.owner for name, route in config.routes.items()}
    return Owners(queues, tables, routes)


def _owner(settings: spec.Queue | spec.TableSettings | None, users: Iterable[str]) -> str:
    if settings is not None and settings.owner:
        return settings.owner
    found = set(users)
    return found.pop() if len(found) == 1 else ""

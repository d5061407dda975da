"""Whose queues, tables and routes are: what a file says of all its entries, and what follows from routes."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from router.config import spec
from router.config.merge import SECTIONS


def with_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a file in which entries without an owner have that of the file, and all have its tags."""
    owner, tags = data.get("owner"), data.get("tags")
    owner = owner if isinstance(owner, str) and owner else None
    tags = tags if isinstance(tags, dict) and tags else None
    if owner is None and tags is None:
        return data
    changed = dict(data)
    for section in SECTIONS:
        entries = data.get(section)
        if isinstance(entries, dict):
            changed[section] = {name: _with_defaults(entry, owner, tags) for name, entry in entries.items()}
    return changed


def _with_defaults(entry: Any, owner: str | None, tags: dict[str, Any] | None) -> Any:
    if not isinstance(entry, dict):
        return entry
    changed = dict(entry)
    if owner is not None and not entry.get("owner"):
        changed["owner"] = owner
    own = entry.get("tags") or {}
    if tags is not None and isinstance(own, dict):
        changed["tags"] = {**tags, **own}
    return changed


class Owners(Struct, frozen=True):
    """The owner of each queue, table and route by its name in the config, "" if it has none."""

    queues: Mapping[str, str]
    tables: Mapping[str, str]
    routes: Mapping[str, str]


def owners_of(config: spec.Config) -> Owners:
    """Return the owners. A queue or table without one belongs to the owner of all its routes, if that is one.

    A dead-letter queue without one belongs to the owner of the queues that it serves.
    """
    routes = {name: route.owner for name, route in config.routes.items()}
    users: dict[str, dict[str, list[str]]] = {"queues": {}, "tables": {}}
    for name, route in config.routes.items():
        users["queues"].setdefault(route.queue, []).append(routes[name])
        tables = [route.table, *([route.write.once] if isinstance(route.write.once, str) else [])]
        for table in tables:
            users["tables"].setdefault(table, []).append(routes[name])
    names = dict.fromkeys([*config.queues, *users["queues"]])
    queues = {name: _owner(config.queues.get(name), users["queues"].get(name)) for name in names}
    served: dict[str, list[str]] = {}
    for name, queue in config.queues.items():
        if queue.dead_letter:
            served.setdefault(queue.dead_letter, []).append(queues[name])
    for name, owners in served.items():
        queues[name] = queues.get(name) or _owner(config.queues.get(name), owners)
    tables_ = {name: _owner(table, users["tables"].get(name)) for name, table in config.tables.items()}
    return Owners(queues, tables_, routes)


def _owner(settings: spec.Queue | spec.TableSettings | None, users: list[str] | None) -> str:
    if settings is not None and settings.owner:
        return settings.owner
    found = set(users or ())
    return found.pop() if len(found) == 1 else ""

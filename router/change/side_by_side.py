"""Whether two versions of a route may write at the same time, as they do while a deployment shifts traffic."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.change.routes import RouteVersion, exact, match_table
from router.check.rules.writes import undo
from router.config import spec


def conflicts(old: RouteVersion, new: RouteVersion) -> Iterator[str]:
    """Yield why both versions must not write side by side; nothing for versions that write to different tables."""
    before, after = old.compiled.write, new.compiled.write
    if match_table(before.table.name) != match_table(after.table.name):
        return
    if before.table.key != after.table.key:
        yield "the table has another key: each version is refused by the other's table"
    elif _key(old) != _key(new):
        yield "the key is mapped in another way: one message writes two items"
    if undo(old.settings.write, new.settings.write):
        modes = f"'{old.settings.write.mode}' and '{new.settings.write.mode}'"
        yield f"the modes {modes} undo each other without a 'version' in both"
    elif before.version != after.version:
        versions = [each.version or "no attribute" for each in (before, after)]
        yield f"items have their version in '{versions[0]}' or in '{versions[1]}'"
    elif before.version and _mapped(old, before.version) != _mapped(new, after.version):
        yield f"the version '{after.version}' is mapped in another way: versions of the two do not compare"
    if (before.add or before.append or after.add or after.append) and once(old) != once(new):
        yield "idempotency keys are others: a message that both versions receive is added twice"


def once(route: RouteVersion) -> bytes:
    """Return what the idempotency keys of a route depend on."""
    config = route.compiled.write.once
    key = route.settings.write.once_key
    named = None if config is None else match_table(config.table.name)
    return exact([named, route.name if isinstance(key, UnsetType) else key])


def _key(route: RouteVersion) -> list[bytes]:
    return [_mapped(route, name) for name, _ in route.compiled.write.table.key]


def _mapped(route: RouteVersion, name: str) -> bytes:
    """Return how an attribute is mapped, as text that is equal if it is mapped alike."""
    attribute = (route.attributes or {}).get(name, spec.short_form(name))
    return exact([attribute, None if isinstance(route.settings.for_each, UnsetType) else route.settings.for_each])

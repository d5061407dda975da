"""Shows the edit of the routes that write one key as YAML, each route with what it becomes."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from msgspec import Struct, json

from router.prover.predicates import ENCODER
from router.runtime.config import spec
from router.tools.check.analysis.pair_edits import RouteName, Surroundings, edited
from router.tools.check.analysis.pair_writes import RouteWrites

# The settings that a second route for the same messages has, too.
_SAME_MESSAGES = ("queue", "table", "when", "schema", "plugins", "options", "for_each")
Sections = Mapping[str, Mapping[str, Any]]


class GroupEdit(Struct, frozen=True):
    """The edit of routes that write one key: what each becomes, in the sections of the config."""

    parts: Mapping[RouteName, Sections]
    comment: str = ""

    def shown(self, *names: RouteName) -> str:
        """Return the parts of some routes as YAML, an entry on each line."""
        lines = [f"# {self.comment}"] if self.comment else []
        for section in ("tables", "routes"):
            entries: dict[str, Any] = {}
            for name in names:
                entries |= self.parts[name].get(section, {})
            lines += [f"{section}:"] if entries else []
            for name, settings in entries.items():
                lines += [f"  {name}:", *_lines(settings)]
        return "\n".join(lines)


def group_edit(
    group: Sequence[RouteWrites], others: Sequence[RouteWrites], config: spec.Config
) -> GroupEdit:
    """Return the edit of routes whose keys meet; `others` are all other routes of their table."""
    first = group[0]
    if all(each.inserts and each.attributes == first.attributes for each in group):
        return _keys_apart(group, others, config)
    table_name = config.routes[first.name].table
    ttl = config.tables[table_name].ttl
    around = Surroundings(
        ttl=ttl or "expires_at",
        taken=frozenset(name for each in others for name in each.attributes),
        undivided=frozenset(each.name for each in group if _is_undivided(each, config)),
    )
    parts: dict[RouteName, Sections] = {}
    for name, routes in edited(group, around).items():
        settings = config.routes[name]
        shown = {each.name: _settings(each, settings, is_new=each.name != name) for each in routes}
        parts[name] = {"routes": shown}
        if settings.write.mode == "delete" and not ttl:
            parts[name] = {"tables": {table_name: {"ttl": around.ttl}}, **parts[name]}
    return GroupEdit(parts, _comment(group, config))


def _comment(group: Sequence[RouteWrites], config: spec.Config) -> str:
    """Return what the edit cannot say of routes that store whole messages."""
    whole = [each for each in group if config.routes[each.name].item is None and not each.deletes]
    unnamed = " and ".join(f"'{each.name}'" for each in whole if not each.mapped)
    if unnamed:
        return f"as 'item' of {unnamed} the attributes that only it stores"
    return "'item' has what the schema names, and nothing else" if whole else ""


def _is_undivided(route: RouteWrites, config: spec.Config) -> bool:
    """Whether a message can be written by one route only, or to an item only once."""
    queue = config.queues.get(config.routes[route.name].queue)
    return queue is not None and (queue.match == "first" or queue.atomic)


def _settings(route: RouteWrites, given: spec.RouteSettings, *, is_new: bool) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if is_new:
        settings = {name: getattr(given, name) for name in _SAME_MESSAGES}
        found = {name: value for name, value in settings.items() if value not in (None, {})}
    write = {
        "mode": route.mode,
        "version": route.version,
        "add": sorted(route.adds),
        "append": sorted(route.appends),
        "keep_first": sorted(route.keeps),
        "once": route.once,
        "once_key": given.write.once_key if route.once else None,
    }
    if given.item is not None or route.mapped:
        found["item"] = {**route.key, **route.named}
    found["write"] = {name: value for name, value in write.items() if value}
    return found


def _keys_apart(
    group: Sequence[RouteWrites], others: Sequence[RouteWrites], config: spec.Config
) -> GroupEdit:
    """Return keys that differ for routes that insert the same attributes: none can keep the other's."""
    first = config.routes[group[0].name]
    table = config.tables[first.table]
    mapped = [config.routes[each.name].item for each in group]
    has_one_name = len({config.routes[each.name].table for each in group}) == 1
    if not others and has_one_name and len(table.key) == 1 and all(mapped):
        taken = {*group[0].attributes, *table.key}
        kind = "kind" if "kind" not in taken else "kind_of_event"
        tables = {first.table: {"key": {**table.key, kind: "S"}}}
        parts: dict[RouteName, Sections] = {
            each.name: {"tables": tables, "routes": {each.name: {"item": _with_kind(each, kind)}}}
            for each in group
        }
        return GroupEdit(parts, "a table whose sort key is the kind of the event")
    own: dict[RouteName, Sections] = {group[0].name: {}}
    for each in group[1:]:
        name = f"{config.routes[each.name].table}-{each.name}"
        own[each.name] = {
            "tables": {name: {"key": dict(table.key)}},
            "routes": {each.name: {"table": name}},
        }
    return GroupEdit(own, "a table for each kind of event")


def _with_kind(route: RouteWrites, kind: str) -> Mapping[str, Any]:
    return {**route.key, kind: {"value": route.name}, **route.named}


def _lines(settings: Mapping[str, Any]) -> Sequence[str]:
    return [f"    {name}: {flow(value)}" for name, value in settings.items()]


def flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    plain = json.decode(ENCODER.encode(value))
    text: str = yaml.safe_dump(
        plain, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    # A scalar that stands alone ends with the end of a document.
    return text.removesuffix("...\n").strip()

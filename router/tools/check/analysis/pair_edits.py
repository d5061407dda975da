"""Finds the edit of two routes that write one key, after which neither loses anything."""

from collections.abc import Sequence
from typing import Any

import yaml
from msgspec import json, structs

from router.prover.predicates import ENCODER
from router.tools.check.analysis.pair_writes import OTHERS, RouteWrites

_CLOSED = {"closed": {"value": True}, "expires_at": {"ttl": "30d"}}
"""What an update sets instead of a delete: TTL deletes the item when no late message can come."""


def edit_of(one: RouteWrites, other: RouteWrites) -> str:
    """Return the edit as YAML: the routes as they are to be."""
    if one.inserts and other.inserts and one.attributes == other.attributes:
        kinds = [
            f"  {each.name}: {{item: {{kind: {{value: {each.name}}}}}}}" for each in (one, other)
        ]
        return "\n".join(["# a table whose sort key is the kind of the event", "routes:", *kinds])
    routes = edited(one, other)
    return "\n".join(["routes:", *(line for route in routes for line in _lines(route))])


def edited(one: RouteWrites, other: RouteWrites) -> Sequence[RouteWrites]:
    """Return the routes after the edit: updates that own their attributes.

    What both set is stored by routes of its own, with a version that they share.
    """
    shared = _shared_version(one, other)
    updates = [_as_update(each, shared) for each in (one, other)]
    apart = [_with_own_sums(updates[0], updates[1]), _with_own_sums(updates[1], updates[0])]
    common = (apart[0].sets & apart[1].sets) - {shared, OTHERS}
    if common:
        order = shared or one.version or other.version or "sent_at"
        return [route for each in apart for route in _divided(each, common, order)]
    keeps_name = 1 if one.deletes else 0
    return [
        each if place == keeps_name else _with_own_version(each, shared)
        for place, each in enumerate(apart)
    ]


def _shared_version(one: RouteWrites, other: RouteWrites) -> str:
    """Return the version of one of the routes that the other has or stores, too; "" if there is none."""
    for first, second in ((one, other), (other, one)):
        if first.version and first.version in {second.version, *second.sets}:
            return first.version
    return ""


def _as_update(route: RouteWrites, shared: str) -> RouteWrites:
    version = shared if shared in route.sets else route.version
    sets, keeps, mapped = route.sets, route.keeps, route.mapped
    if route.deletes:
        sets = frozenset((*_CLOSED, *filter(None, [version])))
        mapped = {**mapped, **_CLOSED}
    elif route.inserts:
        sets, keeps = sets & {version, OTHERS}, sets - {version, OTHERS}
    return structs.replace(
        route, mode="update", version=version, sets=sets, keeps=keeps, mapped=mapped
    )


def _with_own_sums(route: RouteWrites, other: RouteWrites) -> RouteWrites:
    """Return a route that adds and appends to attributes that the other does not write otherwise."""
    names = {
        name: f"{route.name}_{name}"
        for sums, others in ((route.adds, other.adds), (route.appends, other.appends))
        for name in sums & (other.attributes - others)
    }
    return structs.replace(
        route,
        adds=frozenset(names.get(name, name) for name in route.adds),
        appends=frozenset(names.get(name, name) for name in route.appends),
        mapped={
            **route.mapped,
            **{new: route.mapped.get(old, old) for old, new in names.items()},
        },
    )


def _with_own_version(route: RouteWrites, shared: str) -> RouteWrites:
    """Return a route whose version has a name of its own, if it is the shared one."""
    if not shared or route.version != shared:
        return route
    own = f"{route.name}_{shared}"
    return structs.replace(
        route,
        version=own,
        sets=route.sets - {shared} | {own},
        mapped={**route.mapped, own: route.mapped.get(shared, shared)},
    )


def _divided(route: RouteWrites, common: frozenset[str], order: str) -> list[RouteWrites]:
    """Return a route for its own attributes, if it has any, and one for the common ones."""
    own = _with_own_version(structs.replace(route, sets=route.sets - common), order)
    divided = bool(own.attributes - {own.version})
    mapped = {order: {"meta": "sent_at"}, **route.mapped} if order == "sent_at" else route.mapped
    both = RouteWrites(
        name=f"{route.name}_common" if divided else route.name,
        mode="update",
        version=order,
        sets=common | {order},
        key=route.key,
        mapped=mapped,
    )
    return [own, both] if divided else [both]


def _lines(route: RouteWrites) -> list[str]:
    names = sorted(route.attributes - {OTHERS})
    item = {**route.key, **{name: route.mapped.get(name, name) for name in names}}
    settings = {
        "version": route.version,
        "add": sorted(route.adds),
        "append": sorted(route.appends),
        "keep_first": sorted(route.keeps),
        "once": route.once,
    }
    write = {name: value for name, value in settings.items() if value}
    named = f"    item: {_flow(item)}"
    if OTHERS in route.sets:
        named = "    # and item: the attributes that only this route stores"
    return [f"  {route.name}:", named, f"    write: {_flow({'mode': 'update', **write})}"]


def _flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    plain = json.decode(ENCODER.encode(value))
    text: str = yaml.safe_dump(
        plain, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    )
    return text.strip()

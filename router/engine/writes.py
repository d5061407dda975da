"""From an item to the write of its route's mode, with the condition or the update that goes with it.

Attribute names are never written into an expression: each has a placeholder, since a name may be a reserved word or
hold a dot.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from router.codes import BAD_ITEM, BAD_VERSION
from router.engine.attributes import encode_item, identify
from router.errors import Refusal
from router.model import REMOVE, AttributeValue, Item, Marker, Message, Table, Write, WriteKind

MARKER_DAYS = 15
"""How long a marker is kept, from when the message was sent: longer than SQS keeps a message, 14 days at most."""
_MARKER_SECONDS = MARKER_DAYS * 24 * 60 * 60
_ORDERED = ("S", "N", "B")
NO_ATTRIBUTE = "router: no attribute"
"""A name that no item has."""


class MarkerShape(Struct, frozen=True):
    """The table that remembers which effects were had: its partition key, and its time-to-live attribute or ""."""

    table: Table
    ttl: str
    key: Callable[[Any], Any] | None = None
    """What identifies the effect; None for route and message id."""


class WriteShape(Struct, frozen=True):
    """How a route writes. `version`, `add`, `append` and `keep_first` name attributes; `version` is "" without one.

    `declared` are the attributes that the config names, which a reason may therefore show.
    """

    route: str
    table: Table
    mode: WriteKind
    version: str = ""
    add: frozenset[str] = frozenset()
    append: frozenset[str] = frozenset()
    keep_first: frozenset[str] = frozenset()
    once: MarkerShape | None = None
    declared: frozenset[str] = frozenset()


PlanWrite = Callable[[WriteShape, Item, Message, int], Write]
"""Plans the write of an item, the nth of its message; raises Refusal."""


def plan_write(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    """The write that a route makes of an item, the `index`-th that it makes of the message; raises Refusal."""
    return _PLANNERS[shape.mode](shape, item, message, index)


def _plan_put(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, shape.declared)
    table = shape.table
    return Write(shape.route, table, "put", identify(table.name, table.key, encoded), encoded, size)


def _plan_delete(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    key, size = encode_item({name: item[name] for name, _ in shape.table.key if name in item}, shape.declared)
    identity = _identify(shape, key)
    if not shape.version:
        return Write(shape.route, shape.table, "delete", identity, key, size)
    version, _ = encode_item({shape.version: item[shape.version]} if shape.version in item else {}, shape.declared)
    parameters = _call(shape, {"Key": key}, _is_newer(shape), {"#v": shape.version}, {":v": _version(shape, version)})
    return Write(shape.route, shape.table, "delete", identity, key, size, parameters, version[shape.version])


def _plan_insert(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, shape.declared)
    parameters = _call(shape, {"Item": encoded}, "attribute_not_exists(#k)", {"#k": shape.table.key[0][0]})
    return Write(shape.route, shape.table, "insert", _identify(shape, encoded), encoded, size, parameters)


def _plan_newest(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    encoded, size = encode_item(item, shape.declared)
    version = _version(shape, encoded)
    parameters = _call(shape, {"Item": encoded}, _is_newer(shape), {"#v": shape.version}, {":v": version})
    return Write(shape.route, shape.table, "newest", _identify(shape, encoded), encoded, size, parameters, version)


def _plan_update(shape: WriteShape, item: Item, message: Message, index: int) -> Write:
    removed = [name for name, value in item.items() if value is REMOVE]
    encoded, size = encode_item({name: value for name, value in item.items() if value is not REMOVE}, shape.declared)
    identity = _identify(shape, encoded)
    keys = {name for name, _ in shape.table.key}
    key = {name: encoded[name] for name in keys}
    clauses, names, values = _update_clauses(shape, {n: v for n, v in encoded.items() if n not in keys}, removed)
    condition = ""
    version = None
    if shape.version:
        version = _version(shape, encoded)
        condition = _is_newer(shape)
        names["#v"], values[":v"] = shape.version, version
    if not clauses:
        # A transaction takes no update without an expression. This one changes nothing and, as any update that only
        # removes, makes no item where there is none.
        clauses, names["#none"] = ["REMOVE #none"], NO_ATTRIBUTE
    parameters = _call(shape, {"Key": key, "UpdateExpression": " ".join(clauses)}, condition, names, values)
    marker = _marker(shape.once, shape, message, index) if shape.once else None
    return Write(shape.route, shape.table, "update", identity, encoded, size, parameters, version, marker)


def _update_clauses(
    shape: WriteShape, attributes: Mapping[str, AttributeValue], removed: list[str]
) -> tuple[list[str], dict[str, str], dict[str, AttributeValue]]:
    """The clauses of an UpdateExpression, and what their placeholders stand for."""
    names: dict[str, str] = {}
    values: dict[str, AttributeValue] = {}
    sets, adds = [], []
    for number, (name, value) in enumerate(attributes.items()):
        place, given = f"#a{number}", f":a{number}"
        names[place], values[given] = name, value
        if name in shape.add:
            _check_addable(name, value)
            adds.append(f"{place} {given}")
        elif name in shape.append:
            values[given] = value if "L" in value else {"L": [value]}
            values[":none"] = {"L": []}
            sets.append(f"{place} = list_append(if_not_exists({place}, :none), {given})")
        elif name in shape.keep_first:
            sets.append(f"{place} = if_not_exists({place}, {given})")
        else:
            sets.append(f"{place} = {given}")
    removes = [f"#r{number}" for number, _ in enumerate(removed)]
    names |= dict(zip(removes, removed, strict=True))
    clauses = [
        f"{verb} {', '.join(parts)}" for verb, parts in (("SET", sets), ("ADD", adds), ("REMOVE", removes)) if parts
    ]
    return clauses, names, values


def _check_addable(name: str, value: AttributeValue) -> None:
    if not value.keys() & {"N", "SS", "NS", "BS"}:
        raise Refusal(BAD_ITEM, f"attribute '{name}' is added to the stored one, and is no number or set")


def _is_newer(shape: WriteShape) -> str:
    # Values of different types are never in order, so a stored version of another type fails this too.
    return "attribute_not_exists(#v) OR #v < :v"


def _version(shape: WriteShape, encoded: Mapping[str, AttributeValue]) -> AttributeValue:
    version = encoded.get(shape.version)
    if version is None:
        raise Refusal(BAD_VERSION, f"the version '{shape.version}' is missing")
    if not version.keys() & set(_ORDERED):
        raise Refusal(BAD_VERSION, f"the version '{shape.version}' is no text, number or binary")
    return version


def _call(
    shape: WriteShape,
    target: dict[str, Any],
    condition: str,
    names: Mapping[str, str],
    values: Mapping[str, AttributeValue] | None = None,
) -> dict[str, Any]:
    """The parameters that PutItem, UpdateItem and DeleteItem share with the actions of a transaction."""
    parameters: dict[str, Any] = {"TableName": shape.table.name, **target, "ExpressionAttributeNames": names}
    if condition:
        parameters["ConditionExpression"] = condition
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    if values:
        parameters["ExpressionAttributeValues"] = values
    return parameters


def _marker(once: MarkerShape, shape: WriteShape, message: Message, index: int) -> Marker:
    """The item that says that this effect was had; its table refuses a second one."""
    name = once.table.key[0][0]
    effect = message.id
    if once.key is not None:
        effect = once.key(message.data)
        if not isinstance(effect, str) or not effect:
            raise Refusal(BAD_VERSION, "'once_key' finds no text")
    # No route's name ends where another's goes on.
    route = shape.route.replace("%", "%25").replace("#", "%23")
    item: Item = {name: f"{route}#{effect}#{index}"}
    sent_at = message.epoch_ms("sent_at")
    if once.ttl and sent_at is not None:
        item[once.ttl] = sent_at // 1000 + _MARKER_SECONDS
    try:
        encoded, _ = encode_item(item)
        identify(once.table.name, once.table.key, encoded)
    except Refusal:
        raise Refusal(BAD_VERSION, "'once_key' finds a text that is too long for a key, or no proper one") from None
    return Marker(
        once.table,
        {
            "TableName": once.table.name,
            "Item": encoded,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": name},
        },
    )


def _identify(shape: WriteShape, encoded: dict[str, AttributeValue]) -> tuple[str, ...]:
    return identify(shape.table.name, shape.table.key, encoded)


_PLANNERS: Mapping[WriteKind, PlanWrite] = {
    "put": _plan_put,
    "insert": _plan_insert,
    "newest": _plan_newest,
    "update": _plan_update,
    "delete": _plan_delete,
}

"""The mode `update`: sets the mapped attributes and keeps the others of the stored item."""

from collections.abc import Mapping

from router.codes import BAD_ITEM, BAD_VERSION
from router.errors import Rejection
from router.model import REMOVE, AttributeValue, Item, Message, Outcome
from router.runtime.engine.attributes import encode_item, identify
from router.runtime.engine.writes import (
    UPDATE,
    VERSION_IS_NEWER,
    IdempotencyConfig,
    IdempotencyKey,
    Mode,
    StoredItem,
    Write,
    WriteConfig,
    same_value,
)

NO_ATTRIBUTE = "router: no attribute"
"""A name that no item has."""
IDEMPOTENCY_DAYS = 15
"""How long an idempotency key is kept after its message was sent; SQS keeps a message for 14 days at most."""
_IDEMPOTENCY_SECONDS = IDEMPOTENCY_DAYS * 24 * 60 * 60


def _plan(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
    removed = [name for name, value in item.items() if value is REMOVE]
    encoded, size = encode_item(
        {name: value for name, value in item.items() if value is not REMOVE}, config.declared
    )
    keys = {name for name, _ in config.table.key}
    key = {name: value for name, value in encoded.items() if name in keys}
    attributes = {name: value for name, value in encoded.items() if name not in keys}
    expression, sets, names, values = _update_expression(config, attributes, removed)
    condition = ""
    version = None
    if config.version:
        condition = VERSION_IS_NEWER
        version = config.version_in(encoded)
        names["#v"] = config.version
        values[":v"] = version
    call = config.call({"Key": key, "UpdateExpression": expression}, condition, names, values)
    idempotency_key = (
        _make_idempotency_key(config.once, config.route, message, index) if config.once else None
    )
    return config.write(encoded, size, call, version, sets, idempotency_key)


def _update_expression(
    config: WriteConfig, attributes: Mapping[str, AttributeValue], removed: list[str]
) -> tuple[str, tuple[str, ...], dict[str, str], dict[str, AttributeValue]]:
    """Return an update expression, the attributes that it sets, and the names and values of its placeholders."""
    names: dict[str, str] = {}
    values: dict[str, AttributeValue] = {}
    plain = []
    sets = []
    adds = []
    for number, (name, value) in enumerate(attributes.items()):
        place = f"#a{number}"
        given = f":a{number}"
        names[place] = name
        values[given] = value
        if name in config.add:
            _check_addable(name, value)
            adds.append(f"{place} {given}")
        elif name in config.append:
            values[given] = value if "L" in value else {"L": [value]}
            values[":none"] = {"L": []}
            sets.append(f"{place} = list_append(if_not_exists({place}, :none), {given})")
        elif name in config.keep_first:
            sets.append(f"{place} = if_not_exists({place}, {given})")
        else:
            plain.append(name)
            sets.append(f"{place} = {given}")
    removes = {f"#r{number}": name for number, name in enumerate(removed)}
    names |= removes
    clauses = [
        f"{verb} {', '.join(parts)}"
        for verb, parts in (("SET", sets), ("ADD", adds), ("REMOVE", removes))
        if parts
    ]
    if not clauses:
        # A transaction takes no update without an expression. This one changes nothing and, like any update that only
        # removes attributes, creates no item.
        clauses = ["REMOVE #none"]
        names["#none"] = NO_ATTRIBUTE
    return " ".join(clauses), tuple(plain), names, values


def _check_addable(name: str, value: AttributeValue) -> None:
    if value.keys().isdisjoint(("N", "SS", "NS", "BS")):
        raise Rejection(
            BAD_ITEM, f"attribute '{name}' is added to the stored one, and is no number or set"
        )


def _make_idempotency_key(
    once: IdempotencyConfig, route: str, message: Message, index: int
) -> IdempotencyKey:
    """Return the idempotency key of the `index`-th update of a route and message; its Put fails if that was applied.

    Raises Rejection if the idempotency key cannot be a key in DynamoDB.
    """
    name = once.table.key[0][0]
    idempotency_key = message.id
    if once.key is not None:
        idempotency_key = once.key(message.data)
        if not isinstance(idempotency_key, str) or not idempotency_key:
            raise Rejection(BAD_VERSION, "'once_key' does not evaluate to text")
    # Escaped, so that the keys of two routes differ whatever the routes are named.
    escaped = route.replace("%", "%25").replace("#", "%23")
    item: Item = {name: f"{escaped}#{idempotency_key}#{index}"}
    sent_at = message.epoch_ms("sent_at")
    if once.ttl and sent_at is not None:
        item[once.ttl] = sent_at // 1000 + _IDEMPOTENCY_SECONDS
    try:
        encoded, _ = encode_item(item)
        identify(once.table.name, once.table.key, encoded)
    except Rejection:
        raise Rejection(
            BAD_VERSION, "'once_key' finds a text that is too long for a key, or not valid"
        ) from None
    return IdempotencyKey(
        once.table,
        {
            "TableName": once.table.name,
            "Item": encoded,
            "ConditionExpression": "attribute_not_exists(#k)",
            "ExpressionAttributeNames": {"#k": name},
        },
    )


def _on_condition_failed(write: Write, stored: StoredItem | None) -> Outcome:
    if not stored:
        return write.not_newer()
    same = all(name in stored and same_value(write.item[name], stored[name]) for name in write.sets)
    return write.compare_versions(stored, same=same)


MODE = Mode(
    name="update",
    summary="sets the mapped attributes, keeps the others",
    when_duplicate="sets the same again; adds and appends again, unless `once`",
    when_late="sets the older values; with `version`: `stale`",
    settings=frozenset({"version", "add", "append", "keep_first", "once", "once_key"}),
    required=frozenset(),
    repeats=frozenset({"add", "append"}),
    operation=UPDATE,
    batched="never",
    stores="attributes",
    relies_on=frozenset({"content"}),
    destroys=frozenset(),
    combine="never",
    plan=_plan,
    on_condition_failed=_on_condition_failed,
)

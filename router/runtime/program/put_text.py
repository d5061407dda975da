"""Plans the put or the delete of the one item of a message as the text of its request.

Nothing is encoded twice: what the mapping finds becomes the JSON of a PutRequest or DeleteRequest
at once. What that JSON cannot say exactly is planned, or rejected, by the write mode.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET, Raw

from router.model import Item, Message
from router.runtime.engine.attributes import (
    MAX_INTEGER,
    MAX_ITEM_BYTES,
    MAX_NAME_BYTES,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
)
from router.runtime.engine.engine import PlanItem, PlanPut
from router.runtime.engine.item_text import ESCAPED, SCALARS, ValueTexts
from router.runtime.engine.writes import Write, WriteConfig
from router.runtime.program.attribute import Getter
from router.runtime.program.mapping import failure_of, map_attributes, take_nothing
from router.runtime.sources import GetValue

START, END = '{"PutRequest":{"Item":{', "}}}"
_START_OF_DELETE = '{"DeleteRequest":{"Key":{'
KEY_LIMITS = (MAX_PARTITION_KEY_BYTES // 4, MAX_SORT_KEY_BYTES // 4)
"""The most characters of key values that are valid by a look: none has more than four bytes."""
_Key = tuple[str, bool, int]
"""The name of a key attribute, whether it is text, and the limit."""
_More = tuple[GetValue, str, bool]
"""What finds a value that is no field; the beginning of its JSON; whether it is a part of the message that no other
attribute reads.
"""
_Attribute = tuple[str, str, str, _More]
"""Its name; the field of the message that it is, or ""; the beginning of the JSON of a text; what else is needed."""
MAX_ATTRIBUTES = 80
"""The items of more are left to the write mode."""
MAX_SHARED = 8
"""So many attributes may read the same part of a message.

Its text is written for each of them before the item is weighed.
"""


def can_be_text(getters: Sequence[Getter], config: WriteConfig) -> bool:
    """Whether plain writes of items with these attributes may be planned as text.

    The mode puts items as they are, or deletes their keys, and nothing counts their bytes: a text
    of at most the size of an item is an item of at most that size.
    """
    names = {getter.name for getter in getters}
    table = config.table
    is_plain = config.mode.is_batched(bool(config.version)) and not table.write_units
    is_keyed = all(name in names and kind != "B" for name, kind in table.key)
    if not is_plain or not is_keyed or not 0 < len(names) <= MAX_ATTRIBUTES:
        return False
    has_short_names = "" not in names and max(map(len, names)) * 4 <= MAX_NAME_BYTES
    return has_short_names and len(shared_parts(getters)) <= MAX_SHARED


def shared_parts(getters: Sequence[Getter]) -> frozenset[str]:
    """Return the attributes that read what another one reads too, whole or in part."""
    paths = [getter.path for getter in getters if getter.path]
    # Mostly, each attribute reads a field of its own.
    if len({path[0] for path in paths}) == len(paths):
        return frozenset()
    # How many attributes read a part of the message, or something in it.
    readers = Counter(path[:end] for path in paths for end in range(1, len(path) + 1))
    shared = set()
    for getter in getters:
        path = getter.path
        outer = [path[:end] for end in range(1, len(path)) if path[:end] in paths]
        if outer or readers[path] > 1:
            shared.add(getter.name)
    return frozenset(shared)


def _attributes_of(getters: Sequence[Getter]) -> list[_Attribute]:
    shared = shared_parts(getters)
    attributes = []
    for getter in getters:
        head, path = head_of(getter.name), getter.path
        field = path[0] if len(path) == 1 else ""
        # Lists and maps that attributes share are left to the mode: it stops where the item is too large.
        is_alone = path != () and getter.name not in shared
        more = (getter.get, head, is_alone)
        attributes.append((getter.name, field, f'{head}{{"S":"', more))
    return attributes


def plan_as_text(getters: Sequence[Getter], config: WriteConfig) -> PlanPut:
    """Return what plans the put of a message; it raises what the mapping and the mode raise."""
    attributes = _attributes_of(getters)
    absent = {getter.name: getter.absent for getter in getters}
    fail = failure_of(getters)
    keys = _keys_of(config)

    def plan_put(config: WriteConfig, message: Message, texts: ValueTexts) -> Write:
        # On the hot path: one loop for the item and its text takes a tenth less than two.
        data = message.data
        item: Item = {}
        parts: list[str] = []
        name = ""
        is_text = True
        plain = None if texts is ESCAPED else str
        try:
            take = data.get if isinstance(data, dict) else take_nothing
            for name, field, text_head, more in attributes:
                value = take(field) if field else None
                # A part of the message needs no escapes if the message has none.
                if value.__class__ is plain:
                    item[name] = value
                    parts.append(f'{text_head}{value}"}}')
                    continue
                get, head, is_alone = more
                if not field:
                    value = get(data, message)
                if value is None:
                    value = absent[name](data)
                    if value is UNSET:
                        continue
                item[name] = value
                writers = texts if is_alone else SCALARS
                try:
                    parts.append(head + writers[value.__class__](value, 1))
                except Exception:
                    is_text = False
        except Exception as error:
            raise fail(name, error) from error.__cause__
        try:
            if is_text:
                if texts is SCALARS:
                    parts = _escaped_where_needed(parts, attributes, item)
                return _write(config, keys, item, f"{START}{','.join(parts)}{END}")
        except ValueError:
            pass
        return config.mode.plan(config, item, message, 0)

    return plan_put


def plan_deletes_as_text(getters: Sequence[Getter], config: WriteConfig) -> PlanPut:
    """Return what plans the delete of a message; it raises what the mapping and the mode raise."""
    map_item = map_attributes(getters)
    keys = _keys_of(config)
    by_name = {getter.name: getter for getter in getters}
    attributes = []
    for name, _, _ in keys:
        getter = by_name[name]
        attributes.append((name, head_of(name), bool(getter.path)))

    def plan_delete(config: WriteConfig, message: Message, texts: ValueTexts) -> Write:
        # All attributes are mapped: one that is not of the key may reject the message, too.
        item = map_item(message.data, message)
        try:
            parts = []
            for name, head, is_part in attributes:
                value = item[name]
                writers = texts if is_part else SCALARS
                parts.append(head + writers[value.__class__](value, 1))
            return _write(config, keys, item, f"{_START_OF_DELETE}{','.join(parts)}{END}")
        except Exception:
            # The key is not a plain one, or none at all.
            return config.mode.plan(config, item, message, 0)

    return plan_delete


def items_can_be_text(config: WriteConfig) -> bool:
    """Whether plain puts of items whose attributes are not known before may be planned as text."""
    table = config.table
    is_plain = config.mode.is_batched(bool(config.version)) and config.mode.stores == "item"
    return is_plain and not table.write_units and all(kind != "B" for _, kind in table.key)


def plan_items_as_text(config: WriteConfig) -> PlanItem:
    """Return what plans the put of an item, as the mode does: of `for_each`, or after a hook.

    Items with lists, maps or sets are left to the mode, as are those of which not the text alone decides.
    """
    keys = _keys_of(config)
    heads = {name: head_of(name) for name in config.declared if _is_name(name)}

    def plan_item(config: WriteConfig, item: Item, message: Message, index: int) -> Write:
        try:
            texts = [value for value in item.values() if value.__class__ is str]
            if len(item) > MAX_ATTRIBUTES or sum(map(len, texts)) > MAX_ITEM_BYTES:
                raise ValueError
            text = "".join(texts)
            plain = str if text.isprintable() and '"' not in text and "\\" not in text else None
            parts: list[str] = []
            for name, value in item.items():
                head = heads.get(name) or _undeclared(name)
                if value.__class__ is plain:
                    parts.append(f'{head}{{"S":"{value}"}}')
                else:
                    parts.append(head + SCALARS[value.__class__](value, 1))
            return _write(config, keys, item, f"{START}{','.join(parts)}{END}")
        except Exception:
            # The mode says what is wrong, if anything is.
            return config.mode.plan(config, item, message, index)

    return plan_item


def _is_name(name: str) -> bool:
    return name != "" and len(name) * 4 <= MAX_NAME_BYTES


def _undeclared(name: str) -> str:
    """Return what `head_of` does, of a name by a plugin; raises ValueError if it may be none."""
    if name.__class__ is not str or not _is_name(name):
        raise ValueError
    return head_of(name)


def head_of(name: str) -> str:
    """Return the beginning of an attribute in the JSON of an item."""
    return msgspec.json.encode(name).decode() + ":"


def _keys_of(config: WriteConfig) -> list[_Key]:
    return [
        (name, kind == "S", limit)
        for (name, kind), limit in zip(config.table.key, KEY_LIMITS, strict=False)
    ]


def _escaped_where_needed(
    parts: list[str], attributes: Sequence[_Attribute], item: Item
) -> list[str]:
    """Return the texts of attributes, of which those of texts are without escapes.

    One look at all texts is faster than writing each of them. It takes some for special that are not.
    """
    text = "".join([value for value in item.values() if value.__class__ is str])
    if text.isprintable() and '"' not in text and "\\" not in text:
        return parts
    heads = {name: head for name, _, _, (_, head, _) in attributes}
    return [heads[name] + SCALARS[value.__class__](value, 1) for name, value in item.items()]


def _write(config: WriteConfig, keys: Iterable[_Key], item: Item, text: str) -> Write:
    """Return the write of a text; raises ValueError if it may be too long, or the key may be none."""
    size = len(text)
    if size > MAX_ITEM_BYTES // 4 and len(text.encode()) > MAX_ITEM_BYTES:
        raise ValueError
    identity = [config.table.name]
    for name, is_text, limit in keys:
        value = item[name]
        if is_text:
            is_plain = value.__class__ is str and 0 < len(value) <= limit
        else:
            is_plain = value.__class__ is int and -MAX_INTEGER < value < MAX_INTEGER
        if not is_plain:
            raise ValueError
        identity.append(str(value))
    request = Raw(text)
    # By position: names would take a twentieth of the time of a small message.
    return Write(
        config.route,
        config.table,
        config.mode,
        tuple(identity),
        None,
        size,
        None,
        "",
        None,
        (),
        None,
        request,
    )

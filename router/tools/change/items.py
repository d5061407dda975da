"""How the items of a route change by its mapping, its table and how it writes, and whether both versions may write.

They write at the same time while a deployment shifts traffic.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, structs, to_builtins

from router.model import Code, Path, Table
from router.prover.changed_keywords import typing_of
from router.prover.inference import ALL_TYPES
from router.prover.predicates import exact
from router.prover.schema_prover import NO
from router.runtime.config import spec
from router.runtime.modes import MODES
from router.tools.change.change_codes import (
    ATTRIBUTE_ADDED,
    ATTRIBUTE_CHANGED,
    ATTRIBUTE_REMOVED,
    ATTRIBUTE_RETYPED,
    DISPOSITION,
    INDEX_ADDED,
    INDEX_REMOVED,
    MAPPING_CHANGED,
    MESSAGES_LOST,
    OTHER_EXPIRY,
    OTHER_KEY,
    OTHER_QUEUE,
    OTHER_REDACTION,
    OTHER_SETTINGS,
    OTHER_TABLE,
    OTHER_WRITE,
    PLUGINS_CHANGED,
)
from router.tools.change.report import Changes, ConfigChange
from router.tools.change.routes import (
    ACCEPTING,
    PLAIN_KEYS,
    QUEUE_KEYS,
    RATE_KEYS,
    RouteVersion,
    change_of,
    definition_of,
    renamed,
)
from router.tools.check.analysis.attributes import infer
from router.tools.dev.compare import to_json

_WRITTEN_TYPES = {
    "string": "S",
    "number": "N",
    "boolean": "BOOL",
    "binary": "B",
    "array": "L",
    "object": "M",
}


def compare_parts(old: RouteVersion, new: RouteVersion) -> Changes:
    """Yield the changes of a route in all that decides about its items, and about messages that it refuses."""
    for part, text in old.parts.items():
        if part not in ACCEPTING and text != new.parts[part]:
            yield from _COMPARED[part](old, new)
    if old.parts["item"] == new.parts["item"] and typing_of(old.schema) != typing_of(new.schema):
        yield from _retyped_by_schema(old, new)


def _queue(old: RouteVersion, new: RouteVersion) -> Changes:
    sentence = f"it reads queue '{new.queue.reference}', and no longer '{old.queue.reference}'"
    yield change_of(old, new, OTHER_QUEUE, sentence, "queue")


def _plugins(old: RouteVersion, new: RouteVersion) -> Changes:
    before, after = dict(_files(old)), dict(_files(new))
    changes = []
    for name in {**before, **after}:
        if name not in after:
            changes.append(f"{name} was removed")
        elif name not in before:
            changes.append(f"{name} is new")
        elif before[name] != after[name]:
            changes.append(f"{name} changed")
    sentence = "; ".join(changes) or "its plugins run in another order, or have other options"
    yield change_of(old, new, PLUGINS_CHANGED, sentence, "plugins")


def _files(route: RouteVersion) -> Iterator[tuple[str, str]]:
    """Yield the plugins of a route, and the files beside them, with the hashes of their files."""
    pipeline, _, transforms, beside = msgspec.json.decode(route.parts["plugins"])
    yield from ((f"plugin '{name}'", digest) for name, digest in (*pipeline, *transforms))
    yield from ((f"file '{name}'", digest) for name, digest in beside)


def _mapping(name: str, old: RouteVersion, new: RouteVersion) -> Changes:
    was = _both_in_words(getattr(old.settings, name), getattr(new.settings, name))
    yield change_of(old, new, MAPPING_CHANGED, f"'{name}' {was}", name)


def _item(old: RouteVersion, new: RouteVersion) -> Changes:
    before, after = old.attributes, new.attributes
    if before is None or after is None:
        was, is_ = "the attributes of 'item'", "the whole message"
        if before is None:
            was, is_ = is_, was
        yield change_of(old, new, MAPPING_CHANGED, f"it stored {was}, and stores {is_}", "item")
        return
    keys = dict((*old.table.key, *new.table.key))
    ends = old.table_settings.ttl, new.table_settings.ttl
    gone = {name: exact(each) for name, each in before.items() if name not in after}
    come = {name: exact(each) for name, each in after.items() if name not in before}
    now = {old_name: name for name, old_name in renamed(gone, come).items()}
    for name in {**before, **after}:
        if name in now:
            sentence = f"attribute '{name}' is written as '{now[name]}'"
            path, old_path = (*new.path, "item", now[name]), (*old.path, "item", name)
            yield ConfigChange(ATTRIBUTE_REMOVED, sentence, path, old_path, new.name)
        elif name not in after:
            sentence = f"attribute '{name}' is no longer written"
            yield change_of(old, new, ATTRIBUTE_REMOVED, sentence, "item", name)
        elif name in now.values():
            continue
        elif name not in before:
            code = OTHER_EXPIRY if name in ends else ATTRIBUTE_ADDED
            yield change_of(old, new, code, f"attribute '{name}' is new", "item", name)
        elif exact(before[name]) != exact(after[name]):
            code = OTHER_EXPIRY if name in ends else ATTRIBUTE_CHANGED
            if name in keys:
                code = OTHER_KEY
            yield _attribute(old, new, name, code)


def _attribute(old: RouteVersion, new: RouteVersion, name: str, code: Code) -> ConfigChange:
    sentence = _other_type(old, new, name)
    if sentence:
        if code is not OTHER_KEY:
            code = ATTRIBUTE_RETYPED
        return change_of(old, new, code, sentence, "item", name)
    before, after = _settings(old, name), _settings(new, name)
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    parts = [f"{key} {_shown_key(before, key)} → {_shown_key(after, key)}" for key in keys]
    what = "key attribute" if code is OTHER_KEY else "attribute"
    sentence = f"{what} '{name}' is mapped in another way: {', '.join(parts)}"
    return change_of(old, new, code, sentence, "item", name)


def _other_type(old: RouteVersion, new: RouteVersion, name: str) -> str:
    """Return a sentence if an attribute has one type in each version, and not the same; else ""."""
    before, after = _type_of(old, name), _type_of(new, name)
    if not (before and after) or before == after:
        return ""
    return f"attribute '{name}' was of type {before}, and is of type {after}"


def _settings(route: RouteVersion, name: str) -> Mapping[str, Any]:
    assert route.attributes is not None
    return settings_of(route.attributes[name])


def settings_of(attribute: spec.Attribute) -> dict[str, Any]:
    """Return the settings of an attribute that are given, by their keys, as in YAML."""
    found = {}
    names = attribute.__struct_encode_fields__, attribute.__struct_fields__
    for key, field in zip(*names, strict=True):
        value = getattr(attribute, field)
        if value is not getattr(_PLAIN, field):
            found[key] = _plain(value)
    if attribute.transform:
        steps = [_short(each) for each in attribute.transform]
        found["transform"] = steps[0] if len(steps) == 1 else steps
    return found


def _short(transforms: spec.Transforms) -> Any:
    """Return transforms of an attribute as people write them: one without arguments by its name."""
    name = next(iter(transforms))
    return name if transforms == {name: []} else _plain(transforms)


_PLAIN = spec.Attribute()


def _plain(value: Any) -> Any:
    """Return a value of the config as plain data; keys that are not given are left out."""
    found = to_builtins(value, builtin_types=(Decimal,))
    return _without_none(found) if isinstance(value, Struct) else found


def _without_none(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_none(each) for key, each in value.items() if each is not None}


def _retyped_by_schema(old: RouteVersion, new: RouteVersion) -> Changes:
    """Yield attributes whose mapping is the same, but whose values have another type by the schema."""
    for name in new.attributes or ():
        sentence = _other_type(old, new, name)
        if sentence:
            sentence += ", by the schema"
            yield change_of(old, new, ATTRIBUTE_RETYPED, sentence, "item", name)


def _type_of(route: RouteVersion, name: str) -> str:
    """Return the type with which an attribute is stored, if it is one only; else ""."""
    assert route.attributes is not None
    attribute = route.attributes[name]
    if attribute.type is not None:
        return "S" if attribute.type == "json" else str(attribute.type)
    types = infer(route.analyzed, attribute).value.types
    possible = [kind for kind in ALL_TYPES if types.get(kind, NO) is not NO]
    return _WRITTEN_TYPES.get(possible[0], "") if len(possible) == 1 else ""


def _table(old: RouteVersion, new: RouteVersion) -> Changes:
    before, after = old.table, new.table
    if before.name != after.name:
        sentence = f"it writes to table '{after.name}', and no longer to '{before.name}'"
        yield change_of(old, new, OTHER_TABLE, sentence, "table")
    if before.key != after.key:
        was_key, key = _key_in_words(before), _key_in_words(after)
        sentence = f"the key of table '{after.name}' was {was_key}, and is {key}"
        yield _of_table(old, new, OTHER_KEY, sentence, "key")
    ttl, new_ttl = old.table_settings.ttl, new.table_settings.ttl
    if ttl != new_ttl:
        sentence = f"'ttl' of table '{after.name}' {_both_in_words(ttl or None, new_ttl or None)}"
        yield _of_table(old, new, OTHER_EXPIRY, sentence, "ttl")


def _of_table(
    old: RouteVersion, new: RouteVersion, code: Code, sentence: str, name: str
) -> ConfigChange:
    """Return a change of a setting of a table."""
    path, old_path = (*new.table_path, name), (*old.table_path, name)
    return ConfigChange(code, sentence, path, old_path, new.name)


def _key_in_words(table: Table) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in table.key)


def _indexes(old: RouteVersion, new: RouteVersion) -> Changes:
    before, after = old.table_settings.indexes, new.table_settings.indexes
    for name in {**before, **after}:
        what = f"index '{name}' of table '{new.settings.table}'"
        was, is_ = _index_in_words(before.get(name)), _index_in_words(after.get(name))
        code = INDEX_REMOVED
        if not is_:
            sentence = f"{what} is removed: its key was {was}"
        elif not was:
            code = INDEX_ADDED
            sentence = f"{what} is new: its key is {is_}"
        elif definition_of(before[name]) != definition_of(after[name]):
            sentence = f"{what} was {was}, and is {is_}; give the new one a name of its own"
        else:
            continue
        yield ConfigChange(code, sentence, _index_path(new, name), _index_path(old, name), new.name)


def _index_path(route: RouteVersion, name: str) -> Path:
    """Return the path of an index in the config, or that of the table if it has no such index."""
    is_there = name in route.table_settings.indexes
    return (*route.table_path, "indexes", name) if is_there else route.table_path


def _index_in_words(index: spec.TableIndex | None) -> str:
    """Return the key and the projection of an index; "" for none."""
    if index is None:
        return ""
    key = ", ".join(dict(index.partition_key))
    if index.sort_key:
        key += f"; {', '.join(dict(index.sort_key))}"
    return f"({key}), with {_text(index.projection)}"


def _write(old: RouteVersion, new: RouteVersion) -> Changes:
    before, after = _write_settings(old), _write_settings(new)
    for name, was in _differing(before, after, before.__struct_fields__):
        yield change_of(old, new, OTHER_WRITE, f"'{name}' of 'write' {was}", "write", name)


def _write_settings(route: RouteVersion) -> spec.WriteSettings:
    """Return how a route writes, with the name in AWS of the table of idempotency keys."""
    once = route.write.once
    return structs.replace(route.settings.write, once=once and once.table.name)


def _refused(old: RouteVersion, new: RouteVersion) -> Changes:
    queue, old_queue = new.queue, old.queue
    given = (
        ("on_invalid", old.settings.on_invalid, new.settings.on_invalid, new.path, old.path),
        ("unmatched", old_queue.unmatched, queue.unmatched, new.queue_path, old.queue_path),
        ("dead_letter", old_queue.dead_letter, queue.dead_letter, new.queue_path, old.queue_path),
    )
    for name, before, after, path, old_path in given:
        if before != after:
            code = MESSAGES_LOST if after == "drop" else DISPOSITION
            sentence = f"'{name}' {_both_in_words(before or None, after or None)}"
            yield ConfigChange(code, sentence, (*path, name), (*old_path, name), new.name)


def _queue_settings(old: RouteVersion, new: RouteVersion) -> Changes:
    codes = {"atomic": OTHER_WRITE, "redact": OTHER_REDACTION}
    for name, was in _differing(old.queue_settings, new.queue_settings, QUEUE_KEYS):
        code = codes.get(name, OTHER_SETTINGS)
        sentence = f"'{name}' of queue '{new.settings.queue}' {was}"
        path, old_path = (*new.queue_path, name), (*old.queue_path, name)
        yield ConfigChange(code, sentence, path, old_path, new.name)


def _rate(old: RouteVersion, new: RouteVersion) -> Changes:
    for name, was in _differing(old.table_settings, new.table_settings, RATE_KEYS):
        sentence = f"'{name}' of table '{new.settings.table}' {was}"
        yield _of_table(old, new, OTHER_SETTINGS, sentence, name)


def _names(old: RouteVersion, new: RouteVersion) -> Changes:
    sentence = "the names of the config that its items, idempotency keys or plugins get are others"
    yield change_of(old, new, ATTRIBUTE_CHANGED, sentence, "item")


def _differing(old: Struct, new: Struct, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the settings that differ, each with its values for a sentence."""
    for key in keys:
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield key, _both_in_words(before, after)


def _both_in_words(before: Any, after: Any) -> str:
    return f"was {_shown(before)}, and is {_shown(after)}"


def _shown(value: Any) -> str:
    """Return a setting for a sentence."""
    return "not set" if value in (None, ()) else _text(value)


def _shown_key(settings: Mapping[str, Any], key: str) -> str:
    """Return one of some settings for a sentence; a null that is given is one."""
    return _text(settings[key]) if key in settings else "not set"


def _text(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else to_json(_plain(value))


_COMPARED: Mapping[str, Callable[[RouteVersion, RouteVersion], Changes]] = {
    "queue": _queue,
    "plugins": _plugins,
    **{name: partial(_mapping, name) for name in PLAIN_KEYS},
    "merge": partial(_mapping, "merge"),
    "item": _item,
    "names": _names,
    "table": _table,
    "indexes": _indexes,
    "write": _write,
    "refused": _refused,
    "settings": _queue_settings,
    "rate": _rate,
}
"""The comparison of each stage but those that decide whether a message is taken."""


def conflicts(old: RouteVersion, new: RouteVersion) -> Iterator[str]:
    """Yield why both versions must not write side by side; nothing for versions that write to different tables."""
    before, after = old.write, new.write
    if before.table.name != after.table.name:
        return
    if before.table.key != after.table.key:
        yield "the table has another key: each version is refused by the other's table"
    elif _key(old) != _key(new):
        yield "the key is mapped in another way: one message writes two items"
    one, other = old.settings.write, new.settings.write
    if _undoes(one, other) or _undoes(other, one):
        modes = f"'{one.mode}' and '{other.mode}'"
        yield f"the modes {modes} undo each other without a 'version' in both"
    elif before.version != after.version:
        was, is_ = before.version or "no attribute", after.version or "no attribute"
        yield f"items have their version in '{was}' or in '{is_}'"
    elif before.version and mapped(old, before.version) != mapped(new, after.version):
        yield f"the version '{after.version}' is mapped in another way: versions of the two do not compare"
    if (before.add or before.append or after.add or after.append) and once(old) != once(new):
        yield "idempotency keys are others: a message that both versions receive is added twice"


def _undoes(one: spec.WriteSettings, other: spec.WriteSettings) -> bool:
    """Return whether a write destroys what another relies on."""
    destroys = MODES[one.mode].destroys
    return one.version is None and not destroys.isdisjoint(MODES[other.mode].relies_on)


def once(route: RouteVersion) -> bytes:
    """Return what the idempotency keys of a route depend on."""
    config = route.write.once
    key = route.settings.write.once_key
    return exact([config and config.table.name, route.name if key is None else key])


def _key(route: RouteVersion) -> list[bytes]:
    return [mapped(route, name) for name, _ in route.table.key]


def mapped(route: RouteVersion, name: str) -> bytes:
    """Return how an attribute is mapped, as text that is equal if it is mapped alike."""
    attribute = (route.attributes or {}).get(name, spec.Attribute(from_=name))
    return exact([attribute, route.settings.for_each])

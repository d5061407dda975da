"""How the items of a route change by its mapping, its table and how it writes, and whether both versions may write.

They write at the same time while a deployment shifts traffic.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct, to_builtins

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
from router.tools.change.report import ConfigChange
from router.tools.change.routes import (
    ACCEPTING,
    PLAIN_KEYS,
    RouteVersion,
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


def compare_parts(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    """Yield the changes of a route in all that decides about its items, and about messages that it refuses."""
    for part, text in old.parts.items():
        if part not in ACCEPTING and text != new.parts[part]:
            yield from _COMPARED[part](old, new)
    if old.parts["item"] == new.parts["item"] and typing_of(old.schema) != typing_of(new.schema):
        yield from _retyped_by_schema(old, new)


def _change(
    old: RouteVersion, new: RouteVersion, code: Code, sentence: str, *path: str, **more: Any
) -> ConfigChange:
    return ConfigChange(code, sentence, (*new.path, *path), (*old.path, *path), new.name, **more)


def _queue(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    sentence = f"it reads queue '{new.queue.reference}', and no longer '{old.queue.reference}'"
    yield _change(old, new, OTHER_QUEUE, sentence, "queue")


def _plugins(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    before, after = (dict(_files(each)) for each in (old, new))
    changes = []
    for name in {**before, **after}:
        if name not in after:
            changes.append(f"{name} was removed")
        elif name not in before:
            changes.append(f"{name} is new")
        elif before[name] != after[name]:
            changes.append(f"{name} changed")
    sentence = "; ".join(changes) or "its plugins run in another order, or have other options"
    yield _change(old, new, PLUGINS_CHANGED, sentence, "plugins")


def _files(route: RouteVersion) -> Iterator[tuple[str, str]]:
    """Yield the plugins of a route, and the files beside them, with the hashes of their files."""
    pipeline, _, transforms, beside = msgspec.json.decode(route.parts["plugins"])
    yield from ((f"plugin '{name}'", digest) for name, digest in (*pipeline, *transforms))
    yield from ((f"file '{name}'", digest) for name, digest in beside)


def _mapping(name: str, old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    before, after = (_shown(getattr(each.settings, name)) for each in (old, new))
    yield _change(old, new, MAPPING_CHANGED, f"'{name}' was {before}, and is {after}", name)


def _item(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    before, after = old.attributes, new.attributes
    if before is None or after is None:
        whole, mapped = "the whole message", "the attributes of 'item'"
        was, is_ = (whole, mapped) if before is None else (mapped, whole)
        yield _change(old, new, MAPPING_CHANGED, f"it stored {was}, and stores {is_}", "item")
        return
    keys = [name for name, _ in (*old.compiled.write.table.key, *new.compiled.write.table.key)]
    ends = {old.table_settings.ttl, new.table_settings.ttl} - {""}
    gone = {name: exact(each) for name, each in before.items() if name not in after}
    come = {name: exact(each) for name, each in after.items() if name not in before}
    now = {old_name: name for name, old_name in renamed(gone, come).items()}
    for name in {**before, **after}:
        path = ("item", name)
        if name in now:
            sentence = f"attribute '{name}' is written as '{now[name]}'"
            yield ConfigChange(
                ATTRIBUTE_REMOVED,
                sentence,
                (*new.path, "item", now[name]),
                (*old.path, *path),
                new.name,
            )
        elif name not in after:
            yield _change(
                old, new, ATTRIBUTE_REMOVED, f"attribute '{name}' is no longer written", *path
            )
        elif name in now.values():
            continue
        elif name not in before:
            code = OTHER_EXPIRY if name in ends else ATTRIBUTE_ADDED
            yield _change(old, new, code, f"attribute '{name}' is new", *path)
        elif exact(before[name]) != exact(after[name]):
            code = OTHER_EXPIRY if name in ends else ATTRIBUTE_CHANGED
            if name in keys:
                code = OTHER_KEY
            yield _attribute(old, new, name, code)


def _attribute(old: RouteVersion, new: RouteVersion, name: str, code: Code) -> ConfigChange:
    types = tuple(_type_of(route, name) for route in (old, new))
    if all(types) and types[0] != types[1]:
        sentence = f"attribute '{name}' was of type {types[0]}, and is of type {types[1]}"
        return _change(
            old, new, OTHER_KEY if code is OTHER_KEY else ATTRIBUTE_RETYPED, sentence, "item", name
        )
    before, after = (_settings(route, name) for route in (old, new))
    kinds = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    parts = [f"{key} {_shown_key(before, key)} → {_shown_key(after, key)}" for key in kinds]
    what = "key attribute" if code is OTHER_KEY else "attribute"
    return _change(
        old,
        new,
        code,
        f"{what} '{name}' is mapped in another way: {', '.join(parts)}",
        "item",
        name,
    )


def _settings(route: RouteVersion, name: str) -> Mapping[str, Any]:
    assert route.attributes is not None
    return settings_of(route.attributes[name])


def settings_of(attribute: spec.Attribute) -> dict[str, Any]:
    """Return the settings of an attribute that are given, by their keys, as in YAML."""
    found = {}
    for key, field in zip(
        attribute.__struct_encode_fields__, attribute.__struct_fields__, strict=True
    ):
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


def _retyped_by_schema(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    """Yield attributes whose mapping is the same, but whose values have another type by the schema."""
    for name in new.attributes or ():
        before, after = (_type_of(route, name) for route in (old, new))
        if before and after and before != after:
            sentence = (
                f"attribute '{name}' was of type {before}, and is of type {after}, by the schema"
            )
            yield _change(old, new, ATTRIBUTE_RETYPED, sentence, "item", name)


def _type_of(route: RouteVersion, name: str) -> str:
    """Return the type with which an attribute is stored, if it is one only; else ""."""
    assert route.attributes is not None
    attribute = route.attributes[name]
    if attribute.type is not None:
        return "S" if attribute.type == "json" else str(attribute.type)
    types = infer(route.analyzed, attribute).value.types
    possible = [kind for kind in ALL_TYPES if types.get(kind, NO) is not NO]
    return _WRITTEN_TYPES.get(possible[0], "") if len(possible) == 1 else ""


def _table(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    before, after = old.compiled.write.table, new.compiled.write.table
    where: Path = ("tables", new.settings.table)
    was: Path = ("tables", old.settings.table)
    if before.name != after.name:
        yield _change(
            old,
            new,
            OTHER_TABLE,
            f"it writes to table '{after.name}', and no longer to '{before.name}'",
            "table",
        )
    if before.key != after.key:
        was_key, key = _key_in_words(before), _key_in_words(after)
        sentence = f"the key of table '{after.name}' was {was_key}, and is {key}"
        yield ConfigChange(OTHER_KEY, sentence, (*where, "key"), (*was, "key"), new.name)
    ttl = [each.table_settings.ttl for each in (old, new)]
    if ttl[0] != ttl[1]:
        sentence = f"'ttl' of table '{after.name}' was {_shown(ttl[0] or None)}, and is {_shown(ttl[1] or None)}"
        yield ConfigChange(OTHER_EXPIRY, sentence, (*where, "ttl"), (*was, "ttl"), new.name)


def _key_in_words(table: Table) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in table.key)


def _indexes(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    before, after = (each.table_settings.indexes for each in (old, new))
    table = new.settings.table
    for name in {**before, **after}:
        path, old_path = _index_path(new, name), _index_path(old, name)
        what = f"index '{name}' of table '{table}'"
        code = INDEX_REMOVED
        if name not in after:
            path = _index_path(new)
            sentence = f"{what} is removed: its key was {_index_in_words(before[name])}"
        elif name not in before:
            code = INDEX_ADDED
            old_path = _index_path(old)
            sentence = f"{what} is new: its key is {_index_in_words(after[name])}"
        elif definition_of(before[name]) != definition_of(after[name]):
            was, is_ = (_index_in_words(each[name]) for each in (before, after))
            sentence = f"{what} was {was}, and is {is_}; give the new one a name of its own"
        else:
            continue
        yield ConfigChange(code, sentence, path, old_path, new.name)


def _index_path(route: RouteVersion, *index: str) -> Path:
    """Return the path of an index in the config; without a name, of the table, which has no such index."""
    return ("tables", route.settings.table, *(("indexes", *index) if index else ()))


def _index_in_words(index: spec.TableIndex) -> str:
    partition, sort = (", ".join(dict(part)) for part in (index.partition_key, index.sort_key))
    key = "; ".join(filter(None, (partition, sort)))
    return f"({key}), with {_text(index.projection)}"


def _write(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    for name in spec.WriteSettings.__struct_fields__:
        before, after = (getattr(each.settings.write, name) for each in (old, new))
        if name == "once":
            tables = (each.compiled.write.once for each in (old, new))
            before, after = (None if once is None else once.table.name for once in tables)
        if before != after:
            sentence = f"'{name}' of 'write' was {_shown(before)}, and is {_shown(after)}"
            yield _change(old, new, OTHER_WRITE, sentence, "write", name)


def _refused(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    dead_letters = [each.queue.dead_letter for each in (old, new)]
    given = (
        ("on_invalid", old.settings.on_invalid, new.settings.on_invalid, new.path, old.path),
        ("unmatched", old.queue.unmatched, new.queue.unmatched, new.queue_path, old.queue_path),
        ("dead_letter", dead_letters[0], dead_letters[1], new.queue_path, old.queue_path),
    )
    for name, before, after, path, old_path in given:
        if before != after:
            code = MESSAGES_LOST if after == "drop" else DISPOSITION
            sentence = f"'{name}' was {_shown(before or None)}, and is {_shown(after or None)}"
            yield ConfigChange(code, sentence, (*path, name), (*old_path, name), new.name)


def _queue_settings(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    for name in ("atomic", "retry", "outlast", "redact"):
        before, after = (getattr(each.queue_settings, name) for each in (old, new))
        if before != after:
            code = {"atomic": OTHER_WRITE, "redact": OTHER_REDACTION}.get(name, OTHER_SETTINGS)
            sentence = f"'{name}' of queue '{new.settings.queue}' was {_shown(before)}, and is {_shown(after)}"
            yield ConfigChange(
                code, sentence, (*new.queue_path, name), (*old.queue_path, name), new.name
            )


def _rate(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    for name in ("write_units", "share", "capacity"):
        before, after = (getattr(each.table_settings, name) for each in (old, new))
        if before != after:
            sentence = f"'{name}' of table '{new.settings.table}' was {_shown(before)}, and is {_shown(after)}"
            path, old_path = (("tables", each.settings.table, name) for each in (new, old))
            yield ConfigChange(OTHER_SETTINGS, sentence, path, old_path, new.name)


def _names(old: RouteVersion, new: RouteVersion) -> Iterator[ConfigChange]:
    sentence = "the names of the config that its items, idempotency keys or plugins get are others"
    yield _change(old, new, ATTRIBUTE_CHANGED, sentence, "item")


def _shown(value: Any) -> str:
    """Return a setting for a sentence."""
    if value is None or value == ():
        return "not set"
    return _text(value)


def _shown_key(settings: Mapping[str, Any], key: str) -> str:
    """Return one of some settings for a sentence; a null that is given is one."""
    return _text(settings[key]) if key in settings else "not set"


def _text(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else to_json(_plain(value))


_COMPARED: Mapping[str, Callable[[RouteVersion, RouteVersion], Iterator[ConfigChange]]] = {
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
    before, after = old.compiled.write, new.compiled.write
    if before.table.name != after.table.name:
        return
    if before.table.key != after.table.key:
        yield "the table has another key: each version is refused by the other's table"
    elif _key(old) != _key(new):
        yield "the key is mapped in another way: one message writes two items"
    if _undo(old.settings.write, new.settings.write):
        modes = f"'{old.settings.write.mode}' and '{new.settings.write.mode}'"
        yield f"the modes {modes} undo each other without a 'version' in both"
    elif before.version != after.version:
        versions = [each.version or "no attribute" for each in (before, after)]
        yield f"items have their version in '{versions[0]}' or in '{versions[1]}'"
    elif before.version and mapped(old, before.version) != mapped(new, after.version):
        yield f"the version '{after.version}' is mapped in another way: versions of the two do not compare"
    if (before.add or before.append or after.add or after.append) and once(old) != once(new):
        yield "idempotency keys are others: a message that both versions receive is added twice"


def _undo(one: spec.WriteSettings, other: spec.WriteSettings) -> bool:
    """Return whether one of two writes destroys what the other relies on."""
    return any(
        first.version is None and MODES[first.mode].destroys & MODES[second.mode].relies_on
        for first, second in ((one, other), (other, one))
    )


def once(route: RouteVersion) -> bytes:
    """Return what the idempotency keys of a route depend on."""
    config = route.compiled.write.once
    key = route.settings.write.once_key
    named = None if config is None else config.table.name
    return exact([named, route.name if key is None else key])


def _key(route: RouteVersion) -> list[bytes]:
    return [mapped(route, name) for name, _ in route.compiled.write.table.key]


def mapped(route: RouteVersion, name: str) -> bytes:
    """Return how an attribute is mapped, as text that is equal if it is mapped alike."""
    attribute = (route.attributes or {}).get(name, spec.Attribute(from_=name))
    return exact(
        [
            attribute,
            None if route.settings.for_each is None else route.settings.for_each,
        ]
    )

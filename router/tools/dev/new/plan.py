"""Plans what `router new` adds to a config: a queue, tables, and a route with a schema for each
shape of the samples.

The way of the samples: `samples` reads them, `shapes` groups them, `fields` finds the key and the
version of each group, `mapping` makes items of them, `inference` makes the schemas, and `files`
writes it all.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.aws.references import queue_name
from router.runtime.config import spec
from router.tools.dev.new.fields import (
    MAX_KEY_CHARACTERS,
    KeyCandidate,
    Messages,
    Names,
    VersionField,
    choose_key,
    find_version,
    paths_of,
    rank_keys,
    snake_case,
)
from router.tools.dev.new.inference import Steps, infer_schema
from router.tools.dev.new.mapping import Mapped, map_item, names_in, path_expression
from router.tools.dev.new.placeholders import hide_redacted
from router.tools.dev.new.s3_notifications import S3_NOTE, S3_NOTIFICATIONS, are_s3_notifications
from router.tools.dev.new.samples import POINTER, SampleSet
from router.tools.dev.new.shapes import Shape, Shapes, find_shapes

Settings = Mapping[str, Any]
Choose = Callable[[Sequence[KeyCandidate], str], KeyCandidate]
"""Chooses a key of the candidates for a table; the best is the first."""


class Wanted(Struct, frozen=True):
    """What the user asked for."""

    name: str
    """What the names of routes begin with."""
    queue: str
    table: str
    key: str = ""
    """The value of `--key`, or ""."""
    queue_settings: Settings = {}
    """Settings of the queue, if it is added."""


class NewRoute(Struct, frozen=True):
    """A route to add."""

    name: str
    settings: Settings
    """Its settings but for `schema` and `tests`."""
    schema: Settings
    shape: Shape
    """The samples that it was made from."""
    key: Mapping[str, Names]
    """The path of each key attribute of its items."""


class NewTable(Struct, frozen=True):
    """A table to add."""

    name: str
    key: Mapping[str, str]
    """The type of each key attribute."""
    candidates: tuple[KeyCandidate, ...]
    """The fields from which the key was chosen; () if it was given."""
    notes: tuple[str, ...]
    """Why it has this key, and what orders its items."""


class Plan(Struct, frozen=True):
    """What is added to a config."""

    queue: Mapping[str, Settings]
    """The queue by its name; empty if the config has it."""
    tables: tuple[NewTable, ...]
    """Those that the config does not have."""
    routes: tuple[NewRoute, ...]
    notes: tuple[str, ...] = ()


def plan_routes(
    samples: SampleSet,
    wanted: Wanted,
    config: spec.Config | None,
    choose: Choose,
) -> Plan:
    """Return what to add to a config, or to a new one; raises UsageError.

    A queue that the config has under another name is that one, and values that it redacts are
    replaced before anything is inferred from them.
    """
    config = config or spec.Config(version=1)
    wanted = structs.replace(wanted, queue=_find_queue(config, wanted.queue))
    queue = config.queues.get(wanted.queue)
    added = {}
    if queue:
        _require_queue(wanted.queue, queue, samples)
        hidden = tuple(hide_redacted(message, queue) for message in samples.messages)
        samples = structs.replace(samples, messages=hidden)
    else:
        added = {wanted.queue: _plan_queue(samples, wanted)}
    shapes = _find_shapes(samples.messages)
    _refuse_known([_route_name(shape, wanted) for shape in shapes.shapes], config)
    tables = []
    routes = []
    for name, group in _group_by_table(shapes, samples.messages, wanted, config).items():
        messages = [message for shape in group for message in shape.messages]
        mapped, table = _plan_table(messages, name, wanted, config.tables.get(name), choose)
        if name not in config.tables:
            tables.append(table)
        routes += [
            _plan_route(shape, shapes.discriminator, wanted, name, mapped) for shape in group
        ]
    notes = list(samples.notes)
    if shapes.discriminator:
        field = ".".join(shapes.discriminator)
        notes.append(f"no route takes a message with another {field}: it is unmatched")
    return Plan(added, tuple(tables), tuple(routes), tuple(notes))


# The queue


def _find_queue(config: spec.Config, name: str) -> str:
    """Return the name in the config of a queue that is given by this name, or by its name at SQS."""
    if name in config.queues:
        return name
    for key, queue in config.queues.items():
        if queue_name(queue.name or key) == name:
            return key
    return name


def _require_queue(name: str, queue: spec.Queue, samples: SampleSet) -> None:
    """Raise UsageError unless the config takes off the envelopes and the encoding of the samples."""
    if samples.envelopes and samples.envelopes != queue.envelope:
        raise UsageError(
            f"the samples are in the envelopes {list(samples.envelopes)}, and queue '{name}' unwraps "
            f"{list(queue.envelope)}: give samples of this queue, or another --queue"
        )
    if samples.encoding not in ("json", queue.encoding):
        raise UsageError(
            f"the samples are encoded as {samples.encoding}, and queue '{name}' decodes {queue.encoding}: give "
            "samples of this queue, or another --queue"
        )


def _plan_queue(samples: SampleSet, wanted: Wanted) -> Settings:
    stem = wanted.queue.removesuffix(".fifo")
    # The dead-letter queue of a FIFO queue is one, too.
    suffix = wanted.queue.removeprefix(stem)
    settings = {"dead_letter": f"{stem}-dlq{suffix}", **wanted.queue_settings}
    if samples.envelopes:
        settings["envelope"] = list(samples.envelopes)
    if samples.encoding != "json":
        settings["encoding"] = samples.encoding
    if POINTER in samples.envelopes:
        settings[POINTER] = {"buckets": list(samples.buckets)}
    return settings


# Shapes


def _find_shapes(messages: tuple[dict[str, Any], ...]) -> Shapes:
    if are_s3_notifications(messages):
        # They have one shape: their kinds differ by optional members only.
        return Shapes((Shape(messages),))
    return find_shapes(messages)


def _refuse_known(names: Sequence[str], config: spec.Config) -> None:
    for name in names:
        if name in config.routes or names.count(name) > 1:
            raise UsageError(f"there is a route '{name}' already; give another --name")


def _group_by_table(
    shapes: Shapes,
    messages: Messages,
    wanted: Wanted,
    config: spec.Config,
) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of each table, by its name.

    Shapes share a table if its key is given, if it exists, or if a field of all messages can be its
    key. Otherwise each shape has its own table.
    """
    is_shared = wanted.key or wanted.table in config.tables or rank_keys(messages, wanted.table)
    if is_shared or not shapes.discriminator:
        return {wanted.table: shapes.shapes}
    return {f"{wanted.table}-{_slug(shape.value)}": (shape,) for shape in shapes.shapes}


# Tables


def _plan_table(
    messages: Messages,
    name: str,
    wanted: Wanted,
    known: spec.TableSettings | None,
    choose: Choose,
) -> tuple[Mapped, NewTable]:
    """Return how items are mapped, and the table; `known` are its settings if it exists."""
    candidates: list[KeyCandidate] = []
    if are_s3_notifications(messages):
        mapped = S3_NOTIFICATIONS
        notes = [S3_NOTE]
    else:
        candidates, key = _find_key(messages, name, wanted, known, choose)
        version = find_version(messages, [field.path for field in key])
        mapped = map_item(messages, key, version, list(known.key) if known else None)
        notes = [
            f"key {attribute}: {'; '.join(field.reasons)}"
            for attribute, field in zip(mapped.key, key, strict=True)
        ]
        notes.append(_on_order(messages, key, version))
    if known and dict(mapped.key_types) != dict(known.key):
        raise UsageError(
            f"table '{name}' has the key {dict(known.key)}, and the samples have {dict(mapped.key_types)}: give --key, "
            "or another --table"
        )
    return mapped, NewTable(name, mapped.key_types, tuple(candidates), tuple(notes))


def _find_key(
    messages: Messages,
    name: str,
    wanted: Wanted,
    known: spec.TableSettings | None,
    choose: Choose,
) -> tuple[list[KeyCandidate], list[KeyCandidate]]:
    """Return the candidates from which the key was chosen, if it was, and the fields that are the
    key.
    """
    if wanted.key:
        return [], choose_key(messages, wanted.key)
    if known:
        fields = [_field_of(messages, attribute, name) for attribute in known.key]
        return [], choose_key(messages, ",".join(fields))
    candidates = rank_keys(messages, name)
    if not candidates:
        raise UsageError(
            f"no field can be the key of table '{name}': a key is text or a whole number in all samples, "
            "and differs between them; name a field with --key"
        )
    return candidates, [choose(candidates, name)]


def _field_of(messages: Messages, attribute: str, table: str) -> str:
    """Return the field for a key attribute of a table that exists: by its name, or by the names of
    its path.
    """
    for path in sorted(paths_of(messages), key=len):
        dotted = ".".join(path)
        if attribute in (dotted, snake_case("_".join(path))):
            return dotted
    raise UsageError(
        f"table '{table}' has the key attribute '{attribute}', and no sample has it: give --key"
    )


def _on_order(messages: Messages, key: Sequence[KeyCandidate], version: VersionField | None) -> str:
    if version:
        return f"mode newest by {'.'.join(version.path)}: {version.reason}"
    if len(messages) > 1 and not any(field.unique for field in key):
        return "mode put: the last message of a key replaces the item, as no field orders them"
    return "mode put"


# Routes


def _plan_route(
    shape: Shape,
    discriminator: Names,
    wanted: Wanted,
    table: str,
    mapped: Mapped,
) -> NewRoute:
    keywords: dict[Steps, Mapping[str, Any]] = {**mapped.keywords}
    if not mapped.for_each:
        keywords |= _bounds_of_key(mapped, table)
    settings: dict[str, Any] = {"queue": wanted.queue, "table": table}
    if discriminator:
        literal = shape.value.replace("\\", "\\\\").replace("'", "\\'")
        settings["when"] = f"{path_expression(discriminator)} == '{literal}'"
        keywords[discriminator] = {"const": shape.value}
    if mapped.for_each:
        settings["for_each"] = mapped.for_each
    if mapped.item:
        settings["item"] = _item_of(shape, mapped)
    if mapped.version:
        settings["write"] = {"mode": "newest", "version": mapped.version}
    schema = infer_schema(shape.messages, keywords)
    return NewRoute(_route_name(shape, wanted), settings, schema, shape, mapped.key)


def _bounds_of_key(mapped: Mapped, table: str) -> dict[Steps, Mapping[str, Any]]:
    """Return the keywords for the text of key attributes: DynamoDB accepts no empty key, and bounds
    its length.
    """
    bounds: dict[Steps, Mapping[str, Any]] = {}
    for (attribute, path), longest in zip(mapped.key.items(), MAX_KEY_CHARACTERS, strict=False):
        bounds[path] = {}
        if mapped.key_types[attribute] == "S":
            bounds[path] = {
                "minLength": 1,
                "maxLength": longest,
                "$comment": f"key attribute {attribute} of table {table}",
            }
    return bounds


def _item_of(shape: Shape, mapped: Mapped) -> dict[str, Any]:
    """Return the attributes of the items of a shape: those that no message of it has are left out."""
    if mapped.for_each:
        return dict(mapped.item)
    known = {path_expression([name]) for name in names_in(shape.messages)}
    always = {*mapped.key, mapped.version}
    return {name: text for name, text in mapped.item.items() if name in always or text in known}


def _route_name(shape: Shape, wanted: Wanted) -> str:
    return f"{wanted.name}-{_slug(shape.value)}" if shape.value else wanted.name


def _slug(text: str) -> str:
    """Return a text as a part of a name in the config."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "other"

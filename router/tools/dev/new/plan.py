"""Plans the routes, tables, schemas and mappings for sample messages.

Items are messages as they are, or mapped attribute by attribute where the key is inside of an object. Event
notifications of Amazon S3 have a mapping of their own; each of their records is about one object:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.aws.references import queue_name
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.tools.dev.new.fields import (
    KeyCandidate,
    Messages,
    Names,
    Shape,
    Shapes,
    VersionField,
    choose_key,
    find_shapes,
    find_version,
    paths_of,
    rank_keys,
    snake_case,
)
from router.tools.dev.new.inference import Keywords, Steps, infer_schema
from router.tools.dev.new.samples import POINTER, SampleSet, hide_redacted

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Choose = Callable[[Sequence[KeyCandidate], str], KeyCandidate]
"""Chooses a key of the candidates for a table; the best is the first."""


class Mapped(Struct, frozen=True):
    """How messages become items: key attributes with their paths and types, and settings of the route.

    An empty `item` stores the whole message. `keywords` are those that the schema needs beside the bounds of the key.
    """

    key: Mapping[str, Names]
    key_types: Mapping[str, str]
    item: Mapping[str, Any] = {}
    version: str = ""
    keywords: Keywords = {}
    for_each: str = ""


def path_expression(path: Sequence[str]) -> str:
    """Return the JMESPath of a path through objects."""
    return ".".join(name if _NAME.fullmatch(name) else json.dumps(name) for name in path)


def map_item(
    messages: Messages,
    key: Sequence[KeyCandidate],
    version: VersionField | None,
    names: Sequence[str] | None,
) -> Mapped:
    """Return how messages become items; `names` are the key attributes of a table that exists."""
    tops = list(dict.fromkeys(name for message in messages for name in message))
    attributes: dict[str, Names] = {}
    for index, each in enumerate(key):
        attributes[names[index] if names else _attribute(each.path, tops)] = each.path
    types = dict(zip(attributes, (each.type for each in key), strict=True))
    ordering = ""
    if version:
        ordering = _attribute(version.path, [*tops, *attributes])
    used = {**attributes, **({ordering: version.path} if version else {})}
    keywords: Keywords = {version.path: version.keywords} if version and version.keywords else {}
    if all(path == (name,) for name, path in used.items()):
        return Mapped(attributes, types, {}, ordering, keywords)
    rest = {name: (name,) for name in tops if name and name not in used}
    item = {name: path_expression(path) for name, path in {**used, **rest}.items()}
    return Mapped(attributes, types, item, ordering, keywords)


def _attribute(path: Names, taken: Sequence[str]) -> str:
    """Return the name of the attribute for a path: its own, or for one inside of objects all names together."""
    if len(path) == 1:
        return path[0]
    name = snake_case("_".join(path)) or "key"
    while name in taken:
        name += "_"
    return name


_RECORDS = "Records"
_OBJECT = (_RECORDS, None, "s3", "object")
_MAX_BUCKET = 63
_MAX_NAME = 128
_MAX_KEY = 1024
"""The most bytes of a sort key; the key of an object is URL-encoded in a notification, and so ASCII."""

S3_NOTIFICATIONS = Mapped(
    key={"bucket": (), "object_key": ()},
    key_types={"bucket": "S", "object_key": "S"},
    item={
        "bucket": "element.s3.bucket.name",
        "object_key": "element.s3.object.key",
        "event": "element.eventName",
        "event_time": "element.eventTime",
        "size": "element.s3.object.size",
        "etag": "element.s3.object.eTag",
        "sequencer": "element.s3.object.sequencer",
    },
    version="sequencer",
    keywords={
        (_RECORDS, None, "eventName"): {"maxLength": _MAX_NAME},
        (_RECORDS, None, "eventTime"): {"maxLength": _MAX_NAME},
        (_RECORDS, None, "s3", "bucket", "name"): {"minLength": 1, "maxLength": _MAX_BUCKET},
        (*_OBJECT, "key"): {"minLength": 1, "maxLength": _MAX_KEY, "pattern": "^[!-~]*$"},
        (*_OBJECT, "eTag"): {"maxLength": _MAX_NAME},
        (*_OBJECT, "sequencer"): {"minLength": 1, "maxLength": _MAX_NAME, "pattern": "^[0-9A-F]*$"},
    },
    for_each=_RECORDS,
)
"""The last state of each object: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
says that the greater sequencer is the later event."""


def are_s3_notifications(messages: Messages) -> bool:
    """Return whether all messages are notifications of Amazon S3 about objects."""
    listed = [message.get(_RECORDS) for message in messages]
    return all(
        isinstance(records, list) and records and all(map(_is_about_object, records))
        for records in listed
    )


def _is_about_object(record: Any) -> bool:
    if not isinstance(record, dict) or record.get("eventSource") != "aws:s3":
        return False
    s3 = record.get("s3")
    return isinstance(s3, dict) and "key" in s3.get("object", {}) and "sequencer" in s3["object"]


class Wanted(Struct, frozen=True):
    """What the user asked for; `key` is that of `--key`, or empty. `queue` are settings of a queue that is created."""

    name: str
    queue: str
    table: str
    key: str = ""
    queue_settings: Mapping[str, Any] = {}


class NewRoute(Struct, frozen=True):
    """A route to add: its settings but for `schema` and `tests`, its schema, and the key attributes of its items."""

    name: str
    settings: Mapping[str, Any]
    schema: Mapping[str, Any]
    shape: Shape
    key: Mapping[str, Names]


class NewTable(Struct, frozen=True):
    """A table to add, the candidates for its key, and what is known about key and version."""

    name: str
    key: Mapping[str, str]
    candidates: tuple[KeyCandidate, ...]
    notes: tuple[str, ...]


class Plan(Struct, frozen=True):
    """What is added to a config: a queue unless it exists, tables that do not exist, and routes."""

    queue: Mapping[str, Mapping[str, Any]]
    tables: tuple[NewTable, ...]
    routes: tuple[NewRoute, ...]
    notes: tuple[str, ...] = ()


def plan_routes(
    samples: SampleSet, wanted: Wanted, config: spec.Config | None, choose: Choose
) -> Plan:
    """Return what to add to a config, or to a new one; raises UsageError.

    Shapes share a table if a field of all messages can be its key; otherwise each has its own. A queue that the config
    has under another name is that one, and values that it redacts are replaced before anything is inferred from them.
    """
    if config:
        wanted = structs.replace(wanted, queue=_find_queue(config, wanted.queue))
        if redacting := config.queues.get(wanted.queue):
            hidden = tuple(hide_redacted(message, redacting) for message in samples.messages)
            samples = structs.replace(samples, messages=hidden)
    queue = _plan_queue(samples, wanted, config)
    known = config.tables if config else {}
    # Notifications have one shape: their kinds differ by optional members only.
    single = are_s3_notifications(samples.messages)
    found = Shapes((Shape(samples.messages),)) if single else find_shapes(samples.messages)
    _refuse_known([_route_name(shape, wanted) for shape in found.shapes], config)
    # A key that is given, that of a table that exists, or one of all messages serves all shapes.
    shared = wanted.key or wanted.table in known or rank_keys(samples.messages, wanted.table)
    separate = bool(found.discriminator) and not shared
    tables: list[NewTable] = []
    routes: list[NewRoute] = []
    for group in [[shape] for shape in found.shapes] if separate else [list(found.shapes)]:
        suffix = f"-{_slug(group[0].value)}" if separate else ""
        messages = [message for shape in group for message in shape.messages]
        target = f"{wanted.table}{suffix}"
        mapped, table = _plan_table(messages, target, wanted, known.get(target), choose)
        tables += [table] if table else []
        routes += [
            _plan_route(shape, found.discriminator, wanted, target, mapped) for shape in group
        ]
    notes = list(samples.notes)
    if found.discriminator:
        notes.append(
            f"no route takes a message with another {'.'.join(found.discriminator)}: it is unmatched"
        )
    return Plan(queue, tuple(tables), tuple(routes), tuple(notes))


def _find_queue(config: spec.Config, name: str) -> str:
    """Return the name in the config of a queue that is given by this name, or by its name at SQS."""
    found = (key for key, queue in config.queues.items() if queue_name(queue.name or key) == name)
    return name if name in config.queues else next(found, name)


def _plan_queue(
    samples: SampleSet, wanted: Wanted, config: spec.Config | None
) -> Mapping[str, Mapping[str, Any]]:
    """Return the queue to add; none if the config has it, whose envelopes must be those of the samples."""
    if config and wanted.queue in config.queues:
        envelopes = config.queues[wanted.queue].envelope
        if samples.envelopes and samples.envelopes != envelopes:
            raise UsageError(
                f"the samples are in the envelopes {list(samples.envelopes)}, and queue '{wanted.queue}' unwraps "
                f"{list(envelopes)}: give samples of this queue, or another --queue"
            )
        encoding = config.queues[wanted.queue].encoding
        if samples.encoding not in ("json", encoding):
            raise UsageError(
                f"the samples are encoded as {samples.encoding}, and queue '{wanted.queue}' decodes {encoding}: give "
                "samples of this queue, or another --queue"
            )
        return {}
    stem, fifo = wanted.queue.removesuffix(".fifo"), wanted.queue.endswith(".fifo")
    settings: dict[str, Any] = {
        "dead_letter": f"{stem}-dlq{'.fifo' if fifo else ''}",
        **wanted.queue_settings,
    }
    if samples.envelopes:
        settings["envelope"] = list(samples.envelopes)
    if samples.encoding != "json":
        settings["encoding"] = samples.encoding
    if POINTER in samples.envelopes:
        settings[POINTER] = {"buckets": list(samples.buckets)}
    return {wanted.queue: settings}


def _plan_table(
    messages: Messages, name: str, wanted: Wanted, known: spec.TableSettings | None, choose: Choose
) -> tuple[Mapped, NewTable | None]:
    """Return how items are mapped, and the table, unless it exists."""
    if are_s3_notifications(messages):
        mapped = S3_NOTIFICATIONS
        _require_key(name, mapped, known)
        about = (
            "the bucket and the key of the object; an event with an older sequencer changes nothing",
        )
        return mapped, None if known else NewTable(name, mapped.key_types, (), about)
    candidates: list[KeyCandidate] = []
    if wanted.key:
        key = choose_key(messages, wanted.key)
    elif known:
        key = choose_key(
            messages, ",".join(_find_path(messages, attribute, name) for attribute in known.key)
        )
    else:
        candidates = rank_keys(messages, name)
        if not candidates:
            raise UsageError(
                f"no field can be the key of table '{name}': none is text or a whole number in all samples and differs "
                "between them; name one with --key"
            )
        key = [choose(candidates, name)]
    version = find_version(messages, [each.path for each in key])
    names = list(known.key) if known else None
    mapped = map_item(messages, key, version, names)
    _require_key(name, mapped, known)
    notes = [
        f"key {attribute}: {'; '.join(each.reasons)}"
        for attribute, each in zip(mapped.key, key, strict=True)
    ]
    notes.append(_on_order(messages, key, version))
    return mapped, None if known else NewTable(
        name, mapped.key_types, tuple(candidates), tuple(notes)
    )


def _on_order(messages: Messages, key: Sequence[KeyCandidate], version: VersionField | None) -> str:
    if version:
        return f"mode newest by {'.'.join(version.path)}: {version.reason}"
    if len(messages) > 1 and not any(each.unique for each in key):
        return "mode put: the last message of a key replaces the item, as no field orders them"
    return "mode put"


def _find_path(messages: Messages, attribute: str, table: str) -> str:
    """Return the field for a key attribute of a table that exists: by its name, or by the names of its path."""
    for path in sorted(paths_of(messages), key=len):
        if attribute in (".".join(path), snake_case("_".join(path))) or path == (attribute,):
            return ".".join(path)
    raise UsageError(
        f"table '{table}' has the key attribute '{attribute}', and no sample has it: give --key"
    )


def _require_key(name: str, mapped: Mapped, known: spec.TableSettings | None) -> None:
    if known and dict(mapped.key_types) != dict(known.key):
        raise UsageError(
            f"table '{name}' has the key {dict(known.key)}, and the samples have {dict(mapped.key_types)}: give --key, "
            "or another --table"
        )


def _plan_route(
    shape: Shape, discriminator: Names, wanted: Wanted, table: str, mapped: Mapped
) -> NewRoute:
    limits = (MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES)
    keywords: dict[Steps, dict[str, Any]] = {
        steps: dict(each) for steps, each in mapped.keywords.items()
    }
    for (attribute, path), most in zip(mapped.key.items(), limits, strict=False):
        if mapped.key_types[attribute] == "S" and not mapped.for_each:
            bounds = {"minLength": 1, "maxLength": most // BYTES_OF_A_CHARACTER}
            keywords[path] = {**bounds, "$comment": f"key attribute {attribute} of table {table}"}
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
    return NewRoute(
        _route_name(shape, wanted),
        settings,
        infer_schema(shape.messages, keywords),
        shape,
        mapped.key,
    )


def _item_of(shape: Shape, mapped: Mapped) -> dict[str, Any]:
    """Return the attributes of the items of a shape: those that no message of it has are left out."""
    if mapped.for_each:
        return dict(mapped.item)
    known = {path_expression([name]) for message in shape.messages for name in message}
    always = {*mapped.key, mapped.version}
    return {name: text for name, text in mapped.item.items() if name in always or text in known}


def _route_name(shape: Shape, wanted: Wanted) -> str:
    return f"{wanted.name}-{_slug(shape.value)}" if shape.value else wanted.name


def _refuse_known(names: Sequence[str], config: spec.Config | None) -> None:
    taken = next(
        (name for name in names if names.count(name) > 1 or (config and name in config.routes)),
        None,
    )
    if taken is not None:
        raise UsageError(f"there is a route '{taken}' already; give another --name")


def _slug(text: str) -> str:
    """Return a text as a part of a name in the config."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower() or "other"

"""Plans what `router new` adds to a config: a queue, tables, and a route with a schema for each
shape of the samples.

The way of the samples: `samples` reads them, `shapes` and `members` group them, `fields` finds the
key and `versions` the version of each group, `mapping` makes items of them, `inference` makes the
schemas, and `files` writes it all.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.errors import UsageError
from router.runtime.aws.references import queue_name
from router.runtime.config import spec
from router.tools.dev.new.fields import (
    MAX_KEY_CHARACTERS,
    UNLIKE_IDS,
    Messages,
    Names,
    choose_key,
    find_reading_time,
    rank_keys,
)
from router.tools.dev.new.inference import NewKeywords, Schema, infer_schema
from router.tools.dev.new.mapping import Mapped, path_expression
from router.tools.dev.new.members import find_members
from router.tools.dev.new.placeholders import hide_redacted
from router.tools.dev.new.s3_notifications import are_s3_events, are_s3_notifications
from router.tools.dev.new.samples import POINTER, SampleSet
from router.tools.dev.new.shapes import COMMON, Shape, Shapes, find_readings, find_shapes
from router.tools.dev.new.tables import (
    ITEM_NOTE,
    Choose,
    NewTable,
    Settings,
    TablePlan,
    Wanted,
    field_of,
    plan_table,
)


class NewRoute(Struct, frozen=True):
    """A route to add."""

    name: str
    settings: Settings
    """Its settings but for `schema` and `tests`."""
    schema: Schema
    shape: Shape
    """The samples that it was made from."""
    key: Mapping[str, Names]
    """The path of each key attribute of its items."""
    discriminator: Names = ()
    """The path of the field that tells the type of a message, if the samples have several."""
    one_of: "NewRoute | None" = None
    """Of a route for what messages of several types have: the route of one of these types."""


class Plan(Struct, frozen=True):
    """What is added to a config."""

    queue: Mapping[str, Settings]
    """The queue by its name; empty if the config has it."""
    tables: Sequence[NewTable]
    """Those that the config does not have."""
    routes: Sequence[NewRoute]
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
    shapes = _find_shapes(samples.messages, wanted, config)
    _refuse_known([_route_name(shape, wanted) for shape in shapes.shapes], config)
    tables = []
    routes = []
    notes = [*samples.notes]
    for name, group in _group_by_table(shapes, samples.messages, wanted, config).items():
        planned = plan_table(group, shapes.discriminator, name, wanted, config, choose)
        if name not in config.tables:
            tables.append(planned.table)
        elif ITEM_NOTE in planned.table.notes:
            notes.append(f"table {name}: {ITEM_NOTE}")
        routes += _plan_routes(group, shapes.discriminator, wanted, planned)
    _refuse_known([route.name for route in routes], config)
    _refuse_meeting(routes, config)
    notes += _note_unmatched(shapes, routes)
    return Plan(added, tables, routes, tuple(notes))


def _note_unmatched(shapes: Shapes, routes: Sequence[NewRoute]) -> Iterator[str]:
    """Yield which messages no route takes."""
    if shapes.discriminator:
        field = ".".join(shapes.discriminator)
        yield f"no route takes a message with another {field}: it is unmatched"
    elif all("when" in route.settings for route in routes) and shapes.shapes[-1].having:
        members = ", ".join(shape.having for shape in shapes.shapes)
        yield f"no route takes a message that has none of {members}: it is unmatched"


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


def _find_shapes(messages: Messages, wanted: Wanted, config: spec.Config) -> Shapes:
    if are_s3_notifications(messages) or are_s3_events(messages):
        # They have one shape: their kinds differ by optional members only.
        return Shapes([Shape(messages)])
    shapes = find_shapes(messages)
    if shapes.discriminator:
        return shapes
    sensors = rank_keys(messages, "")[:1]
    taken_at = [find_reading_time(messages, each) for each in sensors]
    key = [each.path for each in (*sensors, *taken_at) if each]
    if all(taken_at) and sensors:
        # Readings of two types at one time are two.
        return find_readings(messages, key)
    if wanted.mode in ("", "update"):
        return find_members(messages, _find_key(messages, wanted, config))
    return shapes


def _find_key(messages: Messages, wanted: Wanted, config: spec.Config) -> list[Names]:
    """Return the paths of the key that is given, or that the table has, or else of the best one."""
    known = config.tables.get(wanted.table)
    try:
        if wanted.key:
            return [each.path for each in choose_key(messages, wanted.key)]
        if known:
            fields = [field_of(messages, name, wanted.table) for name in known.key]
            return [tuple(each.split(".")) for each in fields]
    except UsageError:
        # The plan of the table raises it again.
        return []
    return [each.path for each in rank_keys(messages, wanted.table)[:1]]


def _refuse_known(names: Sequence[str], config: spec.Config) -> None:
    for name in names:
        if name in config.routes or names.count(name) > 1:
            raise UsageError(f"there is a route '{name}' already; give another --name")


def _refuse_meeting(routes: Sequence[NewRoute], config: spec.Config) -> None:
    """Raise UsageError if routes without a condition get the same messages and write one item."""
    for route in routes:
        for name, known in config.routes.items():
            is_of_all = known.when is None and "when" not in route.settings
            same = (known.queue, known.table) == (route.settings["queue"], route.settings["table"])
            if is_of_all and same:
                raise UsageError(
                    f"route '{name}' takes these messages too, as neither it nor '{route.name}' has a condition, and "
                    "both would write one item: give the samples of all types in one command, or these "
                    "another --queue"
                )


def _group_by_table(
    shapes: Shapes,
    messages: Messages,
    wanted: Wanted,
    config: spec.Config,
) -> dict[str, Sequence[Shape]]:
    """Return the shapes of each table, by its name.

    Shapes share a table if its key is given, if it exists, if a field that is named like an id can
    be the key of all, if the best key of each is the same field, or if all have a field whose values
    look like those of an id, and none has another one. Otherwise each shape has its own table.
    """
    if not shapes.discriminator or wanted.key or wanted.table in config.tables:
        return {wanted.table: shapes.shapes}
    common = rank_keys(messages, wanted.table)
    apart = {f"{wanted.table}-{shape.label}": (shape,) for shape in shapes.shapes}
    best = [rank_keys(shape.messages, name)[:1] for name, (shape,) in apart.items()]
    firsts = {key.path for keys in best for key in keys}
    is_best_of_each = len(firsts) == 1 and all(best)
    if is_best_of_each or any(key.tier == 0 for key in common):
        return {wanted.table: shapes.shapes}
    # Only what looks like an id of its own makes another thing of a type.
    others = [key for keys in best for key in keys if key.tier < UNLIKE_IDS]
    paths = {key.path for key in common if key.tier < UNLIKE_IDS}
    if paths and all(key.path in paths for key in others):
        return {wanted.table: shapes.shapes}
    return {**apart}


# Routes


def _plan_routes(
    shapes: Sequence[Shape], discriminator: Names, wanted: Wanted, planned: TablePlan
) -> list[NewRoute]:
    """Return the routes of one table."""
    routes = []
    for shape, mapped in zip(shapes, planned.types, strict=True):
        keywords = _keywords_of(mapped, planned)
        when = _condition(discriminator, shape)
        if discriminator:
            keywords[discriminator] = {"const": shape.value}
        settings = _settings_of(mapped, wanted, planned, when)
        schema = infer_schema(shape.messages, keywords)
        name = _route_name(shape, wanted)
        routes.append(NewRoute(name, settings, schema, shape, mapped.key.paths, discriminator))
    if planned.common:
        when = _is_one_of(discriminator, shapes) if discriminator else ""
        settings = _settings_of(planned.common, wanted, planned, when)
        every = Shape([message for shape in shapes for message in shape.messages])
        schema = infer_schema(planned.common_messages, _keywords_of(planned.common, planned))
        name = f"{wanted.name}-{COMMON}"
        key = planned.common.key.paths
        routes.append(NewRoute(name, settings, schema, every, key, discriminator, routes[0]))
    return routes


def _condition(discriminator: Names, shape: Shape) -> str:
    """Return the condition of the route for messages of a shape, "" if there is only one."""
    if discriminator:
        return _is_one_of(discriminator, [shape])
    if shape.having:
        return f"{path_expression([shape.having])} != `null`"
    return " && ".join(f"{path_expression([name])} == `null`" for name in shape.lacking)


def _is_one_of(discriminator: Names, shapes: Sequence[Shape]) -> str:
    """Return the condition of a route for messages of these shapes."""
    path = path_expression(discriminator)
    literals = [shape.value.replace("\\", "\\\\").replace("'", "\\'") for shape in shapes]
    return " || ".join(f"{path} == '{literal}'" for literal in literals)


def _settings_of(mapped: Mapped, wanted: Wanted, planned: TablePlan, when: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"queue": wanted.queue, "table": planned.table.name}
    if when:
        settings["when"] = when
    if mapped.for_each:
        settings["for_each"] = mapped.for_each
    if mapped.item:
        settings["item"] = mapped.item
    if mapped.mode != "put":
        version = {"version": mapped.version} if mapped.version else {}
        settings["write"] = {"mode": mapped.mode, **version}
    return settings


def _keywords_of(mapped: Mapped, planned: TablePlan) -> NewKeywords:
    """Return what the schema of a route needs beside what its messages show."""
    bounds = {} if mapped.for_each else _bounds_of_key(mapped, planned.table.name)
    own = {path: {**bounds.get(path, {}), **found} for path, found in mapped.keywords.items()}
    return {**bounds, **own}


def _bounds_of_key(mapped: Mapped, table: str) -> NewKeywords:
    """Return the keywords for the text of key attributes: DynamoDB accepts no empty key, and bounds
    its length.
    """
    bounds: NewKeywords = {}
    key = mapped.key
    for (attribute, path), longest in zip(key.paths.items(), MAX_KEY_CHARACTERS, strict=False):
        if not path:
            continue
        bounds[path] = {}
        if key.types[attribute] == "S":
            bounds[path] = {
                "minLength": 1,
                "maxLength": longest,
                "$comment": f"key attribute {attribute} of table {table}",
            }
    return bounds


def _route_name(shape: Shape, wanted: Wanted) -> str:
    return f"{wanted.name}-{shape.label}" if shape.value else wanted.name

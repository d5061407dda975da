"""The specification of `routes.yaml`: its types, its JSON Schema and its reference page
come from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, defstruct, field, structs

from router.runtime.config.spec_resources import (
    Capacity,
    CapacityRange,
    EventSourceMapping,
    FunctionSettings,
    OwnerSettings,
    Queue,
    RedactedAttribute,
    RetrySettings,
    S3Pointer,
    TableIndex,
    TableSettings,
    Worker,
)
from router.runtime.config.spec_tests import ReceivedMessage, StoredItems, Test
from router.runtime.config_types import (
    MAX_TAGS,
    AttributeName,
    AttributeType,
    Description,
    Disposition,
    Expression,
    Name,
    Owner,
    OwnerName,
    Pollers,
    Spec,
    TagName,
    Tags,
    TagValue,
    Vpc,
    form,
)
from router.runtime.modes import DEFAULT, MODES, ModeName, names_taking
from router.runtime.sources import SOURCES

__all__ = [
    "Attribute",
    "Capacity",
    "CapacityRange",
    "Config",
    "EventSourceMapping",
    "FunctionSettings",
    "Ignore",
    "Included",
    "MergeSettings",
    "OwnerSettings",
    "Pollers",
    "Queue",
    "ReceivedMessage",
    "RedactedAttribute",
    "RetrySettings",
    "RouteSettings",
    "S3Pointer",
    "StoredItems",
    "TableIndex",
    "TableSettings",
    "Test",
    "Vpc",
    "Worker",
    "WriteSettings",
]

if TYPE_CHECKING:

    class _Sources(Spec, frozen=True):
        from_: Any = UNSET
else:
    _Sources = defstruct(
        "_Sources",
        [
            (source.field, source.spec, field(name=source.key, default=UNSET))
            for source in SOURCES.values()
        ],
        bases=(Spec,),
        frozen=True,
    )

NOT_EMPTY = {"minProperties": 1}
"""Only the schema has this rule: if all entries have faults, the converted map is empty."""


Transforms = dict[str, Any]
"""Transforms by name, each with its argument: a list is several, a map is by name."""
if TYPE_CHECKING:
    # What fields have once a struct is made: `__post_init__` replaces each short form.
    _TransformForm = tuple[Transforms, ...]
    _IncludeForm = tuple[str, ...]
else:
    _Entry = str | Annotated[Transforms, Meta(min_length=1)]
    _TransformForm = _Entry | tuple[_Entry, ...]
    _IncludeForm = str | tuple[str, ...]


def _set_transforms(struct: Attribute | MergeSettings, given: Any) -> None:
    """Set `transform` to a list of maps: a name alone stands for a transform without arguments."""
    if not given:
        return
    entries = given if isinstance(given, tuple) else [given]
    steps = [{entry: []} if isinstance(entry, str) else entry for entry in entries]
    structs.force_setattr(struct, "transform", tuple(steps))


class Attribute(_Sources, frozen=True):  # noqa: D101 — the docstring is computed
    __doc__ = (
        "An attribute of an item: one source "
        f"({', '.join(f'`{key}`' for key in SOURCES)}), and its treatment."
    )

    transform: Annotated[
        _TransformForm,
        Meta(
            description="One transform, or a list of them in order: a name, or a map of a name to "
            "its argument (a list: several; a map: by name).",
            examples=[{"scale": 0.01}, ["strip", {"truncate": 80}]],
        ),
    ] = ()
    type: Annotated[
        AttributeType | None,
        Meta(
            description="The DynamoDB type; `json` is JSON text in an S. Default: the "
            "type of the value."
        ),
    ] = None
    default: Annotated[
        Any,
        Meta(
            description="The value to use if the source has none.",
            examples=["unknown"],
        ),
    ] = UNSET
    missing: Annotated[
        Literal["omit", "null", "error", "remove"] | None,
        Meta(
            description="What to do without a value: omit the attribute (an update "
            "keeps the stored one), store NULL, "
            "reject the message, or (updates) remove it. Default: `omit`, and `error` "
            "for key attributes."
        ),
    ] = None
    null: Annotated[
        Literal["omit", "null", "error", "remove"] | None,
        Meta(
            description="What to do with a null, if it differs from no value; `from` must be names "
            "with dots between. Default: as `missing`.",
            examples=["remove"],
        ),
    ] = None

    def __post_init__(self) -> None:
        """Replace the short forms of `transform`."""
        _set_transforms(self, self.transform)


class MergeSettings(Spec, frozen=True, kw_only=True):
    """A map of the message whose entries become attributes of the item, beside those of `item`."""

    from_: Annotated[
        Expression,
        Meta(
            description="JMESPath to the map; without it nothing is merged.",
            examples=["metadata"],
        ),
    ] = field(name="from")
    prefix: Annotated[
        str,
        Meta(
            description="Text before the name of each attribute.",
            examples=["meta_"],
        ),
    ] = ""
    max: Annotated[
        int,
        Meta(
            ge=1,
            le=10_000,
            description="The most entries; a message with more is rejected.",
        ),
    ] = 100
    transform: Annotated[
        _TransformForm,
        Meta(
            description="Transforms of the map, as of an attribute.",
            examples=["dynamodb_item"],
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Replace the short forms of `transform`."""
        _set_transforms(self, self.transform)


if TYPE_CHECKING:
    _AttributeForm = Attribute
    _MergeForm = MergeSettings
else:
    _AttributeForm = Expression | Attribute
    _MergeForm = Expression | MergeSettings


class WriteSettings(Spec, frozen=True, kw_only=True):
    """How an item is written."""

    mode: Annotated[
        ModeName,
        Meta(
            description="; ".join(f"`{mode.name}` {mode.summary}" for mode in MODES.values()) + "."
        ),
    ] = DEFAULT
    version: Annotated[
        str | None,
        Meta(
            description="The attribute that orders writes of one key.",
            examples=["seen_at"],
        ),
    ] = None
    add: Annotated[
        tuple[str, ...],
        Meta(description=f"{names_taking('add')}: attributes to add to the stored number or set."),
    ] = ()
    append: Annotated[
        tuple[str, ...],
        Meta(description=f"{names_taking('append')}: attributes to append to the stored list."),
    ] = ()
    keep_first: Annotated[
        tuple[str, ...],
        Meta(description=f"{names_taking('keep_first')}: attributes to set only once."),
    ] = ()
    once: Annotated[
        str | None,
        Meta(
            description=f"{names_taking('once')}: the table of idempotency keys, by "
            "which a redelivered message does "
            "not add or append again."
        ),
    ] = None
    once_key: Annotated[
        Expression | None,
        Meta(description="The idempotency key. Default: route and message id."),
    ] = None


class RouteSettings(Spec, frozen=True):
    """A route from a queue to a table."""

    queue: Annotated[
        str,
        Meta(
            min_length=1,
            description="A key of `queues`, else a queue's name, URL or ARN.",
        ),
    ]
    table: Annotated[str, Meta(min_length=1, description="A key of `tables`.")]
    when: Annotated[
        Expression | None,
        Meta(
            description="JMESPath over the message; the route takes the message if "
            "this is true. Default: always.",
            examples=["type == 'device'"],
        ),
    ] = None
    schema: Annotated[
        str | dict[str, Any] | bool | None,
        Meta(
            description="The JSON Schema of the message: a file, relative to this one, "
            "or the schema itself.",
            examples=["schemas/user-metadata.json"],
        ),
    ] = None
    plugins: Annotated[
        tuple[str, ...] | None,
        Meta(
            description="Plugins whose transform hooks run, in this order. Default: "
            "those of the root file, then those "
            "of the file of the route."
        ),
    ] = None
    options: Annotated[
        dict[str, Any],
        Meta(
            description="Settings for plugins, by plugin name.",
            examples=[{"devices": {"unknown": "other"}}],
        ),
    ] = field(default_factory=dict)
    for_each: Annotated[
        Expression | None,
        Meta(
            description="JMESPath to a list; each element becomes an item. Expressions "
            "of `item` are then over "
            "`element` and `message`.",
            examples=["lines"],
        ),
    ] = None
    item: Annotated[
        dict[AttributeName, _AttributeForm] | None,
        Meta(
            description="The attributes of the item: JMESPath, or a map. Default: the "
            "whole message.",
            extra_json_schema=NOT_EMPTY,
            examples=[{"user_id": "user_id", "seen_at": {"meta": "sent_at"}}],
        ),
    ] = None
    merge: Annotated[
        _MergeForm | None,
        Meta(
            description="A map of the message whose entries become attributes of the "
            "item, too: JMESPath, or a map.",
            examples=[
                "metadata",
                {"from": "metadata", "prefix": "meta_", "max": 20},
            ],
        ),
    ] = None
    write: Annotated[WriteSettings, Meta(description="How it is written.")] = WriteSettings()
    on_invalid: Annotated[
        Disposition,
        Meta(description="The outcome of a message that fails the schema."),
    ] = "dead_letter"
    tests: Annotated[
        tuple[Test, ...],
        Meta(description="Messages and their expected outcomes."),
    ] = ()
    owner: OwnerName = ""
    description: Description = ""
    tags: Tags = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Replace short forms: an expression alone stands for its `from`."""
        if self.item is not None:
            item = {name: _long(Attribute, given) for name, given in self.item.items()}
            structs.force_setattr(self, "item", item)
        structs.force_setattr(self, "merge", _long(MergeSettings, self.merge))


def _long(kind: type[Spec], given: Any) -> Any:
    return kind(from_=given) if isinstance(given, str) else given


class Ignore(Spec, frozen=True, kw_only=True):
    """A known finding that `router check` does not report."""

    code: Annotated[
        str,
        Meta(
            description="The code of the finding. A finding that prevents the router "
            "from starting cannot be ignored.",
            extra_json_schema=form(r"^[A-Z][A-Z0-9_-]*$", "the code of a finding, as RT203"),
            examples=["RT203"],
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            description="Why it can be ignored, for readers of the file.",
            extra_json_schema=form(r"^[\s\S]*\S[\s\S]*$", "a reason in words"),
            examples=["its redrive policy is in another stack"],
        ),
    ]
    at: Annotated[
        str,
        Meta(
            description="The part of the config, as its keys with dots between them. "
            "Default: the whole config, or the "
            "included file.",
            examples=["queues.orders"],
        ),
    ] = ""
    and_: Annotated[
        str,
        Meta(
            description="The other part of the config, if the finding is about two: with "
            "`at` it names a pair of routes.",
            examples=["routes.orders"],
        ),
    ] = field(name="and", default="")


Plugins = Annotated[
    tuple[str, ...],
    Meta(
        description="Plugins, in order: a Python file, relative to this one, or an "
        "installed module.",
        examples=[["plugins/devices.py", "acme_router_plugins"]],
    ),
]
Queues = Annotated[dict[Name, Queue], Meta(description="Queues with settings, by name.")]
Tables = Annotated[dict[Name, TableSettings], Meta(description="Tables, by name.")]
Routes = Annotated[
    dict[Name, RouteSettings],
    Meta(
        extra_json_schema=NOT_EMPTY,
        description="Routes, by name, in the order of matching. At least one is "
        "required, here or in an included file.",
    ),
]
Ignored = Annotated[
    tuple[Ignore, ...],
    Meta(description="Findings that `router check` does not report."),
]


FileOwner = Annotated[
    Owner,
    Meta(
        description="The owner of the queues, tables and routes of this file that have none.",
        examples=["team-orders"],
    ),
]
FileTags = Annotated[
    dict[TagName, TagValue],
    Meta(
        max_length=MAX_TAGS,
        description="Tags of all queues, tables and routes of this file.",
    ),
]


class Included(Spec, frozen=True, kw_only=True):
    """A file that `include` names. File names in it are relative to its own folder."""

    version: Annotated[
        Literal[1] | None,
        Meta(description="The version of the file that includes it."),
    ] = None
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    ignore: Ignored = ()
    owner: FileOwner = ""
    tags: FileTags = field(default_factory=dict)


class Telemetry(Spec, frozen=True, kw_only=True):
    """What is measured."""

    metrics: Annotated[
        Literal["queue", "route"],
        Meta(
            description="Whether outcomes are counted by queue, or by route and table too. "
            "CloudWatch charges for each metric."
        ),
    ] = "queue"


class Config(Spec, frozen=True, kw_only=True):
    """All routes of one router. Keys that start with `x-` are ignored in maps of fixed keys."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    include: Annotated[
        _IncludeForm,
        Meta(
            description="Files with more plugins, queues, tables and routes, relative "
            "to this one; `*` and `**` match "
            "any names. Files are included in the order of their names.",
            examples=["flows/*.yaml"],
        ),
    ] = ()
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    function: Annotated[
        FunctionSettings,
        Meta(description="The Lambda function in the output of `router template`."),
    ] = FunctionSettings()
    owners: Annotated[
        dict[Owner, OwnerSettings],
        Meta(
            description="Settings of owners, by name.",
            examples=[
                {"team-orders": {"alarm_topic": "arn:aws:sns:eu-west-1:123456789012:team-orders"}}
            ],
        ),
    ] = field(default_factory=dict)
    worker: Annotated[
        Worker,
        Meta(description="The worker in the output of `router template --worker`."),
    ] = Worker()
    telemetry: Annotated[Telemetry, Meta(description="What is measured.")] = Telemetry()
    ignore: Ignored = ()
    owner: FileOwner = ""
    tags: FileTags = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Replace the short form of `include`."""
        given: Any = self.include
        if isinstance(given, str):
            structs.force_setattr(self, "include", (given,))

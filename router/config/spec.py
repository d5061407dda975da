"""The one description of `routes.yaml`: the parser, the editors' JSON Schema and the reference are made from it."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config.spec_resources import EventSourceMapping, Function, Queue, Retry, S3Pointer, Table, Worker
from router.config.spec_route import NOT_EMPTY, Attribute, Route, Test, Write, short_form
from router.config_types import AttributeType, Bucket, Disposition, Duration, Expression, MetaName, Name, Spec

__all__ = [
    "Attribute",
    "AttributeType",
    "Bucket",
    "Config",
    "Disposition",
    "Duration",
    "EventSourceMapping",
    "Expression",
    "Function",
    "Ignore",
    "Included",
    "MetaName",
    "Name",
    "Queue",
    "Retry",
    "Route",
    "S3Pointer",
    "Spec",
    "Table",
    "Test",
    "Worker",
    "Write",
    "short_form",
]


class Ignore(Spec, frozen=True, kw_only=True):
    """A finding that is known, and is to be passed over."""

    code: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z][A-Z0-9_-]*$",
            description="The code of the finding. What stops the router from starting cannot be ignored.",
            extra_json_schema={"patternErrorMessage": "must be the code of a finding, as RT203"},
            examples=["RT203"],
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            pattern=r"^[\s\S]*\S[\s\S]*$",
            description="Why it may be passed over, for whoever reads the file next.",
            extra_json_schema={"patternErrorMessage": "must be a reason in words"},
            examples=["its redrive policy is in another stack"],
        ),
    ]
    at: Annotated[
        str,
        Meta(
            description="Where: the keys down to a part of the config, with dots between. Default: everywhere. In an "
            "included file: everywhere in it.",
            examples=["queues.orders"],
        ),
    ] = ""


Plugins = Annotated[
    tuple[str, ...],
    Meta(
        description="Plugins, in order: a Python file, relative to this one, or an installed module.",
        examples=[["plugins/devices.py", "acme_router_plugins"]],
    ),
]
Queues = Annotated[dict[Name, Queue], Meta(description="Queues with settings, by name.")]
Tables = Annotated[dict[Name, Table], Meta(description="Tables, by name.")]
Routes = Annotated[
    dict[Name, Route],
    Meta(
        extra_json_schema=NOT_EMPTY,
        description="Routes, by name; their order is the order of matching. There is one at least, here or in an "
        "included file.",
    ),
]
Ignored = Annotated[tuple[Ignore, ...], Meta(description="Findings of `router check` that are to be passed over.")]


class Included(Spec, frozen=True, kw_only=True):
    """A file that `include` names: a part of the config, whose own names of files are relative to it."""

    version: Annotated[Literal[1] | UnsetType, Meta(description="That of the file which includes it.")] = UNSET
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    ignore: Ignored = ()


class Config(Spec, frozen=True, kw_only=True):
    """All flows of one router. Top-level keys that start with `x-` are ignored."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    include: Annotated[
        str | tuple[str, ...],
        Meta(
            description="Files with more plugins, queues, tables and routes, relative to this one; `*` and `**` stand "
            "for any names. They are taken in the order of their names.",
            examples=["flows/*.yaml"],
        ),
    ] = ()
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    function: Annotated[Function, Meta(description="The Lambda function, as `router template` makes it.")] = Function()
    worker: Annotated[Worker, Meta(description="The worker, as `router template --worker` makes it.")] = Worker()
    ignore: Ignored = ()

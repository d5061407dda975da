"""The specification of `routes.yaml`: its types, its JSON Schema and its reference page come from here."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from router.config.spec_resources import (
    EventSourceMapping,
    FunctionSettings,
    Queue,
    RetrySettings,
    S3Pointer,
    TableSettings,
    Worker,
)
from router.config.spec_route import NOT_EMPTY, Attribute, RouteSettings, Test, WriteSettings, short_form
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
    "FunctionSettings",
    "Ignore",
    "Included",
    "MetaName",
    "Name",
    "Queue",
    "RetrySettings",
    "RouteSettings",
    "S3Pointer",
    "Spec",
    "TableSettings",
    "Test",
    "Worker",
    "WriteSettings",
    "short_form",
]


class Ignore(Spec, frozen=True, kw_only=True):
    """A known finding that `router check` does not report."""

    code: Annotated[
        str,
        Meta(
            pattern=r"^[A-Z][A-Z0-9_-]*$",
            description="The code of the finding. A finding that prevents the router from starting cannot be ignored.",
            extra_json_schema={"patternErrorMessage": "must be the code of a finding, as RT203"},
            examples=["RT203"],
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            pattern=r"^[\s\S]*\S[\s\S]*$",
            description="Why it can be ignored, for readers of the file.",
            extra_json_schema={"patternErrorMessage": "must be a reason in words"},
            examples=["its redrive policy is in another stack"],
        ),
    ]
    at: Annotated[
        str,
        Meta(
            description="The part of the config, as its keys with dots between them. Default: the whole config, or the "
            "included file.",
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
Tables = Annotated[dict[Name, TableSettings], Meta(description="Tables, by name.")]
Routes = Annotated[
    dict[Name, RouteSettings],
    Meta(
        extra_json_schema=NOT_EMPTY,
        description="Routes, by name, in the order of matching. At least one is required, here or in an included file.",
    ),
]
Ignored = Annotated[tuple[Ignore, ...], Meta(description="Findings that `router check` does not report.")]


class Included(Spec, frozen=True, kw_only=True):
    """A file that `include` names. File names in it are relative to its own folder."""

    version: Annotated[Literal[1] | UnsetType, Meta(description="The version of the file that includes it.")] = UNSET
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    ignore: Ignored = ()


class Config(Spec, frozen=True, kw_only=True):
    """All routes of one router. Top-level keys that start with `x-` are ignored."""

    version: Annotated[Literal[1], Meta(description="The version of this format.")]
    include: Annotated[
        str | tuple[str, ...],
        Meta(
            description="Files with more plugins, queues, tables and routes, relative to this one; `*` and `**` match "
            "any names. Files are included in the order of their names.",
            examples=["flows/*.yaml"],
        ),
    ] = ()
    plugins: Plugins = ()
    queues: Queues = field(default_factory=dict)
    tables: Tables = field(default_factory=dict)
    routes: Routes = field(default_factory=dict)
    function: Annotated[
        FunctionSettings, Meta(description="The Lambda function in the output of `router template`.")
    ] = FunctionSettings()
    worker: Annotated[Worker, Meta(description="The worker in the output of `router template --worker`.")] = Worker()
    ignore: Ignored = ()

"""All codes, collected from the modules that declare them."""

from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from router import codes as outcomes
from router import sources
from router.check import (
    arguments,
    deployment,
    ignore,
    keys,
    mapping_types,
    paths,
    plugin_checks,
    routing,
    running,
    schema_contents,
    schema_examples,
    sizes,
    versions,
)
from router.check import fargate as tasks
from router.check import schemas as second_opinions
from router.config import environment, include, merge, shape_faults, source, tree
from router.model import Code
from router.program import attribute, queues, route, transforms, writes
from router.program.expressions import compile as expressions
from router.program.hooks import implementations, plugin_files, registry
from router.program.schemas import compile as schemas
from router.program.schemas import documents as schema_documents
from router.program.schemas import links as schema_links

_MODULES: tuple[ModuleType, ...] = (
    source,
    environment,
    tree,
    shape_faults,
    include,
    merge,
    queues,
    route,
    schemas,
    schema_documents,
    schema_links,
    second_opinions,
    ignore,
    running,
    plugin_checks,
    routing,
    deployment,
    tasks,
    schema_contents,
    schema_examples,
    paths,
    mapping_types,
    arguments,
    versions,
    keys,
    sizes,
    expressions,
    attribute,
    transforms,
    plugin_files,
    registry,
    implementations,
    writes,
    outcomes,
    *sources.MODULES,
)
LIVE = "RT7"
"""How the codes begin that are found in AWS only."""
CODES: Mapping[str, Code]
"""Every code by its id, in order; collected when it is first asked for."""


def code_of(id_: str) -> Code | None:
    """The code of an id; only for one of AWS the modules are imported that look there."""
    return collect_codes().get(id_) if id_.startswith(LIVE) else _own_codes().get(id_)


@cache
def collect_codes() -> Mapping[str, Code]:
    """Every code by its id, in order."""
    # For start-up time: most checks look at nothing but the config.
    from router.check.live import answers, functions, indexes, mappings, permissions, queues, tables

    live = _codes_in(answers, functions, indexes, mappings, permissions, queues, tables)
    return dict(sorted({**_own_codes(), **live}.items()))


@cache
def _own_codes() -> Mapping[str, Code]:
    return _codes_in(*_MODULES)


def _codes_in(*modules: ModuleType) -> dict[str, Code]:
    return {value.id: value for module in modules for value in vars(module).values() if isinstance(value, Code)}


def __getattr__(name: str) -> Any:
    if name != "CODES":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return collect_codes()

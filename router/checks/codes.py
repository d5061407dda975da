"""All codes, collected from the modules that declare them."""

from collections.abc import Mapping
from types import ModuleType

from router.checks import (
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
    tasks,
    versions,
)
from router.checks import schemas as second_opinions
from router.checks.live import answers, functions, indexes, mappings, permissions
from router.checks.live import queues as live_queues
from router.checks.live import tables as live_tables
from router.compile import (
    attribute,
    expressions,
    queues,
    route,
    schema_documents,
    schema_links,
    schemas,
    templates,
    transforms,
    writes,
)
from router.config import environment, include, merge, parse, source, tree
from router.engine import codes as outcomes
from router.hooks import implementations, plugin_files, registrations, registry
from router.model import Code

_MODULES: tuple[ModuleType, ...] = (
    source,
    environment,
    tree,
    parse,
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
    versions,
    keys,
    sizes,
    expressions,
    attribute,
    templates,
    transforms,
    plugin_files,
    registry,
    implementations,
    registrations,
    writes,
    live_tables,
    indexes,
    live_queues,
    functions,
    mappings,
    answers,
    permissions,
    outcomes,
)


def collect_codes() -> Mapping[str, Code]:
    """Every code by its id, in order."""
    found = {value.id: value for module in _MODULES for value in vars(module).values() if isinstance(value, Code)}
    return dict(sorted(found.items()))


CODES = collect_codes()
"""Every code by its id, in order."""

"""Compiles a route of the config to plain callables."""

from msgspec import UNSET, UnsetType

from router.codes import declare
from router.config import spec
from router.config.findings import Findings, did_you_mean
from router.engine.engine import CompiledRoute
from router.model import Path, Route, Table
from router.program.context import CompileContext
from router.program.hooks.plugins import Plugins
from router.program.mapping import compile_mapping
from router.program.writes import compile_write

UNKNOWN_TABLE = declare(
    "RT201",
    "unknown table",
    "A route writes to a table of `tables`, which has the key that its items must have.",
)
UNKNOWN_PLUGIN = declare(
    "RT204",
    "unknown plugin",
    "`plugins` and `options` of a route name plugins that the file loads under its top-level `plugins`.",
)
NAMED_TWICE = declare(
    "RT111",
    "a plugin that a route names twice",
    "It is ambiguous whether its hooks change the message once or twice.",
)
TEST_SHAPE = declare(
    "RT208",
    "a test that cannot be run",
    "A test has exactly one of `message`, `body`, `record` and `file`, and at most one of `item`, `item_contains` and "
    "`items`, which only a message that is written can have, as `write`.",
)


def compile_route(name: str, route: spec.RouteSettings, context: CompileContext) -> CompiledRoute | None:
    """Return the compiled route, or None if it has faults, which become findings."""
    findings = context.findings
    path: Path = ("routes", name)
    _check_tests(route, findings, path)
    names = _check_plugins(route, context.plugins, findings, path)
    when = None if isinstance(route.when, UnsetType) else context.condition(route.when, (*path, "when"))
    validate = None
    if not isinstance(route.schema, UnsetType):
        validate = context.schemas.compile(route.schema, findings, (*path, "schema"))
    table = context.tables.shapes.get(route.table)
    if table is None:
        hint = did_you_mean(route.table, context.tables.shapes, "add it under 'tables', with its key")
        findings.add(UNKNOWN_TABLE, f"unknown table '{route.table}'", (*path, "table"), suggestion=hint)
    # The mapping of an unknown table is checked too, without its key.
    keyed = table or Table(route.table, ())
    map_items = compile_mapping(name, route, keyed, context, path)
    shape = compile_write(name, route, keyed, context, path)
    if map_items is None:
        return None
    return CompiledRoute(
        route=Route(name, route.queue, route.table, route.options),
        shape=shape,
        when=when,
        validate=validate,
        on_invalid=route.on_invalid,
        transform_message=context.plugins.message_pipeline(names),
        map_items=map_items,
        transform_item=context.plugins.item_pipeline(names),
    )


def _check_plugins(
    route: spec.RouteSettings, plugins: Plugins, findings: Findings, path: Path
) -> tuple[str, ...] | None:
    """Return the names of the route's plugins that are loaded, or None for all plugins."""
    given = () if isinstance(route.plugins, UnsetType) else route.plugins
    for index, name in enumerate(given):
        if name in given[:index]:
            advice = "keep the one at whose place it is to run"
            findings.add(NAMED_TWICE, f"plugin '{name}' is named twice", (*path, "plugins", index), suggestion=advice)
    for where, name in [
        *(((*path, "plugins", index), name) for index, name in enumerate(given)),
        *(((*path, "options", name), name) for name in route.options),
    ]:
        if name in plugins.names or name in plugins.left_out:
            continue
        hint = did_you_mean(name, plugins.names, "load it under the top-level 'plugins'")
        findings.add(UNKNOWN_PLUGIN, f"unknown plugin '{name}'", where, key=where[-1] == name, suggestion=hint)
    if isinstance(route.plugins, UnsetType):
        return None
    return tuple(name for name in given if name in plugins.names)


def _check_tests(route: spec.RouteSettings, findings: Findings, path: Path) -> None:
    for index, test in enumerate(route.tests):
        where = (*path, "tests", index)
        if len(_given(test, "message", "body", "record", "file")) != 1:
            sentence = "a test has exactly one of 'message', 'body', 'record' and 'file'"
            findings.add(TEST_SHAPE, sentence, where)
        if test.attributes and test.record is not UNSET:
            sentence, advice = "a record has its attributes in it", "move 'attributes' into 'record'"
            findings.add(TEST_SHAPE, sentence, (*where, "attributes"), key=True, suggestion=advice)
        expected = _given(test, "item", "item_contains", "items")
        if len(expected) > 1:
            findings.add(TEST_SHAPE, f"a test has only one of '{expected[0]}' and '{expected[1]}'", where)
        expected += _given(test, "write")
        if expected and test.outcome != "written":
            findings.add(TEST_SHAPE, f"'{expected[0]}' cannot be where the outcome is '{test.outcome}'", where)


def _given(test: spec.Test, *names: str) -> list[str]:
    return [name for name in names if getattr(test, name) is not UNSET]

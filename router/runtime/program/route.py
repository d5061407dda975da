"""Compiles a route of the config to plain callables, and its `write` to how it writes."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, get_args

from msgspec import structs

from router.codes import BAD_VERSION, declare
from router.errors import ExpressionError, Rejection
from router.model import Path, Route, Table
from router.runtime.config import spec
from router.runtime.config.findings import Findings, did_you_mean
from router.runtime.engine.engine import CompiledQueue, CompiledRoute, PlanTyped, TypedSteps
from router.runtime.engine.outcomes import Redactor
from router.runtime.engine.writes import (
    IdempotencyConfig,
    Mode,
    Setting,
    WriteConfig,
)
from router.runtime.modes import MODES
from router.runtime.program.context import CompileContext
from router.runtime.program.hooks import Plugins
from router.runtime.program.mapping import CompiledMapping, compile_mapping
from router.runtime.program.put_text import (
    can_be_text,
    items_can_be_text,
    plan_as_text,
    plan_deletes_as_text,
    plan_items_as_text,
)

UNKNOWN_TABLE = declare(
    "RT201",
    "unknown table",
    "A route writes to a table of `tables`, which has the key that its items must have.",
)
UNKNOWN_PLUGIN = declare(
    "RT204",
    "unknown plugin",
    "`plugins` and `options` of a route name plugins that the file loads under its "
    "top-level `plugins`.",
)
NAMED_TWICE = declare(
    "RT111",
    "a plugin that a route names twice",
    "It is ambiguous whether its hooks change the message once or twice.",
)
UNMAPPED_KEY = declare(
    "RT602",
    "a key attribute is not mapped",
    "DynamoDB takes no item without its whole key, so that each message would be rejected.",
)
IDLE_SETTING = declare(
    "RT604",
    "a setting that the write mode does not take",
    "It would be ignored, though its author expects an effect.",
)
KEY_TYPE = declare(
    "RT605",
    "a key attribute of another type than the table's key",
    "DynamoDB refuses a key of the wrong type, so that each message would be rejected.",
)
UNMAPPED_SETTING = declare(
    "RT607",
    "a setting that names an attribute that it cannot use",
    "`version`, `add`, `append` and `keep_first` name attributes that `item` maps, "
    "each in one of them only, and none "
    "of them a key attribute: the key says which item it is, and cannot change.",
)
MISSING_SETTING = declare(
    "RT608",
    "a write mode without a setting that it needs",
    "The mode cannot plan a write without it: "
    + ", ".join(
        f"`{mode.name}` needs `{name}`" for mode in MODES.values() for name in sorted(mode.required)
    )
    + ".",
)
MARKER_TABLE = declare(
    "RT609",
    "a table that cannot hold idempotency keys",
    "`once` names a table of `tables` whose key is one text attribute; with a `ttl` "
    "there, idempotency keys expire.",
)

_SETTINGS: tuple[Setting, ...] = get_args(Setting)


def compile_route(
    name: str,
    route: spec.RouteSettings,
    context: CompileContext,
    queue: CompiledQueue,
) -> CompiledRoute | None:
    """Return the compiled route, or None if it has faults, which become findings.

    `queue` is its queue, as yet without routes.
    """
    findings = context.findings
    path: Path = ("routes", name)
    names = _check_plugins(route, context.plugins, findings, path)
    when = None
    validate = None
    if route.when is not None:
        when = context.condition(route.when, (*path, "when"))
    if route.schema is not None:
        validate = context.schemas.compile(route.schema, findings, (*path, "schema"))
    table = _find_table(route.table, context, (*path, "table"))
    mapped = compile_mapping(name, route, table, context, path)
    write = compile_write(name, route, table, context, path)
    if mapped is None:
        return None
    transform_message = context.plugins.message_pipeline(names)
    transform_item = context.plugins.item_pipeline(names)
    compiled = CompiledRoute(
        route=Route(name, route.queue, route.table, route.options),
        write=write,
        when=when,
        validate=validate,
        on_invalid=route.on_invalid,
        transform_message=transform_message,
        map_items=mapped.items,
        transform_item=transform_item,
    )
    if queue.redaction is not None:
        return _guard(compiled, route, context, queue.redaction)
    # The limit of a transaction counts the bytes of its items, which a text does not.
    if queue.atomic:
        return compiled
    if transform_item or route.for_each is not None:
        plan_item = plan_items_as_text(write) if items_can_be_text(write) else None
        compiled = structs.replace(compiled, plan_item=plan_item)
    return _with_text(compiled, mapped, route, context.schemas.standalone(validate), context)


def _with_text(
    compiled: CompiledRoute,
    mapped: CompiledMapping,
    route: spec.RouteSettings,
    schema: Any,
    context: CompileContext,
) -> CompiledRoute:
    """Return the route with what plans its puts or deletes as text, if they may be.

    `schema` is what messages are validated with, None if that is nothing or several files.
    """
    getters = mapped.getters
    write = compiled.write
    if not can_be_text(getters, write):
        return compiled
    is_delete = write.mode.stores == "nothing"
    has_message_hooks = bool(compiled.transform_message)
    has_item_hooks = bool(compiled.transform_item)
    plan_put = None
    if not has_item_hooks:
        # Of thousands of routes, what they share stays in the processor's cache.
        key = (*getters, write.table.key, is_delete)
        plan_put = context.plans.get(key)
        if plan_put is None:
            plan_put = (plan_deletes_as_text if is_delete else plan_as_text)(getters, write)
            context.plans[key] = plan_put
    if is_delete or schema is None:
        return structs.replace(compiled, plan_put=plan_put)

    def compile_typed() -> tuple[PlanTyped, ...] | tuple[TypedSteps, ...]:
        # A cold start, and a queue of few messages, do without the modules.
        if has_message_hooks or has_item_hooks:
            from router.runtime.program.typed_steps import plan_in_steps

            return plan_in_steps(getters, write, schema, with_item=has_item_hooks)
        from router.runtime.program.typed import plan_typed

        return plan_typed(getters, write, schema)

    # Nothing else of the route is in its items.
    attributes: Iterable[Any] = (route.item or {}).values()
    is_named = any(each.meta == "route" for each in attributes)
    name = compiled.route.name if is_named else ""
    return structs.replace(
        compiled,
        plan_put=plan_put,
        shape=partial(
            repr,
            (schema, route.item, write.table.key, name, has_message_hooks, has_item_hooks),
        ),
        compile_typed=compile_typed,
    )


def _find_table(name: str, context: CompileContext, path: Path) -> Table:
    """Return a table; one without a key after a finding.

    What is mapped to an unknown table is checked too, without its key.
    """
    table = context.tables.get(name)
    if table is not None:
        return table
    context.findings.add(
        UNKNOWN_TABLE,
        f"unknown table '{name}'",
        path,
        suggestion=did_you_mean(name, context.tables, "add it under 'tables', with its key"),
    )
    return Table(name, ())


def _guard(
    compiled: CompiledRoute,
    route: spec.RouteSettings,
    context: CompileContext,
    redaction: Redactor,
) -> CompiledRoute:
    """Return the route with its answer to messages whose values are redacted."""
    # Queues without redacted values do without the modules.
    from router.runtime.program.redacted_routes import find_needs, guard_route
    from router.runtime.program.redaction import Redaction

    # The engine knows it by its interface; `compile_redaction` makes no other.
    assert isinstance(redaction, Redaction)
    plugins = bool(compiled.transform_message or compiled.transform_item)
    needs = find_needs(route, redaction.redacted, context.trees, plugins=plugins)
    return guard_route(compiled, needs, redaction)


def _check_plugins(
    route: spec.RouteSettings, plugins: Plugins, findings: Findings, path: Path
) -> tuple[str, ...] | None:
    """Return the names of the route's plugins that are loaded, or None for all plugins."""
    given = route.plugins
    named = given or ()
    places: list[tuple[Path, str]] = []
    for index, name in enumerate(named):
        where = (*path, "plugins", index)
        places.append((where, name))
        if name in named[:index]:
            findings.add(
                NAMED_TWICE,
                f"plugin '{name}' is named twice",
                where,
                suggestion="keep the one at whose place it is to run",
            )
    places += [((*path, "options", name), name) for name in route.options]
    for where, name in places:
        # A plugin that is left out has a finding of its own.
        if name in plugins.names or name in plugins.left_out:
            continue
        is_key = where[-1] == name
        findings.add(
            UNKNOWN_PLUGIN,
            f"unknown plugin '{name}'",
            where,
            key=is_key,
            suggestion=did_you_mean(name, plugins.names, "load it under the top-level 'plugins'"),
        )
    if given is None:
        return None
    return tuple(name for name in named if name in plugins.names)


def compile_write(
    name: str,
    route: spec.RouteSettings,
    table: Table,
    context: CompileContext,
    path: Path,
) -> WriteConfig:
    """Return how the items of a route are written; faults are added to the findings."""
    findings = context.findings
    where = (*path, "write")
    mode = MODES[route.write.mode]
    write = _without_idle(route.write, mode, findings, where)
    _check_key(route, table, findings, path)
    _check_named(write, route.item, table, findings, where)
    once = None
    if write.once is not None:
        once = _compile_once(write, write.once, context, where)
    _check_required(write, mode, findings, where)
    version = write.version or ""
    add = frozenset(write.add)
    append = frozenset(write.append)
    keep_first = frozenset(write.keep_first)
    declared = {name for name, _ in table.key}
    declared.update(route.item or (), add, append, keep_first)
    if version:
        declared.add(version)
    return WriteConfig(
        name,
        table,
        mode,
        version,
        add,
        append,
        keep_first,
        once,
        frozenset(declared),
    )


def _check_required(write: spec.WriteSettings, mode: Mode, findings: Findings, path: Path) -> None:
    for name in _SETTINGS:
        if name in mode.required and not _is_given(write, name):
            findings.add(
                MISSING_SETTING,
                f"'mode: {mode.name}' needs a '{name}'",
                (*path, "mode"),
                suggestion=f"add '{name}: ATTRIBUTE'",
            )


def _is_given(write: spec.WriteSettings, setting: Setting) -> bool:
    return getattr(write, setting) not in (None, ())


def _without_idle(
    write: spec.WriteSettings, mode: Mode, findings: Findings, path: Path
) -> spec.WriteSettings:
    """Return the write without the settings that its mode does not take.

    Each of them is a finding.
    """
    idle: dict[str, Any] = {}
    for name in _SETTINGS:
        if name not in mode.settings and _is_given(write, name):
            idle[name] = () if isinstance(getattr(write, name), tuple) else None
            findings.add(
                IDLE_SETTING,
                f"'{name}' has no meaning for 'mode: {mode.name}'",
                (*path, name),
                key=True,
                suggestion="remove it, or choose another mode",
            )
    write = structs.replace(write, **idle)
    if _is_given(write, "once_key") and not _is_given(write, "once"):
        findings.add(
            IDLE_SETTING,
            "'once_key' has no meaning without 'once'",
            (*path, "once_key"),
            key=True,
            suggestion="add 'once'",
        )
    return write


def _check_key(route: spec.RouteSettings, table: Table, findings: Findings, path: Path) -> None:
    if route.item is None:
        return
    for name, kind in table.key:
        attribute = route.item.get(name)
        if attribute is None:
            findings.add(
                UNMAPPED_KEY,
                f"'item' does not map the key attribute '{name}' of table '{route.table}'",
                (*path, "item"),
                key=True,
                suggestion=f"add '{name}:'",
            )
            continue
        type_ = attribute.type
        # JSON is text.
        fits = type_ in (None, kind) or (type_ == "json" and kind == "S")
        if not fits:
            findings.add(
                KEY_TYPE,
                f"key attribute '{name}' has type {type_}, the key of table "
                f"'{route.table}' is {kind}",
                (*path, "item", name, "type"),
                suggestion=f"write 'type: {kind}'",
            )


def _check_named(
    write: spec.WriteSettings,
    item: Mapping[str, Any] | None,
    table: Table,
    findings: Findings,
    path: Path,
) -> None:
    """Check the attributes that `version`, `add`, `append` and `keep_first` name."""
    named: list[tuple[str, Path]] = []
    if write.version is not None:
        named.append((write.version, (*path, "version")))
    for setting in ("add", "append", "keep_first"):
        names = enumerate(getattr(write, setting))
        named += [(name, (*path, setting, index)) for index, name in names]
    keys = {name for name, _ in table.key}
    seen: set[str] = set()
    for name, where in named:
        sentence = ""
        if name in keys:
            sentence = f"'{name}' is a key attribute"
            advice = "name another attribute"
        elif name in seen:
            sentence = f"'{name}' is named twice"
            advice = "name it in one of them only"
        elif item is not None and name not in item:
            sentence = f"'item' does not map '{name}'"
            advice = did_you_mean(name, item, f"add '{name}:' to 'item'")
        if sentence:
            findings.add(UNMAPPED_SETTING, sentence, where, suggestion=advice)
        seen.add(name)


def _compile_once(
    write: spec.WriteSettings, name: str, context: CompileContext, path: Path
) -> IdempotencyConfig | None:
    where = (*path, "once")
    table = context.tables.get(name)
    if table is None:
        context.findings.add(
            MARKER_TABLE,
            f"unknown table '{name}'",
            where,
            suggestion=did_you_mean(
                name,
                context.tables,
                "add it under 'tables', with a key of one text attribute",
            ),
        )
        return None
    if [kind for _, kind in table.key] != ["S"]:
        context.findings.add(
            MARKER_TABLE,
            f"the key of table '{name}' is not one text attribute",
            where,
            suggestion="use a table of its own, with 'key: {id: S}'",
        )
        return None
    key = None
    if write.once_key is not None:
        key = _compile_once_key(write.once_key, context, (*path, "once_key"))
    return IdempotencyConfig(table, context.ttl.get(name, ""), key)


def _compile_once_key(
    text: str, context: CompileContext, path: Path
) -> Callable[[Any], Any] | None:
    compiled = context.expression(text, path)
    if compiled is None:
        return None
    evaluate = compiled.evaluate

    def once_key(data: Any) -> Any:
        try:
            return evaluate(data)
        except ExpressionError:
            raise Rejection(
                BAD_VERSION, "the expression of 'once_key' fails on the message"
            ) from None

    return once_key

"""Compiles a route of the config to plain callables, and its `write` to how it writes."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

from msgspec import UNSET, UnsetType, structs

from router.codes import BAD_VERSION, declare
from router.errors import ExpressionError, Rejection
from router.model import Path, Route, Table
from router.runtime.config import spec
from router.runtime.config.findings import Findings, did_you_mean
from router.runtime.engine.engine import CompiledQueue, CompiledRoute
from router.runtime.engine.outcomes import Redactor
from router.runtime.engine.writes import IdempotencyConfig, Mode, Setting, WriteConfig
from router.runtime.modes import MODES
from router.runtime.program.context import CompileContext
from router.runtime.program.generated import short_form
from router.runtime.program.hooks import Plugins
from router.runtime.program.mapping import compile_mapping, failure_of

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
REPEATED_EFFECT = declare(
    "RT606",
    "`add` or `append` without `once`",
    "SQS delivers a message at least once; a redelivered message is added or appended "
    "again, unless `once` stores an "
    "idempotency key for each applied update.",
    severity="warning",
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
        f"`{mode.name}` needs `{name}`"
        for mode in MODES.values()
        for name in sorted(mode.required)
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
    name: str, route: spec.RouteSettings, context: CompileContext, queue: CompiledQueue
) -> CompiledRoute | None:
    """Return the compiled route, or None if it has faults, which become findings.

    `queue` is its queue, as yet without routes.
    """
    findings = context.findings
    path: Path = ("routes", name)
    names = _check_plugins(route, context.plugins, findings, path)
    when = (
        None
        if isinstance(route.when, UnsetType)
        else context.condition(route.when, (*path, "when"))
    )
    given = route.schema
    validate = (
        None
        if isinstance(given, UnsetType)
        else context.schemas.compile(given, findings, (*path, "schema"))
    )
    table = context.tables.get(route.table)
    if table is None:
        hint = did_you_mean(
            route.table, context.tables, "add it under 'tables', with its key"
        )
        findings.add(
            UNKNOWN_TABLE,
            f"unknown table '{route.table}'",
            (*path, "table"),
            suggestion=hint,
        )
    # The mapping of an unknown table is checked too, without its key.
    keyed = table or Table(route.table, ())
    mapped = compile_mapping(name, route, keyed, context, path)
    write = compile_write(name, route, keyed, context, path)
    if mapped is None:
        return None
    transform_message = context.plugins.message_pipeline(names)
    transform_item = context.plugins.item_pipeline(names)
    # The limit of a transaction counts the bytes of its items, which the short form
    # does not.
    is_plain = mapped.getters and not (
        transform_message or transform_item or queue.atomic
    )
    schema = context.schemas.standalone(validate)
    compiled = CompiledRoute(
        route=Route(name, route.queue, route.table, route.options),
        write=write,
        when=when,
        validate=validate,
        on_invalid=route.on_invalid,
        transform_message=transform_message,
        map_items=mapped.items,
        transform_item=transform_item,
        short=short_form(mapped.getters, write, failure_of(mapped.getters), schema)
        if is_plain
        else None,
    )
    return (
        compiled
        if queue.redaction is None
        else _guard(compiled, route, context, queue.redaction)
    )


def _guard(
    compiled: CompiledRoute,
    route: spec.RouteSettings,
    context: CompileContext,
    redaction: Redactor,
) -> CompiledRoute:
    """Return the route with its answer to messages whose values are redacted."""
    # Queues without redacted values do without the modules.
    from router.runtime.program.masking import Redaction
    from router.runtime.program.redaction import Redacted, find_needs, guard_route

    assert isinstance(redaction, Redaction)
    plugins = bool(compiled.transform_message or compiled.transform_item)
    redacted = Redacted(redaction.paths, redaction.attributes)
    return guard_route(
        compiled, find_needs(route, redacted, context.trees, plugins=plugins), redaction
    )


def _check_plugins(
    route: spec.RouteSettings, plugins: Plugins, findings: Findings, path: Path
) -> tuple[str, ...] | None:
    """Return the names of the route's plugins that are loaded, or None for all plugins."""
    given = () if isinstance(route.plugins, UnsetType) else route.plugins
    for index, name in enumerate(given):
        if name in given[:index]:
            advice = "keep the one at whose place it is to run"
            findings.add(
                NAMED_TWICE,
                f"plugin '{name}' is named twice",
                (*path, "plugins", index),
                suggestion=advice,
            )
    for where, name in [
        *(((*path, "plugins", index), name) for index, name in enumerate(given)),
        *(((*path, "options", name), name) for name in route.options),
    ]:
        if name in plugins.names or name in plugins.left_out:
            continue
        hint = did_you_mean(
            name, plugins.names, "load it under the top-level 'plugins'"
        )
        findings.add(
            UNKNOWN_PLUGIN,
            f"unknown plugin '{name}'",
            where,
            key=where[-1] == name,
            suggestion=hint,
        )
    if isinstance(route.plugins, UnsetType):
        return None
    return tuple(name for name in given if name in plugins.names)


def compile_write(
    name: str,
    route: spec.RouteSettings,
    table: Table,
    context: CompileContext,
    path: Path,
) -> WriteConfig:
    """Return how the items of a route are written; faults are added to the findings."""
    where, findings = (*path, "write"), context.findings
    mode = MODES[route.write.mode]
    write = _without_idle(route.write, mode, findings, where)
    _check_key(route, table, findings, path)
    _check_named(write, route.item, table, findings, where)
    once = (
        None
        if isinstance(write.once, UnsetType)
        else _compile_once(write, write.once, context, where)
    )
    _check_settings(write, mode, findings, where)
    version = "" if isinstance(write.version, UnsetType) else write.version
    named = (frozenset(write.add), frozenset(write.append), frozenset(write.keep_first))
    mapped = () if isinstance(route.item, UnsetType) else route.item
    declared = frozenset(mapped).union(
        (key for key, _ in table.key), {version} - {""}, *named
    )
    return WriteConfig(name, table, mode, version, *named, once, declared)


def _check_settings(
    write: spec.WriteSettings, mode: Mode, findings: Findings, path: Path
) -> None:
    repeated = next(
        (name for name in _SETTINGS if name in mode.repeats and _is_given(write, name)),
        None,
    )
    if repeated and isinstance(write.once, UnsetType):
        sentence = f"'{repeated}' is applied again each time a message is redelivered"
        advice = "name a table of idempotency keys with 'once:'"
        findings.add(
            REPEATED_EFFECT, sentence, (*path, repeated), key=True, suggestion=advice
        )
    for name in _SETTINGS:
        if name in mode.required and not _is_given(write, name):
            sentence, advice = (
                f"'mode: {mode.name}' needs a '{name}'",
                f"add '{name}: ATTRIBUTE'",
            )
            findings.add(MISSING_SETTING, sentence, (*path, "mode"), suggestion=advice)


def _is_given(write: spec.WriteSettings, setting: Setting) -> bool:
    return getattr(write, setting) not in (UNSET, ())


def _without_idle(
    write: spec.WriteSettings, mode: Mode, findings: Findings, path: Path
) -> spec.WriteSettings:
    """Return the write without the settings that its mode does not take, each of which
    is a finding.
    """
    idle: dict[str, Any] = {}
    for name in _SETTINGS:
        if name not in mode.settings and _is_given(write, name):
            idle[name] = () if isinstance(getattr(write, name), tuple) else UNSET
            sentence, advice = (
                f"'{name}' has no meaning for 'mode: {mode.name}'",
                "remove it, or choose another mode",
            )
            findings.add(
                IDLE_SETTING, sentence, (*path, name), key=True, suggestion=advice
            )
    write = structs.replace(write, **idle)
    if not isinstance(write.once_key, UnsetType) and isinstance(write.once, UnsetType):
        sentence = "'once_key' has no meaning without 'once'"
        findings.add(
            IDLE_SETTING,
            sentence,
            (*path, "once_key"),
            key=True,
            suggestion="add 'once'",
        )
    return write


def _check_key(
    route: spec.RouteSettings, table: Table, findings: Findings, path: Path
) -> None:
    if isinstance(route.item, UnsetType):
        return
    for name, kind in table.key:
        attribute = route.item.get(name)
        if attribute is None:
            sentence = f"'item' does not map the key attribute '{name}' of table '{route.table}'"
            findings.add(
                UNMAPPED_KEY,
                sentence,
                (*path, "item"),
                key=True,
                suggestion=f"add '{name}:'",
            )
            continue
        type_ = UNSET if isinstance(attribute, str) else attribute.type
        if type_ not in (UNSET, kind) and (type_, kind) != ("json", "S"):
            sentence = (
                f"key attribute '{name}' has type {type_}, the key of table "
                f"'{route.table}' is {kind}"
            )
            findings.add(
                KEY_TYPE,
                sentence,
                (*path, "item", name, "type"),
                suggestion=f"write 'type: {kind}'",
            )


def _check_named(
    write: spec.WriteSettings,
    item: Mapping[str, Any] | UnsetType,
    table: Table,
    findings: Findings,
    path: Path,
) -> None:
    """Check the attributes that `version`, `add`, `append` and `keep_first` name."""
    named: list[tuple[str, Path]] = (
        []
        if isinstance(write.version, UnsetType)
        else [(write.version, (*path, "version"))]
    )
    for setting in ("add", "append", "keep_first"):
        named += [
            (name, (*path, setting, index))
            for index, name in enumerate(getattr(write, setting))
        ]
    keys = {name for name, _ in table.key}
    seen: set[str] = set()
    for name, where in named:
        if name in keys:
            findings.add(
                UNMAPPED_SETTING,
                f"'{name}' is a key attribute",
                where,
                suggestion="name another attribute",
            )
        elif name in seen:
            findings.add(
                UNMAPPED_SETTING,
                f"'{name}' is named twice",
                where,
                suggestion="name it in one of them only",
            )
        elif not isinstance(item, UnsetType) and name not in item:
            hint = did_you_mean(name, item, f"add '{name}:' to 'item'")
            findings.add(
                UNMAPPED_SETTING,
                f"'item' does not map '{name}'",
                where,
                suggestion=hint,
            )
        seen.add(name)


def _compile_once(
    write: spec.WriteSettings, name: str, context: CompileContext, path: Path
) -> IdempotencyConfig | None:
    table, where = context.tables.get(name), (*path, "once")
    if table is None:
        hint = did_you_mean(
            name,
            context.tables,
            "add it under 'tables', with a key of one text attribute",
        )
        context.findings.add(
            MARKER_TABLE, f"unknown table '{name}'", where, suggestion=hint
        )
        return None
    if [kind for _, kind in table.key] != ["S"]:
        sentence = f"the key of table '{name}' is not one text attribute"
        advice = "use a table of its own, with 'key: {id: S}'"
        context.findings.add(MARKER_TABLE, sentence, where, suggestion=advice)
        return None
    key = None
    if not isinstance(write.once_key, UnsetType):
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

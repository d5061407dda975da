"""Compiles `item`, `for_each` and `merge` of a route to a callable from a message to
its items.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from router.codes import OUT_OF_BOUNDS, UNMAPPABLE, declare
from router.errors import ExpressionError, Rejection, TransformError
from router.model import Item, Message, Path, Table
from router.runtime.config import spec
from router.runtime.config.findings import Findings
from router.runtime.conversions import JSON_ENCODER
from router.runtime.engine.engine import MAX_ELEMENTS, Budget
from router.runtime.engine.writes import Mode
from router.runtime.modes import MODES
from router.runtime.program.attribute import (
    AttributeContext,
    Getter,
    Step,
    compile_attribute,
    compile_transforms,
)
from router.runtime.program.context import CompileContext
from router.runtime.sources import CompiledExpression, expressions_of, meta_of

IDLE_MERGE = declare(
    "RT435",
    "a `merge` without effect",
    "The entries of a map are added to the attributes of `item`. Without `item` the "
    "whole message is the item, and a "
    "mode that stores nothing has no use for attributes.",
)

MergeMap = Callable[[Any], Item]
"""From data to the attributes that are added; raises Rejection."""


def reserved_names(route: spec.RouteSettings, ttl: str) -> frozenset[str]:
    """Return the route's own names, which a merged map must not have.

    These are the attributes that `item` maps, and the time to live.
    """
    return frozenset(route.item or ()) | ({ttl} - {""})


def compile_merge(
    route: spec.RouteSettings, context: CompileContext, path: Path
) -> MergeMap | None:
    """Return what finds the attributes that a route merges.

    None if it merges none, or after a finding.
    """
    merge = route.merge
    if merge is None:
        return None
    where = (*path, "merge")
    if _is_idle(route, context.findings, where):
        return None
    select = context.expression(merge.from_, (*where, "from"))
    steps = compile_transforms(
        merge.transform,
        context.plugins,
        context.findings,
        (*where, "transform"),
    )
    if select is None or steps is None:
        return None
    find = _find(select, steps)
    reserved = reserved_names(route, context.ttl.get(route.table, ""))
    prefix = merge.prefix
    most = merge.max
    pointer = select.pointer

    def merged(data: Any) -> Item:
        found = find(data)
        if len(found) > most:
            raise Rejection(
                OUT_OF_BOUNDS,
                f"'merge' finds more than {most} entries",
                pointer,
            )
        item = {}
        for name, value in found.items():
            if value is not None:
                item[f"{prefix}{name}"] = value
        if not reserved.isdisjoint(item):
            # The name is one of the config: a reason may show it.
            name = min(reserved.intersection(item))
            raise Rejection(
                UNMAPPABLE,
                f"'merge' finds the attribute '{name}', which is the route's own",
                pointer,
            )
        return item

    return merged


def _is_idle(route: spec.RouteSettings, findings: Findings, where: Path) -> bool:
    """Whether the `merge` of a route has no effect, which is a finding."""
    if route.item is None:
        reason = "without 'item'"
    elif MODES[route.write.mode].stores == "nothing":
        reason = f"for 'mode: {route.write.mode}'"
    else:
        return False
    findings.add(
        IDLE_MERGE,
        f"'merge' has no effect {reason}",
        where,
        key=True,
        suggestion="remove it",
    )
    return True


def _find(select: CompiledExpression, steps: Sequence[Step]) -> Callable[[Any], dict[str, Any]]:
    """Return what finds the map of a message; a missing one is empty."""

    def find(data: Any) -> dict[str, Any]:
        try:
            found = select.evaluate(data)
            for step in steps:
                found = None if found is None else step(found)
        except ExpressionError:
            raise Rejection(UNMAPPABLE, "the expression of 'merge' fails on the message") from None
        except ValueError as error:
            # The text of the error holds no value.
            raise Rejection(UNMAPPABLE, f"'merge' {error}", select.pointer) from None
        if found is not None and type(found) is not dict:
            raise Rejection(UNMAPPABLE, "'merge' finds no object", select.pointer)
        return found or {}

    return find


MapItem = Callable[[Any, Message], Item]
MapItems = Callable[[Message, Budget], Iterable[Item]]


class CompiledMapping(Struct, frozen=True):
    """How a message is mapped to its items.

    `getters` are the attributes of its one item, if those are all of it.
    """

    items: MapItems
    getters: Sequence[Getter] = ()


def compile_mapping(
    name: str,
    route: spec.RouteSettings,
    table: Table,
    context: CompileContext,
    path: Path,
) -> CompiledMapping | None:
    """Return how a route maps a message to its items; None if the config has faults.

    The mapping raises Rejection for a message that it does not fit.
    """
    # Each part is compiled before the first fault ends it, so that all faults are found.
    item = route.item
    getters: list[Getter] | None = None
    if item is not None:
        mode = MODES[route.write.mode]
        getters = _compile_item(name, mode, item, table, context, path)
    merge = compile_merge(route, context, path)
    is_faulty = item is not None and getters is None
    if route.for_each is None:
        return None if is_faulty else _map_whole(getters, merge)
    select = context.expression(route.for_each, (*path, "for_each"))
    if select is None or is_faulty:
        return None
    if item is None:
        whole = _whole("element")
        return CompiledMapping(_for_each(select, _nothing, whole, whole_element=True))
    assert getters is not None  # else it is faulty
    fixed: list[Getter] = []
    varying: list[Getter] = []
    for getter in getters:
        uses = expressions_of(item[getter.name])
        # Such an attribute is the same for all elements of a message, and evaluated once.
        is_fixed = all(context.reads_only(use.text, "message") for use in uses)
        kind = fixed if is_fixed else varying
        kind.append(getter)
    map_varying = _with(merge, map_attributes(varying))
    items = _for_each(select, map_attributes(fixed), map_varying, whole_element=False)
    return CompiledMapping(items)


def _map_whole(getters: Sequence[Getter] | None, merge: MergeMap | None) -> CompiledMapping:
    """Return the mapping of a message to one item."""
    map_item = _with(merge, _whole("message") if getters is None else map_attributes(getters))

    def items(message: Message, budget: Budget) -> list[Item]:
        return [map_item(message.data, message)]

    return CompiledMapping(items, getters if getters and merge is None else ())


def _nothing(data: Any, message: Message) -> Item:
    return {}


def _with(merge: MergeMap | None, map_item: MapItem) -> MapItem:
    if merge is None:
        return map_item
    return lambda data, message: map_item(data, message) | merge(data)


def _compile_item(
    route: str,
    mode: Mode,
    attributes: Mapping[str, spec.Attribute],
    table: Table,
    context: CompileContext,
    path: Path,
) -> list[Getter] | None:
    keys = {name for name, _ in table.key}
    getters: list[Getter] = []
    for name, given in attributes.items():
        is_key = name in keys
        key = (name, mode.name, is_key, JSON_ENCODER.encode(given))
        getter: Getter | None = context.getters.get(key)
        if getter is None:
            around = AttributeContext(
                name=name,
                path=(*path, "item", name),
                route=route,
                mode=mode,
                is_key=is_key,
                type=given.type or "",
                config=context,
            )
            getter = compile_attribute(around, given)
            # Routes differ in their names.
            if getter is not None and "route" not in meta_of(given):
                context.getters[key] = getter
        if getter is not None:
            getters.append(getter)
    # The others have faults.
    return getters if len(getters) == len(attributes) else None


def map_attributes(getters: Sequence[Getter]) -> MapItem:
    """Return the mapping of a message to its attributes."""
    # On the hot path: attributes are unpacked once, and one `try` serves all of them.
    # A part of the message, as most attributes are, is read without a call.
    parts = []
    for getter in getters:
        field, *inner = getter.path or ("",)
        parts.append((getter.name, field, inner, getter.get))
    absent = {getter.name: getter.absent for getter in getters}
    fail = failure_of(getters)

    def map_item(data: Any, message: Message) -> Item:
        item = {}
        name = ""
        try:
            take = data.get if isinstance(data, dict) else take_nothing
            for name, field, inner, get in parts:
                value = take(field) if field else get(data, message)
                if inner:
                    value = follow(value, inner)
                if value is None:
                    value = absent[name](data)
                    if value is UNSET:
                        continue
                item[name] = value
        except Exception as error:
            raise fail(name, error) from error.__cause__
        return item

    return map_item


def follow(value: Any, names: Sequence[str]) -> Any:
    """Return the field at the end of a path; None if a value on the way is no object."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def take_nothing(field: str) -> None:
    """Return None: the field of data that is no object."""


def failure_of(getters: Sequence[Getter]) -> Callable[[str, Exception], Exception]:
    """Return what makes the exception for a message of that of an attribute's source.

    The function takes the name of the attribute and the exception.
    """
    pointers = {getter.name: getter.pointer for getter in getters}

    def fail(name: str, error: Exception) -> Exception:
        match error:
            case ExpressionError():
                return Rejection(
                    UNMAPPABLE,
                    f"the expression of attribute '{name}' fails on the message",
                    pointers[name],
                )
            case ValueError():
                # The reasons of sources and conversions hold no value.
                reason = f"attribute '{name}' {error}"
                return Rejection(UNMAPPABLE, reason, pointers[name])
            case TransformError():
                return TransformError(error.plugin, error.original, name)
        return error

    return fail


def _whole(what: str) -> MapItem:
    reason = f"the {what} is no JSON object, and the route has no 'item' to map it"

    def map_item(data: Any, message: Message) -> Item:
        if type(data) is not dict:
            raise Rejection(UNMAPPABLE, reason)
        # A copy, because an item hook may change it while other routes read the
        # message.
        return dict(data)

    return map_item


def _for_each(
    select: CompiledExpression,
    map_fixed: MapItem,
    map_varying: MapItem,
    *,
    whole_element: bool,
) -> MapItems:
    """Return what maps each element of a list.

    Attributes by `map_fixed` are those of the first element, the others are mapped for
    each. The data of both are the element if it is the `whole_element`, or else a map
    of the element and the message.
    """

    def map_element(map_item: MapItem, index: int, element: Any, message: Message) -> Item:
        data = element
        if not whole_element:
            data = {"element": element, "message": message.data}
        try:
            return map_item(data, message)
        except Rejection as rejection:
            pointer = select.pointer and f"{select.pointer}/{index}"
            raise Rejection(
                rejection.code,
                rejection.reason,
                _in_message(rejection.pointer, pointer),
            ) from None

    def map_items(message: Message, budget: Budget) -> Iterator[Item]:
        budget.start()
        try:
            elements = select.evaluate(message.data)
        except ExpressionError:
            raise Rejection(
                UNMAPPABLE, "the expression of 'for_each' fails on the message"
            ) from None
        if type(elements) is not list:
            raise Rejection(UNMAPPABLE, "'for_each' finds no list", select.pointer)
        if len(elements) > MAX_ELEMENTS:
            raise Rejection(
                OUT_OF_BOUNDS,
                f"'for_each' finds more than {MAX_ELEMENTS} elements",
                select.pointer,
            )
        fixed: Item = {}
        for index, element in enumerate(elements):
            budget.check()
            if index == 0:
                fixed = map_element(map_fixed, index, element, message)
            yield fixed | map_element(map_varying, index, element, message)

    return map_items


def _in_message(pointer: str, element: str) -> str:
    """Return the pointer into the message of one into what expressions see.

    They see a map of the `element`, whose pointer is given, and the `message`. The
    pointer is empty if it is not known.
    """
    _, root, *rest = (pointer or "/element").split("/")
    if root == "message":
        return "".join(f"/{name}" for name in rest)
    if root == "element" and element:
        return "/".join([element, *rest])
    return ""

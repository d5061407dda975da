"""Compiles `item`, `for_each` and `merge` of a route to a callable from a message to
its items.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType, structs

from router.codes import OUT_OF_BOUNDS, UNMAPPABLE, declare
from router.errors import ExpressionError, Rejection, TransformError
from router.model import Item, Message, Path, Table
from router.runtime.config import spec
from router.runtime.engine.engine import MAX_ELEMENTS, Budget
from router.runtime.engine.writes import Mode
from router.runtime.modes import MODES
from router.runtime.program.attribute import (
    Getter,
    Site,
    Step,
    compile_attribute,
    compile_transforms,
)
from router.runtime.program.context import CompileContext
from router.runtime.program.generated import Fail, take_nothing
from router.runtime.sources import CompiledExpression, expressions_of, meta_of

IDLE_MERGE = declare(
    "RT435",
    "a `merge` without effect",
    "The entries of a map are added to the attributes of `item`. Without `item` the "
    "whole message is the item, and a "
    "mode that stores nothing has no use for attributes.",
)

_ENCODER = msgspec.json.Encoder(decimal_format="number")
MergeMap = Callable[[Any], Item]
"""From data to the attributes that are added; raises Rejection."""


def merge_of(route: spec.RouteSettings) -> spec.MergeSettings | None:
    """Return the `merge` of a route in its long form."""
    if isinstance(route.merge, UnsetType):
        return None
    return (
        spec.MergeSettings(from_=route.merge)
        if isinstance(route.merge, str)
        else route.merge
    )


def reserved_names(route: spec.RouteSettings, ttl: str) -> frozenset[str]:
    """Return the route's own names, which a map must not have: those that `item` maps,
    and the time to live.
    """
    mapped = () if isinstance(route.item, UnsetType) else route.item
    return frozenset(mapped) | ({ttl} - {""})


def compile_merge(
    route: spec.RouteSettings, context: CompileContext, path: Path
) -> MergeMap | None:
    """Return what finds the attributes that a route merges.

    None if it has none, or after a finding.
    """
    merge = merge_of(route)
    if merge is None:
        return None
    where = (*path, "merge")
    if isinstance(route.item, UnsetType) or MODES[route.write.mode].stores == "nothing":
        reason = (
            "without 'item'"
            if isinstance(route.item, UnsetType)
            else f"for 'mode: {route.write.mode}'"
        )
        context.findings.add(
            IDLE_MERGE,
            f"'merge' has no effect {reason}",
            where,
            key=True,
            suggestion="remove it",
        )
        return None
    short = isinstance(route.merge, str)
    select = context.expression(merge.from_, where if short else (*where, "from"))
    transforms = context.plugins.transforms
    steps = compile_transforms(
        merge.transform, transforms, context.findings, (*where, "transform")
    )
    if select is None or steps is None:
        return None
    find = _find(select, steps)
    reserved = reserved_names(route, context.ttl.get(route.table, ""))
    prefix, most, pointer = merge.prefix, merge.max, select.pointer

    def merged(data: Any) -> Item:
        found = find(data)
        if len(found) > most:
            raise Rejection(
                OUT_OF_BOUNDS, f"'merge' finds more than {most} entries", pointer
            )
        item = {
            f"{prefix}{name}": value
            for name, value in found.items()
            if value is not None
        }
        if not reserved.isdisjoint(item):
            name = min(
                reserved.intersection(item)
            )  # a name of the config, which a reason may show
            raise Rejection(
                UNMAPPABLE,
                f"'merge' finds the attribute '{name}', which is the route's own",
                pointer,
            )
        return item

    return merged


def _find(
    select: CompiledExpression, steps: Sequence[Step]
) -> Callable[[Any], dict[str, Any]]:
    """Return what finds the map of a message; a missing one is empty."""

    def find(data: Any) -> dict[str, Any]:
        try:
            found = select.evaluate(data)
            for step in steps:
                found = None if found is None else step(found)
        except ExpressionError:
            raise Rejection(
                UNMAPPABLE, "the expression of 'merge' fails on the message"
            ) from None
        except ValueError as error:  # its text holds no value
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
    """Return how a route maps a message to its items, which raises Rejection.

    None if the config has faults.
    """
    single = isinstance(route.for_each, UnsetType)
    getters: list[Getter] | None = None
    if isinstance(route.item, UnsetType):
        map_item: MapItem | None = _whole("message" if single else "element")
    else:
        getters = _compile_item(
            name, MODES[route.write.mode], route.item, table, context, path
        )
        map_item = None if getters is None else _mapped(getters)
    merge = compile_merge(route, context, path)
    if isinstance(route.for_each, UnsetType):
        if map_item is None:
            return None
        map_all = map_item if merge is None else _with(merge, map_item)
        single_item = getters if getters and merge is None else ()
        return CompiledMapping(
            lambda message, budget: [map_all(message.data, message)], single_item
        )
    select = context.expression(route.for_each, (*path, "for_each"))
    if map_item is None or select is None:
        return None
    if isinstance(route.item, UnsetType):
        return CompiledMapping(
            _for_each(select, lambda data, message: {}, map_item, whole_element=True)
        )
    # What does not depend on the element is evaluated once for each message.
    fixed = {
        name for name, attribute in route.item.items() if _is_fixed(attribute, context)
    }
    assert getters is not None  # else there is no `map_item`
    map_fixed, map_varying = (
        _mapped([each for each in getters if (each.name in fixed) is is_])
        for is_ in (True, False)
    )
    map_each = map_varying if merge is None else _with(merge, map_varying)
    return CompiledMapping(_for_each(select, map_fixed, map_each, whole_element=False))


def _with(merge: MergeMap, map_item: MapItem) -> MapItem:
    return lambda data, message: map_item(data, message) | merge(data)


def _is_fixed(attribute: str | spec.Attribute, context: CompileContext) -> bool:
    """Whether an attribute of `for_each` has the same value for all elements of a
    message.
    """
    given = spec.short_form(attribute) if isinstance(attribute, str) else attribute
    return all(context.reads_only(use.text, "message") for use in expressions_of(given))


def _compile_item(
    route: str,
    mode: Mode,
    attributes: Mapping[str, str | spec.Attribute],
    table: Table,
    context: CompileContext,
    path: Path,
) -> list[Getter] | None:
    keys = {name for name, _ in table.key}
    getters = []
    for name, each in attributes.items():
        content = each if isinstance(each, str) else _ENCODER.encode(each)
        key = (name, mode.name, name in keys, content)
        getter: Getter | None = context.getters.get(key)
        if getter is None:
            where = (*path, "item", name)
            site = Site(
                name,
                where,
                route,
                mode,
                name in keys,
                isinstance(each, str),
                "",
                context,
            )
            getter = _getter(site, each, key)
        getters.append(getter)
    compiled = [getter for getter in getters if getter is not None]
    return compiled if len(compiled) == len(getters) else None


def _getter(
    site: Site, attribute: str | spec.Attribute, key: Hashable
) -> Getter | None:
    """Return the getter of an attribute, None after faults.

    It is kept by a key for equal ones of other routes.
    """
    given = spec.short_form(attribute) if isinstance(attribute, str) else attribute
    getter = compile_attribute(structs.replace(site, type=given.type or ""), given)
    if getter is not None and not meta_of(
        given
    ):  # one of metadata may be the name of the route
        site.context.getters[key] = getter
    return getter


def _mapped(getters: list[Getter]) -> MapItem:
    # On the hot path: attributes are unpacked once, and one `try` serves all of them.
    # A top-level field of the message, as most attributes are, is read without a call.
    parts = [
        (getter.name, getter.path[0] if len(getter.path) == 1 else "", getter.get)
        for getter in getters
    ]
    absent = {getter.name: getter.absent for getter in getters}
    fail = failure_of(getters)

    def map_item(data: Any, message: Message) -> Item:
        item = {}
        name = ""
        try:
            take = data.get if isinstance(data, dict) else take_nothing
            for name, field, get in parts:
                value = take(field) if field else get(data, message)
                if value is None:
                    value = absent[name](data)
                    if value is UNSET:
                        continue
                item[name] = value
        except Exception as error:
            raise fail(name, error) from error.__cause__
        return item

    return map_item


def failure_of(getters: Sequence[Getter]) -> Fail:
    """Return the function from the name of an attribute and what its source raised to
    the exception for the message.
    """
    pointers = {getter.name: getter.pointer for getter in getters}

    def fail(name: str, error: Exception) -> Exception:
        match error:
            case ExpressionError():
                reason = f"the expression of attribute '{name}' fails on the message"
                return Rejection(UNMAPPABLE, reason, pointers[name])
            case ValueError():
                # The reasons of sources and conversions hold no value.
                return Rejection(
                    UNMAPPABLE, f"attribute '{name}' {error}", pointers[name]
                )
            case TransformError():
                return TransformError(error.plugin, error.original, name)
        return error

    return fail


def _whole(what: str) -> MapItem:
    def map_item(data: Any, message: Message) -> Item:
        if type(data) is not dict:
            raise Rejection(
                UNMAPPABLE,
                f"the {what} is no JSON object, and the route has no 'item' to map it",
            )
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
    """Map each element: attributes by `map_fixed` are those of the first element,
    others are mapped for each.
    """

    def map_element(
        map_item: MapItem, index: int, element: Any, message: Message
    ) -> Item:
        data = (
            element if whole_element else {"element": element, "message": message.data}
        )
        try:
            return map_item(data, message)
        except Rejection as rejection:
            where = _in_message(
                rejection.pointer, select.pointer and f"{select.pointer}/{index}"
            )
            raise Rejection(rejection.code, rejection.reason, where) from None

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
    """Return the pointer into the message of one into `element` and `message`, which
    expressions see.
    """
    _, root, *rest = (pointer or "/element").split("/")
    if root == "message":
        return "".join(f"/{name}" for name in rest)
    return "/".join([element, *rest]) if element and root == "element" else ""

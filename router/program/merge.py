"""Compiles `merge` of a route: the entries of a map of the message become attributes of the item."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UnsetType

from router.codes import OUT_OF_BOUNDS, UNMAPPABLE, declare
from router.config import spec
from router.errors import ExpressionError, Rejection
from router.model import Item, Path
from router.modes import MODES
from router.program.attribute import Step, compile_transforms
from router.program.context import CompileContext
from router.sources import CompiledExpression

IDLE_MERGE = declare(
    "RT435",
    "a `merge` without effect",
    "The entries of a map are added to the attributes of `item`. Without `item` the whole message is the item, and a "
    "mode that stores nothing has no use for attributes.",
)

MergeMap = Callable[[Any], Item]
"""From data to the attributes that are added; raises Rejection."""


def merge_of(route: spec.RouteSettings) -> spec.MergeSettings | None:
    """Return the `merge` of a route in its long form."""
    if isinstance(route.merge, UnsetType):
        return None
    return spec.MergeSettings(from_=route.merge) if isinstance(route.merge, str) else route.merge


def reserved_names(route: spec.RouteSettings, ttl: str) -> frozenset[str]:
    """Return the route's own names, which a map must not have: those that `item` maps, and the time to live."""
    mapped = () if isinstance(route.item, UnsetType) else route.item
    return frozenset(mapped) | ({ttl} - {""})


def compile_merge(route: spec.RouteSettings, context: CompileContext, path: Path) -> MergeMap | None:
    """Return what finds the attributes that a route merges; None if it has none, or after a finding."""
    merge = merge_of(route)
    if merge is None:
        return None
    where = (*path, "merge")
    if isinstance(route.item, UnsetType) or MODES[route.write.mode].stores == "nothing":
        reason = "without 'item'" if isinstance(route.item, UnsetType) else f"for 'mode: {route.write.mode}'"
        context.findings.add(IDLE_MERGE, f"'merge' has no effect {reason}", where, key=True, suggestion="remove it")
        return None
    short = isinstance(route.merge, str)
    select = context.expression(merge.from_, where if short else (*where, "from"))
    transforms = context.plugins.transforms
    steps = compile_transforms(merge.transform, transforms, context.findings, (*where, "transform"))
    if select is None or steps is None:
        return None
    find = _find(select, steps)
    reserved = reserved_names(route, context.ttl.get(route.table, ""))
    prefix, most, pointer = merge.prefix, merge.max, select.pointer

    def merged(data: Any) -> Item:
        found = find(data)
        if len(found) > most:
            raise Rejection(OUT_OF_BOUNDS, f"'merge' finds more than {most} entries", pointer)
        item = {f"{prefix}{name}": value for name, value in found.items() if value is not None}
        if not reserved.isdisjoint(item):
            name = min(reserved.intersection(item))  # a name of the config, which a reason may show
            raise Rejection(UNMAPPABLE, f"'merge' finds the attribute '{name}', which is the route's own", pointer)
        return item

    return merged


def _find(select: CompiledExpression, steps: Sequence[Step]) -> Callable[[Any], dict[str, Any]]:
    """Return what finds the map of a message; a missing one is empty."""

    def find(data: Any) -> dict[str, Any]:
        try:
            found = select.evaluate(data)
            for step in steps:
                found = None if found is None else step(found)
        except ExpressionError:
            raise Rejection(UNMAPPABLE, "the expression of 'merge' fails on the message") from None
        except ValueError as error:  # its text holds no value
            raise Rejection(UNMAPPABLE, f"'merge' {error}", select.pointer) from None
        if found is not None and type(found) is not dict:
            raise Rejection(UNMAPPABLE, "'merge' finds no object", select.pointer)
        return found or {}

    return find

"""Whether the mapping of a route can refuse a message that the mapping of its other version took."""

from collections.abc import Iterator, Mapping

from msgspec import UNSET, UnsetType, structs

from router.change.routes import RouteVersion, exact
from router.check.analysis.attributes import InferredAttribute, infer
from router.check.analysis.inference import ALL_TYPES, NO, Value
from router.check.analysis.routes import AnalyzedRoute
from router.config import spec
from router.program.expressions.compile import is_plain_path
from router.sources import Computed, Constant, Evaluated, Joined, expressions_of

_SCALARS = ("string", "number", "boolean")
_CONVERTED: Mapping[str, tuple[str, ...]] = {
    "S": ("string", "number"),
    "N": ("number",),
    "BOOL": ("boolean",),
    "M": ("object",),
    "L": ("array",),
    "json": ("string", "number", "boolean", "array", "object"),
}
"""The types of values that a `type` converts whatever they are."""
_KEY_TYPES = {"S": ("string",), "N": ("number",), "B": ("binary",)}


def may_refuse(part: str, first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    """Yield why a stage of the mapping of `second`, which is not that of `first`, may refuse a message."""
    if part in ("merge", "item", "table") and not isinstance(second.settings.merge, UnsetType):
        yield "'merge' may find another name of the route's own attributes"
    match part:
        case "plugins":
            yield "plugins changed"
        case "names" if second.parts["plugins"] != exact([[], {}, [], []]):
            yield "plugins get other names"
        case "for_each":
            yield "'for_each' changed"
        case "item":
            yield from _attributes(first, second)
        case "table" if first.compiled.write.table.key != second.compiled.write.table.key:
            yield "the table has another key"
        case "write":
            write = second.compiled.write
            if write.version or not write.mode.accepts_any_item:
                yield "items are written in another way"
        case "settings" if second.queue.atomic and not first.queue.atomic:
            yield "all writes of a message are now one transaction"
        case "merge" | "names" | "table" | "settings":
            pass
        case _:
            yield f"'{part}' changed"


def _attributes(first: RouteVersion, second: RouteVersion) -> Iterator[str]:
    old, new = first.attributes, second.attributes
    if new is None or old is None:
        yield "the mapping changed as a whole"
        return
    keys = dict(second.compiled.write.table.key)
    if not second.analyzed.final:
        yield "plugins get other items"
    for name in new:
        decides = name in keys or name == second.compiled.write.version
        if name in old and (_refuses_as(old[name], new[name], decides)):
            continue
        why = _why(second.analyzed, new[name], keys.get(name, ""))
        if why or name == second.compiled.write.version:
            yield f"attribute '{name}' {why or 'is the version'}"


def _refuses_as(old: spec.Attribute, new: spec.Attribute, decides: bool) -> bool:
    """Return whether two attributes refuse the same messages: they differ in their defaults at most.

    `decides` tells that not every value is accepted, not even as a default: of a key, and of a version.
    """
    defaults = (old.default, new.default)
    if decides:
        return exact(old) == exact(new)
    same = exact(structs.replace(old, default=None)) == exact(structs.replace(new, default=None))
    return same and (defaults[1] is not UNSET or defaults[0] is UNSET)


def _why(route: AnalyzedRoute, attribute: spec.Attribute, key: str) -> str:
    """Return why an attribute may refuse a message; "" if that is disproved, but for DynamoDB's limits of items."""
    inferred = infer(route, attribute)
    value = inferred.value
    required = isinstance(inferred.source, Computed) and inferred.source.required
    if (key or required or "error" in (attribute.missing, attribute.null)) and value.missing is not NO:
        return "may be missing"
    if attribute.transform:
        return "has a transform"
    if not all(is_plain_path(use.text) for use in expressions_of(attribute)):
        return "has an expression that may fail"
    if not _source_is_safe(route, inferred):
        return "may have a value that cannot be joined"
    kinds = None if attribute.type is UNSET else _CONVERTED.get(str(attribute.type), ())
    if kinds is not None and not isinstance(inferred.source, Constant) and not _only(inferred.raw, kinds):
        return f"may not convert to type {attribute.type}"
    if key and (value.empty is not NO or (value.longest is None and key == "S") or not _only(value, _KEY_TYPES[key])):
        return "may be no valid key"
    return ""


def _source_is_safe(route: AnalyzedRoute, inferred: InferredAttribute) -> bool:
    match inferred.source:
        case Constant() | Evaluated():
            return True
        case Joined(_, expressions):
            parts = [infer(route, spec.short_form(text)).value for text in expressions]
            return all(_only(part, _SCALARS) for part in parts)
        case Computed(expressions=expressions):
            return not expressions
        case _:
            return False


def _only(value: Value, kinds: tuple[str, ...]) -> bool:
    """Return whether it is proved that a value has one of the types, if there is one."""
    return value.can_be([kind for kind in ALL_TYPES if kind not in kinds]) is NO

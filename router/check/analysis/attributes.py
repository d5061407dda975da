"""Infers the values of mapped attributes: of their sources, through transforms, type and default."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import UNSET, Struct, UnsetType, structs

from router.check.analysis.expressions import tree_of
from router.check.analysis.inference import (
    NO,
    UNKNOWN,
    YES,
    Value,
    any_of,
    of_constant,
    of_template,
    of_tree,
    of_type,
    text_length,
    with_default,
)
from router.check.analysis.routes import AnalyzedRoute
from router.config import spec
from router.model import Transform
from router.sources import Computed, Constant, Evaluated, Joined, Values, values_of
from router.transforms import TRANSFORMS

_CONVERSIONS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "S": (("string", "number"), "string"),
    "N": (("number", "string"), "number"),
    "B": (("binary", "string"), "binary"),
    "BOOL": (("boolean",), "boolean"),
    "SS": (("array", "set"), "set"),
    "NS": (("array", "set"), "set"),
    "BS": (("array", "set"), "set"),
    "M": (("object",), "object"),
    "L": (("array",), "array"),
    "json": (("string", "number", "boolean", "array", "object"), "string"),
}
"""The types of values that each `type` converts, and the type that it converts them to."""


class Step(Struct, frozen=True):
    """A transform of an attribute: its path in the attribute, the types that it takes (None: any), and its input."""

    name: str
    part: tuple[str | int, ...]
    takes: tuple[str, ...] | None
    before: Value


class InferredAttribute(Struct, frozen=True):
    """The stages of an attribute: its transforms, their result (`raw`), and the value that is stored.

    `accepts` are the types that `type` converts, None without a `type`. `source` is what its source is known to return,
    None for an attribute that is not mapped.
    """

    steps: tuple[Step, ...]
    raw: Value
    accepts: tuple[str, ...] | None
    value: Value
    source: Values | None = None


def infer(route: AnalyzedRoute, attribute: spec.Attribute) -> InferredAttribute:
    """Infer an attribute of a route."""
    values = values_of(attribute, route.fifo)
    raw = _source(route, values)
    steps = []
    for name, part, argument in transforms_of(attribute.transform):
        function = route.transforms.get(name)
        steps.append(Step(name, part, _taken(function) if function else None, raw))
        raw = _transformed(function, raw, argument) if function else Value()
    stored = raw if isinstance(attribute.type, UnsetType) else _converted(raw, attribute.type)
    if attribute.default is not UNSET and not (isinstance(values, Computed) and values.required):
        stored = with_default(stored, attribute.default)
        if not isinstance(attribute.type, UnsetType):
            stored = structs.replace(_converted(stored, attribute.type), missing=stored.missing, lacking=None)
    accepts = None if isinstance(attribute.type, UnsetType) else _CONVERSIONS[attribute.type][0]
    return InferredAttribute(tuple(steps), raw, accepts, stored, values)


def _source(route: AnalyzedRoute, values: Values) -> Value:
    match values:
        case Evaluated(text):
            return _of_text(route, text)
        case Constant(value):
            return of_constant(value)
        case Joined(literals, expressions):
            return of_template(literals, [_of_text(route, text) for text in expressions])
        case _:
            return _computed(route, values)


def _computed(route: AnalyzedRoute, values: Computed) -> Value:
    if not values.type:
        return Value()
    parts = [_of_text(route, text) for text in values.expressions]
    own = UNKNOWN if values.missing is None else YES if values.missing else NO
    lacking = next((part.lacking for part in parts if part.missing is YES), None)
    missing = any_of([own, *(part.missing for part in parts)])
    return structs.replace(of_type(values.type, missing=missing, longest=values.longest), lacking=lacking)


def _of_text(route: AnalyzedRoute, text: str) -> Value:
    return of_tree(route.mapped, route.scope, tree_of(text))


def transforms_of(
    entries: str | dict[str, Any] | tuple[str | dict[str, Any], ...],
) -> list[tuple[str, tuple[str | int, ...], Any]]:
    """Return the transforms of an attribute: the name, path in the attribute and argument of each."""
    if isinstance(entries, str):
        return [(entries, ("transform",), None)]
    if isinstance(entries, dict):
        return [(name, ("transform",), argument) for name, argument in entries.items()]
    found: list[tuple[str, tuple[str | int, ...], Any]] = []
    for index, entry in enumerate(entries):
        for name, argument in [(entry, None)] if isinstance(entry, str) else entry.items():
            found.append((name, ("transform", index), argument))
    return found


def _converted(raw: Value, kind: str) -> Value:
    """Infer the result of `type`, if the conversion does not fail."""
    types = {_CONVERSIONS[kind][1]: YES}
    if "set" in types:  # an empty set counts as missing
        return Value(UNKNOWN if raw.missing is NO else raw.missing, types, NO, None, None, raw.lacking)
    if kind == "json":
        return Value(raw.missing, types, NO, None, None, raw.lacking)
    longest, empty = (text_length(raw), raw.empty) if kind == "S" else (None, NO)
    return structs.replace(raw, types=types, empty=empty, longest=longest)


_TYPE_NAMES: Mapping[Any, str] = {
    str: "string",
    bytes: "binary",
    bool: "boolean",
    int: "number",
    Decimal: "number",
    list: "array",
    dict: "object",
}
_CASE_GROWTH = 3
"""The most characters that one becomes in another case: `ΐ` is three in upper case."""


def _taken(transform: Transform) -> tuple[str, ...] | None:
    """Return the types that a built-in transform takes; None if it takes any, or is a plugin's."""
    hints = _hints(transform)
    return None if hints is None else _types(next(hint for name, hint in hints.items() if name != "return"))


def _transformed(transform: Transform, before: Value, argument: Any) -> Value:
    """Infer the result of a transform, if it does not fail."""
    hints = _hints(transform)
    refine = None if hints is None else _REFINED.get(transform.__name__)
    if refine is not None:
        return structs.replace(refine(before, argument), missing=before.missing, lacking=before.lacking)
    types = None if hints is None else _types(hints["return"])
    if types is None:  # anything, or nothing
        return Value()
    value = of_type(*types, missing=before.missing, empty=UNKNOWN)
    return structs.replace(value, lacking=before.lacking)


def _hints(transform: Transform) -> Mapping[str, Any] | None:
    """Return the annotations of a built-in transform; None for another."""
    name = getattr(transform, "__name__", "")
    return _hints_of(name) if TRANSFORMS.get(name) is transform else None


@lru_cache
def _hints_of(name: str) -> Mapping[str, Any]:
    return get_type_hints(TRANSFORMS[name])


def _types(hint: Any) -> tuple[str, ...] | None:
    if hint is Any:
        return None
    options = [hint] if get_origin(hint) in (list, dict) or not get_args(hint) else get_args(hint)
    return tuple(dict.fromkeys(_TYPE_NAMES[get_origin(option) or option] for option in options))


def _same_list(before: Value, argument: Any) -> Value:
    """Infer a list of the same elements."""
    return structs.replace(before, types={"array": YES})


def _trimmed(before: Value, argument: Any) -> Value:
    return Value(types={"string": YES}, empty=UNKNOWN if before.empty is NO else before.empty, longest=before.longest)


def _url_decoded(before: Value, argument: Any) -> Value:
    return Value(types={"string": YES}, empty=before.empty, longest=before.longest)


def _in_other_case(before: Value, argument: Any) -> Value:
    longest = None if before.longest is None else before.longest * _CASE_GROWTH
    return Value(types={"string": YES}, empty=before.empty, longest=longest)


def _truncated(before: Value, argument: Any) -> Value:
    if isinstance(argument, bool) or not isinstance(argument, int):
        return _trimmed(before, argument)
    longest = argument if before.longest is None else min(before.longest, argument)
    empty = before.empty if argument > 0 else YES
    return Value(types={"string": YES}, empty=empty, longest=longest)


def _as_text(before: Value, argument: Any) -> Value:
    binary = before.can_be(["binary"])
    empty = any_of([before.empty, NO if binary is NO else UNKNOWN])
    return Value(types={"string": YES}, empty=empty, longest=text_length(before))


_REFINED: Mapping[str, Callable[[Value, Any], Value]] = {
    "strip": _trimmed,
    "lower": _in_other_case,
    "upper": _in_other_case,
    "truncate": _truncated,
    "url_decode": _url_decoded,
    "to_text": _as_text,
    "sha256": lambda before, argument: of_type("string", longest=64),
    "to_iso": lambda before, argument: of_type("string", longest=24),
    "unique": _same_list,
    "sort": _same_list,
}
"""Transforms of which more can be inferred than the type of the result."""

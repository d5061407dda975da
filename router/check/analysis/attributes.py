"""Infers the values of mapped attributes: of their sources, through transforms, type and default."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from router.check.analysis.expressions import tree_of
from router.check.analysis.inference import (
    NO,
    UNKNOWN,
    YES,
    Value,
    any_of,
    of_constant,
    of_tree,
    of_type,
    text_length,
    weak,
)
from router.check.analysis.routes import AnalyzedRoute
from router.check.analysis.transforms import hints_of, of_transform, types_taken
from router.config import spec
from router.model import TextFormat, Transform
from router.sources import Computed, Constant, Evaluated, Joined, Values, values_of
from router.transforms import TEXT_FORMATS

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
    "json": (("string", "number", "boolean", "array", "object", "binary", "set"), "string"),
}
"""The types of values that each `type` converts, and the type that it converts them to."""


class Step(Struct, frozen=True):
    """A transform of an attribute: its path in the attribute, the types that it takes (None: any), and its input.

    `form` are the texts that it takes, None for all.
    """

    name: str
    part: tuple[str | int, ...]
    takes: tuple[str, ...] | None
    before: Value
    form: TextFormat | None = None


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
    """Infer an attribute of a route, once for all rules."""
    return route.facts(attribute).once("inferred", lambda: _infer(route, attribute))


def _infer(route: AnalyzedRoute, attribute: spec.Attribute) -> InferredAttribute:
    values = values_of(attribute, route.fifo)
    raw = _source(route, values)
    steps = []
    for name, part, argument in transforms_of(attribute.transform):
        function = route.transforms.get(name)
        steps.append(_step(name, part, function, raw))
        raw = of_transform(route, function, raw, argument) if function else Value()
    stored = raw if isinstance(attribute.type, UnsetType) else _converted(raw, attribute.type)
    if attribute.default is not UNSET and not (isinstance(values, Computed) and values.required):
        stored = _with_default(stored, attribute.default)
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
            return _of_template(literals, [_of_text(route, text) for text in expressions])
        case _:
            return _computed(route, values)


def _computed(route: AnalyzedRoute, values: Computed) -> Value:
    parts = [_of_text(route, text) for text in values.expressions]
    own = UNKNOWN if values.missing is None else YES if values.missing else NO
    lacking = next((part.lacking for part in parts if part.missing is YES), None)
    missing = any_of([own, *(part.missing for part in parts)])
    value = of_type(values.type, longest=values.longest) if values.type else Value()
    return structs.replace(value, missing=missing, lacking=lacking, gap=values.gap)


def _of_text(route: AnalyzedRoute, text: str) -> Value:
    return of_tree(route.mapped, route.scope, tree_of(text))


def transforms_of(
    entries: str | dict[str, Any] | tuple[str | dict[str, Any], ...],
) -> list[tuple[str, tuple[str | int, ...], Any]]:
    """Return the transforms of an attribute: the name, path in the attribute and argument of each."""
    if not entries:  # as of most
        return []
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
    longest, empty = (text_length(raw) if kind == "S" else None), (raw.empty if kind in ("S", "B") else NO)
    return structs.replace(raw, types=types, empty=empty, longest=longest)


def _with_default(value: Value, default: Any) -> Value:
    """Infer a value with a default for when it is missing."""
    other = of_constant(default)
    if other.missing is YES or value.missing is NO:
        return value
    types = {**value.types, **{kind: value.missing for kind in other.types if value.types.get(kind) is not YES}}
    longest = None if value.longest is None or other.longest is None else max(value.longest, other.longest)
    if value.can_be(["string"]) is NO:
        longest = other.longest
    empty = any_of([value.empty, YES if other.empty is YES and value.missing is YES else weak(other.empty)])
    return structs.replace(value, missing=NO, types=types, empty=empty, longest=longest)


def _of_template(literals: Sequence[str], parts: Sequence[Value]) -> Value:
    """Infer the text of a template from its literal texts and the values of its expressions."""
    lengths = [*map(len, literals), *map(text_length, parts)]
    longest = None if None in lengths else sum(length for length in lengths if length is not None)
    empties = [part.empty for part in parts]
    empty = UNKNOWN
    if any(literals) or NO in empties:
        empty = NO
    elif len(parts) == 1:
        empty = empties[0]
    lacking = next((part.lacking for part in parts if part.missing is YES), None)
    return Value(any_of(part.missing for part in parts), {"string": YES}, empty, longest, None, lacking)


def _step(name: str, part: tuple[str | int, ...], function: Transform | None, before: Value) -> Step:
    if function is None or hints_of(function) is None:
        return Step(name, part, None, before)
    return Step(name, part, types_taken(function), before, TEXT_FORMATS.get(name))

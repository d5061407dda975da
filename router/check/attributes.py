"""What the values of mapped attributes can be, from their source through transforms and default to their type."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from router.check.expressions import tree_of
from router.check.flows import Flow
from router.check.inference import (
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
from router.check.transform_types import given, taken
from router.config import spec
from router.sources import Computed, Constant, Evaluated, Joined, Values, values_of

_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "S": ("string", "number"),
    "N": ("number", "string"),
    "B": ("binary", "string"),
    "BOOL": ("boolean",),
    "SS": ("array", "set"),
    "NS": ("array", "set"),
    "BS": ("array", "set"),
    "M": ("object",),
    "L": ("array",),
    "json": ("string", "number", "boolean", "array", "object"),
}
"""What each `type` can be made of."""
_MADE: Mapping[str, str] = {"S": "string", "N": "number", "B": "binary", "BOOL": "boolean", "M": "object", "L": "array"}


class Step(Struct, frozen=True):
    """A transform of an attribute: where it stands in `transform`, what it takes (None: anything) and is given."""

    name: str
    part: tuple[str | int, ...]
    takes: tuple[str, ...] | None
    before: Value


class Made(Struct, frozen=True):
    """How an attribute comes about: `source`, `steps`, what they come to (`raw`), and the value that is stored.

    `accepts` are the types that `type` can be made of, None without a `type`.
    """

    source: Value
    steps: tuple[Step, ...]
    raw: Value
    accepts: tuple[str, ...] | None
    value: Value
    origin: Values | None = None
    """What the source gives, None for an attribute that is not mapped."""


def made(flow: Flow, attribute: spec.Attribute) -> Made:
    """What can be known of an attribute of a route."""
    values = values_of(attribute, flow.fifo)
    source = raw = _source(flow, values)
    steps = []
    for name, part, argument in transforms_of(attribute.transform):
        function = flow.transforms.get(name)
        steps.append(Step(name, part, taken(function) if function else None, raw))
        raw = given(function, raw, argument) if function else Value()
    stored = raw if isinstance(attribute.type, UnsetType) else _converted(raw, attribute.type)
    if attribute.default is not UNSET and not (isinstance(values, Computed) and values.required):
        stored = with_default(stored, attribute.default)
        if not isinstance(attribute.type, UnsetType):
            stored = structs.replace(_converted(stored, attribute.type), missing=stored.missing, lacking=None)
    accepts = None if isinstance(attribute.type, UnsetType) else _ACCEPTED[attribute.type]
    return Made(source, tuple(steps), raw, accepts, stored, values)


def _source(flow: Flow, values: Values) -> Value:
    """What the values of a source can be."""
    match values:
        case Evaluated(text):
            return _of_text(flow, text)
        case Constant(value):
            return of_constant(value)
        case Joined(literals, expressions):
            return of_template(literals, [_of_text(flow, text) for text in expressions])
        case Computed():
            return _computed(flow, values)


def _computed(flow: Flow, values: Computed) -> Value:
    if not values.type:
        return Value()
    parts = [_of_text(flow, text) for text in values.expressions]
    own = UNKNOWN if values.missing is None else YES if values.missing else NO
    lacking = next((part.lacking for part in parts if part.missing is YES), None)
    missing = any_of([own, *(part.missing for part in parts)])
    return structs.replace(of_type(values.type, missing=missing, longest=values.longest), lacking=lacking)


def _of_text(flow: Flow, text: str) -> Value:
    return of_tree(flow.mapped, flow.scope, tree_of(text))


def transforms_of(entries: str | tuple[str | dict[str, Any], ...]) -> list[tuple[str, tuple[str | int, ...], Any]]:
    """The transforms of an attribute: name, where it stands, and argument."""
    if isinstance(entries, str):
        return [(entries, ("transform",), None)]
    found: list[tuple[str, tuple[str | int, ...], Any]] = []
    for index, entry in enumerate(entries):
        for name, argument in [(entry, None)] if isinstance(entry, str) else entry.items():
            found.append((name, ("transform", index), argument))
    return found


def _converted(raw: Value, kind: str) -> Value:
    """What `type` makes of a value, if it does not fail."""
    if kind in ("SS", "NS", "BS"):  # an empty set counts as missing
        return Value(UNKNOWN if raw.missing is NO else raw.missing, {"set": YES}, NO, None, None, raw.lacking)
    if kind == "json":
        return Value(raw.missing, {"string": YES}, NO, None, None, raw.lacking)
    longest = text_length(raw) if kind == "S" else None
    empty = raw.empty if kind == "S" else NO
    return structs.replace(raw, types={_MADE[kind]: YES}, empty=empty, longest=longest)

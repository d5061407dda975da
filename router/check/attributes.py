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
from router.model import META_TIMES
from router.program.expressions.templates import split_template

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
ID_LENGTH = 128
"""Of a message id, group id, deduplication id or sender id, in characters, at most."""


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


def made(flow: Flow, attribute: spec.Attribute) -> Made:
    """What can be known of an attribute of a route."""
    source = raw = _source(flow, attribute)
    steps = []
    for name, part, argument in transforms_of(attribute.transform):
        function = flow.transforms.get(name)
        steps.append(Step(name, part, taken(function) if function else None, raw))
        raw = given(function, raw, argument) if function else Value()
    stored = raw if isinstance(attribute.type, UnsetType) else _converted(raw, attribute.type)
    if attribute.default is not UNSET and isinstance(attribute.hash, UnsetType):
        stored = with_default(stored, attribute.default)
        if not isinstance(attribute.type, UnsetType):
            stored = structs.replace(_converted(stored, attribute.type), missing=stored.missing, lacking=None)
    accepts = None if isinstance(attribute.type, UnsetType) else _ACCEPTED[attribute.type]
    return Made(source, tuple(steps), raw, accepts, stored)


def _source(flow: Flow, attribute: spec.Attribute) -> Value:
    if not isinstance(attribute.from_, UnsetType):
        return _of_text(flow, attribute.from_)
    if not isinstance(attribute.meta, UnsetType):
        return _of_meta(flow, attribute.meta, attribute.type == "N")
    if not isinstance(attribute.template, UnsetType):
        try:
            pieces = split_template(attribute.template)
        except ValueError:  # found elsewhere
            return Value()
        parts = [_of_text(flow, piece) for is_expression, piece in pieces if is_expression]
        return of_template([piece for is_expression, piece in pieces if not is_expression], parts)
    if not isinstance(attribute.hash, UnsetType):
        parts = [_of_text(flow, text) for text in attribute.hash]
        lacking = next((part.lacking for part in parts if part.missing is YES), None)
        digest = of_type("string", missing=any_of(part.missing for part in parts), longest=64)
        return structs.replace(digest, lacking=lacking)
    if isinstance(attribute.ttl, spec.TtlAfter):
        time = _of_text(flow, attribute.ttl.from_)
        return structs.replace(of_type("number"), missing=time.missing, lacking=time.lacking)
    return of_constant(attribute.value) if isinstance(attribute.ttl, UnsetType) else of_type("number")


def _of_text(flow: Flow, text: str) -> Value:
    return of_tree(flow.mapped, flow.scope, tree_of(text))


def _of_meta(flow: Flow, name: str, as_number: bool) -> Value:
    if name in META_TIMES:
        return of_type("number") if as_number else of_type("string", longest=24)
    if name.startswith("attribute."):
        return Value()
    missing = NO
    if name in ("sequence_number", "deduplication_id") and not flow.fifo:
        missing = YES
    elif name == "group_id" and not flow.fifo:
        missing = UNKNOWN
    return of_type("string", missing=missing, longest=ID_LENGTH)


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

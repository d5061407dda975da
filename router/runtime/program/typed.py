"""Decodes and validates messages in one step, where their schema is simple enough.

msgspec fills a struct from the text of a message and checks types, lengths and choices meanwhile. A schema has such a
struct if it asks for nothing else than objects of named properties, and texts, numbers and booleans in them. The struct
takes fewer messages than the schema, never one more: what it does not take is decoded and validated in the general way.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct

from router.runtime.engine.decode import JSON

MAX_FIELDS = 100
"""A schema of more properties has no struct: making one takes a while."""
MAX_CHOICES = 1000
"""A property with more choices is not simple: Python keeps the types of choices last made, also after a reload."""
MAX_PATTERN = 200
"""A longer pattern is not simple: finding out takes a time that grows faster than its length."""
MAX_MATCHED = 1000
"""Longer texts with a pattern are not taken: for what follows its open repetition, Python looks at each place."""
_ANNOTATIONS = frozenset(
    (
        "$schema",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    )
)
_EXACT = 2**53
"""Up to here, bounds are the same for integers and for floating-point numbers, however a validator compares them."""
_LOW, _HIGH = -(2**63), 2**63 - 1
"""Numbers beyond are left to the validator."""
_ATOM = r"(?:[A-Za-z0-9_:/@ -]|\[[A-Za-z0-9_:/@ .+-]+\])(?:\{[0-9]{1,3}\})?"
_PATTERN = re.compile(rf"\^((?:{_ATOM})*(?:\[[A-Za-z0-9_:/@ .+-]+\][+*])?(?:{_ATOM})*)\$")
"""Patterns that mean the same in all dialects, and for which Python needs no more than a look from each place."""

Matches = Callable[[str], object]


class FieldShape(Struct, frozen=True):
    """What code depends on that reads a property that is no object: `places` lead to it from the struct of the message.

    An optional property is UNSET if it is absent, and so is each struct on the way to it.
    """

    places: tuple[int, ...]
    kind: Literal["text", "integer", "number", "boolean"]
    optional: bool


class TypedField(Struct, frozen=True):
    """A property that is no object, and what is to be checked of it.

    A number is at least `low` and at most `high`, which the struct does not check, nor that a `number` is one: a struct
    would take a text of digits for a decimal. The text is to be given to `matches`, if there is one.
    """

    shape: FieldShape
    low: int = _LOW
    high: int = _HIGH
    matches: Matches | None = None

    @property
    def is_checked(self) -> bool:
        """Whether the struct does not check all."""
        return self.shape.kind in ("integer", "number") or self.matches is not None


class TypedSchema(Struct, frozen=True):
    """A decoder that returns a struct with the properties `f0`, `f1` …, and what is in it, by the names of its path."""

    decode: Callable[[str], Any]
    fields: Mapping[tuple[str, ...], TypedField]


class _NotSimpleError(Exception):
    """A schema asks for something else."""


def typed_schema(content: Any) -> TypedSchema | None:
    """Return the struct of a valid schema without references; None if it has none."""
    fields: dict[tuple[str, ...], TypedField] = {}
    try:
        struct = _object(content, (), (), optional=False, fields=fields)
    except (
        _NotSimpleError,
        TypeError,
        ValueError,
    ):  # msgspec does not take each name, nor each length
        return None
    return TypedSchema(msgspec.json.Decoder(struct, float_hook=JSON.float_hook).decode, fields)


def _require(condition: object) -> None:
    if not condition:
        raise _NotSimpleError


def _object(
    schema: Any,
    names: tuple[str, ...],
    places: tuple[int, ...],
    *,
    optional: bool,
    fields: dict[tuple[str, ...], TypedField],
) -> type[Struct]:
    """Return the struct of an object, and add its fields."""
    _require(
        isinstance(schema, dict)
        and schema.get("type", "object") == "object"
        and schema.get("properties")
    )
    _require(
        schema.keys() - _ANNOTATIONS <= {"type", "properties", "required", "additionalProperties"}
    )
    properties, required = schema["properties"], schema.get("required", [])
    _require(
        isinstance(schema.get("additionalProperties", True), bool) and {*required} <= {*properties}
    )
    made: list[tuple[Any, ...]] = []
    for number, (name, each) in enumerate(properties.items()):
        may_miss = name not in required
        path, where = (*names, name), (*places, number)
        if isinstance(each, dict) and "properties" in each:
            type_: Any = _object(each, path, where, optional=optional or may_miss, fields=fields)
        else:
            fields[path], type_ = _field(each, where, optional=optional or may_miss)
        _require(len(fields) <= MAX_FIELDS)
        # A null is not taken: it is something else than an absent property.
        made.append((f"f{number}", type_, UNSET) if may_miss else (f"f{number}", type_))
    made.sort(key=len)
    rename = {f"f{number}": name for number, name in enumerate(properties)}
    # What is not declared would be skipped without being checked as it is where it is decoded.
    return msgspec.defstruct("Typed", made, rename=rename, forbid_unknown_fields=True, gc=False)


def _field(schema: Any, places: tuple[int, ...], *, optional: bool) -> tuple[TypedField, Any]:
    """Return a field and the type of the struct for it."""
    _require(isinstance(schema, dict))
    asked = schema.keys() - _ANNOTATIONS
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices is not None:
        _require(
            asked <= {"type", "const", "enum"}
            and len(asked & {"const", "enum"}) == 1
            and len(choices) <= MAX_CHOICES
        )
        _require(
            choices
            and schema.get("type", "string") == "string"
            and all(isinstance(each, str) for each in choices)
        )
        return TypedField(FieldShape(places, "text", optional)), Literal[tuple(choices)]
    match schema.get("type"):
        case "string":
            _require(asked <= {"type", "minLength", "maxLength", "pattern"})
            matches, most = None, schema.get("maxLength")
            if "pattern" in schema:
                matches, most = (
                    _matches(schema["pattern"]),
                    min(schema.get("maxLength", MAX_MATCHED), MAX_MATCHED),
                )
            lengths = Meta(min_length=schema.get("minLength"), max_length=most)
            return TypedField(FieldShape(places, "text", optional), matches=matches), Annotated[
                str, lengths
            ]
        case "integer" | "number" as kind:
            _require(asked <= {"type", "minimum", "maximum"})
            given = {
                asked_for: schema[asked_for]
                for asked_for in ("minimum", "maximum")
                if asked_for in schema
            }
            _require(all(type(each) is int and abs(each) <= _EXACT for each in given.values()))
            low, high = given.get("minimum", _LOW), given.get("maximum", _HIGH)
            return TypedField(
                FieldShape(places, kind, optional), low, high
            ), int if kind == "integer" else Any
        case "boolean":
            _require(asked <= {"type"})
            return TypedField(FieldShape(places, "boolean", optional)), bool
    raise _NotSimpleError


def _matches(pattern: str) -> Matches:
    found = _PATTERN.fullmatch(pattern) if len(pattern) <= MAX_PATTERN else None
    # Two hyphens are the difference of sets in some dialects.
    if found is None or "--" in pattern:
        raise _NotSimpleError
    return re.compile(found[1]).fullmatch

"""Decodes, validates and maps messages in one step, where their schema is simple enough.

msgspec fills a struct from the text of a message. Meanwhile it checks types, lengths, bounds, patterns and choices. A
schema has such a struct if it asks for objects of named properties, for texts, numbers and booleans in them, and for
nothing else. The struct may refuse a valid message, but never accepts an invalid one. A refused message is decoded and
validated in the general way.

Why: docs/decisions/2026-11-27-a-struct-decodes-and-validates.md
"""

import re
from collections.abc import Callable, Mapping, Sequence, Set
from decimal import Decimal
from functools import lru_cache
from types import CodeType
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct

from router.errors import Rejection
from router.model import KeyType
from router.runtime.engine.attributes import MAX_INTEGER, MAX_ITEM_BYTES
from router.runtime.engine.decode import JSON, MAX_NESTING, bound_nesting
from router.runtime.engine.engine import PlanTyped
from router.runtime.engine.item_text import SCALARS, UNESCAPED
from router.runtime.engine.writes import Write, WriteConfig
from router.runtime.program.attribute import Getter
from router.runtime.program.put_text import END, KEY_LIMITS, START, text_of_name

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
_PLAIN = {"text": "S", "integer": "N"}
"""The types of DynamoDB of values whose text needs no function."""
_NESTED = {"type", "properties", "required", "additionalProperties"}
_ATOM = r"(?:[A-Za-z0-9_:/@ -]|\[[A-Za-z0-9_:/@ .+-]+\])(?:\{[0-9]{1,3}\})?"
_PATTERN = re.compile(rf"\^((?:{_ATOM})*(?:\[[A-Za-z0-9_:/@ .+-]+\][+*])?(?:{_ATOM})*)\$")
"""Patterns that mean the same in all dialects, and for which Python needs no more than a look from each place."""

Matches = Callable[[str], object]
Kind = Literal["text", "integer", "number", "boolean"]


class TypedField(Struct, frozen=True):
    """A property that is no object.

    `place` leads to its value in the struct of the message, as Python writes it: `f0.f1`. An optional property is UNSET
    if it is absent, and so is everything in an object that is absent. The struct does not check all:

    - A text is to be given to `matches`, if there is one: msgspec takes four times as long for a pattern.
    - A `number` is at least `low` and at most `high`: for a decimal, msgspec takes a text of digits, too.
    """

    place: str
    kind: Kind
    optional: bool
    low: int = _LOW
    high: int = _HIGH
    matches: Matches | None = None


class TypedSchema(Struct, frozen=True):
    """A decoder that returns a struct, and what is in it, by the names of its path."""

    decode: Callable[[str], Any]
    fields: Mapping[tuple[str, ...], TypedField]


class _NotSimpleError(Exception):
    """A schema asks for something else."""


def plan_typed(getters: Sequence[Getter], config: WriteConfig, content: Any) -> PlanTyped | None:
    """Return what plans the put of a message from its text.

    None if the schema has no struct, or if an attribute needs more of the data than a property that is no object.

    The function is compiled from source. With closures in loops instead, a small message would take 2.8 µs, not 2.3,
    and six calls more. As in dataclasses, no text of a config or message is part of the source: names, bounds, patterns
    and callables are its variables.
    """
    schema = typed_schema(content)
    if schema is None:
        return None
    variables: dict[str, Any] = {
        "Decimal": Decimal,
        "Raw": Raw,
        "SCALARS": SCALARS,
        "UNESCAPED": UNESCAPED,
        "UNSET": UNSET,
        "Write": Write,
    }
    lines = _decode_lines(schema, variables)
    text, quote = "", ""
    for number, getter in enumerate(getters):
        field = schema.fields.get(getter.path)
        if field is None and getter.reads_data:
            return None
        value = f"v{number}"
        variables[f"get_{number}"] = getter.get
        lines.append(
            f"{value} = data.{field.place}" if field else f"{value} = get_{number}(None, message)"
        )
        # A name begins with what the value before it lacks.
        head = quote + ("," if number else START) + text_of_name(getter)
        if field and field.kind in _PLAIN and not field.optional:
            quote = '"}'
            variables[f"head_{number}"] = f'{head}{{"{_PLAIN[field.kind]}":"'
            text += f"{{head_{number}}}{{{value}}}"
        else:
            absent = _absent_text(getter, head, quote)
            quote = ""
            variables[f"head_{number}"] = head
            variables[f"absent_{number}"] = absent
            lines += _text_lines(number, field, can_miss=absent is not None)
            text += f"{{t{number}}}"
    variables["end"] = quote + END
    names = [getter.name for getter in getters]
    lines += _put_lines(text, [(names.index(name), kind) for name, kind in config.table.key])
    source = "\n  ".join(["def plan_put(config, body, message):", *lines])
    exec(_compile(source), variables)  # noqa: S102 — made of numbers only
    plan_put: PlanTyped = variables["plan_put"]
    return plan_put


@lru_cache(maxsize=64)
def _compile(source: str) -> CodeType:
    """Compile a function; those of one shape differ in their variables only."""
    return compile(source, "<the fast path of a queue>", "exec")


def _decode_lines(schema: TypedSchema, variables: dict[str, Any]) -> list[str]:
    """Return the lines that decode `data`, and check what its struct does not."""
    variables |= {"decode": schema.decode, "bound_nesting": bound_nesting}
    lines = ["data = decode(body)"]
    fields = schema.fields.values()
    if any(field.kind == "number" for field in fields):
        # It may nest, as it has no type: deeper than the stack of a thread takes.
        bound = f"if body.count('[') + body.count('{{') > {MAX_NESTING}: bound_nesting(body)"
        lines.insert(0, bound)
    for number, field in enumerate(fields):
        if field.kind == "number":
            variables |= {f"low_{number}": field.low, f"high_{number}": field.high}
            is_number = "(value.__class__ is int or value.__class__ is Decimal)"
            condition = f"{is_number} and low_{number} <= value <= high_{number}"
        elif field.matches is not None:
            variables[f"matches_{number}"] = field.matches
            condition = f"matches_{number}(value)"
        else:
            continue
        absent = "value is UNSET or " if field.optional else ""
        lines += [f"value = data.{field.place}", f"if not ({absent}{condition}): raise ValueError"]
    return lines


def _absent_text(getter: Getter, head: str, quote: str) -> str | None:
    """Return the text of an attribute without value; None if the message is left to the general way."""
    try:
        # An object that is absent has no properties either.
        value = getter.absent({})
    except Rejection:
        return None
    if value is None:
        return head + SCALARS[type(None)](None, 1)
    # The next attribute begins with a comma, the first one does not.
    return None if START in head else quote


def _text_lines(number: int, field: TypedField | None, *, can_miss: bool) -> list[str]:
    """Return the lines that write the value of an attribute."""
    value, texts = f"v{number}", "SCALARS" if field is None else "UNESCAPED"
    text = f"head_{number} + {texts}[{value}.__class__]({value}, 1)"
    if field is not None and not field.optional:
        return [f"t{number} = {text}"]
    is_missing = f"{value} is {'None' if field is None else 'UNSET'}"
    if can_miss:
        return [f"t{number} = absent_{number} if {is_missing} else {text}"]
    return [f"if {is_missing}: raise ValueError", f"t{number} = {text}"]


def _put_lines(text: str, keys: Sequence[tuple[int, KeyType]]) -> list[str]:
    """Return the lines that make the write, as `put_of` does."""
    lines = []
    identity = "config.table.name"
    for (number, kind), limit in zip(keys, KEY_LIMITS, strict=False):
        value = f"v{number}"
        if kind == "S":
            condition = f"{value}.__class__ is str and 0 < len({value}) <= {limit}"
            identity += f", {value}"
        else:
            condition = f"{value}.__class__ is int and {-MAX_INTEGER} < {value} < {MAX_INTEGER}"
            identity += f", str({value})"
        lines.append(f"if not ({condition}): raise ValueError")
    too_long = f"size > {MAX_ITEM_BYTES // 4} and len(text.encode()) > {MAX_ITEM_BYTES}"
    place = f"config.route, config.table, config.mode, ({identity})"
    return [
        *lines,
        f"text = f'{text}{{end}}'",
        "size = len(text)",
        f"if {too_long}: raise ValueError",
        f"return Write({place}, None, size, None, '', None, (), None, Raw(text))",
    ]


def typed_schema(content: Any) -> TypedSchema | None:
    """Return the struct of a valid schema without references; None if it has none."""
    fields: dict[tuple[str, ...], TypedField] = {}
    try:
        struct, _ = _object(content, (), "", optional=False, fields=fields)
    except (_NotSimpleError, TypeError, ValueError):
        # msgspec does not take each name, nor each length.
        return None
    return TypedSchema(msgspec.json.Decoder(struct, float_hook=JSON.float_hook).decode, fields)


def _require(condition: object) -> None:
    if not condition:
        raise _NotSimpleError


def _object(
    schema: Any,
    names: tuple[str, ...],
    place: str,
    *,
    optional: bool,
    fields: dict[tuple[str, ...], TypedField],
) -> tuple[type[Struct], Struct]:
    """Return the struct of an object, and what stands for an absent one; add its fields."""
    _require(isinstance(schema, dict) and schema.get("type", "object") == "object")
    _require(schema.get("properties") and schema.keys() - _ANNOTATIONS <= _NESTED)
    _require(isinstance(schema.get("additionalProperties", True), bool))
    properties, required = schema["properties"], schema.get("required", [])
    _require({*required} <= {*properties})
    made: list[tuple[Any, ...]] = []
    absent: dict[str, Any] = {}
    for number, (name, each) in enumerate(properties.items()):
        may_miss = name not in required
        key, path = f"f{number}", (*names, name)
        around = {"optional": optional or may_miss}
        if isinstance(each, dict) and "properties" in each:
            type_, absent[key] = _object(each, path, f"{place}{key}.", fields=fields, **around)
        else:
            fields[path], type_ = _field(each, place + key, **around)
            absent[key] = UNSET
        _require(len(fields) <= MAX_FIELDS)
        # A null is not taken: it is something else than an absent property.
        made.append((key, type_, absent[key]) if may_miss else (key, type_))
    made.sort(key=len)
    struct = msgspec.defstruct(
        "Typed",
        made,
        rename={f"f{number}": name for number, name in enumerate(properties)},
        # msgspec does not check what it skips as it checks what it decodes.
        forbid_unknown_fields=True,
        # Else no struct could be the default of a field.
        frozen=True,
        gc=False,
    )
    return struct, struct(**absent)


def _field(schema: Any, place: str, *, optional: bool) -> tuple[TypedField, Any]:
    """Return a field, and its type in the struct."""
    _require(isinstance(schema, dict))
    asked = schema.keys() - _ANNOTATIONS
    if asked & {"const", "enum"}:
        return TypedField(place, "text", optional), _choices(schema, asked)
    match schema.get("type"):
        case "string":
            _require(asked <= {"type", "minLength", "maxLength", "pattern"})
            most, matches = schema.get("maxLength"), None
            if "pattern" in schema:
                most = min(schema.get("maxLength", MAX_MATCHED), MAX_MATCHED)
                matches = _matches(schema["pattern"])
            lengths = Meta(min_length=schema.get("minLength"), max_length=most)
            return TypedField(place, "text", optional, matches=matches), Annotated[str, lengths]
        case "integer" | "number" as kind:
            _require(asked <= {"type", "minimum", "maximum"})
            low, high = schema.get("minimum", _LOW), schema.get("maximum", _HIGH)
            for bound, default in ((low, _LOW), (high, _HIGH)):
                _require(bound is default or (type(bound) is int and abs(bound) <= _EXACT))
            type_ = Any if kind == "number" else Annotated[int, Meta(ge=low, le=high)]
            return TypedField(place, kind, optional, low, high), type_
        case "boolean":
            _require(asked <= {"type"})
            return TypedField(place, "boolean", optional), bool
    raise _NotSimpleError


def _choices(schema: Mapping[str, Any], asked: Set[str]) -> Any:
    """Return the type of a text that is one of some."""
    choices = [schema["const"]] if "const" in schema else schema["enum"]
    _require(asked <= {"type", "const", "enum"} and not {"const", "enum"} <= asked)
    _require(choices and len(choices) <= MAX_CHOICES and schema.get("type", "string") == "string")
    _require(all(isinstance(each, str) for each in choices))
    return Literal[tuple(choices)]


def _matches(pattern: str) -> Matches:
    found = _PATTERN.fullmatch(pattern) if len(pattern) <= MAX_PATTERN else None
    # Two hyphens are the difference of sets in some dialects.
    if found is None or "--" in pattern:
        raise _NotSimpleError
    return re.compile(found[1]).fullmatch

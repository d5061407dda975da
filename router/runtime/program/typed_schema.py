"""Makes the types that msgspec decodes a message into, so that what is decoded is valid.

A schema is taken apart. Where a type of msgspec says what a part says, the type checks it while it decodes. Any other
part is decoded as it is, and the library validates its value alone. A type may refuse a valid value, but never takes an
invalid one.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any, Literal, Union
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Struct

from router.runtime.engine.decode import JSON
from router.runtime.program.schemas.documents import (
    DEFAULT_DRAFT,
    draft_of,
    steps_of,
    subschemas,
)
from router.runtime.program.schemas.links import PREFIX, make_validator

MAX_FIELDS = 400
"""Further objects are no structs: to make one takes a while."""
MAX_CHOICES = 1000
"""More choices have no type: Python keeps the types of choices last made, also after a reload."""
MAX_LEVELS = 24
"""What nests deeper has no type: with types alone, no value nests deeper than an item may."""
_EXACT = 2**53
"""Up to here, bounds are the same for integers and for floating-point numbers, however a validator compares them."""
_LOW, _HIGH = -(2**63), 2**63 - 1
"""Numbers with bounds, and integers, are left to the validator beyond these."""
_LAST_WITHOUT_SIBLINGS = 7
"""The last draft that ignores the keywords beside `$ref`."""
_DEFINITIONS = ("$defs", "definitions")
MAX_PARTS = 10_000
"""So many parts of a schema are looked at."""

_LENGTHS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
_LEAST = frozenset(("minLength", "minItems", "minimum"))
_MOST = frozenset(("maxLength", "maxItems", "maximum"))
_NUMBER = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_KEYWORDS: Mapping[str, set[str]] = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": _NUMBER,
    "integer": _NUMBER,
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "boolean": set(),
    "null": set(),
}
"""By JSON type, the keywords that concern its values only."""
_UNNAMED = {"$comment", "$defs", "$ref", "$schema"}
_MEMBERS = frozenset(("properties", "additionalProperties"))
"""What one of these says depends on the other."""
_ANY_TYPE = ("array", "boolean", "null", "number", "object", "string")
_OTHERS = frozenset(
    (
        "additionalItems",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "maxContains",
        "maxProperties",
        "minContains",
        "minProperties",
        "not",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    )
)
"""The other keywords of any draft that say something about a value. The rest are annotations."""
_CLASSES = {str: "string", int: "integer", bool: "boolean", type(None): "null"}

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_NOTHING: dict[str, Any] = {}

Keywords = dict[str, Any]
Kinds = dict[str, Keywords]
"""By the JSON types that a value may have, the keywords that concern it then."""
Check = Callable[[list[Any]], bool]
Tails = frozenset[tuple[str, ...]]
"""The paths from a value on that the mapping takes; an empty path is the value itself."""
WHOLE: Tails = frozenset(((),))


class TypedValue(Struct, frozen=True):
    """What is decoded at a place of a message.

    `kinds` are the JSON types that it may have; it may have all if there are none. `check` takes a list of values, and
    says what the type does not; a number is to be in the `bounds`, if there are any. An object with `fields` is a
    `struct`. `elements` are those of a list, or of an object that is a dict. So many `levels` of objects and lists
    have a type.
    """

    type: Any
    kinds: frozenset[str] = frozenset()
    check: Check | None = None
    bounds: tuple[int, int] | None = None
    struct: type[Struct] | None = None
    fields: "tuple[TypedField, ...]" = ()
    elements: "TypedValue | None" = None
    levels: int = 0


class TypedField(Struct, frozen=True):
    """A property: its name, and its value in the struct, where it is UNSET if it is optional and absent."""

    name: str
    key: str
    optional: bool
    value: TypedValue


class TypedSchema(Struct, frozen=True):
    """A decoder, and what it returns.

    If it `nests`, a value may nest deeper than is allowed. If it is `open`, the general way would take members that
    the decoder refuses; a decoder that `skips` them does not check what it skips.
    """

    decode: Callable[[str], Any]
    root: TypedValue
    nests: bool
    open: bool


class _NoTypeError(Exception):
    """No type says the same as a schema."""


def typed_schema(
    content: Any, paths: Iterable[tuple[str, ...]] = (), *, skips: bool = False
) -> TypedSchema | None:
    """Return the types of a valid schema, for a mapping that takes the values at some paths.

    None if the messages are no objects with properties, or if the schema refers to more than its own definitions.
    """
    if not _stands_alone(content):
        return None
    types = _Types(content, skips=skips)
    try:
        root = types.of_kinds({"object": types.split(content)["object"]}, frozenset(paths), 0)
    except (_NoTypeError, LookupError, TypeError, ValueError):
        # msgspec does not take each name, nor each length.
        return None
    if root.struct is None:
        return None
    decoder = msgspec.json.Decoder(root.struct, float_hook=JSON.float_hook)
    return TypedSchema(decoder.decode, root, types.nests, types.open)


def tails_below(tails: Tails, name: str) -> Tails:
    """Return the paths from a property on."""
    if () in tails:
        return WHOLE
    return frozenset(tail[1:] for tail in tails if tail[0] == name)


def _stands_alone(content: Any) -> bool:
    """Whether a schema has one draft, no names, and only references to its own definitions."""
    for path, part in subschemas(content):
        named = {key for key in part if key.startswith("$")} - _UNNAMED
        # The name of the whole leads to no other place.
        if named - ({"$id"} if not path else set()) or draft_of({**content, **part}) != draft_of(
            content
        ):
            return False
        reference = part.get("$ref", "#/$defs/")
        if not reference.startswith(("#/$defs/", "#/definitions/")):
            return False
    return isinstance(content, dict)


def _require(condition: object) -> None:
    if not condition:
        raise _NoTypeError


class _Types:
    """Makes the types of one schema."""

    def __init__(self, root: Keywords, *, skips: bool) -> None:
        self.nests = False
        self.open = False
        self._root = root
        self._skips = skips
        self._draft = draft_of(root) or 0
        self._fields = 0
        self._parts = 0
        # A schema that is kept is known by its id.
        self._kept: list[Any] = []
        self._made: dict[tuple[int, Tails], TypedValue | None] = {}
        self._checks: dict[bytes, Check] = {}

    def split(self, schema: Any, level: int = 0) -> Kinds:
        """Return what a schema says of the values of each JSON type, exactly."""
        self._parts += 1
        _require(isinstance(schema, dict) and level < MAX_LEVELS and self._parts < MAX_PARTS)
        own, parts = dict(schema), []
        if "$ref" in own:
            parts.append(self.split(self._referred(own.pop("$ref")), level + 1))
            if self._is_reference(schema):
                return parts[0]
        parts += [self.split(each, level + 1) for each in own.pop("allOf", ())]
        for keyword in ("anyOf", "oneOf"):
            if keyword in own:
                parts.append(_join([self.split(each, level + 1) for each in own.pop(keyword)]))
        kinds = _own_kinds(own)
        for part in parts:
            kinds = _meet(kinds, part)
        return kinds

    def _referred(self, reference: str) -> Any:
        content: Any = self._root
        for step in steps_of(unquote(reference)):
            _require(isinstance(content, dict))
            content = content[step]
        return content

    def of(self, schema: Any, tails: Tails, level: int) -> TypedValue:
        """Return what is decoded for a schema."""
        while isinstance(schema, dict) and "$ref" in schema and self._is_reference(schema):
            # So that all references to a definition share its types.
            schema = self._referred(schema["$ref"])
            level += 1
            if level > MAX_LEVELS:
                return self._checked(False)
        if level > MAX_LEVELS:
            return self._checked(schema)
        key = (id(schema), tails)
        if key not in self._made:
            self._kept.append(schema)
            # A schema that is a part of itself has no type there.
            self._made[key] = None
            try:
                self._made[key] = self.of_kinds(self.split(schema), tails, level)
            except (_NoTypeError, LookupError, TypeError, ValueError):
                self._made[key] = self._checked(schema)
        return self._made[key] or self._checked(schema)

    def _is_reference(self, schema: Keywords) -> bool:
        return len(schema) == 1 or self._draft <= _LAST_WITHOUT_SIBLINGS

    def _checked(self, schema: Any) -> TypedValue:
        """Return a value of any type, which the library validates."""
        self.nests = True
        is_free = schema is True or schema == {}
        return TypedValue(Any, check=None if is_free else self._check({"allOf": [schema]}))

    def _check(self, keywords: Keywords) -> Check:
        """Return the library's check of the values in a list: a call for several costs less than one for each."""
        text = _ENCODER.encode(keywords)
        if text not in self._checks:
            document = {"$schema": self._root.get("$schema", DEFAULT_DRAFT), "items": keywords}
            if b'"$ref"' in text:
                document |= {key: self._root[key] for key in _DEFINITIONS if key in self._root}
            self._checks[text] = make_validator(
                document, f"{PREFIX}/", _NOTHING.__getitem__, self._draft
            ).is_valid
        return self._checks[text]

    def of_kinds(self, kinds: Kinds, tails: Tails, level: int) -> TypedValue:
        """Return what is decoded for a value of some JSON types; raises _NoTypeError."""
        is_whole = () in tails
        if kinds.keys() == set(_ANY_TYPE) and "properties" in kinds["object"]:
            # Mostly, a schema with properties means an object, and does not say so.
            kinds = {"object": kinds["object"]}
        if kinds.keys() == {"number"}:
            return self._number(kinds["number"])
        _require("number" not in kinds and len(kinds) < len(_ANY_TYPE))
        # A path leads to nothing but through objects with fields.
        _require(is_whole or not tails or kinds.keys() <= {"object", "null"})
        types: list[Any] = []
        left: Keywords = {}
        struct: type[Struct] | None = None
        fields: tuple[TypedField, ...] = ()
        elements: TypedValue | None = None
        for kind, keywords in kinds.items():
            match kind:
                case "object" if keywords.get("properties"):
                    fields = self._fields_of(keywords, tails, level)
                    struct = self._struct(fields, keywords, is_whole=is_whole)
                    types.append(struct)
                case "object":
                    _require(not keywords.get("required") and (is_whole or not tails))
                    given = keywords.get("additionalProperties", True)
                    elements = self._elements(given, elements, tails, level)
                    types.append(GenericAlias(dict, (str, elements.type)))
                case "array":
                    elements = self._elements(keywords.get("items", True), elements, tails, level)
                    list_type = GenericAlias(list, (elements.type,))
                    types.append(_with_lengths(list_type, "array", dict(keywords)))
                case "null":
                    types.append(None)
                case _:
                    more = dict(keywords)
                    types.append(_scalar(kind, more))
                    left |= more
        _require(not left or (struct is None and elements is None))
        check = None
        if left:
            # A list of choices concerns values of all types.
            _require("enum" not in left or kinds.keys() <= {"boolean", "null"})
            check = self._check(left)
        inside = [field.value.levels for field in fields]
        inside += [elements.levels] if elements else []
        levels = 1 + max(inside) if inside else 0
        # A type that is shared may be deeper here than where it was made.
        _require(levels <= MAX_LEVELS)
        type_: Any = Union[tuple(types)]  # noqa: UP007 — of a list
        return TypedValue(type_, frozenset(kinds), check, None, struct, fields, elements, levels)

    def _number(self, keywords: Keywords) -> TypedValue:
        left = dict(keywords)
        bounds = _bounds(left)
        _require(not left)
        # A Decimal would be taken from a text, too.
        self.nests = True
        return TypedValue(Any, frozenset(("number",)), bounds=bounds if keywords else None)

    def _elements(
        self, schema: Any, others: TypedValue | None, tails: Tails, level: int
    ) -> TypedValue:
        _require(others is None and schema is not False and not isinstance(schema, list))
        return self.of(schema, WHOLE if () in tails else frozenset(), level + 1)

    def _fields_of(self, keywords: Keywords, tails: Tails, level: int) -> tuple[TypedField, ...]:
        properties, required = keywords["properties"], keywords.get("required", ())
        _require(set(required) <= properties.keys() and level < MAX_LEVELS)
        _require(isinstance(keywords.get("additionalProperties", True), bool))
        self._fields += len(properties)
        if self._fields > MAX_FIELDS:
            self._fields -= len(properties)
            raise _NoTypeError
        fields = []
        for number, (name, each) in enumerate(properties.items()):
            value = self.of(each, tails_below(tails, name), level + 1)
            fields.append(TypedField(name, f"f{number}", name not in required, value))
        return tuple(fields)

    def _struct(
        self, fields: Sequence[TypedField], keywords: Keywords, *, is_whole: bool
    ) -> type[Struct]:
        is_open = keywords.get("additionalProperties", True) and not is_whole
        self.open |= is_open
        # A null is not taken for an absent property.
        made = [
            (field.key, field.value.type, UNSET)
            if field.optional
            else (field.key, field.value.type)
            for field in fields
        ]
        return msgspec.defstruct(
            "Typed",
            sorted(made, key=len),
            rename={field.key: field.name for field in fields},
            # msgspec does not check what it skips as it checks what it decodes.
            forbid_unknown_fields=not (is_open and self._skips),
            frozen=True,
            gc=False,
        )


def _bounds(left: Keywords) -> tuple[int, int]:
    """Return the bounds of a number; remove those that are compared alike everywhere from what is `left`."""
    bounds = {"minimum": _LOW, "maximum": _HIGH}
    for keyword in bounds.keys() & left.keys():
        if type(left[keyword]) is int and abs(left[keyword]) <= _EXACT:
            bounds[keyword] = left.pop(keyword)
    return bounds["minimum"], bounds["maximum"]


def _scalar(kind: str, left: Keywords) -> Any:
    """Return the type of a text, an integer or a boolean; remove what it says from what is `left`."""
    if kind == "boolean":
        return bool
    if "enum" in left:
        choices = left.pop("enum")
        _require(not left and (kind == "string" or max(map(abs, choices)) <= _EXACT))
        return Literal[tuple(choices)]
    if kind == "string":
        return _with_lengths(str, "string", left)
    low, high = _bounds(left)
    return Annotated[int, Meta(ge=low, le=high)]


def _with_lengths(type_: Any, kind: str, left: Keywords) -> Any:
    least, most = (left.pop(keyword, None) for keyword in _LENGTHS[kind])
    if least is None and most is None:
        return type_
    return Annotated[type_, Meta(min_length=least, max_length=most)]


def _own_kinds(own: Keywords) -> Kinds:
    """Return what the keywords say that have no schemas for the whole value."""
    _require(_OTHERS.isdisjoint(own))
    named = own.get("type", _ANY_TYPE)
    types = {named} if isinstance(named, str) else {*named}
    if "number" in types:
        types.discard("integer")
    kinds = {kind: _select(own, _KEYWORDS[kind]) for kind in sorted(types)}
    if "enum" not in own and "const" not in own:
        return kinds
    choices = own.get("enum", [own.get("const")])
    _require(len(choices) <= MAX_CHOICES and not ("enum" in own and "const" in own))
    by_kind: dict[str, list[Any]] = {}
    for choice in choices:
        _require(type(choice) in _CLASSES)
        by_kind.setdefault(_CLASSES[type(choice)], []).append(choice)
    return _meet(kinds, {kind: {"enum": each} for kind, each in by_kind.items()})


def _select(own: Keywords, names: set[str]) -> Keywords:
    return {key: value for key, value in own.items() if key in names}


def _join(parts: Iterable[Kinds]) -> Kinds:
    """Return what any of some parts says, of which no two take values of one type."""
    joined: Kinds = {}
    for part in parts:
        _require(joined.keys().isdisjoint(part))
        joined |= part
        _require(not {"integer", "number"} <= joined.keys())
    return joined


def _meet(one: Kinds, other: Kinds) -> Kinds:
    """Return what two parts say together."""
    kinds: Kinds = {}
    for kind, keywords in one.items():
        for again in other:
            if kind == again or {kind, again} == {"integer", "number"}:
                met = _meet_keywords(keywords, other[again])
                if met.get("enum", True):
                    kinds[min(kind, again)] = met
    _require(kinds)
    return kinds


def _meet_keywords(one: Keywords, other: Keywords) -> Keywords:
    met = {**one, **other}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if key in _LEAST:
            met[key] = max(first, second)
        elif key in _MOST:
            met[key] = min(first, second)
        elif key == "enum":
            met[key] = [each for each in first if each in second]
        elif key == "required":
            met[key] = [*{**dict.fromkeys(first), **dict.fromkeys(second)}]
        elif key not in _MEMBERS:
            _require(_ENCODER.encode(first) == _ENCODER.encode(second))
    if not (_MEMBERS.isdisjoint(one) or _MEMBERS.isdisjoint(other)):
        met["properties"] = _meet_properties(one, other)
        met["additionalProperties"] = _is_open(one) and _is_open(other)
    return met


def _meet_properties(one: Keywords, other: Keywords) -> Keywords:
    first, second = one.get("properties", {}), other.get("properties", {})
    met = {}
    for name in {**first, **second}:
        parts = [each[name] for each in (first, second) if name in each]
        # What one of them does not allow is no property.
        if len(parts) == 2:
            met[name] = {"allOf": parts}
        elif _is_open(other if name in first else one):
            met[name] = parts[0]
    return met


def _is_open(keywords: Keywords) -> bool:
    is_open = keywords.get("additionalProperties", True)
    _require(isinstance(is_open, bool))
    return bool(is_open)

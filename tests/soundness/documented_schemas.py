"""Makes schemas and values that they take at random, from the documentation alone: it shares nothing with the router.

A schema can have a typing error, as people make them; the schema that was intended is kept beside it.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Context, Decimal
from random import Random
from typing import Any

from msgspec import Struct, structs

from tests.soundness.spelled import Spelled

NUMBERS = tuple(
    Spelled(text)
    for text in (
        *("0", "-0", "0.0", "1", "1.0", "1e0", "10e-1", "1.50", "2", "7", "10", "100", "1E2", "-1", "-1.0", "0.1"),
        *("1e-7", "1.5", "2.345", "2.5", "99.995", "1767323045", "1767323045.0", "1767323045678", "1.767323045e9"),
        *("253402300800", "-62135596801", "9007199254740991", "9007199254740993", "9007199254740993.0"),
        *("9007199254740993.5", "9" * 38, "-" + "9" * 38, "9" * 37 + ".9", "9" * 39, "9" * 38 + "0", "1e37", "1e38"),
        *("1e125", "9." + "9" * 37 + "e125", "1e126", "-1e126", "1e-130", "1e-131", "1" + "0" * 40, "1e400", "-1e-400"),
        *("1." + "0" * 40, "0." + "3" * 38, "0." + "3" * 39, "1e20", "123456789012345678901234567890"),
    )
)
"""Numbers in all spellings, and at and beyond the bounds of DynamoDB: 38 digits, 1e-130 to 9.99e125."""
TEXTS = (
    *("a", "", " ", " a b ", "A", "iPhone", "héé", "ß", "İ", "x" * 30, "a,b", ",", "a-b-c", "-", "1", "1.0", "1e2"),
    *("01", "+1", " 1", "1_000", "\u0661", "NaN", "Infinity", "0x10", "1e200", "9" * 38, "9" * 39, "-0", ".5", "5."),
    *("true", "Yes", "no", "TRUE", "0", "null", "{}", "[1]", '{"a": 1.50}', '"x"', "{", "1e500"),
    *("aGVsbG8=", "aGVsbG8", "====", "a+b"),
    *("%C3%A9", "%", "%FF", "%zz", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+05:30", "12:30:00Z"),
    *("2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "1998-12-31T23:59:60Z", "0000-01-01T00:00:00Z", "a@b.co", "::1"),
    *("123e4567-e89b-12d3-a456-426614174000", "https://example.com/a", "127.0.0.1", "IN", "drama", "USER#1", "é" * 900),
    "x" * 2100,
)  # fmt: skip
ODD: tuple[Any, ...] = (
    *(None, True, False, [], {}, [None], [[]], [{}], ["a", "b"], ["b", "a", "b"], ["a", 1, True], [True], {"a": 1}),
    *({"": 1}, {"id": "x"}, {"S": "a"}, {"N": "1.50"}, {"NULL": True}, {"L": [{"S": "x"}]}, {"id": {"S": "a"}}),
    *([Spelled("1"), Spelled("1.0"), Spelled("2")], [Spelled("1e0"), Spelled("1")], [Spelled("9" * 39)], [""]),
)
_EXACT = Context(prec=1000)
NAMES = ("id", "name", "at", "size", "tags", "device", "lines", "price", "kind", "note", "device-id", "a b", "é", "x.y")
_PATTERNS: Mapping[str, tuple[str, ...]] = {
    "^[0-9]+$": ("1", "007", "9" * 38, "9" * 39, "1" + "0" * 130),
    "^[0-9]{1,10}$": ("1", "0000000000", "9999999999"),
    "^[0-9]{38}$": ("9" * 38, "0" * 38),
    "^-?[0-9]{1,3}(\\.[0-9]{1,2})?$": ("-1", "1.50", "-999.99", "0"),
    "^[0-9]+e[0-9]+$": ("1e2", "1e200", "0e999"),
    "^[A-Z]{2}$": ("IN", "DE"),
    "^USER#": ("USER#", "USER#1", "USER#" + "x" * 40),
    "^(yes|no|true|0)$": ("yes", "no", "true", "0"),
    "^[A-Za-z0-9+/]{4}$": ("aGVs", "////", "0000"),
    "^[A-Za-z0-9+/]*=?$": ("", "aGVsbG8=", "a", "aa="),
    "^[a-z]*$": ("", "a", "abc"),
    "^[a-z,]+$": (",", "a,b", "a", ",,"),
    "^ ?[a-z] ?$": ("a", " a ", "a "),
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$": ("2026-01-02T03:04:05Z", "0000-00-00T::::::::Z"),
}
_FORMATS: Mapping[str, tuple[str, ...]] = {
    "date-time": (
        *("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+05:30"),
        *("9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z"),
    ),
    "date": ("2026-01-02", "0000-01-01"),
    "uuid": ("123e4567-e89b-12d3-a456-426614174000",),
    "email": ("a@b.co",),
    "ipv4": ("127.0.0.1",),
    "uri": ("https://example.com/a",),
}  # fmt: skip
_ENUMS: tuple[tuple[Any, ...], ...] = (
    *(("a", "b"), ("1e200",), ("yes", "no", "true"), ("1", "1.0"), ("", "x"), ("9" * 38,), ("9" * 39, "1"), ("IN",)),
    *((Spelled("1"), Spelled("2.0")), (Spelled("1.0"),), (Spelled("1e0"), Spelled("0")), (1, "1", True, None)),
    *(
        (True,),
        (None, "a"),
        ("1767323045", "x"),
        (Spelled("1e125"),),
        (["a"], ["b", "a"]),
        ("{}", "[1]"),
        ("aGVsbG8=",),
    ),
)
_WRONG_FORMATS = ("datetime", "date_time", "guid", "e-mail", "Date-Time", "ip", "url", "uuuid")


class Shape(Struct, frozen=True):
    """A schema, what makes values of it, and the shapes of its properties; of a list, that of its elements."""

    schema: Any
    make: Callable[[Random], Any]
    properties: Mapping[str, "Shape"] = {}
    element: "Shape | None" = None
    kind: str = ""


class SchemaMaker:
    """Makes schemas of objects, of the keywords that people use."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance

    def root(self) -> Shape:
        """Return the shape of a message."""
        names = self._chance.sample(NAMES, self._chance.randint(3, 7))
        if "id" not in names:
            names[0] = "id"
        if self._chance.random() < 0.03:
            names.append("")
        shape = self._object(names, 0)
        if self._chance.random() < 0.3:
            properties = shape.schema["properties"]
            name = self._chance.choice(names)
            inside = self._chance.choice(({"$ref": "#/$defs/part"}, {"allOf": [{"$ref": "#/$defs/part"}]}))
            schema = {**shape.schema, "properties": {**properties, name: inside}, "$defs": {"part": properties[name]}}
            shape = structs.replace(shape, schema=schema)
        return shape

    def _shape(self, depth: int) -> Shape:
        kinds = (
            ["text"] * 6 + ["number"] * 6 + ["enum"] * 2 + ["boolean", "mixed", "mixed", "nullable", "free", "either"]
        )
        if depth < 3:
            kinds += ["list"] * 3 + ["object"] * 3
        kind = self._chance.choice(kinds)
        if kind == "list":
            return self._list(depth)
        if kind == "object":
            return self._object(self._chance.sample(NAMES, self._chance.randint(1, 3)), depth)
        if kind == "either":
            return self._either(self._shape(3), self._shape(3))
        return getattr(self, f"_{kind}")()  # type: ignore[no-any-return]

    def _text(self) -> Shape:
        schema: dict[str, Any] = {"type": "string"}
        samples: tuple[str, ...] = TEXTS
        way = self._chance.random()
        if way < 0.3:
            schema["pattern"], samples = self._chance.choice(list(_PATTERNS.items()))
        elif way < 0.5:
            schema["format"], samples = self._chance.choice(list(_FORMATS.items()))
        if self._chance.random() < 0.5:
            schema["minLength"] = self._chance.choice((0, 1, 1, 1, Spelled("1.0"), 2))
        if self._chance.random() < 0.5:
            schema["maxLength"] = self._chance.choice((1, 5, 36, 80, 512, 1024, 2048, Spelled("1e2")))
        return Shape(schema, lambda chance: chance.choice(samples), kind="text")

    def _number(self) -> Shape:
        schema: dict[str, Any] = {"type": self._chance.choice(("integer", "number"))}
        if self._chance.random() < 0.5:
            low, high = sorted(self._chance.sample(NUMBERS, 2), key=float)
            schema[self._chance.choice(("minimum", "minimum", "exclusiveMinimum"))] = low
            if self._chance.random() < 0.8:
                schema[self._chance.choice(("maximum", "maximum", "exclusiveMaximum"))] = high
        elif self._chance.random() < 0.3:
            schema |= {"minimum": 0, "maximum": self._chance.choice((1, 100, 99999999999, Spelled("1e10")))}
        if self._chance.random() < 0.15:
            schema["multipleOf"] = self._chance.choice((1, Spelled("1.0"), 2, Spelled("0.01"), Spelled("0.5"), 10))
        bounds = [Decimal(value) for key, value in schema.items() if key not in ("type", "multipleOf")]
        near = [
            Spelled(_EXACT.add(bound, more)) for bound in bounds for more in (0, 1, -1, Decimal("0.5"), Decimal("-0.5"))
        ]
        return Shape(schema, lambda chance: chance.choice((*near, *NUMBERS)), kind="number")

    def _enum(self) -> Shape:
        values = self._chance.choice(_ENUMS)
        schema: dict[str, Any] = {"enum": [*values]}
        if len(values) == 1 and self._chance.random() < 0.5:
            schema = {"const": values[0]}
        return Shape(schema, lambda chance: deepcopy(chance.choice(values)), kind="enum")

    def _boolean(self) -> Shape:
        return Shape({"type": "boolean"}, lambda chance: chance.random() < 0.5, kind="boolean")

    def _mixed(self) -> Shape:
        kinds = self._chance.sample(("string", "number", "boolean", "null", "array", "object", "integer"), 2)
        return Shape({"type": kinds}, lambda chance: chance.choice((*TEXTS, *NUMBERS, *ODD)), kind="mixed")

    def _nullable(self) -> Shape:
        inner = self._chance.choice((self._text, self._number))()
        schema = {**inner.schema, "type": [inner.schema["type"], "null"]}
        return Shape(schema, lambda chance: None if chance.random() < 0.3 else inner.make(chance), kind=inner.kind)

    def _free(self) -> Shape:
        return Shape({}, lambda chance: deepcopy(chance.choice((*TEXTS, *NUMBERS, *ODD))), kind="mixed")

    def _either(self, one: Shape, other: Shape) -> Shape:
        schema = {self._chance.choice(("anyOf", "oneOf")): [one.schema, other.schema]}
        return Shape(schema, lambda chance: chance.choice((one, other)).make(chance), kind="mixed")

    def _list(self, depth: int) -> Shape:
        inner = self._shape(depth + 1)
        schema: dict[str, Any] = {"type": "array", "items": inner.schema}
        if self._chance.random() < 0.4:
            schema["minItems"] = self._chance.choice((0, 1, 2))
        if self._chance.random() < 0.5:
            schema["maxItems"] = self._chance.choice((1, 3, 100, 10000, 20000))
        if self._chance.random() < 0.15:
            schema["uniqueItems"] = True
        return Shape(
            schema, lambda chance: [inner.make(chance) for _ in range(chance.randint(0, 3))], element=inner, kind="list"
        )

    def _object(self, names: list[str], depth: int) -> Shape:
        inside = {name: self._shape(depth + 1) for name in names}
        schema: dict[str, Any] = {"type": "object", "properties": {name: inside[name].schema for name in names}}
        required = [name for name in names if self._chance.random() < 0.7]
        if required:
            schema["required"] = required
        if self._chance.random() < 0.5:
            schema["additionalProperties"] = self._chance.choice(
                (False, False, True, {"type": "string", "maxLength": 9})
            )
        if self._chance.random() < 0.2:
            schema["maxProperties"] = self._chance.choice((len(names), len(names) + 2, 50))
        if depth == 0 and self._chance.random() < 0.1:
            one, other = self._chance.choices(names, k=2)
            schema["dependentRequired"] = {one: [other]}

        def make(chance: Random) -> dict[str, Any]:
            return {name: inside[name].make(chance) for name in names if name in required or chance.random() < 0.6}

        return Shape(schema, make, properties=inside, kind="object")


def misspelt(schema: Any, chance: Random) -> Any:
    """Return a copy of a schema with a typing error in one keyword or format, or None if it has no keyword for it."""
    copy = deepcopy(schema)
    places = [*_keywords(copy)]
    if not places:
        return None
    content, key = chance.choice(places)
    if key == "format":
        content[key] = chance.choice(_WRONG_FORMATS)
        return copy
    wrong = _mistyped(key, chance)
    if wrong in content or wrong == key:
        return None
    content[wrong] = content.pop(key)
    return copy


def _mistyped(word: str, chance: Random) -> str:
    at = chance.randrange(len(word) - 1)
    way = chance.choice(("exchanged", "left out", "twice", "case", "other"))
    if way == "exchanged":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if way == "left out":
        return word[:at] + word[at + 1 :]
    if way == "twice":
        return word[: at + 1] + word[at:]
    if way == "case":
        return word[0].upper() + word[1:] if chance.random() < 0.5 else word.lower()
    return word[:at] + chance.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]


_KEYWORDS = {
    *("required", "properties", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf"),
    *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "uniqueItems", "additionalProperties", "items"),
    *("enum", "const", "maxProperties", "dependentRequired", "anyOf", "oneOf", "type"),
}


def _keywords(schema: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the keywords of a schema and of its parts."""
    if not isinstance(schema, dict):
        return
    yield from ((schema, key) for key in schema if key in _KEYWORDS)
    inside = [
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    for part in (*inside, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _keywords(part)

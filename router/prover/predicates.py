"""Predicates about a message, as JSON Schemas that mean the same in every draft."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

Schema = dict[str, Any]
_WORDS = {
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "set": "a set",
}
EACH = None
"""The step of a path to each element of a list."""
Steps = tuple[str | None, ...]
"""A path into a message: names of properties, and EACH."""
TYPES = ("string", "number", "boolean", "array", "object")
"""The types of JSON values; null counts as missing."""
NOTHING: Schema = {"not": {}}
NO_TEXT: Schema = {"not": {"type": "string"}}
NO_VALUE: Schema = {"enum": [None]}
SOME_VALUE: Schema = {"not": NO_VALUE}
TRUTHY: Schema = {"not": {"enum": [None, False, "", [], {}]}}
"""The values that JMESPath takes as true."""
ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(float_hook=Decimal)
"""JSON with exact numbers."""
_SORTED_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")


def exact(value: Any) -> bytes:
    """Return JSON text that is equal exactly if the values are, types and the digits of numbers included."""
    return _SORTED_ENCODER.encode(value)


def text_of(steps: Steps) -> str:
    """Return a path as text: `lines[].sku`."""
    return "".join("[]" if step is EACH else f".{step}" for step in steps).removeprefix(".") or "@"


def wherever(steps: Steps, leaf: Schema) -> Schema:
    """Return the predicate that each value at the path, if there is one, satisfies `leaf`."""
    for step in reversed(steps):
        leaf = {"items": leaf} if step is EACH else {"properties": {step: leaf}}
    return leaf


def in_element(steps: Steps) -> int:
    """Return how many steps of a path lead to the elements of its last list; 0 without a list."""
    return len(steps) - steps[::-1].index(EACH) if EACH in steps else 0


def there(names: Sequence[str | None], leaf: Schema) -> Schema:
    """Return the predicate that there is a value at the names, and that it satisfies `leaf`."""
    for name in reversed(names):
        leaf = {"type": "object", "required": [name], "properties": {name: leaf}}
    return leaf


def somewhere(steps: Steps, leaf: Schema) -> Schema:
    """Return the predicate that there are values at the path, in lists that are not empty, and all satisfy `leaf`."""
    for step in reversed(steps):
        leaf = {"type": "array", "minItems": 1, "items": leaf} if step is EACH else there((step,), leaf)
    return leaf


def all_of(predicates: list[Schema]) -> Schema:
    """Return the conjunction of predicates."""
    return {"allOf": predicates} if predicates else {}


def any_of(predicates: list[Schema]) -> Schema:
    """Return the disjunction of predicates."""
    return {"anyOf": predicates} if predicates else NOTHING


def in_words(types: Sequence[str]) -> str:
    """Return the names of types, for a sentence."""
    *most, last = [_WORDS.get(kind, kind) for kind in types]
    return f"{', '.join(most)} or {last}" if most else last


def is_plain(schema: Any) -> bool:
    """Whether a schema means the same in every draft, so that its opposite is exact."""
    if isinstance(schema, bool):
        return True
    return isinstance(schema, dict) and all(key in _PLAIN and _PLAIN[key](value) for key, value in schema.items())


_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("enum", "required", "minLength", "maxLength", "minItems", "maxItems"), lambda value: True),
    **dict.fromkeys(("minProperties", "maxProperties", "minimum", "maximum", "pattern"), lambda value: True),
    **dict.fromkeys(("not", "items"), is_plain),
    **dict.fromkeys(("allOf", "anyOf"), lambda value: all(map(is_plain, value))),
    "properties": lambda value: all(map(is_plain, value.values())),
    "type": lambda value: "integer" not in value,  # 1.0 is none in draft 4
}
"""The keywords that mean the same in every draft, with whether their value does."""


def keywords_of(schema: Any) -> set[str]:
    """Return all keys in a plain schema."""
    if isinstance(schema, list):
        return set[str]().union(*map(keywords_of, schema))
    return set(schema).union(*map(keywords_of, schema.values())) if isinstance(schema, dict) else set()

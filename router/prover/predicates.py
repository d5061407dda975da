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
ASSERTIONS = frozenset(
    (
        "type",
        "enum",
        "const",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "not",
        "propertyNames",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "required",
        "dependentRequired",
        "dependencies",
        "minProperties",
        "maxProperties",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "additionalItems",
        "unevaluatedItems",
        "additionalProperties",
        "unevaluatedProperties",
    )
)
"""The keywords of schemas that can refuse a value by themselves."""
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
ENCODER = msgspec.json.Encoder(decimal_format="number")
DECODER = msgspec.json.Decoder(float_hook=Decimal)
"""JSON with exact numbers."""
_SORTED_ENCODER = msgspec.json.Encoder(order="sorted", decimal_format="number")


def exact(value: Any) -> bytes:
    """Return JSON text that is equal exactly if the values are.

    Types and the digits of numbers are part of a value.
    """
    return _SORTED_ENCODER.encode(value)


def text_of(steps: Steps) -> str:
    """Return a path as text: `lines[].sku`."""
    text = "".join("[]" if step is EACH else f".{step}" for step in steps)
    return text.removeprefix(".") or "@"


def wherever(steps: Steps, leaf: Schema) -> Schema:
    """Return the predicate that each value at the path satisfies `leaf`.

    There may be no value at the path.
    """
    for step in reversed(steps):
        leaf = {"items": leaf} if step is EACH else {"properties": {step: leaf}}
    return leaf


def in_element(steps: Steps) -> int:
    """Return how many steps of a path lead to the elements of its last list.

    Without a list, that is 0.
    """
    return len(steps) - steps[::-1].index(EACH) if EACH in steps else 0


def there(names: Sequence[str | None], leaf: Schema) -> Schema:
    """Return the predicate that a value at the names is there and satisfies `leaf`."""
    for name in reversed(names):
        leaf = {
            "type": "object",
            "required": [name],
            "properties": {name: leaf},
        }
    return leaf


def somewhere(steps: Steps, leaf: Schema) -> Schema:
    """Return the predicate that there are values at the path, and all satisfy `leaf`.

    No list on the way is empty.
    """
    for step in reversed(steps):
        if step is EACH:
            leaf = {"type": "array", "minItems": 1, "items": leaf}
        else:
            leaf = there((step,), leaf)
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
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(key in _PLAIN and _PLAIN[key](schema[key]) for key in schema)


def _all_plain(schemas: Sequence[Any]) -> bool:
    return all(map(is_plain, schemas))


_OF_ANY_VALUE = (
    "enum",
    "required",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "pattern",
)
# The keywords that mean the same in every draft, with whether their value does.
_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_OF_ANY_VALUE, lambda value: True),
    "not": is_plain,
    "items": is_plain,
    "allOf": _all_plain,
    "anyOf": _all_plain,
    "properties": lambda value: _all_plain(value.values()),
    # In draft 4, 1.0 is no integer.
    "type": lambda value: "integer" not in value,
}


def keywords_of(schema: Any) -> set[str]:
    """Return all keys in a plain schema."""
    if isinstance(schema, list):
        return set[str]().union(*map(keywords_of, schema))
    if isinstance(schema, dict):
        return set(schema).union(*map(keywords_of, schema.values()))
    return set()

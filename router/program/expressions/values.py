"""What JMESPath says of values: their types, whether they are equal, and whether they are true."""

from decimal import Decimal
from typing import Any

_KINDS: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    Decimal: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


def kind_of(value: Any) -> str | None:
    """The JMESPath type of a value; None for what JSON does not have, and only a plugin can have put there."""
    return _KINDS.get(type(value))


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: numbers by value, and true and false are no numbers, at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def is_true(value: Any) -> bool:
    """JMESPath's truth: everything but null, false, and empty text, lists and objects; 0 is true."""
    return value is not False and (bool(value) or isinstance(value, int | float | Decimal))

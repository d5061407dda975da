"""Writes attribute values in DynamoDB's JSON as text, which is faster than structures that are encoded afterwards.

It knows the values of JSON, within the limits of DynamoDB. It raises some exception for anything else, which
`router.runtime.engine.attributes` then encodes or rejects. The text is equal to that of its structures. Lists and maps
are written for a message that is no longer than an item may be: their values are not counted before.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from router.runtime.engine.attributes import (
    MAX_DIGITS,
    MAX_INTEGER,
    MAX_ITEM_BYTES,
    MAX_NESTING,
    encode_number,
    over_limit,
)

_BELOW_ALL = -MAX_INTEGER
_CONTROL_ESCAPES = ("\\u000", "\\u001", "\\u002", "\\u005")
"""How the escapes begin of control characters, and of quotes and backslashes with what is beside them."""

ValueTexts = Mapping[type, Callable[[Any, int], str]]
"""By its type, from a value and its depth (1 in the item itself) to its text; raises some exception if it cannot."""


def texts_for(text: str | None) -> ValueTexts:
    """Return what writes the values of a JSON text; None if the text is not known."""
    if text is None or len(text) > MAX_ITEM_BYTES:
        return SCALARS
    return UNESCAPED if "\\" not in text or is_unescaped(text) else ESCAPED


def is_unescaped(text: str) -> bool:
    """Return whether JSON writes all strings of a JSON text, once decoded, as they are: without escapes.

    JSON allows no control character in a string but as an escape. Of escapes, only those are allowed that begin with
    `\\u` and stand for none of the characters that need one.
    """
    return text.count("\\") == text.count("\\u") and not any(
        escape in text for escape in _CONTROL_ESCAPES
    )


def _quote(text: str) -> str:
    if text.__class__ is not str:
        raise TypeError
    return msgspec.json.encode(text).decode()


def _integer(value: int, depth: int) -> str:
    if _BELOW_ALL < value < MAX_INTEGER:
        return f'{{"N":"{value}"}}'
    raise over_limit()


def _decimal(value: Decimal, depth: int) -> str:
    text = str(value)
    # With a point it is finite. Without exponent and trailing zero, it is as `encode_number` has it.
    if "." not in text or text[-1] == "0" or "E" in text or len(text) > MAX_DIGITS:
        text = encode_number(value)
    return f'{{"N":"{text}"}}'


def _escaped_map(values: dict[str, Any], depth: int) -> str:
    if depth > MAX_NESTING:
        raise over_limit(depth)
    depth += 1
    parts = [
        f"{_quote(name)}:{ESCAPED[value.__class__](value, depth)}" for name, value in values.items()
    ]
    return f'{{"M":{{{",".join(parts)}}}}}'


def _escaped_list(values: list[Any], depth: int) -> str:
    if depth > MAX_NESTING:
        raise over_limit(depth)
    depth += 1
    parts = [ESCAPED[value.__class__](value, depth) for value in values]
    return f'{{"L":[{",".join(parts)}]}}'


SCALARS: ValueTexts = {
    str: lambda value, depth: f'{{"S":{msgspec.json.encode(value).decode()}}}',
    int: _integer,
    Decimal: _decimal,
    bool: lambda value, depth: '{"BOOL":true}' if value else '{"BOOL":false}',
    type(None): lambda value, depth: '{"NULL":true}',
}
"""Those of any values but lists and maps."""


def unescaped_texts(others: ValueTexts) -> ValueTexts:
    """Return those of values that are parts of the JSON value of an `is_unescaped` text.

    `others` are those of values of other classes, which may be in lists and maps.
    """
    # Nearly all of the time of messages with lists of objects is spent in these functions.

    def write_map(values: dict[str, Any], depth: int) -> str:
        if depth > MAX_NESTING:
            raise over_limit(depth)
        depth += 1
        parts = []
        for name, value in values.items():
            kind = value.__class__
            if kind is str:
                parts.append(f'"{name}":{{"S":"{value}"}}')
            else:
                parts.append(f'"{name}":{texts[kind](value, depth)}')
        return f'{{"M":{{{",".join(parts)}}}}}'

    def write_list(values: list[Any], depth: int) -> str:
        if depth > MAX_NESTING:
            raise over_limit(depth)
        depth += 1
        parts = [texts[value.__class__](value, depth) for value in values]
        return f'{{"L":[{",".join(parts)}]}}'

    texts: ValueTexts = {
        **SCALARS,
        str: lambda value, depth: f'{{"S":"{value}"}}',
        dict: write_map,
        list: write_list,
        **others,
    }
    return texts


UNESCAPED = unescaped_texts({})
"""Those of values that are parts of the JSON value of an `is_unescaped` text."""
ESCAPED: ValueTexts = {
    **SCALARS,
    dict: _escaped_map,
    list: _escaped_list,
}
"""Those of any values of JSON."""

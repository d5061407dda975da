"""Converts Python values to DynamoDB attribute values, and checks the limits of DynamoDB.

Limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and, for sizes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

import re
from collections.abc import Callable, Container
from decimal import (
    Context,
    Decimal,
    DecimalException,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
)
from typing import Any

from router.codes import BAD_ITEM, BAD_KEY
from router.errors import Rejection
from router.model import AttributeValue, Item, KeyType, Number
from router.runtime.conversions import plain_number

MAX_ITEM_BYTES = 400 * 1024
MAX_NESTING = 32
MAX_DIGITS = 38
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_NAME_BYTES = 64 * 1024 - 1
"""The longest name of an attribute: HowItWorks.NamingRulesDataTypes, "Naming rules"."""

# DynamoDB's numbers: 38 digits, magnitudes from 1E-130 to 9.99…E+125; anything else raises here.
_EXACT = Context(
    prec=MAX_DIGITS,
    Emin=-130,
    Emax=125,
    clamp=0,
    traps=[Inexact, InvalidOperation, Overflow, Subnormal],
)
MAX_INTEGER = 10**MAX_DIGITS
"""Integers between this and its negative have 38 digits at most."""
_is_encoded = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\.[0-9]{0,17}[1-9]").fullmatch
"""Whether the text of a Decimal is that of `encode_number`: of few digits and without trailing zero, as most are."""

_VALUE_BYTES = 300
"""The memory of an encoded value: a dict with one key, a short text, and their place in a list or dict."""

Encoded = tuple[AttributeValue, int]
"""An attribute value, and the size in bytes of the item up to and with it."""


def encode_item(item: Item, declared: Container[str] = ()) -> tuple[dict[str, AttributeValue], int]:
    """Return an item in DynamoDB's JSON and its size in bytes (the lowest count); raises Rejection past a limit.

    The reason shows a name only if that is `declared`, as others may be the sender's own.
    """
    try:
        names = "".join(item)
    except TypeError:
        names = ""
    if (not names and item) or "" in item:
        raise Rejection(BAD_ITEM, "an attribute has a name that is empty or no text")
    size = len(names) if names.isascii() else text_bytes(names)
    if size > MAX_ITEM_BYTES:
        raise over_limit()
    encoded: dict[str, AttributeValue] = {}
    for name, value in item.items():
        # Most attributes are ASCII text: without a call each.
        if value.__class__ is str and value.isascii():
            encoded[name] = {"S": value}
            size += len(value)
            continue
        encoded[name], size = encode_attribute(name, value, size, shown=name in declared)
    if size > MAX_ITEM_BYTES:
        raise over_limit()
    if size > MAX_NAME_BYTES and any(text_bytes(name) > MAX_NAME_BYTES for name in item):
        raise Rejection(BAD_ITEM, f"an attribute has a name of more than {MAX_NAME_BYTES} bytes")
    return encoded, size


def encode_attribute(name: str, value: Any, size: int, *, shown: bool) -> Encoded:
    """Return a value, and the size with it; raises Rejection with the name if that may be `shown`."""
    try:
        return _ENCODERS.get(value.__class__, _refuse)(value, 1, size)
    except Rejection as rejection:
        where = name if shown else "*"
        raise Rejection(rejection.code, f"attribute '{where}': {rejection.reason}") from None


def encode_number(value: Number) -> str:
    """Return a number as DynamoDB takes it; raises Rejection if DynamoDB cannot hold it exactly."""
    # For speed: the general way gives the same.
    if type(value) is int and -MAX_INTEGER < value < MAX_INTEGER:
        return str(value)
    try:
        # Reducing drops trailing zeros, so that only significant digits count; -0 becomes 0.
        exact = _EXACT.normalize(value)
    except DecimalException:
        raise Rejection(BAD_ITEM, "a number of more than 38 digits or out of range") from None
    if not exact.is_finite():
        raise Rejection(BAD_ITEM, "NaN and Infinity are no numbers")
    return plain_number(exact)


def text_bytes(text: str) -> int:
    """Return the bytes of a text in UTF-8; raises Rejection for half a surrogate pair, which UTF-8 cannot encode."""
    try:
        return len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise Rejection(BAD_ITEM, "a text with half a surrogate pair") from None


def key_text(value: AttributeValue, kind: KeyType) -> str | None:
    """Return a key value as text, equal exactly if the values are equal to DynamoDB; None if not of that type."""
    content = value.get(kind)
    if content is None:
        return None
    if kind == "N":
        return plain_number(Decimal(content))
    return content.hex() if isinstance(content, bytes) else content


def identify(
    table: str, key: tuple[tuple[str, KeyType], ...], item: dict[str, AttributeValue]
) -> tuple[str, ...]:
    """Return the table and key values that identify an item; raises Rejection for a key that DynamoDB refuses."""
    identity = [table]
    limit = MAX_PARTITION_KEY_BYTES
    for name, kind in key:
        value = item.get(name)
        text = value.get("S") if value is not None and kind == "S" else None
        # No character has more than four bytes in UTF-8.
        if not text or len(text) * 4 > limit:
            text = _key_part(name, kind, value, limit)
        identity.append(text)
        limit = MAX_SORT_KEY_BYTES
    return tuple(identity)


def _key_part(name: str, kind: KeyType, value: AttributeValue | None, limit: int) -> str:
    if value is None:
        raise Rejection(BAD_KEY, f"key attribute '{name}' is missing")
    text = key_text(value, kind)
    if text is None:
        raise Rejection(
            BAD_KEY,
            f"key attribute '{name}' is of type {next(iter(value))}, the table's key is {kind}",
        )
    if not text:
        raise Rejection(BAD_KEY, f"key attribute '{name}' is empty")
    # Hexadecimal has two characters a byte; a number is never too long.
    if (len(text) // 2 if kind == "B" else text_bytes(text)) > limit:
        raise Rejection(BAD_KEY, f"key attribute '{name}' has more than {limit} bytes")
    return text


def memory_bytes(item: dict[str, AttributeValue]) -> int:
    """The memory that an encoded item takes at most, in bytes, besides the texts that it shares with the message."""
    total = 0
    left = [*item.values()]
    while left:
        ((kind, content),) = left.pop().items()
        total += _VALUE_BYTES
        if kind == "M":
            left += content.values()
        elif kind == "L":
            left += content
        elif kind in ("S", "B"):
            total += len(content)
        elif kind not in ("BOOL", "NULL", "N"):
            total += _VALUE_BYTES * len(content)
    return total


def memory_of_scalars(item: Item) -> int:
    """The same for an item of scalars that is not encoded."""
    texts = [value for value in item.values() if value.__class__ is str]
    return _VALUE_BYTES * len(item) + sum(map(len, texts))


def over_limit(depth: int = 0) -> Rejection:
    """Return the rejection of an item that nests too deeply, or is too large."""
    if depth > MAX_NESTING:
        return Rejection(BAD_ITEM, f"nested deeper than {MAX_NESTING}")
    return Rejection(BAD_ITEM, f"the item has more than {MAX_ITEM_BYTES} bytes")


# Each encoder gets the depth of its value and the size of the item before it, and returns the size with it. A list, map
# or set adds a byte for each of its values before it encodes any of them. An encoded value takes up to a hundred times
# the bytes that are counted for it: the number of values bounds the memory, without a comparison for each value.


def _text(value: str, depth: int, size: int) -> Encoded:
    return {"S": value}, size + (len(value) if value.isascii() else text_bytes(value))


def _number(value: Number, depth: int, size: int) -> Encoded:
    if value.__class__ is int and -MAX_INTEGER < value < MAX_INTEGER:
        text = str(value)
        return {"N": text}, size + (len(text.strip("-0")) + 3) // 2
    text = str(value)
    if not _is_encoded(text):
        text = encode_number(value)
    return {"N": text}, size + number_bytes(text)


def number_bytes(text: str) -> int:
    """Return the size of a number: one byte for each two significant digits, and one more."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1


def _list(values: list[Any], depth: int, size: int) -> Encoded:
    size += 3 + len(values)
    if depth > MAX_NESTING or size > MAX_ITEM_BYTES:
        raise over_limit(depth)
    encoded: list[AttributeValue] = []
    depth += 1
    for value in values:
        item, size = _ENCODERS.get(value.__class__, _refuse)(value, depth, size)
        encoded.append(item)
    return {"L": encoded}, size


def _map(values: dict[str, Any], depth: int, size: int) -> Encoded:
    try:
        names = "".join(values)
    except TypeError:
        raise Rejection(BAD_ITEM, "a map has a name that is no text") from None
    size += 3 + len(values) + (len(names) if names.isascii() else text_bytes(names))
    if depth > MAX_NESTING or size > MAX_ITEM_BYTES:
        raise over_limit(depth)
    encoded: dict[str, AttributeValue] = {}
    depth += 1
    for name, value in values.items():
        if value.__class__ is str and value.isascii():
            encoded[name] = {"S": value}
            size += len(value)
            continue
        encoded[name], size = _ENCODERS.get(value.__class__, _refuse)(value, depth, size)
    return {"M": encoded}, size


def _refuse(value: Any, depth: int, size: int) -> Encoded:
    hint = "; floats are not exact, use Decimal" if isinstance(value, float) else ""
    raise Rejection(BAD_ITEM, f"DynamoDB has no type for a Python {type(value).__name__}{hint}")


def _set(values: set[Any] | frozenset[Any], depth: int, size: int) -> Encoded:
    kinds = {type(value) for value in values}
    if not kinds:
        raise Rejection(BAD_ITEM, "an empty set")
    # At most one element is empty.
    if size + len(values) - 1 > MAX_ITEM_BYTES:
        raise over_limit()
    # Sorted, so that a message always results in the same request.
    if kinds == {str}:
        return {"SS": sorted(values)}, size + sum(map(text_bytes, values))
    if kinds == {bytes}:
        return {"BS": sorted(values)}, size + sum(map(len, values))
    if kinds <= {int, Decimal}:
        # Encoded before they are sorted: NaN has no order, and encoding refuses it.
        numbers = sorted(map(encode_number, values), key=Decimal)
        return {"NS": numbers}, size + sum(map(number_bytes, numbers))
    raise Rejection(BAD_ITEM, "a set of other things than all texts, all numbers or all binaries")


_ENCODERS: dict[type, Callable[[Any, int, int], Encoded]] = {
    str: _text,
    int: _number,
    Decimal: _number,
    bool: lambda value, depth, size: ({"BOOL": value}, size + 1),
    type(None): lambda value, depth, size: ({"NULL": True}, size + 1),
    bytes: lambda value, depth, size: ({"B": value}, size + len(value)),
    list: _list,
    tuple: _list,
    dict: _map,
    set: _set,
    frozenset: _set,
}

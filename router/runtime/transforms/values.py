"""The built-in transforms of numbers, yes and no and lists, and the look-up in a table.

Numbers are int or Decimal, and exact.
"""

import decimal
import re
from collections.abc import Hashable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args

from router.model import Number, TextFormat
from router.runtime.conversions import UnfitValueError, number_of, plain_number, text_of
from router.runtime.transforms.transform import (
    GROWTH_AS_TEXT,
    LIST,
    NUMBER,
    SCALARS,
    TEXT,
    AnyConstant,
    AnyMap,
    AnyNumber,
    AnyText,
    Arguments,
    Digits,
    JoinedText,
    ListEnd,
    ListsOf,
    MapEntry,
    NumberResult,
    OneOf,
    OnlyKinds,
    SameList,
    TextResult,
    Transform,
    WholeNumber,
    as_before,
    bytes_as_text,
    utf8_bytes,
)

Rounding = Literal["half_even", "half_up", "half_down", "up", "down", "ceiling", "floor"]
_ROUNDINGS: tuple[str, ...] = get_args(Rounding)

_EXACT = decimal.Context(
    prec=decimal.MAX_PREC,
    Emax=decimal.MAX_EMAX,
    Emin=decimal.MIN_EMIN,
    traps=[decimal.InvalidOperation, decimal.Inexact],
)
_IDENTITY = decimal.Context(prec=10_000, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
"""More digits than a message's number has: one of over 4,300 is refused when the message is decoded."""
_ROUNDING = decimal.Context(prec=1000, traps=[decimal.InvalidOperation])
"""Bounds the work: a number may claim a billion digits in ten characters, and DynamoDB takes 38."""
_GREATEST_POWER = 125
_FEWEST_DIGITS = 37 - _GREATEST_POWER
"""With so many digits, or more, `round` leaves the greatest numbers, of 38 digits, as they are."""
_MOST_DIGITS = 130
"""A number's magnitude is 1E-130 to 9.99…E+125 ("Data types" in the DynamoDB Developer Guide)."""
_LONGEST = 400 * 1024
"""No text is longer than an item (400 KB: "Service quotas" in the DynamoDB Developer Guide)."""

_NUMBER_TEXT = TextFormat(
    "a number",
    "pattern: ^[0-9]{1,38}$",
    r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$",
)
_YES_OR_NO = TextFormat(
    "yes or no",
    'enum: ["true", "false"]',
    "^(true|yes|1|false|no|0)$",
    numbers=(0, 1),
)

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@cache
def _number_form() -> re.Pattern[str]:
    # Compiled for the first message that needs it: a cold start does without.
    return re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?")


def to_number(value: str | Number) -> Number:
    """The number that the text is, exactly; a number stays what it is.

    >>> to_number("12.50")
    Decimal('12.50')
    """
    if not isinstance(value, str):
        return number_of(value)
    match = _number_form().fullmatch(value.strip())
    if not match:
        raise UnfitValueError("it is not a number")
    try:
        return Decimal(match[0]) if any(match.groups()) else int(match[0])
    except decimal.InvalidOperation:
        raise UnfitValueError("its exponent is absurd") from None


TO_NUMBER = Transform(
    name="to_number",
    apply=to_number,
    takes=("string", "number"),
    accepts=_NUMBER_TEXT,
    gives="number",
    arguments={},
    result=NumberResult(digits=None, stays_storable=lambda arguments: {}),
    most_bytes=None,
)


def to_text(value: str | bytes | bool | Number) -> str:
    """The text of a number (plain, without exponent or trailing zeros), of true or false, or of binary that is UTF-8.

    >>> to_text(Decimal("1.20E+3"))
    '1200'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    number = number_of(value)
    if isinstance(number, Decimal) and abs(int(number.as_tuple().exponent)) > _LONGEST:
        raise UnfitValueError("its exponent is absurd")
    return plain_number(number)


TO_TEXT = Transform(
    name="to_text",
    apply=to_text,
    takes=("string", "binary", "boolean", "number"),
    accepts=OnlyKinds(SCALARS),
    gives="string",
    arguments={},
    result=TextResult(
        longest=as_before,
        empty=lambda arguments: "as before",
        can_keep_length=False,
    ),
    most_bytes=lambda before, arguments: bytes_as_text(before),
)


def to_bool(value: str | int | bool) -> bool:
    """True for `true`, `yes` and 1, false for `false`, `no` and 0; as text, in any case.

    >>> to_bool("Yes")
    True
    """
    found = _BOOLEANS.get(to_text(value).strip().lower())
    if found is None:
        raise UnfitValueError("it is neither true nor false")
    return found


TO_BOOL = Transform(
    name="to_bool",
    apply=to_bool,
    takes=("string", "number", "boolean"),
    accepts=_YES_OR_NO,
    gives="boolean",
    arguments={},
    result=None,
    most_bytes=None,
)


def round(value: Number, digits: int, mode: Rounding = "half_even") -> Number:
    """The number with `digits` digits after the point; mode: half_even, half_up, half_down, up, down, ceiling or floor.

    >>> round(Decimal("2.345"), 2)
    Decimal('2.34')
    """
    number = number_of(value)
    if isinstance(number, int) and digits >= 0:
        return number
    try:
        return Decimal(number).quantize(
            Decimal((0, (1,), -digits)), f"ROUND_{mode.upper()}", _ROUNDING
        )
    except decimal.InvalidOperation:
        raise UnfitValueError("it is too large to round") from None


def _rounded(digits: Digits, arguments: Arguments) -> Digits:
    kept = arguments["digits"]
    # 9.5 becomes 10, and 7 becomes 100 with -2 digits.
    return Digits(max(digits.whole, -kept) + 1, min(digits.decimals, max(kept, 0)))


def _rounds_storable(arguments: Arguments) -> Mapping[str, Any] | None:
    # No number gets more digits, and only the greatest ones could be rounded up beyond the range.
    return {} if arguments["digits"] >= _FEWEST_DIGITS else None


ROUND = Transform(
    name="round",
    apply=round,
    takes=NUMBER,
    accepts="every value",
    gives="number",
    arguments={
        "digits": WholeNumber(minimum=-_MOST_DIGITS, maximum=_MOST_DIGITS),
        "mode": OneOf(_ROUNDINGS),
    },
    result=NumberResult(_rounded, _rounds_storable),
    most_bytes=None,
)


def scale(value: Number, factor: Number) -> Number:
    """The number times `factor`, exactly.

    >>> scale(Decimal("19.99"), 100)
    Decimal('1999.00')
    """
    number = number_of(value)
    if isinstance(number, int) and isinstance(factor, int):
        return number * factor
    try:
        return _EXACT.multiply(number, factor)
    except decimal.DecimalException:
        raise UnfitValueError("its exponent is absurd") from None


def _scaled(digits: Digits, arguments: Arguments) -> Digits:
    _, factor, exponent = Decimal(arguments["factor"]).as_tuple()
    decimals = max(-int(exponent), 0)
    whole = max(len(factor) + int(exponent), 0)
    return Digits(digits.whole + whole, digits.decimals + decimals)


def _scales_storable(arguments: Arguments) -> Mapping[str, Any] | None:
    _, factor, exponent = Decimal(arguments["factor"]).normalize(_IDENTITY).as_tuple()
    if factor == (0,):
        return {}
    if factor != (1,):
        return None
    # A power of ten moves the point: there are no more digits than before.
    power = int(exponent)
    if power < 0:
        return {"type": "integer"}
    bound = 10 ** (_GREATEST_POWER + 1 - power)
    return {"exclusiveMinimum": -bound, "exclusiveMaximum": bound} if power else {}


SCALE = Transform(
    name="scale",
    apply=scale,
    takes=NUMBER,
    accepts="every value",
    gives="number",
    arguments={"factor": AnyNumber()},
    result=NumberResult(_scaled, _scales_storable),
    most_bytes=None,
)


def join(value: list[Any], separator: str) -> str:
    """One text of the elements (texts, numbers, true and false), with the separator between them.

    >>> join(["IN", 700001], "-")
    'IN-700001'
    """
    return separator.join(to_text(element) for element in _list_of(value))


def _most_bytes_joined(before: float, arguments: Arguments) -> float:
    # A list has a byte for each element.
    return (GROWTH_AS_TEXT + utf8_bytes(arguments["separator"])) * before


JOIN = Transform(
    name="join",
    apply=join,
    takes=LIST,
    accepts=ListsOf((SCALARS,)),
    gives="string",
    arguments={"separator": AnyText(may_be_empty=True)},
    result=JoinedText(),
    most_bytes=_most_bytes_joined,
)


def unique(value: list[Any]) -> list[Any]:
    """The list with only the first of equal elements; numbers are equal by value.

    >>> unique(["drama", "comedy", "drama"])
    ['drama', 'comedy']
    """
    first: dict[Hashable, Any] = {}
    for element in _list_of(value):
        first.setdefault(_identity(element), element)
    return list(first.values())


UNIQUE = Transform(
    name="unique",
    apply=unique,
    takes=LIST,
    accepts="every value",
    gives="array",
    arguments={},
    result=SameList(),
    most_bytes=as_before,
)


def sort(value: list[Any]) -> list[Any]:
    """The list in ascending order: numbers by value, or texts by their characters.

    >>> sort(["b", "a"])
    ['a', 'b']
    """
    elements = _list_of(value)
    kind = text_of if elements and isinstance(elements[0], str) else number_of
    return sorted(elements, key=kind)


SORT = Transform(
    name="sort",
    apply=sort,
    takes=LIST,
    accepts=ListsOf((TEXT, NUMBER)),
    gives="array",
    arguments={},
    result=SameList(),
    most_bytes=as_before,
)


def first(value: list[Any]) -> Any:
    """The first element; of an empty list, nothing.

    >>> first(["drama", "comedy"])
    'drama'
    """
    elements = _list_of(value)
    return elements[0] if elements else None


FIRST = Transform(
    name="first",
    apply=first,
    takes=LIST,
    accepts="every value",
    gives=None,
    arguments={},
    result=ListEnd(0),
    most_bytes=as_before,
)


def last(value: list[Any]) -> Any:
    """The last element; of an empty list, nothing.

    >>> last(["drama", "comedy"])
    'comedy'
    """
    elements = _list_of(value)
    return elements[-1] if elements else None


LAST = Transform(
    name="last",
    apply=last,
    takes=LIST,
    accepts="every value",
    gives=None,
    arguments={},
    result=ListEnd(-1),
    most_bytes=as_before,
)


def lookup(value: Any, map: Mapping[str, Any], default: Any = None) -> Any:
    """What `map` has for the value (a number by its plain text), else `default`.

    >>> lookup("IN", {"IN": "India"})
    'India'
    """
    return map.get(to_text(value), default)


LOOKUP = Transform(
    name="lookup",
    apply=lookup,
    takes=None,
    accepts=OnlyKinds(SCALARS),
    gives=None,
    arguments={"map": AnyMap(), "default": AnyConstant()},
    result=MapEntry(entries="map", default="default"),
    most_bytes=None,
)


def _list_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UnfitValueError("it is not a list")
    return value


def _identity(value: Any) -> Hashable:
    """Equal for two values exactly when they are the same JSON: 1 and 1.0 are, 1 and true are not.

    Numbers are compared as text, whose hash a sender cannot foresee: Python's hash of a number is the number modulo
    2^61 - 1, and thousands of equal hashes make a set or dict quadratic.
    """
    if isinstance(value, dict):
        return "map", frozenset((name, _identity(child)) for name, child in value.items())
    if isinstance(value, list):
        return "list", tuple(_identity(child) for child in value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return "number", str(Decimal(value).normalize(_IDENTITY))
    return isinstance(value, bool), value

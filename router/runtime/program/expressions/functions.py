"""The functions of JMESPath on exact numbers: int and Decimal.

https://jmespath.org/specification.html#built-in-functions
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
)
from functools import reduce
from typing import Any

from msgspec import Struct

from router.errors import ExpressionError
from router.model import Number
from router.runtime.conversions import JSON_ENCODER, plain_number
from router.runtime.program.expressions import equal, kind_of

AVERAGE_DIGITS = 38
"""Significant digits of avg(): as many as a DynamoDB number has."""
MAX_NUMBER_LENGTH = 512
"""Characters of a number in to_number(): every number of DynamoDB fits, written without
an exponent.
"""
MAX_EXPONENT = 125
MIN_EXPONENT = -130
"""The range of a DynamoDB number: 9.99E+125 down to 1E-130
(HowItWorks.NamingRulesDataTypes, "Number").
"""

# Any two numbers in DynamoDB's range add up within 256 digits, and their sum over a
# message within 300.
_SUM = Context(
    prec=300,
    Emax=MAX_EMAX,
    Emin=MIN_EMIN,
    traps=[Inexact, InvalidOperation, Overflow],
)
_AVERAGE = Context(
    prec=AVERAGE_DIGITS,
    Emax=MAX_EMAX,
    Emin=MIN_EMIN,
    traps=[InvalidOperation, Overflow],
)
_JSON_NUMBER = r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"

Look = Callable[[Any], Any]
Types = tuple[str, ...]
"""The JMESPath types that an argument may have: all if empty, `array-number` for a list
of one type.
"""


class Function(Struct, frozen=True):
    """A function: the types of its arguments, the last of which may repeat if
    `variadic`, and its implementation.

    An argument of type `expref` is passed as the callable that evaluates it.
    """

    takes: tuple[Types, ...]
    call: Callable[..., Any]
    variadic: bool = False


def refuse(name: str, value: Any) -> ExpressionError:
    """Return the exception for an argument of the wrong type."""
    return ExpressionError(f"{name}() cannot take {kind_of(value) or 'such a value'}")


def check_argument(name: str, allowed: Types, value: Any) -> None:
    """Raise ExpressionError if an argument of a function has none of the types."""
    kind = kind_of(value)
    if kind in allowed:
        return
    of_elements = [each.removeprefix("array-") for each in allowed if each.startswith("array-")]
    if kind != "array" or not of_elements:
        raise refuse(name, value)
    if not value:
        return
    first = kind_of(value[0])
    for element in value:
        if first not in of_elements or kind_of(element) != first:
            raise refuse(name, element)


def _total(numbers: Sequence[Number]) -> Number:
    """Return the exact sum; raises Inexact if it would be rounded."""
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return reduce(_SUM.add, numbers, Decimal(0))


def _absolute(number: Number) -> Number:
    # abs() of a Decimal rounds.
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


def _rounded(name: str, to_whole: Callable[[Decimal], int]) -> Callable[[Any], int]:
    """Return ceil() or floor()."""

    def to_integer(number: Any) -> int:
        """An integer at most as long as DynamoDB takes, because 1e999999 has a million
        digits.
        """
        if isinstance(number, int):
            return number
        exact = Decimal(number)
        if exact.is_finite() and exact.adjusted() > MAX_EXPONENT:
            raise ExpressionError(f"{name}() is given a number outside DynamoDB's range")
        return to_whole(exact)

    return to_integer


def _to_number(value: Any) -> Any:
    if kind_of(value) == "number":
        return value
    match = re.fullmatch(_JSON_NUMBER, value) if isinstance(value, str) else None
    if match is None:
        return None
    if len(value) > MAX_NUMBER_LENGTH:
        raise ExpressionError(
            f"to_number() is given a number of more than {MAX_NUMBER_LENGTH} characters"
        )
    number = Decimal(value)
    # A zero with an exponent, 0e-999999, would be a million characters in plain
    # notation.
    if number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise ExpressionError("to_number() is given a number outside DynamoDB's range")
    return number if number and match.lastindex else int(number)


def _contains(subject: list[Any] | str, search: Any) -> bool:
    if isinstance(subject, str):
        return search in subject
    return any(equal(element, search) for element in subject)


def _key(name: str, look: Look, allowed: Types) -> Look:
    """Return the function that computes the key of an element, and checks its type."""

    def key(element: Any) -> Any:
        value = look(element)
        if kind_of(value) not in allowed:
            raise refuse(name, value)
        return value

    return key


def _sort_by(elements: list[Any], look: Look) -> list[Any]:
    if not elements:
        return elements
    # All keys must have the type of the first.
    first = _key("sort_by", look, _ORDERED)(elements[0])
    return sorted(elements, key=_key("sort_by", look, (str(kind_of(first)),)))


def _by(name: str, choose: Callable[..., Any]) -> Callable[[list[Any], Look], Any]:
    """Return max_by() or min_by(): the element with the greatest or the least key."""

    def chosen(elements: list[Any], look: Look) -> Any:
        return choose(elements, key=_key(name, look, _ORDERED), default=None)

    return chosen


def _average(numbers: Sequence[Number]) -> Number | None:
    if not numbers:
        return None
    return _AVERAGE.divide(_total(numbers), len(numbers))


def _merge(*objects: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for each in objects:
        merged |= each
    return merged


def _to_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    # Equal numbers have equal text; beyond the range it would be as long as the exponent is large.
    if isinstance(value, Decimal) and abs(value.adjusted()) <= MAX_NUMBER_LENGTH:
        return plain_number(value)
    return JSON_ENCODER.encode(value).decode()


_ANY: Types = ()
_NUMBER: Types = ("number",)
_STRING: Types = ("string",)
_STRINGS: Types = ("array-string",)
_OBJECT: Types = ("object",)
_ARRAY: Types = ("array",)
_EXPRESSION: Types = ("expref",)
_NUMBERS: Types = ("array-number",)
_ORDERED: Types = ("number", "string")
_ORDERED_LIST: Types = ("array-number", "array-string")

FUNCTIONS: Mapping[str, Function] = {
    "abs": Function((_NUMBER,), _absolute),
    "avg": Function((_NUMBERS,), _average),
    "ceil": Function((_NUMBER,), _rounded("ceil", math.ceil)),
    "contains": Function((("array", "string"), _ANY), _contains),
    "ends_with": Function((_STRING, _STRING), str.endswith),
    "floor": Function((_NUMBER,), _rounded("floor", math.floor)),
    "join": Function((_STRING, _STRINGS), str.join),
    "keys": Function((_OBJECT,), list),
    "length": Function((("string", "array", "object"),), len),
    "map": Function((_EXPRESSION, _ARRAY), lambda look, elements: list(map(look, elements))),
    "max": Function((_ORDERED_LIST,), lambda values: max(values, default=None)),
    "max_by": Function((_ARRAY, _EXPRESSION), _by("max_by", max)),
    "merge": Function((_OBJECT,), _merge, variadic=True),
    "min": Function((_ORDERED_LIST,), lambda values: min(values, default=None)),
    "min_by": Function((_ARRAY, _EXPRESSION), _by("min_by", min)),
    "not_null": Function(
        (_ANY,),
        lambda *values: next((each for each in values if each is not None), None),
        variadic=True,
    ),
    "reverse": Function((("array", "string"),), lambda value: value[::-1]),
    "sort": Function((_ORDERED_LIST,), sorted),
    "sort_by": Function((_ARRAY, _EXPRESSION), _sort_by),
    "starts_with": Function((_STRING, _STRING), str.startswith),
    "sum": Function((_NUMBERS,), _total),
    "to_array": Function((_ANY,), lambda value: value if isinstance(value, list) else [value]),
    "to_number": Function((_ANY,), _to_number),
    "to_string": Function((_ANY,), _to_string),
    "type": Function((_ANY,), kind_of),
    "values": Function((_OBJECT,), lambda value: list(value.values())),
}
"""Every function by its name."""

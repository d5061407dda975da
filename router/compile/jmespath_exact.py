"""JMESPath on exact numbers: the library's functions and interpreter, made right for int and Decimal."""

import copy
import functools
import math
import re
from collections.abc import Sequence
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
)
from typing import Any

import msgspec
from jmespath import functions, visitor
from jmespath.functions import signature

from router.errors import ExpressionError
from router.model import Number

AVERAGE_DIGITS = 38
"""Significant digits of avg(): as many as a DynamoDB number has."""
MAX_NUMBER_LENGTH = 512
"""Characters of a number in to_number(): every number of DynamoDB fits, written without an exponent."""
MAX_EXPONENT = 125
MIN_EXPONENT = -130
"""The range of a DynamoDB number: 9.99E+125 down to 1E-130 (HowItWorks.NamingRulesDataTypes, "Number")."""

# Any two numbers in DynamoDB's range add up within 256 digits, and their sum over a message within 300.
_SUM = Context(prec=300, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation, Overflow])
_AVERAGE = Context(prec=AVERAGE_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow])
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


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


def _with_decimal(names: Sequence[str]) -> list[str]:
    """The names of Python types that a JMESPath type stands for, with Decimal among the numbers."""
    return [*names, "Decimal"] if "int" in names else list(names)


def _total(numbers: Sequence[Number]) -> Number:
    """The exact sum; raises Inexact where it would have to be rounded."""
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return functools.reduce(_SUM.add, numbers, Decimal(0))


def _to_integer(number: Number, rounding: str, name: str) -> int:
    """An integer at most as long as DynamoDB takes, because 1e999999 has a million digits."""
    if isinstance(number, Decimal):
        if number.adjusted() > MAX_EXPONENT:
            raise ExpressionError(f"{name}() is given a number outside DynamoDB's range")
        return int(number.to_integral_value(rounding))
    return math.ceil(number) if rounding == ROUND_CEILING else math.floor(number)


class ExactFunctions(functions.Functions):
    """The functions of JMESPath; those that are not here are exact in the library."""

    def _get_allowed_pytypes(self, types: Sequence[str]) -> tuple[list[str], list[list[str]]]:
        allowed, subtypes = super()._get_allowed_pytypes(types)
        return _with_decimal(allowed), [_with_decimal(names) for names in subtypes]

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        return "number" if pyobject == "Decimal" else str(super()._convert_to_jmespath_type(pyobject))

    @signature({"types": ["number"]})
    def _func_abs(self, arg: Number) -> Number:
        return arg.copy_abs() if isinstance(arg, Decimal) else abs(arg)

    @signature({"types": ["array-number"]})
    def _func_avg(self, arg: list[Number]) -> Decimal | None:
        return _AVERAGE.divide(_total(arg), len(arg)) if arg else None

    @signature({"types": ["array-number"]})
    def _func_sum(self, arg: list[Number]) -> Number:
        return _total(arg)

    @signature({"types": ["number"]})
    def _func_ceil(self, arg: Number) -> int:
        return _to_integer(arg, ROUND_CEILING, "ceil")

    @signature({"types": ["number"]})
    def _func_floor(self, arg: Number) -> int:
        return _to_integer(arg, ROUND_FLOOR, "floor")

    @signature({"types": []})
    def _func_to_number(self, arg: Any) -> Number | float | None:
        if isinstance(arg, int | float | Decimal) and not isinstance(arg, bool):
            return arg
        if not isinstance(arg, str):
            return None
        match = _JSON_NUMBER.fullmatch(arg)
        if match is None:
            return None
        if len(arg) > MAX_NUMBER_LENGTH:
            raise ExpressionError(f"to_number() is given a number of more than {MAX_NUMBER_LENGTH} characters")
        number = Decimal(arg)
        # A zero with an exponent, 0e-999999, would be a million characters in plain notation.
        if number and not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
            raise ExpressionError("to_number() is given a number outside DynamoDB's range")
        return number if number and match.lastindex else int(number)

    @signature({"types": []})
    def _func_to_string(self, arg: Any) -> str:
        return arg if isinstance(arg, str) else _ENCODER.encode(arg).decode()

    @signature({"types": []})
    def _func_type(self, arg: Any) -> str | None:
        kind: str | None = "number" if isinstance(arg, Decimal) else super()._func_type(arg)
        return kind

    @signature({"types": ["array", "string"]}, {"types": []})
    def _func_contains(self, subject: list[Any] | str, search: Any) -> bool:
        if isinstance(subject, str):
            return search in subject
        return any(equal(element, search) for element in subject)


class ExactInterpreter(visitor.TreeInterpreter):
    """Evaluates a tree on a message; comparisons are `equal`, and a literal is never shared between messages."""

    COMPARATOR_FUNC = {  # noqa: RUF012 — the library's name and shape
        **visitor.TreeInterpreter.COMPARATOR_FUNC,
        "eq": equal,
        "ne": lambda left, right: not equal(left, right),
    }

    def __init__(self) -> None:
        super().__init__(visitor.Options(custom_functions=ExactFunctions()))

    def visit_literal(self, node: dict[str, Any], value: Any) -> Any:
        """The literal, copied if what comes after could change it."""
        literal = node["value"]
        return copy.deepcopy(literal) if isinstance(literal, list | dict) else literal

"""Bounds the digits of numbers that transforms make: DynamoDB stores at most 38."""

from collections.abc import Iterator
from decimal import Decimal
from math import inf

from router.prover.inference import Value
from router.prover.predicates import Schema
from router.prover.schema_prover import YES, SchemaProver
from router.runtime.engine.attributes import MAX_DIGITS
from router.runtime.transforms.transform import Digits
from router.tools.check.analysis.text_formats import NUMBER_TEXT, always_matches
from router.tools.check.analysis.values import holds

_WHOLE = (9, 18, 28, MAX_DIGITS)
_DECIMALS = (2, 3, 6, 9, 18)
# The bounds that are tried, in this order.
_TEXTS = (Digits(18, 0), Digits(28, 0), Digits(MAX_DIGITS, 0), Digits(19, 19))
_NOTHING = Digits(0, 0)
# Longer numbers are not tried: nanoseconds since 1970 have 19 digits.
_LONGEST = 20


def digits_of(messages: SchemaProver | None, value: Value) -> Digits | None:
    """Return the most digits of a value that is a number or the text of one; None if they are not known."""
    if value.digits is not None:
        return value.digits
    number = _of_number(messages, value) if value.may_be("number") else _NOTHING
    text = _of_text(messages, value) if value.may_be("string") else _NOTHING
    if number is None or text is None:
        return None
    return Digits(max(number.whole, text.whole), max(number.decimals, text.decimals))


def _of_number(messages: SchemaProver | None, value: Value) -> Digits | None:
    # A bound with a fraction would be compared as a double.
    bounds = ((size, _less_than(10**size)) for size in _WHOLE)
    whole = _first(messages, value, bounds)
    if whole is None:
        return None
    if holds(messages, value, if_number({"type": "integer"})):
        return Digits(whole, 0)
    steps = ((size, {"multipleOf": Decimal(10) ** -size}) for size in _DECIMALS)
    decimals = _first(messages, value, steps)
    return Digits(whole, inf if decimals is None else decimals)


def has_one_length(messages: SchemaProver | None, value: Value) -> bool:
    """Whether all numbers of a value are proved to be whole, not negative and of equally many digits."""
    lengths = ((size, _of_length(size)) for size in range(1, _LONGEST))
    return _first(messages, value, lengths) is not None


def _of_length(size: int) -> Schema:
    least = 0 if size == 1 else 10 ** (size - 1)
    return {"type": "integer", "minimum": least, "maximum": 10**size - 1}


def _less_than(bound: int) -> Schema:
    return {"exclusiveMinimum": -bound, "exclusiveMaximum": bound}


def _first(
    messages: SchemaProver | None, value: Value, candidates: Iterator[tuple[int, Schema]]
) -> int | None:
    """Return the first size whose keywords are proved of each number that the value can be; None if there is none."""
    for size, keywords in candidates:
        if holds(messages, value, if_number(keywords)):
            return size
    return None


def if_number(keywords: Schema) -> Schema:
    """Return a predicate of values that are no numbers, or numbers that satisfy keywords."""
    return {"anyOf": [{"not": {"type": "number"}}, keywords]}


def _of_text(messages: SchemaProver | None, value: Value) -> Digits | None:
    for digits in _TEXTS:
        form = rf"^\s*[+-]?[0-9]{{0,{digits.whole}}}(\.[0-9]{{0,{digits.decimals}}})?\s*$"
        if always_matches(messages, value, form) is YES:
            return digits
    return None


def are_storable(messages: SchemaProver | None, value: Value) -> bool:
    """Whether it is proved that DynamoDB can store each number of a value, or of its texts.

    No claim is about messages with numbers that it cannot store.
    """
    if value.digits is not None:
        return value.digits.whole + value.digits.decimals <= MAX_DIGITS
    if value.may_be("number") and not value.given:
        return False
    is_text = value.may_be("string")
    return not is_text or always_matches(messages, value, NUMBER_TEXT.stored) is YES

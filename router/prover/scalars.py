"""Makes texts and numbers that satisfy several schemas at once."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Any

from router.prover.patterns import UndecidedPattern, find_outside
from router.prover.predicates import DECODER, ENCODER, Schema
from router.prover.text_patterns import distinctive_patterns, example_of

Schemas = Sequence[Schema]
Number = int | Decimal
MOST_BYTES = 1024 * 1024
"""The longest message of SQS."""
# The distance of a number from others. One branch of a choice may have these in
# common with another branch.
_FAR = 10**7
# A bound so far away is none for the numbers that are made. Schemas have the bounds
# of binary floating-point numbers.
_NO_BOUND = 10**20
# DynamoDB stores no greater number. Python needs minutes for the digits of some.
_GREATEST = 10**130
_PRECISE = Context(prec=150)
_MOST_CHARACTERS = 200
# The most steps of the search for a text that matches patterns: some 50 ms.
_MOST_STEPS = 50_000
_OF_TEXT = ("pattern", "format", "minLength", "maxLength", "not", "const")
# Those of them that are about more than the length.
_SHAPING = frozenset(("pattern", "format", "not", "const"))
_ZEROS = "0" * 40
_SECOND = "2026-01-02T03:04:05"
FORMATS: Mapping[str, Sequence[str]] = {
    "date": ("2026-01-02",),
    "date-time": (f"{_SECOND}Z", f"{_SECOND}.{_ZEROS}Z"),
    "duration": ("P1D", "PT1H", f"P{_ZEROS}1Y"),
    "email": ("a@example.com",),
    "hostname": ("example.com",),
    "idn-email": ("a@example.com",),
    "idn-hostname": ("example.com",),
    "ipv4": ("192.0.2.1",),
    "ipv6": ("2001:db8::1", "::1", "2001:0db8:0000:0000:0000:0000:0000:0001"),
    "iri": ("https://example.com/a",),
    "iri-reference": ("/a",),
    "json-pointer": ("/a",),
    "regex": ("a",),
    "relative-json-pointer": ("1/a",),
    "time": ("03:04:05Z", f"03:04:05.{_ZEROS}Z"),
    "uri": ("https://example.com/a",),
    "uri-reference": ("/a",),
    "uri-template": ("/{a}",),
    "uuid": ("6f2c1d7e-1b3a-4c5d-8e9f-0a1b2c3d4e5f",),
}
"""Texts of each format that is asserted."""


class Stuck(Exception):
    """Raised if no value can be made."""


def given(schemas: Schemas, keyword: str) -> list[Any]:
    """Return the values of a keyword in the schemas that have it."""
    return [schema[keyword] for schema in schemas if keyword in schema]


def least_of(schemas: Schemas, keyword: str) -> int:
    """Return the size that a keyword such as `minLength` demands of a value."""
    return max(map(int, given(schemas, keyword)), default=0)


def most_of(schemas: Schemas, keyword: str, default: int) -> int:
    """Return the size that a keyword such as `maxLength` allows for a value."""
    return min(map(int, given(schemas, keyword)), default=default)


def number_bounds(schemas: Schemas, beyond: Number) -> tuple[Number | None, Number | None]:
    """Return the least and the greatest number that schemas allow; None without one.

    Exclusive bounds are moved by `beyond`. In draft 4 they are booleans.
    """
    lows: list[Number] = []
    highs: list[Number] = []
    for schema in schemas:
        _add_bounds(lows, schema, "minimum", "exclusiveMinimum", beyond)
        _add_bounds(highs, schema, "maximum", "exclusiveMaximum", -beyond)
    return max(lows, default=None), min(highs, default=None)


def _add_bounds(
    found: list[Number],
    schema: Schema,
    inclusive: str,
    exclusive: str,
    beyond: Number,
) -> None:
    strict = schema.get(exclusive)
    if inclusive in schema:
        found.append(schema[inclusive] + (beyond if strict is True else 0))
    if isinstance(strict, Number) and not isinstance(strict, bool):
        found.append(strict + beyond)


def lengthened(text: str, least: int) -> str:
    """Return a text of at least so many characters: its last one is repeated."""
    return text.ljust(least, text[-1:] or "a")


def generate_text(schemas: Schemas, variant: int) -> str:
    """Return a text that satisfies all schemas, if there is one among usual ones."""
    least = least_of(schemas, "minLength")
    most = most_of(schemas, "maxLength", MOST_BYTES)
    if least > MOST_BYTES:
        raise Stuck
    if least <= most and all(map(_SHAPING.isdisjoint, schemas)):  # only the length matters
        return lengthened(_plain_text(variant), least)[:most]
    is_valid = validator_of({"allOf": [_of_text(schema) for schema in schemas]})
    padded = [lengthened(text, least)[:most] for text in _texts(schemas, variant)]
    for text in padded:
        if is_valid(text):
            return text
    patterns: list[str] = []
    for schema in schemas:
        patterns += distinctive_patterns(schema)
    return _shortest(tuple(patterns), least) or padded[0]


def _plain_text(variant: int) -> str:
    return "a" if variant < 2 else "Ab1" * (variant % 7)


def _of_text(schema: Schema) -> Schema:
    return {key: schema[key] for key in _OF_TEXT if key in schema}


def _texts(schemas: Schemas, variant: int) -> list[str]:
    """Return texts that may satisfy schemas, but for their length."""
    formats: list[str] = []
    for name in given(schemas, "format"):
        formats += FORMATS.get(str(name), ())
    tried = formats.copy()
    patterns = given(schemas, "pattern")
    is_time = "date-time" in given(schemas, "format")
    for extra in (variant, 1, 0, 8):
        found = [example_of(pattern, extra) for pattern in patterns]
        texts = [text for text in found if text]
        tried += texts
        if is_time:
            # The pattern tells the digits of the fraction and the offset, the format what is a day.
            tried += [f"{_SECOND}{text[len(_SECOND) :]}" for text in texts]
    tried += [pattern.strip("^$") for pattern in patterns]
    tried.append(_plain_text(variant))
    least = least_of(schemas, "minLength")
    if least:
        # A time becomes longer by a fraction.
        tried += [f"{text[:-1]}.{'0' * least}{text[-1]}" for text in formats]
    return tried


@lru_cache(maxsize=1024)
def _shortest(patterns: tuple[str, ...], least: int) -> str | None:
    """Return a shortest text of at least so many characters that matches patterns.

    None if none is found.
    """
    if not patterns or least > _MOST_CHARACTERS:
        return None
    long_enough = rf"^[\s\S]{{{least},}}$"
    try:
        return find_outside([*patterns, long_enough], r"[^\s\S]", _MOST_STEPS)
    except UndecidedPattern:
        return None


def validator_of(schema: Schema) -> Callable[[Any], bool]:
    """Return a callable that tells whether a value satisfies a schema.

    The schema is of draft 2020-12.
    """
    return _validator(ENCODER.encode(schema))


@lru_cache(maxsize=1024)
def _validator(text: bytes) -> Callable[[Any], bool]:
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator(
        DECODER.decode(text),
        validate_formats=True,
        pattern_options=RegexOptions(),
    ).is_valid


def generate_number(schemas: Schemas, variant: int, *, whole: bool) -> Any:
    """Return a number within the bounds of all schemas, or a whole one.

    Of four variants, two are near the bounds. Raises Stuck if the bounds leave only
    numbers of very many digits.
    """
    try:
        with localcontext(_PRECISE):
            number = _number(schemas, variant)
    except ArithmeticError:
        raise Stuck from None
    if not -_GREATEST <= number <= _GREATEST:
        raise Stuck
    return int(number) if whole or number == int(number) else number


def _number(schemas: Schemas, variant: int) -> Number:
    low, high = number_bounds(schemas, 1)
    if low is not None and low < -_NO_BOUND:
        low = None
    if high is not None and high > _NO_BOUND:
        high = None
    step: Number = (given(schemas, "multipleOf") or [1])[0]
    # The nearest multiple within a bound: rounded up from the lower one, or else down.
    first = (high or 0) // step * step if low is None else -(-low // step) * step
    if variant % 4 == 0:
        return first
    distance = _FAR // step * step if variant % 4 > 1 else step
    second = first - distance if low is None and high is not None else first + distance
    return second if high is None or second <= high else first

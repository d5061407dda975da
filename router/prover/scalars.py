"""Makes texts and numbers that satisfy several schemas at once."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal, localcontext
from functools import lru_cache
from typing import Any

from router.prover.patterns import UndecidedPattern, find_outside
from router.prover.predicates import DECODER, ENCODER, Schema
from router.prover.text_patterns import distinctive_patterns, example_of

MOST_BYTES = 1024 * 1024
"""The longest message of SQS."""
_FAR = 10**7
"""How far a number is from others that one branch of a choice may have in common with another."""
_NO_BOUND = 10**20
"""A bound so far away, as that of binary floating-point numbers, is none for the numbers that are made."""
_GREATEST = 10**130
"""DynamoDB stores no greater number, and Python needs minutes for the digits of some."""
_PRECISE = Context(prec=150)
_MOST_CHARACTERS = 200
_MOST_STEPS = 50_000
"""The most steps of the search for a text that matches patterns: some 50 ms."""
_OF_TEXT = ("pattern", "format", "minLength", "maxLength", "not", "const")
_ZEROS = "0" * 40
FORMATS: Mapping[str, Sequence[str]] = {
    "date": ("2026-01-02",),
    "date-time": ("2026-01-02T03:04:05Z", f"2026-01-02T03:04:05.{_ZEROS}Z"),
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


def generate_text(schemas: list[Any], variant: int) -> str:
    """Return a text that satisfies all schemas, if there is one among some usual ones."""
    least = max((schema.get("minLength", 0) for schema in schemas), default=0)
    most = min((schema.get("maxLength", MOST_BYTES) for schema in schemas), default=MOST_BYTES)
    if least > MOST_BYTES:
        raise Stuck
    patterns = [schema["pattern"] for schema in schemas if "pattern" in schema]
    formats = [text for schema in schemas for text in FORMATS.get(str(schema.get("format")), ())]
    found = [
        text for extra in (variant, 1, 0, 8) for pattern in patterns for text in [example_of(pattern, extra)] if text
    ]
    tried = [
        *formats,
        *found,
        *(pattern.strip("^$") for pattern in patterns),
        "a" if variant < 2 else "Ab1" * (variant % 7),
    ]
    tried += [f"{text[:-1]}.{'0' * least}{text[-1]}" for text in formats if least]  # a time with a fraction
    padded: list[str] = [text.ljust(least, text[-1:] or "a")[:most] for text in tried]
    satisfying = validator_of(
        {"allOf": [{key: schema[key] for key in _OF_TEXT if key in schema} for schema in schemas]}
    )
    found_text = next(filter(satisfying, padded), None)
    if found_text is not None:
        return found_text
    return _shortest(tuple(pattern for each in schemas for pattern in distinctive_patterns(each)), least) or padded[0]


@lru_cache(maxsize=1024)
def _shortest(patterns: tuple[str, ...], least: int) -> str | None:
    """Return a shortest text of at least so many characters that matches patterns; None if none is found."""
    if not patterns or least > _MOST_CHARACTERS:
        return None
    try:
        return find_outside([*patterns, rf"^[\s\S]{{{least},}}$"], r"[^\s\S]", _MOST_STEPS)
    except UndecidedPattern:
        return None


def validator_of(schema: Schema) -> Callable[[Any], bool]:
    """Return a callable that tells whether a value satisfies a schema of draft 2020-12."""
    return _validator(ENCODER.encode(schema))


@lru_cache(maxsize=1024)
def _validator(text: bytes) -> Callable[[Any], bool]:
    from jsonschema_rs import Draft202012Validator, RegexOptions

    schema = DECODER.decode(text)
    return Draft202012Validator(schema, validate_formats=True, pattern_options=RegexOptions()).is_valid


def generate_number(schemas: list[Any], variant: int, *, whole: bool) -> Any:
    """Return a number within the bounds of all schemas, or a whole one: of four variants, two are near the bounds.

    Raises Stuck if they leave only numbers of very many digits.
    """
    try:
        with localcontext(_PRECISE):
            number = _number(schemas, variant)
    except ArithmeticError:
        raise Stuck from None
    if not -_GREATEST <= number <= _GREATEST:
        raise Stuck
    return int(number) if whole or number == int(number) else number


def _number(schemas: list[Any], variant: int) -> int | Decimal:
    lows = [schema["exclusiveMinimum"] + 1 for schema in schemas if _is_number(schema.get("exclusiveMinimum"))]
    highs = [schema["exclusiveMaximum"] - 1 for schema in schemas if _is_number(schema.get("exclusiveMaximum"))]
    low = max((*lows, *(schema["minimum"] for schema in schemas if "minimum" in schema)), default=None)
    high = min((*highs, *(schema["maximum"] for schema in schemas if "maximum" in schema)), default=None)
    low = None if low is not None and low < -_NO_BOUND else low
    high = None if high is not None and high > _NO_BOUND else high
    step = next((schema["multipleOf"] for schema in schemas if "multipleOf" in schema), 1)
    first = (high or 0) // step * step if low is None else -(-low // step) * step
    distance = (step, _FAR // step * step)[variant // 2 % 2]
    second = first - distance if low is None and high is not None else first + distance
    return second if variant % 4 and (high is None or second <= high) else first


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)

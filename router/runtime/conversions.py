"""Reads texts, numbers, times and JSON, exactly: for the built-in transforms, and for all that does without them.

A config that names no transform loads none: docs/decisions/mechanisms-that-hold-a-floor.md
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from router.model import Number, TextFormat

MAX_DEPTH = 64
"""The deepest nesting of JSON that is decoded, as for the body of a message."""
MAX_COLLISIONS = 64
"""Distinct numbers of one set that may have the same hash; more are an attack, as each costs a comparison with all."""
_FEW = 1000
"""A set of so many numbers is built in milliseconds, whatever their hashes are."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BASE64_TEXT = TextFormat(
    "Base64",
    "pattern: ^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    encoding="base64",
)
_RFC_3339 = r"(\d{4})(-\d\d-\d\d)T(\d\d:\d\d:)(\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)"
_CYCLE_YEARS = 400
"""The Gregorian calendar repeats itself after so many years."""
_CYCLE_SECONDS = 146_097 * 24 * 60 * 60
JSON_DECODER = msgspec.json.Decoder(float_hook=Decimal)
JSON_ENCODER = msgspec.json.Encoder(decimal_format="number")
"""Both keep numbers exact."""


class UnfitValueError(ValueError, TypeError):
    """What a value is that a conversion does not take, in words without the value: `it is not text`."""


def text_of(value: Any) -> str:
    """The value, if it is text; raises UnfitValueError."""
    if not isinstance(value, str):
        raise UnfitValueError("it is not text")
    return value


def decode_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, numbers as int or Decimal; raises UnfitValueError."""
    try:
        value = JSON_DECODER.decode(text)
    except (ValueError, RecursionError, InvalidOperation):
        # Malformed or no UTF-8; too deep; an absurd exponent.
        raise UnfitValueError("it is not JSON") from None
    if nests_deeper(value, MAX_DEPTH):
        raise UnfitValueError(f"it is nested over {MAX_DEPTH} deep")
    return value


def nests_deeper(value: Any, limit: int) -> bool:
    """Return whether a value has more than `limit` lists and maps inside each other."""
    level = [value]
    for _ in range(limit + 1):
        level = [node for node in level if isinstance(node, (list, dict))]
        if not level:
            return False
        level = [
            child for node in level for child in (node.values() if isinstance(node, dict) else node)
        ]
    return True


def number_of(value: Any) -> Number:
    """The value, if it is a finite number; raises UnfitValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise UnfitValueError("it is not a number")
    if isinstance(value, Decimal) and not value.is_finite():
        raise UnfitValueError("it is not a finite number")
    return value


def plain_number(value: Number) -> str:
    """Return a finite number in plain notation, without exponent or trailing zeros.

    Equal numbers have equal text, however a message spells them.
    """
    if not value:
        return "0"
    if isinstance(value, int):
        return str(value)  # formatting with "f" would convert it to a float
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_set(numbers: list[Number]) -> set[Number]:
    """Return the set of numbers; raises ValueError if the hashes of many collide.

    Python's hash of a number is its value modulo 2^61 - 1, which a sender can choose.
    """
    distinct: dict[int, list[Number]] = {}
    for number in numbers if len(numbers) > _FEW else ():
        alike = distinct.setdefault(hash(number), [])
        if number not in alike:
            alike.append(number)
            if len(alike) > MAX_COLLISIONS:
                raise UnfitValueError("is one of too many numbers with the same hash")
    return set(numbers)


def seconds_of(text: str) -> int:
    """Return the seconds from 1970 to a time, rounded down: ISO 8601 with an offset, or any of RFC 3339.

    A leap second, `23:59:60Z`, is the second after it, as in POSIX. Raises UnfitValueError.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return _seconds_by_rfc(text.upper())
    if time.tzinfo is None:
        raise UnfitValueError("is a time without offset; add Z or +00:00")
    return (time - EPOCH) // timedelta(seconds=1)


def _seconds_by_rfc(text: str) -> int:
    """Return the seconds of a time that only RFC 3339 has: of the year 0, with a leap second, or with small letters."""
    match = re.fullmatch(_RFC_3339, text, re.ASCII)
    if match is None:
        raise UnfitValueError("is no ISO 8601 time")
    year, day, minute, second, offset = match.groups()
    cycles = int(year == "0000")
    leap = int(second == "60")
    try:
        time = datetime.fromisoformat(
            f"{int(year) + cycles * _CYCLE_YEARS:04}{day}T{minute}{int(second) - leap:02}{offset}"
        )
    except ValueError:
        raise UnfitValueError("is no ISO 8601 time") from None
    seconds = (time - EPOCH) // timedelta(seconds=1) - cycles * _CYCLE_SECONDS
    if leap and (seconds + leap) % (24 * 60 * 60):
        raise UnfitValueError("has a leap second that is not at midnight in UTC")
    return seconds + leap

"""The built-in transforms of times, and the times that are read from text."""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from router.model import Number, TextFormat, iso_ms
from router.runtime.conversions import EPOCH, UnfitValueError, number_of, seconds_of, text_of
from router.runtime.transforms.transform import (
    NUMBER,
    TEXT,
    Digits,
    EpochSeconds,
    NumberResult,
    NumbersBetween,
    OneOf,
    TextResult,
    Transform,
)
from router.runtime.transforms.values import scale

_FIRST_MS = (datetime(1000, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC) - EPOCH) // timedelta(
    milliseconds=1
)
_NANOSECOND_DIGITS = 9
_FRACTION = re.compile(
    rf".*?(?:[.,](\d{{1,{_NANOSECOND_DIGITS}}})\d*)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)", re.ASCII
)
"""A time with its fraction, before an offset of hours and minutes."""
DATE_TIME = TextFormat("a time with an offset", "format: date-time", format="date-time")


def to_iso(value: Number, unit: Literal["s", "ms"]) -> str:
    """The time that is so many seconds (`s`) or milliseconds (`ms`) after 1970, as ISO 8601 in UTC.

    >>> to_iso(1767323045, "s")
    '2026-01-02T03:04:05.000Z'
    """
    ms = scale(value, 1000) if unit == "s" else number_of(value)
    text = iso_ms(math.floor(ms)) if _FIRST_MS <= ms < _LAST_MS + 1 else None
    if text is None:
        raise UnfitValueError("it is no time between the years 1000 and 9999")
    return text


TO_ISO = Transform(
    name="to_iso",
    apply=to_iso,
    takes=NUMBER,
    # Those are times in either unit: seconds from the year 1019 to 9892, or milliseconds.
    accepts=NumbersBetween(-30_000_000_000, 250_000_000_000),
    gives="string",
    arguments={"unit": OneOf(("s", "ms"))},
    result=TextResult(
        longest=lambda before, arguments: 24,
        empty=lambda arguments: "never",
        can_keep_length=False,
    ),
    most_bytes=None,
)


def to_epoch(value: str) -> int:
    """The seconds from 1970 to the time, which is ISO 8601 with an offset or `Z`; fractions are cut off.

    >>> to_epoch("2026-01-02T03:04:05.678Z")
    1767323045
    """
    return seconds_of(text_of(value))


TO_EPOCH = Transform(
    name="to_epoch",
    apply=to_epoch,
    takes=TEXT,
    accepts=DATE_TIME,
    gives="number",
    arguments={},
    result=EpochSeconds(),
    most_bytes=None,
)


def to_epoch_ns(value: str) -> int:
    """The nanoseconds from 1970 to the time, which is ISO 8601 with an offset or `Z`; a smaller part is cut off.

    >>> to_epoch_ns("2026-01-02T03:04:05.678Z")
    1767323045678000000
    """
    text = text_of(value)
    seconds = seconds_of(text)
    found = _FRACTION.fullmatch(text)
    if found is None:
        raise UnfitValueError("has an offset with seconds")
    fraction = (found[1] or "").ljust(_NANOSECOND_DIGITS, "0")
    return seconds * 1_000_000_000 + int(fraction)


TO_EPOCH_NS = Transform(
    name="to_epoch_ns",
    apply=to_epoch_ns,
    takes=TEXT,
    accepts=DATE_TIME,
    gives="number",
    arguments={},
    result=NumberResult(Digits(21, 0), stays_storable=lambda arguments: {}),
    most_bytes=None,
)

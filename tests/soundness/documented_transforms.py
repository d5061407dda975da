"""What each transform gives, by docs/config.md alone: a second implementation, to compare with."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
)
from typing import Any
from urllib.parse import unquote_to_bytes

from tests.soundness.spelled import Spelled

EXACT = Context(prec=2000, Emax=999999, Emin=-999999)
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_ROUNDINGS = {
    "half_even": ROUND_HALF_EVEN,
    "half_up": ROUND_HALF_UP,
    "half_down": ROUND_HALF_DOWN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
    "ceiling": ROUND_CEILING,
    "floor": ROUND_FLOOR,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Refused(Exception):
    """The page says that such a message is rejected."""


class Unsure(Exception):
    """The page does not say what follows."""


def is_number(value: Any) -> bool:
    """Whether a value is a number: true and false are none."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def plain(number: Any) -> str:
    """Return the text of a number: plain, without exponent or trailing zeros."""
    value = Decimal(number).normalize(EXACT)
    if value.adjusted() > 300 or value.adjusted() < -300:
        raise Unsure
    text = f"{value:f}"
    return "0" if text == "-0" else text


def text_of(value: Any) -> str:
    """Return the text of a scalar; raises Refused."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return plain(value)
    raise Refused


def number_of(text: str) -> Decimal:
    """Return the number that a text is; raises Unsure where the page does not say whether it is one."""
    if NUMBER.match(text):
        return Decimal(text)
    if any(sign.isdigit() for sign in text) or text.strip().lower() in ("nan", "infinity"):
        raise Unsure
    raise Refused


def nanoseconds(text: str) -> int:
    """Return the nanoseconds from 1970 to a time."""
    found = _TIME.match(text)
    if found is None:
        raise Unsure
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    zone = found[8]
    if second == 60 or year == 0:
        raise Unsure
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Refused from None
    offset = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[4:])
    seconds = (moment - _EPOCH) // timedelta(seconds=1) - (-offset if zone[0] == "-" else offset) * 60
    fraction = ((found[7] or ".")[1:] + "0" * 9)[:9]
    if seconds < 0 and int(fraction):
        raise Unsure
    return seconds * 10**9 + int(fraction)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refused
    return value


def _argument(text: Any) -> str:
    if not isinstance(text, str) or isinstance(text, Spelled):
        raise Unsure  # check reports it, or takes it as it thinks best
    return text


def _number(value: Any) -> Decimal:
    if not is_number(value):
        raise Refused
    return Decimal(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused
    return value


def _split(value: Any, separator: Any) -> Any:
    text, between = _text(value), _argument(separator)
    if not between:
        raise Refused
    return text.split(between) if text else []


def _join(value: Any, separator: Any) -> str:
    return _argument(separator).join(text_of(each) for each in _list(value))


def _truncate(value: Any, length: Any) -> str:
    text = _text(value)
    if isinstance(length, Spelled) or not isinstance(length, int):
        raise Unsure
    if length < 0:
        raise Refused
    return text[:length]


def _replace(value: Any, old: Any, new: Any) -> str:
    text = _text(value)
    if not _argument(old):
        raise Unsure
    return text.replace(old, _argument(new))


def _round(value: Any, digits: Any, mode: Any = "half_even") -> Decimal:
    number = _number(value)
    if not isinstance(digits, int) or mode not in _ROUNDINGS:
        raise Unsure
    return number.quantize(Decimal(1).scaleb(-digits), _ROUNDINGS[mode], EXACT)


def _scale(value: Any, factor: Any) -> Decimal:
    return EXACT.multiply(_number(value), Decimal(factor))


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else plain(_number(value))
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if word.strip() != word or NUMBER.match(word):
        raise Unsure
    raise Refused


def _to_number(value: Any) -> Decimal:
    return number_of(value) if isinstance(value, str) else _number(value)


def _to_text(value: Any) -> str:
    if isinstance(value, str):
        raise Unsure
    if isinstance(value, bytes):
        return _decoded(value)
    return text_of(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused from None


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else _text(value).encode()


def _base64(value: Any) -> bytes:
    text = _text(value)
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused if "=" not in text and re.search(r"[^A-Za-z0-9+/=_-]", text) else Unsure from None
    if base64.b64encode(content).decode() != text:
        raise Unsure
    return content


def _parse_json(value: Any) -> Any:
    def refuse(_: str) -> Any:
        raise Refused

    text = _text(value)
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except ValueError:
        raise Refused from None


def _sort(value: Any) -> list[Any]:
    elements = _list(value)
    if all(isinstance(each, str) for each in elements) or all(is_number(each) for each in elements):
        return sorted(elements)
    if any(isinstance(each, bool | type(None)) for each in elements):
        raise Unsure
    raise Refused


def _unique(value: Any) -> list[Any]:
    elements = _list(value)
    if not all(isinstance(each, str) or is_number(each) for each in elements):
        raise Unsure
    return [*dict.fromkeys(elements)]


def _lookup(value: Any, given: Any, default: Any = None) -> Any:
    if isinstance(value, bool) or not (isinstance(value, str) or is_number(value)):
        raise Unsure
    found = given.get(text_of(value), default)
    return Decimal(found) if isinstance(found, Spelled) else found


def _to_iso(value: Any, unit: Any) -> str:
    number = _number(value)
    if unit not in ("s", "ms") or number != number.to_integral_value() or not -62135596800 <= number <= 253402300799:
        raise Unsure
    moment = _EPOCH + timedelta(milliseconds=int(number) * (1000 if unit == "s" else 1))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _url_decode(value: Any) -> str:
    text = _text(value)
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        raise Unsure
    return _decoded(unquote_to_bytes(text.replace("+", " ")))


def _unknown(_: Any) -> Any:
    raise Unsure


IMPLEMENTED: Mapping[str, Callable[..., Any]] = {
    "base64_decode": _base64,
    "base64_encode": lambda value: base64.b64encode(_bytes(value)).decode(),
    "dynamodb_item": _unknown,
    "dynamodb_value": _unknown,
    "first": lambda value: next(iter(_list(value)), None),
    "join": _join,
    "last": lambda value: next(iter(_list(value)[::-1]), None),
    "lookup": lambda value, map, default=None: _lookup(value, map, default),
    "lower": lambda value: _text(value).lower(),
    "parse_json": _parse_json,
    "prefix": lambda value, text: _argument(text) + _text(value),
    "replace": _replace,
    "round": _round,
    "scale": _scale,
    "sha256": lambda value: hashlib.sha256(_bytes(value)).hexdigest(),
    "sort": _sort,
    "split": _split,
    "strip": lambda value: _text(value).strip(),
    "suffix": lambda value, text: _text(value) + _argument(text),
    "to_bool": _to_bool,
    "to_epoch": lambda value: nanoseconds(_text(value)) // 10**9,
    "to_epoch_ns": lambda value: nanoseconds(_text(value)),
    "to_iso": _to_iso,
    "to_number": _to_number,
    "to_text": _to_text,
    "truncate": _truncate,
    "unique": _unique,
    "upper": lambda value: _text(value).upper(),
    "url_decode": _url_decode,
}


def transformed(value: Any, step: Any) -> Any:
    """Return what a transform of the config gives; raises Refused or Unsure."""
    ((name, given),) = step.items() if isinstance(step, dict) else ((step, []),)
    function = IMPLEMENTED[name]
    if isinstance(given, dict):
        return function(value, **given)
    return function(value, *(given if isinstance(given, list) else [given]))

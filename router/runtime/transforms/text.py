"""The built-in transforms of text, and of what is written as text."""

import base64
import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from router.model import TextFormat, Transform

MAX_DEPTH = 64
"""The deepest nesting of JSON that is decoded, as for the body of a message."""

_NO_ESCAPE = "%(?![0-9A-Fa-f]{2})"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def strip(value: str) -> str:
    """The text without white space at both ends.

    >>> strip("  iPhone X ")
    'iPhone X'
    """
    return text_of(value).strip()


def lower(value: str) -> str:
    """The text in lower case.

    >>> lower("iPhone")
    'iphone'
    """
    return text_of(value).lower()


def upper(value: str) -> str:
    """The text in upper case.

    >>> upper("in")
    'IN'
    """
    return text_of(value).upper()


def truncate(value: str, length: int) -> str:
    """The first `length` characters of the text.

    >>> truncate("Kolkata", 3)
    'Kol'
    """
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise TypeError("length must be a whole number, 0 or more")
    return text_of(value)[:length]


def replace(value: str, old: str, new: str) -> str:
    """The text with every `old` in it replaced by `new`.

    >>> replace("2026-01-02", "-", "/")
    '2026/01/02'
    """
    return text_of(value).replace(text_of(old), text_of(new))


def prefix(value: str, text: str) -> str:
    """The text with `text` before it.

    >>> prefix("user_1", "USER#")
    'USER#user_1'
    """
    return text_of(text) + text_of(value)


def suffix(value: str, text: str) -> str:
    """The text with `text` after it.

    >>> suffix("12", " kg")
    '12 kg'
    """
    return text_of(value) + text_of(text)


def split(value: str, separator: str) -> list[str]:
    """The list of the parts between separators; of an empty text, an empty list.

    >>> split("drama,comedy", ",")
    ['drama', 'comedy']
    """
    parts = text_of(value).split(text_of(separator))
    return parts if value else []


def parse_json(value: str) -> Any:
    """The value that the text is as JSON, with exact numbers.

    >>> parse_json('{"price": 9.90}')
    {'price': Decimal('9.90')}
    """
    return decode_json(text_of(value))


def base64_encode(value: str | bytes) -> str:
    """The Base64 text of binary, or of text as UTF-8.

    >>> base64_encode("hello")
    'aGVsbG8='
    """
    return base64.b64encode(_bytes_of(value)).decode()


def base64_decode(value: str) -> bytes:
    """The binary that the Base64 text encodes.

    >>> base64_decode("aGVsbG8=")
    b'hello'
    """
    return base64.b64decode(text_of(value), validate=True)


def url_decode(value: str) -> str:
    """The text that was URL-encoded: each `+` is a space, and `%C3%A9` is `é`, as in keys of S3's event notifications.

    >>> url_decode("photos/Jos%C3%A9+1%2B2.jpg")
    'photos/José 1+2.jpg'
    """
    if "%" in text_of(value) and re.search(_NO_ESCAPE, value):
        raise ValueError("it has a % that is not followed by two hexadecimal digits")
    return unquote_to_bytes(value.replace("+", " ")).decode()


def sha256(value: str | bytes) -> str:
    """The SHA-256 of binary, or of text as UTF-8, in lower-case hex.

    >>> sha256("hello")
    '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    """
    return hashlib.sha256(_bytes_of(value)).hexdigest()


def text_of(value: Any) -> str:
    """The value, if it is text; raises TypeError, whose text holds no value."""
    if not isinstance(value, str):
        raise TypeError("it is not text")
    return value


def _bytes_of(value: Any) -> bytes:
    return value if isinstance(value, bytes) else text_of(value).encode()


def decode_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, numbers as int or Decimal; raises ValueError, whose text holds no value."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError, InvalidOperation):  # malformed or no UTF-8; too deep; an absurd exponent
        raise ValueError("it is not JSON") from None
    if nests_deeper(value, MAX_DEPTH):
        raise ValueError(f"it is nested over {MAX_DEPTH} deep")
    return value


def nests_deeper(value: Any, limit: int) -> bool:
    """Return whether a value has more than `limit` lists and maps inside each other."""
    level = [value]
    for _ in range(limit + 1):
        level = [node for node in level if isinstance(node, (list, dict))]
        if not level:
            return False
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return True


TRANSFORMS: tuple[Transform, ...] = (
    strip,
    lower,
    upper,
    truncate,
    replace,
    prefix,
    suffix,
    split,
    parse_json,
    base64_encode,
    base64_decode,
    url_decode,
    sha256,
)
BASE64_TEXT = TextFormat(
    "Base64",
    "pattern: ^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    encoding="base64",
)
TEXT_FORMATS: Mapping[str, TextFormat] = {
    "parse_json": TextFormat("JSON", "pattern"),
    "base64_decode": BASE64_TEXT,
}
"""The texts that transforms of text accept; those that are not listed accept all."""

"""The built-in transforms of text, and of what is written as text."""

import base64
import hashlib
import re
from math import inf
from typing import Any
from urllib.parse import unquote_to_bytes

from router.model import TextFormat
from router.runtime.conversions import BASE64_TEXT, UnfitValueError, decode_json, text_of
from router.runtime.transforms.transform import (
    TEXT,
    TEXT_OR_BINARY,
    AnyText,
    Arguments,
    Emptiness,
    EmptyIfMatches,
    EmptyIfRepeats,
    SplitText,
    TextResult,
    TextsMatching,
    Transform,
    WholeNumber,
    as_before,
    bytes_as_text,
    utf8_bytes,
)

_SPACE = "[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A character that `str.strip` removes, as a pattern of JSON Schema, whose `\\s` has U+FEFF, too."""
_CASE_GROWTH = 3
"""The most characters that one becomes in another case: `ΐ` is three in upper case.

The most bytes for each byte, too: `ŉ` has two, and six in upper case.
"""
_MOST_BYTES_OF_A_CHARACTER = 4
"""In UTF-8."""
_LIST_OF_PARTS_BYTES = 4
"""A list has three bytes, and one for each part: all but the last part had a separator."""
_NO_ESCAPE = "%(?![0-9A-Fa-f]{2})"


def strip(value: str) -> str:
    """The text without white space at both ends.

    >>> strip("  iPhone X ")
    'iPhone X'
    """
    return text_of(value).strip()


STRIP = Transform(
    name="strip",
    apply=strip,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={},
    result=TextResult(
        longest=as_before,
        empty=lambda arguments: EmptyIfMatches(f"^{_SPACE}*$", samples=(" ",)),
        can_keep_length=True,
    ),
    most_bytes=as_before,
)


def lower(value: str) -> str:
    """The text in lower case.

    >>> lower("iPhone")
    'iphone'
    """
    return text_of(value).lower()


def _most_in_another_case(before: float, arguments: Arguments) -> float:
    return _CASE_GROWTH * before


_IN_ANOTHER_CASE = TextResult(
    longest=_most_in_another_case,
    empty=lambda arguments: "as before",
    can_keep_length=True,
)

LOWER = Transform(
    name="lower",
    apply=lower,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={},
    result=_IN_ANOTHER_CASE,
    most_bytes=_most_in_another_case,
)


def upper(value: str) -> str:
    """The text in upper case.

    >>> upper("in")
    'IN'
    """
    return text_of(value).upper()


UPPER = Transform(
    name="upper",
    apply=upper,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={},
    result=_IN_ANOTHER_CASE,
    most_bytes=_most_in_another_case,
)


def truncate(value: str, length: int) -> str:
    """The first `length` characters of the text.

    >>> truncate("Kolkata", 3)
    'Kol'
    """
    return text_of(value)[:length]


TRUNCATE = Transform(
    name="truncate",
    apply=truncate,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={"length": WholeNumber(minimum=0, maximum=None)},
    result=TextResult(
        longest=lambda before, arguments: min(before, arguments["length"]),
        empty=lambda arguments: "as before" if arguments["length"] else "always",
        can_keep_length=False,
    ),
    most_bytes=lambda before, arguments: min(
        before, _MOST_BYTES_OF_A_CHARACTER * arguments["length"]
    ),
)


def replace(value: str, old: str, new: str) -> str:
    """The text with every `old` in it replaced by `new`.

    >>> replace("2026-01-02", "-", "/")
    '2026/01/02'
    """
    return text_of(value).replace(old, new)


def _longest_replaced(before: float, arguments: Arguments) -> float:
    # Without its parts a text is no longer. Other lengths depend on how often a part occurs.
    return before if arguments["old"] and not arguments["new"] else inf


def _when_empty_replaced(arguments: Arguments) -> Emptiness:
    old = arguments["old"]
    new = arguments["new"]
    if old and not new:
        return EmptyIfRepeats(old)
    # Between all characters, and so also in an empty text, there is an empty text to replace.
    return "as before" if old or not new else "never"


def _most_bytes_replaced(before: float, arguments: Arguments) -> float:
    old = utf8_bytes(arguments["old"])
    new = utf8_bytes(arguments["new"])
    if old:
        return before * max(1.0, new / old)
    return (before + 1) * (new + 1)


REPLACE = Transform(
    name="replace",
    apply=replace,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={"old": AnyText(may_be_empty=True), "new": AnyText(may_be_empty=True)},
    result=TextResult(
        longest=_longest_replaced,
        empty=_when_empty_replaced,
        can_keep_length=False,
    ),
    most_bytes=_most_bytes_replaced,
)


def prefix(value: str, text: str) -> str:
    """The text with `text` before it.

    >>> prefix("user_1", "USER#")
    'USER#user_1'
    """
    return text + text_of(value)


PREFIX = Transform(
    name="prefix",
    apply=prefix,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={"text": AnyText(may_be_empty=True)},
    result=TextResult(
        longest=lambda before, arguments: before + len(arguments["text"]),
        empty=lambda arguments: "never" if arguments["text"] else "as before",
        can_keep_length=False,
    ),
    most_bytes=lambda before, arguments: before + utf8_bytes(arguments["text"]),
)


def suffix(value: str, text: str) -> str:
    """The text with `text` after it.

    >>> suffix("12", " kg")
    '12 kg'
    """
    return text_of(value) + text


SUFFIX = Transform(
    name="suffix",
    apply=suffix,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments=PREFIX.arguments,
    result=PREFIX.result,
    most_bytes=PREFIX.most_bytes,
)


def split(value: str, separator: str) -> list[str]:
    """The list of the parts between separators; of an empty text, an empty list.

    >>> split("drama,comedy", ",")
    ['drama', 'comedy']
    """
    parts = text_of(value).split(separator)
    return parts if value else []


SPLIT = Transform(
    name="split",
    apply=split,
    takes=TEXT,
    accepts="every value",
    gives="array",
    arguments={"separator": AnyText(may_be_empty=False)},
    result=SplitText(separator="separator"),
    most_bytes=lambda before, arguments: before + _LIST_OF_PARTS_BYTES,
)


def parse_json(value: str) -> Any:
    """The value that the text is as JSON, with exact numbers.

    >>> parse_json('{"price": 9.90}')
    {'price': Decimal('9.90')}
    """
    return decode_json(text_of(value))


PARSE_JSON = Transform(
    name="parse_json",
    apply=parse_json,
    takes=TEXT,
    accepts=TextFormat("JSON", "pattern"),
    gives=None,
    arguments={},
    result=None,
    most_bytes=lambda before, arguments: bytes_as_text(before),
)


def base64_encode(value: str | bytes) -> str:
    """The Base64 text of binary, or of text as UTF-8.

    >>> base64_encode("hello")
    'aGVsbG8='
    """
    return base64.b64encode(_bytes_of(value)).decode()


BASE64_ENCODE = Transform(
    name="base64_encode",
    apply=base64_encode,
    takes=TEXT_OR_BINARY,
    accepts="every value",
    gives="string",
    arguments={},
    result=TextResult(
        longest=lambda before, arguments: inf,
        empty=lambda arguments: "as before",
        can_keep_length=False,
    ),
    most_bytes=lambda before, arguments: 4 * (before + 2) / 3,
)


def base64_decode(value: str) -> bytes:
    """The binary that the Base64 text encodes.

    >>> base64_decode("aGVsbG8=")
    b'hello'
    """
    return base64.b64decode(text_of(value), validate=True)


BASE64_DECODE = Transform(
    name="base64_decode",
    apply=base64_decode,
    takes=TEXT,
    accepts=BASE64_TEXT,
    gives="binary",
    arguments={},
    result=TextResult(
        longest=lambda before, arguments: before * 3 / 4,
        empty=lambda arguments: "as before",
        can_keep_length=False,
    ),
    most_bytes=as_before,
)


def url_decode(value: str) -> str:
    """The text that was URL-encoded: each `+` is a space, and `%C3%A9` is `é`, as in keys of S3's event notifications.

    >>> url_decode("photos/Jos%C3%A9+1%2B2.jpg")
    'photos/José 1+2.jpg'
    """
    if "%" in text_of(value) and re.search(_NO_ESCAPE, value):
        raise UnfitValueError("it has a % that is not followed by two hexadecimal digits")
    return unquote_to_bytes(value.replace("+", " ")).decode()


URL_DECODE = Transform(
    name="url_decode",
    apply=url_decode,
    takes=TEXT,
    accepts=TextsMatching("^[^%]*$"),
    gives="string",
    arguments={},
    result=TextResult(
        longest=as_before,
        empty=lambda arguments: "as before",
        can_keep_length=True,
    ),
    most_bytes=as_before,
)


def sha256(value: str | bytes) -> str:
    """The SHA-256 of binary, or of text as UTF-8, in lower-case hex.

    >>> sha256("hello")
    '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
    """
    return hashlib.sha256(_bytes_of(value)).hexdigest()


SHA256 = Transform(
    name="sha256",
    apply=sha256,
    takes=TEXT_OR_BINARY,
    accepts="every value",
    gives="string",
    arguments={},
    result=TextResult(
        longest=lambda before, arguments: 64,
        empty=lambda arguments: "never",
        can_keep_length=False,
    ),
    most_bytes=None,
)


def _bytes_of(value: Any) -> bytes:
    return value if isinstance(value, bytes) else text_of(value).encode()

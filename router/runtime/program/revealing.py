"""Tells whether a text reveals a part of a value, in whatever form the text has it."""

import re
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal
from unicodedata import lookup, normalize

_SHARED = 4
"""The length of a common substring by which a text is taken to reveal a value."""
_ROUNDS = 3
"""How often a text may be escaped: an URL may be a parameter of an URL."""
_MOST_DIGITS = 40
"""The digits of the largest whole number that is looked for in hexadecimal digits."""
_ESCAPE = re.compile(
    r"\\(?:x(?P<byte>[0-9a-fA-F]{2})|u(?P<unit>[0-9a-fA-F]{4})|U(?P<char>[0-9a-fA-F]{8})"
    r"|(?P<octal>[0-7]{3})|N\{(?P<name>[^{}]+)\}|(?P<white>[abfnrtv]))"
)
_PERCENT = re.compile(rb"%([0-9a-fA-F]{2})")
_BETWEEN_DIGITS = re.compile(r"[\s:._-]|\\x|0x")
"""What may stand between bytes in hexadecimal digits."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d{1,6})?")


def readings_of(text: str) -> tuple[str, ...]:
    """Return a text as it is, and without escapes of JSON, Python and URLs.

    `\\xHH` is a character, as in text of Python; in its bytes, it is what `%HH` is in URLs.
    """
    found = {text: None}
    # JSON in JSON has each backslash twice.
    single = re.sub(r"\\+", lambda _: "\\", text)
    for given in (single, single.replace("\\x", "%")):
        reading = given
        for _ in range(_ROUNDS):
            reading = _unescaped(reading)
            found[reading] = None
    return tuple(found)


def reveals(text: str, value: str) -> bool:
    """Return whether a reading of a text has enough of a value in it to reveal a part of it.

    The value is not empty.
    """
    return (
        _has_run(value.casefold(), text.casefold())
        or _has_run(_plain(value), _plain(text))
        or _has_encoded(value, text)
        or _has_number(value, text)
    )


def texts_of(data: bytes) -> Iterator[str]:
    """Yield a binary value as texts: as one in UTF-8, and with a character for each byte."""
    text = data.decode(errors="surrogateescape")
    yield text
    if not text.isascii():
        yield data.decode("latin-1")


def _has_run(value: str, text: str) -> bool:
    """Return whether a text has a run of a value, or all of a shorter value."""
    if len(value) < _SHARED:
        return bool(value) and value in text
    starts = range(len(text) - _SHARED + 1)
    return any(text[start : start + _SHARED] in value for start in starts)


def _plain(text: str) -> str:
    """Return the letters and digits of a text, without case and marks.

    Other forms of the same characters become these.
    """
    folded = normalize("NFKD", text).casefold()
    return "".join(filter(str.isalnum, folded))


def _has_encoded(value: str, text: str) -> bool:
    """Return whether a text has a value in Base64, also that of URLs, or in hexadecimal digits."""
    try:
        data = value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        data = value.encode(errors="surrogatepass")
    in_base64 = "".join(text.split()).replace("-", "+").replace("_", "/")
    in_digits = _BETWEEN_DIGITS.sub("", text.casefold())
    return any(encoded in in_base64 for encoded in _in_base64(data)) or any(
        encoded in in_digits for encoded in _in_hexadecimal(value, data)
    )


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield a value as it is in Base64: alone, and in the middle of other bytes.

    These change the characters beside it.
    """
    yield b64encode(data).decode()
    for before in range(3):
        first = (before * 8 + 5) // 6
        end = (before + len(data)) * 8 // 6
        if end - first >= _SHARED:
            yield b64encode(bytes(before) + data).decode()[first:end]


def _in_hexadecimal(value: str, data: bytes) -> Iterator[str]:
    """Yield the bytes of a value in hexadecimal digits, and a whole number itself."""
    yield data.hex()
    if value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        number = f"{int(value):x}"
        if len(number) >= _SHARED:
            yield number


def _has_number(value: str, text: str) -> bool:
    """Return whether a text has a number in another notation, such as `1.5E+3`."""
    unsigned = value.removeprefix("-")
    if not _NUMBER.fullmatch(unsigned):
        return False
    number = Decimal(unsigned)
    return any(Decimal(found) == number for found in _NUMBER.findall(text))


def _unescaped(text: str) -> str:
    text = _ESCAPE.sub(_character, text)
    # A pair of surrogates becomes one character.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    data = _PERCENT.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
    return data.decode(errors="replace")


def _character(found: re.Match[str]) -> str:
    """Return the character that an escape stands for; the escape itself if there is none."""
    try:
        match found.lastgroup:
            case "white":
                return " "
            case "octal":
                return chr(int(found["octal"], 8))
            case "name":
                return lookup(found["name"])
            case _:
                return chr(int(found[found.lastgroup or 0], 16))
    except (KeyError, ValueError, OverflowError):
        return found[0]

"""Anonymizes texts: each letter, digit and sign becomes another one of its kind, and a text of a known form keeps it.

The signs of ASCII and white space stay, as they make the form of a text. A form counts for a whole text only: a time
inside of a sentence is replaced as the rest of the sentence is.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from itertools import count
from string import ascii_lowercase, ascii_uppercase, digits

from router.runtime.program.redaction import is_redacted

Draw = Callable[[int], int]
"""Returns a number from 0 up to a bound, which is not in it."""

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_VERSION_AT, _VARIANT_AT = 14, 19
"""Where a UUID has its version and variant: they say how it was made."""
_VARIANTS = ("89", "ab", "AB")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?:[:-][0-9a-fA-F]{2}){5,7}")
_PREFIXED_HEX = re.compile(r"0x[0-9a-fA-F]+|#[0-9a-fA-F]{3,8}")
_HEX = re.compile(r"[0-9a-f]+(?:[-:._][0-9a-f]+)*|[0-9A-F]+(?:[-:._][0-9A-F]+)*")
_HEX_DIGITS = (digits, "abcdef", "ABCDEF")
_SHORTEST_HEX = 6
"""The fewest digits of a text that counts as hexadecimal: shorter ones may be words."""
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_OCTETS = {1: (0, 9), 2: (10, 99), 3: (100, 255)}
"""The least and the greatest part of an IPv4 address, by its number of digits."""
_DURATION = re.compile(
    r"P(?=[\dT])(?:\d+[YMWD])*(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?",
    re.ASCII,
)
_TIME = re.compile(
    r"(?:(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:(?P<mark>[Tt ])(?=\d)|$))?"
    r"(?:(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:(?P<point>[.,])(?P<fraction>\d+))?)?"
    r"(?P<offset>[Zz]|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_LAST_DAY = 28
"""A day that each month has."""
_LAST_OFFSET = 13
_QUARTERS = ("00", "15", "30", "45")

_TOKEN = re.compile(
    r"~[01]"  # an escape of a JSON Pointer stands for a sign
    r"|%(?P<percent>[0-9a-fA-F]{2})"
    r"|\\(?P<escape>[dwsnrtDWS])"
    r"|(?<![A-Za-z0-9-])(?i:xn--)(?P<label>[A-Za-z0-9-]+)"
    r"|\[(?P<tag>IPv6:)?(?P<address>[0-9a-fA-F:.]+)\]"
    r"|(?P<digits>[0-9]+)"
    r"|(?P<char>.)",
    re.DOTALL,
)
_ESCAPES = ("dwsnrt", "DWS")
"""Letters that mean something behind a backslash, by case."""

_RANGES = (
    (0xC0, 0xDE),  # Latin-1, by case
    (0xDF, 0xFF),
    (0x391, 0x3A9),  # Greek
    (0x3B1, 0x3C9),
    (0x410, 0x42F),  # Cyrillic
    (0x430, 0x44F),
    (0x5D0, 0x5EA),  # Hebrew
    (0x621, 0x64A),  # Arabic
    (0x3041, 0x3096),  # Hiragana
    (0x30A1, 0x30FA),  # Katakana
    (0x4E00, 0x9FA5),  # Chinese
    (0xAC00, 0xD7A3),  # Hangul
    (0x1F300, 0x1F64F),  # emoji
    (0x20000, 0x2A6D6),
)
"""Characters that patterns name as a range. Any other one is replaced by those of its kind in its block of 128."""
_BLOCK = 0x7F
_OTHERS = {2: _RANGES[1], 3: (0x4E00, 0x9FA5), 4: (0x20000, 0x2A6D6)}
"""What replaces a character that is the only one of its kind in its block, by the size in UTF-8."""
_WORD_BITS = 32
FEW = 4
"""Of fewer other ones, each is taken for any value."""


def other_text(text: str, draw: Draw) -> str:
    """Return another text, of the same length and with other letters and digits at each place.

    An internationalized label of a host name may get another length.
    """
    if is_redacted(text):
        # The type that a redacted value tells decides about its message.
        kind, _, number = text.rpartition(":")
        return f"{kind}:{_other_hex(number, draw)}"
    for find_other in (_other_time, _other_address, _other_hexadecimal, _other_duration):
        found = find_other(text, draw)
        if found is not None:
            return found
    return "".join(_other_token(each, draw) for each in _TOKEN.finditer(text))


def _other_token(found: re.Match[str], draw: Draw) -> str:
    """Return another character, or others for characters that mean something together."""
    match found.lastgroup:
        case "char":
            return _other_char(found["char"], draw)
        case "digits":
            return _other_digits(found["digits"], draw)
        case "percent":
            return f"%{_other_hex(found['percent'], draw)}"
        case "escape":
            return f"\\{_other_of(_ESCAPES, found['escape'], draw)}"
        case "address":
            inside = _other_address(found["address"], draw) or other_text(found["address"], draw)
            return f"[{found['tag'] or ''}{inside}]"
        case "label":
            return _other_label(found[0], found["label"], draw)
    return found[0]


def _other_char(char: str, draw: Draw) -> str:
    return _other(alphabet_of(char), char, draw)


def _other_digits(text: str, draw: Draw) -> str:
    """Return other digits; the first of them is no zero, as most patterns and notations demand."""
    return _other(digits[1:], text[0], draw) + _any_other_digits(text[1:], draw)


def _any_other_digits(text: str, draw: Draw) -> str:
    return "".join(_other(digits, char, draw) for char in text)


def _other_label(whole: str, label: str, draw: Draw) -> str:
    """Return a label of a host name in Punycode, replaced in the script that it stands for."""
    try:
        changed = other_text(label.lower().encode().decode("punycode"), draw)
        return whole[:4] + changed.encode("punycode").decode()
    except UnicodeError:
        return "".join(_other_char(char, draw) for char in whole)


def _other_hex(text: str, draw: Draw) -> str:
    return "".join(_other_of(_HEX_DIGITS, char, draw) for char in text)


def _other_hexadecimal(text: str, draw: Draw) -> str | None:
    """Return another UUID, MAC address or hexadecimal id; None for a text that is none of them."""
    if _UUID.fullmatch(text):
        return _other_uuid(text, draw)
    if _PREFIXED_HEX.fullmatch(text):
        return text[0] + _other_hex(text[1:], draw)  # the x is no such digit
    if _MAC.fullmatch(text) or (_HEX.fullmatch(text) and _is_id(text)):
        return _other_hex(text, draw)
    return None


def _is_id(text: str) -> bool:
    """Return whether a text of hexadecimal digits is no word and no number."""
    hexadecimal = [char for char in text if char.isalnum()]
    letters = sum(map(str.isalpha, hexadecimal))
    return len(hexadecimal) >= _SHORTEST_HEX and 0 < letters < len(hexadecimal)


def _other_uuid(text: str, draw: Draw) -> str:
    changed = list(_other_hex(text, draw))
    changed[_VERSION_AT] = text[_VERSION_AT]
    variants = _with_char(_VARIANTS, text[_VARIANT_AT])
    if variants:
        changed[_VARIANT_AT] = _other(variants, text[_VARIANT_AT], draw)
    return "".join(changed)


def _other_address(text: str, draw: Draw) -> str | None:
    """Return another IPv4 or IPv6 address, with as many digits in each part; None for a text that is none."""
    if _IPV4.fullmatch(text):
        parts = text.split(".")
        if all(str(int(part)) == part and int(part) <= _OCTETS[3][1] for part in parts):
            return ".".join(_other_number(part, *_OCTETS[len(part)], draw) for part in parts)
        return None
    if ":" not in text or "%" in text:
        return None
    try:
        IPv6Address(text)
    except AddressValueError:
        return None
    groups = text.split(":")
    changed = []
    for group in groups:
        found = _other_address(group, draw) if "." in group else _other_hex(group, draw)
        if found is None:
            return None
        changed.append(found)
    return ":".join(changed)


def _other_duration(text: str, draw: Draw) -> str | None:
    """Return another duration of ISO 8601; None for a text that is none."""
    if not _DURATION.fullmatch(text):
        return None
    return re.sub("[0-9]+", lambda found: _other_digits(found[0], draw), text)


def _other_time(text: str, draw: Draw) -> str | None:
    """Return another date or time in the same notation, and of the same century; None for a text that is none."""
    found = _TIME.fullmatch(text)
    if not text or found is None or not _is_time(found):
        return None
    changed = _other_date(found, draw) if found["year"] else ""
    if found["hour"]:
        changed += (found["mark"] or "") + _other_clock(found, draw)
    return changed


def _is_time(found: re.Match[str]) -> bool:
    if found["hour"] and not (
        int(found["hour"]) < 24 and int(found["minute"]) < 60 and int(found["second"] or 0) < 61
    ):
        return False
    offset = (found["offset"] or "Z")[1:].replace(":", "")
    if offset and not (int(offset[:2]) < 24 and int(offset[2:]) < 60):
        return False
    try:
        return not found["year"] or bool(
            date(int(found["year"]), int(found["month"]), int(found["day"]))
        )
    except ValueError:
        return False


def _other_date(found: re.Match[str], draw: Draw) -> str:
    century = found["year"][:2]
    year = _other_number(found["year"][2:], 1, 99, draw)
    month = _other_number(found["month"], 1, 12, draw)
    day = _other_number(found["day"], 1, _LAST_DAY, draw)
    return f"{century}{year}-{month}-{day}"


def _other_clock(found: re.Match[str], draw: Draw) -> str:
    changed = _other_number(found["hour"], 0, 23, draw)
    changed += f":{_other_number(found['minute'], 0, 59, draw)}"
    if found["second"]:
        changed += f":{_other_number(found['second'], 0, 59, draw)}"
    if found["fraction"]:
        changed += found["point"] + _any_other_digits(found["fraction"], draw)
    offset = found["offset"] or ""
    if len(offset) <= 1:
        return changed + offset
    hours = _other_number(offset[1:3], 0, _LAST_OFFSET, draw)
    colon = ":" if ":" in offset else ""
    return f"{changed}{offset[0]}{hours}{colon}{_QUARTERS[draw(len(_QUARTERS))]}"


def _other_number(text: str, least: int, most: int, draw: Draw) -> str:
    """Return a number from `least` to `most` that is another one, with as many digits."""
    size = most - least + 1
    index = int(text) - least
    other = other_index(index, size, draw) if 0 <= index < size else draw(size)
    return str(least + other).zfill(len(text))


def _other_of(alphabets: Iterable[str], char: str, draw: Draw) -> str:
    """Return another character of the alphabet that a character is of."""
    return _other(_with_char(alphabets, char), char, draw)


def _with_char(alphabets: Iterable[str], char: str) -> str:
    """Return the alphabet that has a character; "" if none has it."""
    return next((each for each in alphabets if char in each), "")


def _other(alphabet: str, char: str, draw: Draw) -> str:
    """Return another character of an alphabet; the character itself if there is none."""
    if not alphabet:
        return char
    size = len(alphabet)
    index = alphabet.find(char)
    return alphabet[draw(size) if index < 0 else other_index(index, size, draw)]


def other_index(index: int, size: int, draw: Draw) -> int:
    """Return another index of so many; of few ones any, as the other one of two would tell which one it replaces."""
    return draw(size) if size < FEW else (index + 1 + draw(size - 1)) % size


def alphabet_of(char: str) -> str:
    """Return the characters that may replace a character; "" for a sign of ASCII, punctuation and white space."""
    if char.isascii():
        return _with_char((ascii_lowercase, ascii_uppercase, digits), char)
    category = unicodedata.category(char)
    if category[0] in "PZ" or category in ("Cc", "Cs"):
        return ""
    code = ord(char)
    block = code & ~_BLOCK, code | _BLOCK
    for first, last in _RANGES:
        if first <= code <= last:
            block = first, last
    found = _characters(*block, category)
    if len(found) > 1:
        return found
    size = len(char.encode())
    return _characters(*_OTHERS[size], "Ll" if size == 2 else "Lo")


@lru_cache(maxsize=256)
def _characters(first: int, last: int, category: str) -> str:
    return "".join(
        char for char in map(chr, range(first, last + 1)) if unicodedata.category(char) == category
    )


def draws(read: Callable[[int], bytes]) -> Draw:
    """Return the numbers that are in random bytes, of which `read` returns a block by its index."""
    words = _words(read)

    def draw(bound: int) -> int:
        number = next(words)
        # More words than the bound has, so that each number is about as likely as another one.
        for _ in range(bound.bit_length() // _WORD_BITS):
            number = (number << _WORD_BITS) | next(words)
        return number % bound

    return draw


def _words(read: Callable[[int], bytes]) -> Iterator[int]:
    size = _WORD_BITS // 8
    for block in count():
        data = read(block)
        yield from (int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size))

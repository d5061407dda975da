"""Masks the values of recorded messages, so that each keeps its shape and what the config decides about it.

A text keeps its length and the kind of each character, a number its sign and its digits before and after the point, a
date stays one. Equal values of one recording are masked alike, wherever they are, and different ones differently. The
masks depend on a random key that is not kept.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

Steps = tuple[str | None, ...]
"""A path in messages: names, and None for each element of a list."""
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?!\d)")
_ATTEMPTS = 200
_OTHER_ATTEMPTS = 5
"""After so many attempts, a mask may be the value itself."""
_MOST_DAYS = 300
_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "0123456789",
    "àéîõüčłńşž",
    "世界語文字間国学",
)
_HEX = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class Kept(Struct, frozen=True):
    """What is not masked: constants that the config names, property names that it declares, and values at paths.

    If `names` is None, all names are kept that look like names of a program.
    """

    constants: Collection[str] = ()
    names: Collection[str] | None = None
    paths: Collection[Steps] = ()


class RecordingMasker:
    """Masks the messages of one recording. `collisions` is how many values could not be told apart from others."""

    def __init__(self, key: bytes, kept: Kept) -> None:
        self._key = key
        self._kept = kept
        self._masks: dict[tuple[str, str], Any] = {}
        self._taken: set[tuple[str, str]] = {("text", text) for text in kept.constants}
        self.collisions = 0
        self._days = timedelta(1 + self._number("days", _MOST_DAYS))

    def masked(self, message: Any, restored: Collection[Steps] = ()) -> Any:
        """Return a message with its values masked, except those at the paths `restored`."""
        return self._value(message, (), restored)

    def _value(self, value: Any, steps: Steps, restored: Collection[Steps]) -> Any:
        if isinstance(value, dict):
            return {self._name(name): self._value(each, (*steps, name), restored) for name, each in value.items()}
        if isinstance(value, list):
            return [self._value(each, (*steps, None), restored) for each in value]
        if steps in self._kept.paths or steps in restored or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value if value in self._kept.constants else self._unique("text", value, self._text)
        return self._unique("number", str(value), self._digits)

    def _name(self, name: str) -> str:
        declared = self._kept.names
        known = bool(_IDENTIFIER.fullmatch(name)) if declared is None else name in declared
        return name if known or name in self._kept.constants else str(self._unique("text", name, self._text))

    def _unique(self, kind: str, value: str, mask: Callable[[str, int], str]) -> Any:
        """Return the mask of a value: that which it has already, or one that no other value has."""
        if (kind, value) not in self._masks:
            made = value
            for attempt in range(_ATTEMPTS):
                made = mask(value, attempt)
                # A text without letters and digits has no other mask than itself.
                if (kind, made) not in self._taken and (made != value or attempt >= _OTHER_ATTEMPTS):
                    break
            else:
                self.collisions += 1
            self._taken.add((kind, made))
            self._masks[kind, value] = made if kind == "text" else _parsed(made)
        return self._masks[kind, value]

    def _text(self, text: str, attempt: int) -> str:
        if _HEX.fullmatch(text):
            return self._replaced(text, attempt, (*"abcdef",))
        days = self._days + timedelta(attempt)

        def shifted(found: re.Match[str]) -> str:
            try:
                return (date(int(found[1]), int(found[2]), int(found[3])) + days).isoformat()
            except (ValueError, OverflowError):
                return self._replaced(found[0], attempt)

        pieces, end = [], 0
        for found in _DATE.finditer(text):
            pieces += [self._replaced(text[end : found.start()], attempt, salt=text), shifted(found)]
            end = found.end()
        # The time of a day stays: it is valid only in parts of its digits.
        rest = text[end:]
        return "".join([*pieces, rest if end and _TIME.fullmatch(rest) else self._replaced(rest, attempt, salt=text)])

    def _digits(self, number: str, attempt: int) -> str:
        """Return a number with other digits; the first of several is no zero, and zero stays zero."""
        if Decimal(number) == 0:
            return number
        mantissa, mark, exponent = number.partition("E")
        if mark:
            return self._digits(mantissa, attempt) + mark + exponent
        sign = "-" if number.startswith("-") else ""
        whole = self._replaced(number, attempt).removeprefix("-")
        if whole.startswith("0") and not number.removeprefix("-").startswith("0"):
            whole = "1" + whole[1:]
        elif number.removeprefix("-").startswith("0."):
            whole = "0" + whole[1:]
        return sign + (whole if Decimal(whole) else f"{whole[:-1]}1")

    def _replaced(self, text: str, attempt: int, letters: tuple[str, ...] = (), salt: str = "") -> str:
        """Return text in which each letter and digit is another one of its kind."""
        stream = self._stream(f"{attempt} {salt or text}", len(text))
        return "".join(_like(char, next(stream), letters) for char in text)

    def _stream(self, text: str, count: int) -> Iterator[int]:
        for block in range(count // 16 + 1):
            digest = hmac.digest(self._key, f"{block} {text}".encode(errors="surrogatepass"), hashlib.sha256)
            yield from (int.from_bytes(digest[index : index + 2], "big") for index in range(0, 32, 2))

    def _number(self, text: str, most: int) -> int:
        return next(self._stream(text, 1)) % most


_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_.-]{0,40}")
_TIME = re.compile(r"(?:[Tt ]\d{2}:\d{2}.*)?")


def _like(char: str, number: int, letters: tuple[str, ...]) -> str:
    """Return a character of the same kind, and of the same size in UTF-8."""
    for alphabet in _ALPHABETS:
        if char in alphabet:
            chosen = letters if letters and char in "abcdef" else alphabet
            return chosen[number % len(chosen)]
    if not char.isalpha() or char.isascii():
        return char
    size = len(char.encode(errors="surrogatepass"))
    alphabet = _ALPHABETS[3] if size == 2 else _ALPHABETS[4] if size == 3 else char
    return alphabet[number % len(alphabet)]


def _parsed(number: str) -> int | Decimal:
    return int(number) if number.removeprefix("-").isdecimal() else Decimal(number)

"""Knows how long a text can be that matches a pattern, where the pattern says so: `^[A-Z]{2}-[0-9]{1,6}$`."""

import re

_ANCHORED = re.compile(r"\^(.*)\$", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\[\]\\&~])*\]", re.DOTALL)
"""A class of characters without another class in it."""
_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|\w)|[dDwWsS]|[^\w\s])")
"""A backslash and what makes one character of it."""
_COUNT = re.compile(r"(?:\{(\d{1,6})(?:(,)(\d{1,6})?)?\}|([?*+]))\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?(?!\?)")
_PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]|\.", re.DOTALL)


class _Unknown(Exception):
    """It is not known how long a match can be."""


def longest_match(pattern: str) -> int | None:
    """The most characters of a text that the pattern matches as a whole; None if no bound is known."""
    anchored = _ANCHORED.fullmatch(pattern)
    if anchored is None:
        return None
    try:
        length, end = _sequence(anchored[1], 0)
    except _Unknown:
        return None
    # What stands on both sides of `|` is anchored on one side only.
    return length if end == len(anchored[1]) else None


def _alternatives(text: str, start: int) -> tuple[int, int]:
    """The most characters of one of the sequences that `|` parts, and where they end."""
    most, end = _sequence(text, start)
    while text[end : end + 1] == "|":
        length, end = _sequence(text, end + 1)
        most = max(most, length)
    return most, end


def _sequence(text: str, start: int) -> tuple[int, int]:
    total = 0
    while start < len(text) and text[start] not in "|)":
        length, start = _atom(text, start)
        count = _COUNT.match(text, start)
        if count:
            length *= _times(*count.groups())
            start = count.end()
        total += length
    return total, start


def _atom(text: str, start: int) -> tuple[int, int]:
    group = _GROUP.match(text, start)
    if group:
        length, end = _alternatives(text, group.end())
        if text[end : end + 1] != ")":
            raise _Unknown
        return length, end + 1
    found = _CLASS.match(text, start) or _ESCAPE.match(text, start) or _PLAIN.match(text, start)
    if found is None:
        raise _Unknown
    return 1, found.end()


def _times(least: str | None, comma: str | None, most: str | None, sign: str | None) -> int:
    if sign == "?":
        return 1
    if sign or (comma and most is None):
        raise _Unknown
    return int(most or least or 0)

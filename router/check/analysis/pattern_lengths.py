"""Computes the greatest length of text that matches an anchored pattern, such as `^[A-Z]{2}-[0-9]{1,6}$`."""

import re

ANCHORED = re.compile(r"\^(.*)\$", re.DOTALL)
CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\[\]\\&~])*\]", re.DOTALL)
"""A character class without a nested class."""
ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|\w)|[dDwWsS]|[^\w\s])")
"""An escape sequence that matches one character."""
COUNT = re.compile(r"(?:\{(\d{1,6})(?:(,)(\d{1,6})?)?\}|([?*+]))\??")
GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?(?!\?)")
PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]|\.", re.DOTALL)


class _Unknown(Exception):
    """No bound of the length can be computed."""


def longest_match(pattern: str) -> int | None:
    """Return the most characters of text that a pattern matches; None if there is no bound, or none is known."""
    anchored = ANCHORED.fullmatch(pattern)
    if anchored is None:
        return None
    try:
        length, end = _sequence(anchored[1], 0)
    except _Unknown:
        return None
    # The alternatives of a top-level `|` are anchored at one end only.
    return length if end == len(anchored[1]) else None


def _alternatives(text: str, start: int) -> tuple[int, int]:
    """Return the most characters of the longest of some alternatives, and where they end."""
    most, end = _sequence(text, start)
    while text[end : end + 1] == "|":
        length, end = _sequence(text, end + 1)
        most = max(most, length)
    return most, end


def _sequence(text: str, start: int) -> tuple[int, int]:
    total = 0
    while start < len(text) and text[start] not in "|)":
        length, start = _atom(text, start)
        count = COUNT.match(text, start)
        if count:
            length *= _times(*count.groups())
            start = count.end()
        total += length
    return total, start


def _atom(text: str, start: int) -> tuple[int, int]:
    group = GROUP.match(text, start)
    if group:
        length, end = _alternatives(text, group.end())
        if text[end : end + 1] != ")":
            raise _Unknown
        return length, end + 1
    found = CLASS.match(text, start) or ESCAPE.match(text, start) or PLAIN.match(text, start)
    if found is None:
        raise _Unknown
    return 1, found.end()


def _times(least: str | None, comma: str | None, most: str | None, sign: str | None) -> int:
    if sign == "?":
        return 1
    if sign or (comma and most is None):
        raise _Unknown
    return int(most or least or 0)

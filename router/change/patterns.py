"""Makes text that matches a pattern of a schema."""

import re
from functools import lru_cache
from random import Random

from router.check.analysis.pattern_lengths import CLASS, COUNT, ESCAPE, GROUP, PLAIN

_CHARACTERS = "a0A1bB29zZ_-. :/@#+,;'\"()[]{}<>=%&*!?$^~|\\`\t\n\u00e9\u4e16"
"""Of the characters that a class allows, the first of these is used."""
_MORE = 2
"""How often something is repeated, at most, beyond its least number."""
_ANCHORS = re.compile(r"\\[bBAzG]|\^|\$")


class NoText(Exception):
    """The pattern uses syntax that is not known here."""


def matching_text(pattern: str, random: Random) -> str | None:
    """Return text that a pattern matches; None if none is found. Not every text that it matches can be returned."""
    try:
        text, end = _alternatives(pattern, 0, random)
    except NoText:
        return None
    return text if end == len(pattern) else None


def _alternatives(pattern: str, start: int, random: Random) -> tuple[str, int]:
    """Return text of one of the alternatives, and where they end."""
    text, end = _sequence(pattern, start, random)
    found = [text]
    while pattern[end : end + 1] == "|":
        text, end = _sequence(pattern, end + 1, random)
        found.append(text)
    return random.choice(found), end


def _sequence(pattern: str, start: int, random: Random) -> tuple[str, int]:
    text = ""
    while start < len(pattern) and pattern[start] not in "|)":
        anchor = _ANCHORS.match(pattern, start)
        if anchor:
            start = anchor.end()
            continue
        atom = start
        part, start = _atom(pattern, atom, random)
        count = COUNT.match(pattern, start)
        if count:
            start = count.end()
            part = "".join(_atom(pattern, atom, random)[0] for _ in range(_times(count, random)))
        text += part
    return text, start


def _times(count: re.Match[str], random: Random) -> int:
    least, comma, most, sign = count.groups()
    low = 1 if sign == "+" else int(least or 0)
    high = low if least and not comma else 1 if sign == "?" else min(int(most or low + _MORE), low + _MORE)
    return random.randint(low, max(low, high))


def _atom(pattern: str, start: int, random: Random) -> tuple[str, int]:
    group = GROUP.match(pattern, start)
    if group:
        text, end = _alternatives(pattern, group.end(), random)
        if pattern[end : end + 1] != ")":
            raise NoText
        return text, end + 1
    found = CLASS.match(pattern, start) or ESCAPE.match(pattern, start) or PLAIN.match(pattern, start)
    if found is None:
        raise NoText
    allowed = _characters(found[0])
    return random.choice(allowed[:3]), found.end()


@lru_cache(maxsize=4096)
def _characters(atom: str) -> str:
    """Return characters that a class, an escape sequence or a character of a pattern stands for."""
    try:
        matches = re.compile(atom, re.ASCII).fullmatch
    except re.error:  # such as \\p{L}, which Python does not have
        matches = re.compile(r"[a-zA-Z]").fullmatch
    own = atom.replace("\\", "")
    found = [char for char in (*_CHARACTERS, *own) if matches(char)]
    if not found:
        raise NoText
    return "".join(dict.fromkeys(found))

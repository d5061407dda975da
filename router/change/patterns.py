"""Makes text that matches a pattern of a schema, or that another pattern does not, and compares patterns."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any

from router.check.analysis.pattern_lengths import CLASS, COUNT, ESCAPE, GROUP, PLAIN
from router.check.analysis.patterns import UndecidedPattern, find_outside

_CHARACTERS = "a0A1bB29zZ_-. :/@#+,;'\"()[]{}<>=%&*!?$^~|\\`\t\n\u00e9\u4e16"
"""Of the characters that a class allows, the first of these is used."""
_MORE = 2
"""How often something is repeated, at most, beyond its least number."""
_DOT = re.compile(r"(\\.|\[(?:\\.|[^\]])*\])|\.", re.DOTALL)
"""A dot that stands for characters, after what is none: an escape sequence, or a class."""
_NO_LINE_END = "[^\n\r\u2028\u2029]"
"""What a dot matches in the strictest dialect."""
_SPACES = re.compile(r"\\[sS]")
"""Dialects differ in these."""
_LONGEST = 64
"""Longer texts are not made, and a larger minimum is taken for this: the search would take long."""
_MOST_PAIRS = 16
"""The pairs of patterns that are searched, each for some tenths of a second at most."""
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


def pattern_follows(old: Mapping[str, Any], pattern: str) -> bool:
    """Return whether it is proved that every text that a schema takes matches a pattern."""
    try:
        return find_outside(_patterns_of(old), _strict(pattern)) is None
    except UndecidedPattern:
        return False


def texts_outside(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield texts that one of the old schemas may take, and that do not match the pattern of one of the new."""
    patterns = [each["pattern"] for each in new if isinstance(each.get("pattern"), str)]
    pairs = ((schema, pattern) for schema in old for pattern in patterns) if patterns else ()
    for schema, pattern in islice(pairs, _MOST_PAIRS):
        try:
            found = find_outside(_patterns_of(schema), _strict(pattern))
        except UndecidedPattern:
            continue
        if found is not None:
            yield found


def _patterns_of(schema: Mapping[str, Any]) -> list[str]:
    """Return patterns that every text matches which a schema takes; a dot is any character here."""
    bounds = (schema.get(key) for key in ("minLength", "maxLength"))
    least, most = (bound if isinstance(bound, int) and bound >= 0 else None for bound in bounds)
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    if _SPACES.search("".join(own)):
        raise UndecidedPattern
    if least:
        own.append(f"^.{{{min(least, _LONGEST)}}}")
    return [*own, f"^.{{0,{most}}}$"] if most is not None and most <= _LONGEST else own


def _strict(pattern: str) -> str:
    """Return a pattern that matches no more than a pattern does in any dialect."""
    if _SPACES.search(pattern):
        raise UndecidedPattern
    return _DOT.sub(lambda found: found[1] or _NO_LINE_END, pattern)

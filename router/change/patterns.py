"""Makes text that matches a pattern of a schema, or that another pattern does not, and compares patterns."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any

from router.check.analysis.patterns import UndecidedPattern, find_outside
from router.check.analysis.text_patterns import Char, Concatenation, Node, Repeat, characters_of, read_unanchored

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


def matching_text(pattern: str, random: Random) -> str | None:
    """Return text that a pattern matches; None if none is found. Not every text that it matches can be returned."""
    node = read_unanchored(pattern)
    return None if node is None else _text_of(node, random)


def _text_of(node: Node, random: Random) -> str:
    match node:
        case Char(text):
            return random.choice((characters_of(text) or text)[:3])
        case Repeat(inner, least, most):
            times = random.randint(least, least + _MORE if most is None else max(least, min(most, least + _MORE)))
            return "".join(_text_of(inner, random) for _ in range(times))
        case Concatenation(nodes):
            return "".join(_text_of(each, random) for each in nodes)
        case _:
            return _text_of(random.choice(node.nodes), random)


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

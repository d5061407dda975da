"""What patterns say of texts: those that every text of a schema matches, the length of a match, and examples.

Every text of a schema matches its own pattern, and those of its format, of its constants and of its length. Perhaps
other texts match them, too: what they exclude is proved, and what they allow is to be tried. Lengths and examples are
read of anchored patterns, such as `^[A-Z]{2}-[0-9]{1,6}$`. Patterns of two versions of a schema are compared.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from router.prover.budget import NotDecided
from router.prover.patterns import UndecidedPattern, escaped, find_outside
from router.prover.predicates import Schema

if TYPE_CHECKING:
    from random import Random

NO_MATCH = r"[^\s\S]"
"""The pattern that no text matches."""
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_OF_FORMATS: Mapping[str, str] = {
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]*$",
    "iri": "^[A-Za-z][A-Za-z0-9+.-]*:",
    "uri-reference": r"^[!#-;=?-\[\]_a-z~]*$",
    "iri-reference": r'^[^ <>"]*$',
    **dict.fromkeys(("email", "idn-email"), "@"),
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_TIME}",
    "duration": "^P(([0-9]+Y)?([0-9]+M)?([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+S)?)?|[0-9]+W)$",
    "hostname": "^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$",
    "ipv4": "^[0-9.]+$",
    "ipv6": "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$",
    "json-pointer": "^(/|$)",
    "relative-json-pointer": r"^(0|[1-9][0-9]*)(#|(/[\s\S]*)?)$",
    "time": f"^{_TIME}",
    "uuid": "^[0-9A-Fa-f-]+$",
}
"""Patterns that all texts of a format match."""
_MOST_CONSTANTS = 20
_LONGEST = 40
"""Greater lengths are not made a pattern, which has a state for each character."""
_MOST_STEPS = 10_000
ANCHORED = re.compile(r"\^(.*)\$", re.DOTALL)
CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\[\]\\&~])*\]", re.DOTALL)
"""A character class without a nested class."""
ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|\w)|[dDwWsS]|[^\w\s])")
"""An escape sequence that matches one character."""
COUNT = re.compile(r"(?:\{(\d{1,6})(?:(,)(\d{1,6})?)?\}|([?*+]))\??")
GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?(?!\?)")
PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]|\.", re.DOTALL)
_ANCHORS = re.compile(r"(?<![\\\[])(?:\^|\\[bBAz])|(?<!\\)\$(?=[|)]|$)")
_FIRST = "a0A-_"
"""The characters that examples have where they can."""
_LONGEST_EXAMPLE = 65_536
_MORE = 2
"""How often something is repeated, at most, beyond its least number."""
_DOT = re.compile(r"(\\.|\[(?:\\.|[^\]])*\])|\.", re.DOTALL)
"""A dot that stands for characters, after what is none: an escape sequence, or a class."""
_NO_LINE_END = "[^\n\r\u2028\u2029]"
"""What a dot matches in the strictest dialect."""
_SPACES = re.compile(r"\\[sS]")
"""Dialects differ in these."""
_LONGEST_MINIMUM = 64
"""Longer texts are not made, and a larger minimum is taken for this: the search would take long."""
_MOST_PAIRS = 16
"""The pairs of patterns that are searched, each for some tenths of a second at most."""


def patterns_in(schema: Schema) -> list[str]:
    """Return the patterns that every text of a subschema matches, by its own keywords."""
    found = distinctive_patterns(schema)
    values = schema.get("enum", ())
    if 0 < len(values) <= _MOST_CONSTANTS:
        found.append(one_of([f"^{escaped(value)}$" for value in values if isinstance(value, str)]))
    least = min(schema.get("minLength", 0), _LONGEST)
    return [*found, rf"^[\s\S]{{{least}}}"] if least else found


def one_of(patterns: Sequence[str]) -> str:
    """Return a pattern that a text matches which matches one of some."""
    return "|".join(f"({each})" for each in patterns) or NO_MATCH


def has_no_text(schemas: Sequence[Schema]) -> bool:
    """Whether it is proved, by patterns and formats, that no text satisfies some subschemas together."""
    patterns = dict.fromkeys(pattern for schema in schemas for pattern in distinctive_patterns(schema))
    try:
        return len(patterns) > 1 and find_outside([*patterns], NO_MATCH, _MOST_STEPS) is None
    except NotDecided:
        return False


def distinctive_patterns(schema: Schema) -> list[str]:
    """Return the pattern of a subschema, and that of its format."""
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    named = _OF_FORMATS.get(str(schema.get("format")))
    return [*own, named] if named else own


class _Unreadable(Exception):
    """The pattern has something that is not read here."""


class Char(Struct, frozen=True):
    """One character, which the pattern `text` matches."""

    text: str


class Repeat(Struct, frozen=True):
    """Another node, as often as between `least` and `most`; None is without end."""

    node: "Node"
    least: int
    most: int | None


class Concatenation(Struct, frozen=True):
    """Nodes one after another."""

    nodes: tuple["Node", ...]


class Choice(Struct, frozen=True):
    """One of several nodes."""

    nodes: tuple["Node", ...]


Node = Char | Repeat | Concatenation | Choice


@lru_cache(maxsize=4096)
def read_pattern(pattern: str) -> Node | None:
    """Return the tree of a pattern that is anchored at both ends; None for others, and for those not read here."""
    anchored = ANCHORED.fullmatch(pattern)
    if anchored is None:
        return None
    try:
        node, end = _sequence(anchored[1], 0)
    except _Unreadable:
        return None
    # The alternatives of a top-level `|` are anchored at one end only.
    return node if end == len(anchored[1]) else None


def longest_match(pattern: str) -> int | None:
    """Return the most characters of text that a pattern matches; None if there is no bound, or none is known."""
    node = read_pattern(pattern)
    return None if node is None else _longest(node)


def shortest_match(pattern: str) -> int:
    """Return a lower bound of the characters of text that a pattern matches."""
    node = read_pattern(pattern)
    return 0 if node is None else _shortest(node)


def example_of(pattern: str, extra: int = 0) -> str | None:
    """Return a text that a pattern should match, with `extra` repetitions where it allows them; None if none is found.

    The pattern is not verified to match it.
    """
    node = read_unanchored(pattern)
    return None if node is None or _shortest(node) > _LONGEST_EXAMPLE else _example(node, extra)


@lru_cache(maxsize=4096)
def read_unanchored(pattern: str) -> Node | None:
    """Return the tree of a pattern without its anchors: what a pattern matches that is anchored, others do."""
    text = _ANCHORS.sub("", pattern)
    try:
        node, end = _alternatives(text, 0)
    except _Unreadable:
        return None
    return node if end == len(text) else None


@lru_cache(maxsize=4096)
def characters_of(text: str) -> str:
    """Return characters that a part of a pattern matches: letters, if that is not known."""
    try:
        matches = re.compile(text, re.ASCII | re.DOTALL).fullmatch
    except re.error:  # another dialect, as in `\p{L}`
        matches = re.compile("[a-zA-Z]").fullmatch
    return "".join(filter(matches, dict.fromkeys((*_FIRST, *map(chr, range(128)), *text))))


def _longest(node: Node) -> int | None:
    match node:
        case Char():
            return 1
        case Repeat(inner, _, most):
            length = _longest(inner)
            return 0 if 0 in (length, most) else None if length is None or most is None else length * most
        case Concatenation(nodes):
            lengths = [_longest(each) for each in nodes]
            return None if None in lengths else sum(filter(None, lengths))
        case _:
            lengths = [_longest(each) for each in node.nodes]
            return None if None in lengths else max(length or 0 for length in lengths)


def _shortest(node: Node) -> int:
    match node:
        case Char():
            return 1
        case Repeat(inner, least, _):
            return _shortest(inner) * least
        case Concatenation(nodes):
            return sum(map(_shortest, nodes))
        case _:
            return min(map(_shortest, node.nodes))


def _example(node: Node, extra: int) -> str:
    match node:
        case Char():
            return (characters_of(node.text) or node.text)[0]
        case Repeat(inner, least, most):
            return _example(inner, extra // 2) * (least + extra if most is None else min(least + extra, most))
        case Concatenation(nodes):
            return "".join(_example(each, extra) for each in nodes)
        case _:
            return _example(node.nodes[extra % len(node.nodes)], extra)


def _alternatives(text: str, start: int) -> tuple[Node, int]:
    node, end = _sequence(text, start)
    nodes = [node]
    while text[end : end + 1] == "|":
        node, end = _sequence(text, end + 1)
        nodes.append(node)
    return Choice(tuple(nodes)), end


def _sequence(text: str, start: int) -> tuple[Node, int]:
    nodes: list[Node] = []
    while start < len(text) and text[start] not in "|)":
        node, start = _atom(text, start)
        count = COUNT.match(text, start)
        if count:
            node = Repeat(node, *_times(*count.groups()))
            start = count.end()
        nodes.append(node)
    return Concatenation(tuple(nodes)), start


def _atom(text: str, start: int) -> tuple[Node, int]:
    group = GROUP.match(text, start)
    if group:
        node, end = _alternatives(text, group.end())
        if text[end : end + 1] != ")":
            raise _Unreadable
        return node, end + 1
    found = CLASS.match(text, start) or ESCAPE.match(text, start) or PLAIN.match(text, start)
    if found is None:
        raise _Unreadable
    return Char(found[0]), found.end()


def _times(least: str | None, comma: str | None, most: str | None, sign: str | None) -> tuple[int, int | None]:
    if sign:
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
    first = int(least or 0)
    return first, first if not comma else None if most is None else int(most)


def matching_text(pattern: str, random: "Random") -> str | None:
    """Return text that a pattern matches; None if none is found. Not every text that it matches can be returned."""
    node = read_unanchored(pattern)
    return None if node is None else _text_of(node, random)


def _text_of(node: Node, random: "Random") -> str:
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
        own.append(f"^.{{{min(least, _LONGEST_MINIMUM)}}}")
    return [*own, f"^.{{0,{most}}}$"] if most is not None and most <= _LONGEST_MINIMUM else own


def _strict(pattern: str) -> str:
    """Return a pattern that matches no more than a pattern does in any dialect."""
    if _SPACES.search(pattern):
        raise UndecidedPattern
    return _DOT.sub(lambda found: found[1] or _NO_LINE_END, pattern)

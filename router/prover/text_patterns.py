"""What patterns say of texts.

Every text of a schema matches its own pattern, and those of its format, its constants
and its length. Perhaps other texts match them, too: what they exclude is
proved, and what they allow is to be tried. Lengths and examples are read of anchored
patterns, such as `^[A-Z]{2}-[0-9]{1,6}$`. Patterns of two versions of a schema are
compared.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from router.prover.budget import NotDecided
from router.prover.patterns import (
    COUNT,
    UndecidedPattern,
    escaped,
    find_outside,
    is_readable,
    times_of,
)
from router.prover.predicates import Schema

if TYPE_CHECKING:
    from random import Random

NO_MATCH = r"[^\s\S]"
"""The pattern that no text matches."""
ANY_TEXT = r"[\s\S]*"
"""A pattern that each text matches as a whole."""
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_DATE_PERIOD = "([0-9]+Y)?([0-9]+M)?([0-9]+D)?"
_TIME_PERIOD = "T([0-9]+H)?([0-9]+M)?([0-9]+S)?"
# Patterns that all texts of a format match.
_OF_FORMATS: Mapping[str, str] = {
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~]*$",
    "iri": "^[A-Za-z][A-Za-z0-9+.-]*:",
    "uri-reference": r"^[!#-;=?-\[\]_a-z~]*$",
    "iri-reference": r'^[^ <>"]*$',
    "email": "@",
    "idn-email": "@",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    "date-time": f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_TIME}",
    "duration": f"^P({_DATE_PERIOD}({_TIME_PERIOD})?|[0-9]+W)$",
    "hostname": "^[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$",
    "ipv4": "^[0-9.]+$",
    "ipv6": "^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$",
    "json-pointer": "^(/|$)",
    "relative-json-pointer": r"^(0|[1-9][0-9]*)(#|(/[\s\S]*)?)$",
    "time": f"^{_TIME}",
    "uuid": "^[0-9A-Fa-f-]+$",
}
_MOST_CONSTANTS = 20
# Greater lengths are not made a pattern, which has a state for each character.
_LONGEST = 40
_MOST_STEPS = 10_000
_ANCHORED = re.compile(r"\^(.*)\$", re.DOTALL)
# A character class without a nested class.
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\[\]\\&~])*\]", re.DOTALL)
# An escape sequence that matches one character.
_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|\w)|[dDwWsS]|[^\w\s])")
_GROUP = re.compile(r"\((?:\?:|\?P?<\w+>)?(?!\?)")
_PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]|\.", re.DOTALL)
_ANCHORS = re.compile(r"(?<![\\\[])(?:\^|\\[bBAz])|(?<!\\)\$(?=[|)]|$)")
# The characters that examples have where they can.
_FIRST = "a0A-_"
_LONGEST_EXAMPLE = 65_536
# How often something is repeated, at most, beyond its least number.
_MORE = 2
# A dot that stands for characters. It comes after what is none: an escape sequence,
# or a class.
_DOT = re.compile(r"(\\.|\[(?:\\.|[^\]])*\])|\.", re.DOTALL)
# What a dot matches in the strictest dialect.
_NO_LINE_END = "[^\n\r\u2028\u2029]"
# Dialects differ in these.
_SPACES = re.compile(r"\\[sS]")
# Longer texts are not made, as the search would take long. A larger minimum is taken
# for this.
_LONGEST_MINIMUM = 64
# The pairs of patterns that are searched. Each search takes some tenths of a second
# at most.
_MOST_PAIRS = 16


def patterns_in(schema: Schema) -> list[str]:
    """Return the patterns that every text of a subschema matches by its keywords."""
    found = distinctive_patterns(schema)
    values = schema.get("enum", ())
    if 0 < len(values) <= _MOST_CONSTANTS:
        texts = [value for value in values if isinstance(value, str)]
        found.append(one_of([f"^{escaped(text)}$" for text in texts]))
    least = min(schema.get("minLength", 0), _LONGEST)
    if least:
        found.append(rf"^[\s\S]{{{least}}}")
    return found


def one_of(patterns: Sequence[str]) -> str:
    """Return a pattern of the texts that match one of some patterns."""
    return "|".join(f"({each})" for each in patterns) or NO_MATCH


def has_no_text(schemas: Sequence[Schema]) -> bool:
    """Whether patterns and formats prove that no text satisfies all subschemas."""
    patterns: dict[str, None] = {}
    for schema in schemas:
        patterns |= dict.fromkeys(distinctive_patterns(schema))
    if len(patterns) < 2:
        return False
    try:
        return find_outside(list(patterns), NO_MATCH, _MOST_STEPS) is None
    except NotDecided:
        return False


def common_text(patterns: Iterable[str]) -> str | None:
    """Return a shortest text that matches all patterns that are read here.

    None if it is proved that there is none. Raises NotDecided.
    """
    readable = list(filter(is_readable, dict.fromkeys(patterns)))
    return find_outside(readable, NO_MATCH, _MOST_STEPS)


def exclude_each_other(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether it is proved that no text matches both all of some patterns and all of others."""
    return None in _common_texts([*product(one, other), (*one, *other)])


def likely_common_text(one: Sequence[str], other: Sequence[str]) -> str:
    """Return a text that matches all patterns, or if none is found one that matches two of them."""
    found = _common_texts([(*one, *other), *product(one, other)])
    return next(filter(None, found), "")


def _common_texts(combinations: Iterable[Sequence[str]]) -> Iterator[str | None]:
    """Yield a text that matches all patterns of a combination; None if there is none.

    Two patterns are searched with much less work than many.
    """
    for patterns in combinations:
        try:
            yield common_text(patterns)
        except NotDecided:
            continue


def body_of(pattern: str) -> str:
    """Return a pattern for a part of a text.

    A text matches it as a whole if it matches the given pattern, which may match
    somewhere in the text.
    """
    start, end = ("^" * (not pattern.startswith("^")), "$" * (not pattern.endswith("$")))
    if read_pattern(f"{start}{pattern}{end}") is None:
        return ANY_TEXT
    inner = pattern[not start : len(pattern) - (not end)]
    return f"{ANY_TEXT * bool(start)}({inner}){ANY_TEXT * bool(end)}"


def distinctive_patterns(schema: Schema) -> list[str]:
    """Return the pattern of a subschema, and that of its format."""
    found: list[str] = []
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        found.append(pattern)
    form = schema.get("format")
    if isinstance(form, str) and form in _OF_FORMATS:
        found.append(_OF_FORMATS[form])
    return found


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
_Read = tuple[Node, int]
_Keywords = Mapping[str, Any]


@lru_cache(maxsize=4096)
def read_pattern(pattern: str) -> Node | None:
    """Return the tree of a pattern that is anchored at both ends.

    None for others, and for those that are not read here.
    """
    anchored = _ANCHORED.fullmatch(pattern)
    # The alternatives of a top-level `|` are anchored at one end only.
    return None if anchored is None else _read(anchored[1], alternatives=False)


@lru_cache(maxsize=4096)
def read_unanchored(pattern: str) -> Node | None:
    """Return the tree of a pattern without its anchors.

    What an anchored pattern matches, the same pattern without anchors matches.
    """
    return _read(_ANCHORS.sub("", pattern), alternatives=True)


def _read(text: str, *, alternatives: bool) -> Node | None:
    """Return the tree of a whole text; None if it is not read here."""
    try:
        node, end = _alternatives(text, 0) if alternatives else _sequence(text, 0)
    except _Unreadable:
        return None
    return node if end == len(text) else None


def longest_match(pattern: str) -> int | None:
    """Return the most characters of text that a pattern matches.

    None if there is no bound, or none is known.
    """
    node = read_pattern(pattern)
    return None if node is None else _longest(node)


def shortest_match(pattern: str) -> int:
    """Return a lower bound of the characters of text that a pattern matches."""
    node = read_pattern(pattern)
    return 0 if node is None else _shortest(node)


def example_of(pattern: str, extra: int = 0) -> str | None:
    """Return a text that a pattern should match; None if none is found.

    The text has `extra` repetitions where the pattern allows them. The pattern is not
    verified to match it.
    """
    node = read_unanchored(pattern)
    if node is None or _shortest(node) > _LONGEST_EXAMPLE:
        return None
    return _example(node, extra)


@lru_cache(maxsize=4096)
def characters_of(text: str) -> str:
    """Return characters that a part of a pattern matches.

    If that is not known, these are letters.
    """
    try:
        matches = re.compile(text, re.ASCII | re.DOTALL).fullmatch
    # The pattern is of another dialect, as `\p{L}` is.
    except re.error:
        matches = re.compile("[a-zA-Z]").fullmatch
    tried = dict.fromkeys((*_FIRST, *map(chr, range(128)), *text))
    return "".join(filter(matches, tried))


def _longest(node: Node) -> int | None:
    match node:
        case Char():
            return 1
        case Repeat(inner, _, most):
            length = _longest(inner)
            if 0 in (length, most):
                return 0
            return None if length is None or most is None else length * most
    lengths: list[int] = []
    for each in node.nodes:
        length = _longest(each)
        if length is None:
            return None
        lengths.append(length)
    return sum(lengths) if isinstance(node, Concatenation) else max(lengths)


def _shortest(node: Node) -> int:
    match node:
        case Char():
            return 1
        case Repeat(inner, least, _):
            return _shortest(inner) * least
        case Concatenation(nodes):
            return sum(map(_shortest, nodes))
    return min(map(_shortest, node.nodes))


def _example(node: Node, extra: int) -> str:
    match node:
        case Char(text):
            return (characters_of(text) or text)[0]
        case Repeat(inner, least, most):
            times = least + extra
            if most is not None:
                times = min(times, most)
            return _example(inner, extra // 2) * times
        case Concatenation(nodes):
            return "".join(_example(each, extra) for each in nodes)
    return _example(node.nodes[extra % len(node.nodes)], extra)


def _alternatives(text: str, start: int) -> _Read:
    node, end = _sequence(text, start)
    nodes = [node]
    while text[end : end + 1] == "|":
        node, end = _sequence(text, end + 1)
        nodes.append(node)
    return Choice(tuple(nodes)), end


def _sequence(text: str, start: int) -> _Read:
    nodes: list[Node] = []
    while start < len(text) and text[start] not in "|)":
        node, start = _atom(text, start)
        count = COUNT.match(text, start)
        if count:
            node = Repeat(node, *times_of(count))
            start = count.end()
        nodes.append(node)
    return Concatenation(tuple(nodes)), start


def _atom(text: str, start: int) -> _Read:
    group = _GROUP.match(text, start)
    if group:
        node, end = _alternatives(text, group.end())
        if text[end : end + 1] != ")":
            raise _Unreadable
        return node, end + 1
    for form in (_CLASS, _ESCAPE, _PLAIN):
        found = form.match(text, start)
        if found:
            return Char(found[0]), found.end()
    raise _Unreadable


def matching_text(pattern: str, random: "Random") -> str | None:
    """Return text that a pattern matches; None if none is found.

    Not every text that it matches can be returned.
    """
    node = read_unanchored(pattern)
    return None if node is None else _text_of(node, random)


def _text_of(node: Node, random: "Random") -> str:
    match node:
        case Char(text):
            return random.choice((characters_of(text) or text)[:3])
        case Repeat(inner, least, most):
            highest = least + _MORE
            if most is not None:
                highest = max(least, min(most, highest))
            times = random.randint(least, highest)
            return "".join(_text_of(inner, random) for _ in range(times))
        case Concatenation(nodes):
            return "".join(_text_of(each, random) for each in nodes)
    return _text_of(random.choice(node.nodes), random)


def pattern_follows(old: _Keywords, pattern: str) -> bool:
    """Whether it is proved that every text that a schema takes matches a pattern."""
    try:
        return find_outside(_patterns_of(old), _strict(pattern)) is None
    except UndecidedPattern:
        return False


def texts_outside(old: Iterable[_Keywords], new: Iterable[_Keywords]) -> Iterator[str]:
    """Yield texts that one of the old schemas may take.

    The pattern of one of the new schemas does not match them.
    """
    patterns = [each["pattern"] for each in new if isinstance(each.get("pattern"), str)]
    for schema, pattern in islice(product(old, patterns), _MOST_PAIRS):
        try:
            found = find_outside(_patterns_of(schema), _strict(pattern))
        except UndecidedPattern:
            continue
        if found is not None:
            yield found


def _patterns_of(schema: _Keywords) -> list[str]:
    """Return patterns that every text matches which a schema takes.

    A dot is any character here.
    """
    found: list[str] = []
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        if _SPACES.search(pattern):
            raise UndecidedPattern
        found.append(pattern)
    least = _size(schema, "minLength")
    if least:
        found.append(f"^.{{{min(least, _LONGEST_MINIMUM)}}}")
    most = _size(schema, "maxLength")
    if most is not None and most <= _LONGEST_MINIMUM:
        found.append(f"^.{{0,{most}}}$")
    return found


def _size(schema: _Keywords, keyword: str) -> int | None:
    size = schema.get(keyword)
    return size if isinstance(size, int) and size >= 0 else None


def _strict(pattern: str) -> str:
    """Return a pattern that matches no more than a pattern does in any dialect."""
    if _SPACES.search(pattern):
        raise UndecidedPattern
    return _DOT.sub(lambda found: found[1] or _NO_LINE_END, pattern)

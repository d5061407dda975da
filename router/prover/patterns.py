"""Decides whether all texts of one pattern match another.

The product of their automata is searched for a text that does not. A pattern is read as
JSON Schema does: it matches somewhere in the text. Classes of characters may be larger
here than for a validator, so that a text that is found is to be tried on it, too.
"""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache, partial
from itertools import chain, pairwise
from operator import or_

from msgspec import Struct

from router.prover.budget import NotDecided

Ranges = tuple[tuple[int, int], ...]
"""Code points from one to another, both included."""
_LAST = 0x10FFFF
_ANY: Ranges = ((0, _LAST),)
_CLASSES: Mapping[str, Ranges] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": (
        (0x09, 0x0D),
        (0x20, 0x20),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
        (0xFEFF, 0xFEFF),
    ),
}
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_PUNCTUATION = frozenset("\\^$.|?*+()[]{}/-,:;=!#%&@'\"<>~` _")
_META = frozenset("\\.+*?()|[]{}^$")
_OF_SETS = ("&&", "~~", "--")
# Characters of an example, the most readable first.
_PREFERRED = tuple(map(ord, "a0A-x .!"))
_MAX_STATES = 3000
# The most steps from a state by a character. Some patterns have exponentially many sets of
# states.
_MAX_STEPS = 500_000
COUNT = re.compile(r"(?:([?*+])|\{(\d{1,6})(?:(,)(\d{1,6})?)?\})\??", re.ASCII)
Times = tuple[int, int | None]
"""The least and the most times that something occurs; None is without end."""
# How often something occurs before each sign.
_SIGNS: Mapping[str, Times] = {
    "?": (0, 1),
    "*": (0, None),
    "+": (1, None),
}
# A set of states: the bits of a number, of which each stands for a state.
_States = int
_EmptyEdges = list[list[tuple[int, str]]]
_Moves = list[list[tuple[Ranges, int]]]
_Ends = tuple[int, int]


class UndecidedPattern(NotDecided):
    """A pattern has a construct that is not known here, or is too large."""


class _Automaton(Struct, frozen=True, dict=True):
    """A non-deterministic automaton.

    Each state has edges without a character (`empty`), and with one (`moves`). An edge
    without a character may require the start (`^`) or the end (`$`) of the text. State
    0 is the first one, and `last` accepts.
    """

    empty: _EmptyEdges
    moves: _Moves
    last: int

    @cached_property
    def closure(self) -> Callable[[int, str], _States]:
        """Returns the states that are reached from one without a character, and keeps them.

        The text names the requirements of edges that are met: `^`, `$`, both or none.
        """
        return cache(partial(_reachable, self.empty))

    @cached_property
    def accepting(self) -> Callable[[str], _States]:
        """Returns the states from which the last one is reached without a character, and keeps
        them.
        """
        backwards: _EmptyEdges = [[] for _ in self.empty]
        for state, edges in enumerate(self.empty):
            for target, needs in edges:
                backwards[target].append((state, needs))
        return cache(partial(_reachable, backwards, self.last))

    def stepper(self, chars: Sequence[int]) -> Callable[[_States], list[_States]]:
        """Return what returns the states after each of some characters, and keeps them.

        Few sets of states come in many combinations.
        """

        @cache
        def members(ranges: Ranges) -> list[int]:
            return [at for at, char in enumerate(chars) if _is_in(char, ranges)]

        @cache
        def after(state: int) -> list[_States]:
            reached = [0] * len(chars)
            for ranges, end in self.moves[state]:
                for at in members(ranges):
                    reached[at] |= self.closure(end, "")
            return reached

        @cache
        def step(states: _States) -> list[_States]:
            reached = [0] * len(chars)
            while states:
                state = states.bit_length() - 1
                states ^= 1 << state
                reached = list(map(or_, reached, after(state)))
            return reached

        return step

    def accepts(self, states: _States, text: str) -> bool:
        """Whether a text that has led to these states matches."""
        return states & self.accepting("$" if text else "^$") != 0


def _reachable(edges: _EmptyEdges, state: int, passed: str) -> _States:
    """Return a state and those that edges lead to whose requirements are met."""
    reached = 1 << state
    left = [state]
    while left:
        for target, needs in edges[left.pop()]:
            if not reached >> target & 1 and needs in passed:
                reached |= 1 << target
                left.append(target)
    return reached


def escaped(text: str) -> str:
    """Return a pattern that matches only this text."""
    return "".join(f"\\{char}" if char in _META else char for char in text)


def times_of(count: re.Match[str]) -> Times:
    """Return how often something occurs before a match of COUNT."""
    sign, least, comma, most = count.groups()
    if sign:
        return _SIGNS[sign]
    if comma:
        return int(least), int(most) if most else None
    return int(least), int(least)


def is_readable(pattern: str) -> bool:
    """Whether all of a pattern is known here."""
    try:
        _compiled(pattern)
    except UndecidedPattern:
        return False
    return True


def find_outside(
    patterns: Sequence[str], accepted: str, most_steps: int = _MAX_STEPS
) -> str | None:
    """Return a shortest text that matches all patterns and not `accepted`, or None.

    Raises UndecidedPattern.
    """
    return _search((*patterns, accepted), most_steps)


@lru_cache(maxsize=256)
def _search(patterns: tuple[str, ...], most_steps: int) -> str | None:
    """Return what `find_outside` does.

    The last pattern is the one that the text does not match.
    """
    automata = [_compiled(pattern) for pattern in patterns]
    chars = _representatives(automata)
    steppers = [each.stepper(chars) for each in automata]
    first = tuple(each.closure(0, "^") for each in automata)
    queue = deque([(first, "")])
    # Not `first`: the same states after a character can differ in what they accept, as
    # the text is not empty.
    seen: set[tuple[_States, ...]] = set()
    steps = 0
    while queue:
        states, text = queue.popleft()
        if _is_outside(automata, states, text):
            return text
        steps += (sum(map(int.bit_count, states)) + 1) * len(chars)
        if steps > most_steps:
            raise UndecidedPattern
        rows = [step(each) for step, each in zip(steppers, states, strict=True)]
        for char, after in zip(chars, zip(*rows, strict=True), strict=True):
            if after not in seen and all(after[:-1]):
                seen.add(after)
                queue.append((after, text + chr(char)))
    return None


def _is_outside(automata: Sequence[_Automaton], states: Sequence[_States], text: str) -> bool:
    """Whether a text matches all patterns but the last."""
    pairs = zip(automata, states, strict=True)
    *inside, outside = [each.accepts(reached, text) for each, reached in pairs]
    return all(inside) and not outside


def _representatives(automata: Sequence[_Automaton]) -> list[int]:
    """Return one character of each set that automata do not tell apart."""
    classes: set[Ranges] = set()
    for moves in chain.from_iterable(each.moves for each in automata):
        classes.update(ranges for ranges, _ in moves)
    starts = {0, 0x20, 0x7F, 0xD800, 0xE000}
    for low, high in chain.from_iterable(classes):
        starts |= {low, high + 1}
    found: list[int] = []
    for low, after in pairwise(sorted({*starts, _LAST + 1})):
        # Halves of surrogate pairs are no characters.
        if low != 0xD800:
            preferred = [char for char in _PREFERRED if low <= char < after]
            found.append(preferred[0] if preferred else low)
    found.sort(key=lambda char: (char not in _PREFERRED, not 0x20 < char < 0x7F, char))
    # Those of several intervals can be in the same classes, as in those of `[\s\S]`.
    # The first is preferred.
    distinct: dict[tuple[bool, ...], int] = {}
    for char in found:
        distinct.setdefault(tuple([_is_in(char, ranges) for ranges in classes]), char)
    return list(distinct.values())


def _is_in(char: int, ranges: Ranges) -> bool:
    return any(low <= char <= high for low, high in ranges)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> _Automaton:
    parser = _Parser(pattern)
    start, end = parser.alternatives()
    if parser.at < len(pattern):
        raise UndecidedPattern
    # It matches somewhere: any characters may come before it and after it.
    parser.empty[0].append((start, ""))
    for state in (0, end):
        parser.moves[state].append((_ANY, state))
    return _Automaton(parser.empty, parser.moves, end)


def _one(char: str) -> Ranges:
    return ((ord(char), ord(char)),)


def _only(ranges: Ranges) -> _Ends:
    # A class of several ranges is no end of a range.
    if len(ranges) > 1:
        raise UndecidedPattern
    return ranges[0]


def _inverse(ranges: Sequence[_Ends]) -> Ranges:
    """Return all other characters."""
    found: list[_Ends] = []
    after = 0
    for low, high in [*sorted(ranges), (_LAST + 1, _LAST)]:
        if low > after:
            found.append((after, low - 1))
        after = max(after, high + 1)
    return tuple(found)


class _Parser:
    """Reads a pattern, and builds an automaton of it.

    Each method returns the first and last state of a part.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.empty: _EmptyEdges = [[]]
        self.moves: _Moves = [[]]

    def alternatives(self) -> _Ends:
        first = self._state()
        last = self._state()
        while True:
            start, end = self._sequence()
            self._join(first, start)
            self._join(end, last)
            if not self._take("|"):
                return first, last

    def _sequence(self) -> _Ends:
        first = last = self._state()
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            began = self.at
            last = self._repeat(began, self._atom(), last)
        return first, last

    def _repeat(self, began: int, part: _Ends, last: int) -> int:
        """Append a part as often as its count says, and return the new last state.

        Each time the part is read again.
        """
        least, most = self._count()
        ended = self.at
        stop = self._state()
        start, end = part
        for index in range(max(least, 1) if most is None else most):
            if index:
                self.at = began
                start, end = self._atom()
            if index >= least:
                self._join(last, stop)
            self._join(last, start)
            last = end
        self.at = ended
        if most is None:
            self._join(last, start)
        self._join(last, stop)
        return stop

    def _atom(self) -> _Ends:
        char = self._next()
        if char == "(":
            return self._group()
        if char in "^$":
            return self._edge(needs=char)
        if char == "[":
            return self._edge(self._class())
        if char == "\\":
            return self._edge(self._escape())
        if char in "?*+{}])":
            raise UndecidedPattern
        return self._edge(_ANY if char == "." else _one(char))

    def _group(self) -> _Ends:
        # It may be a name, a flag, or a look at what is around.
        if self._take("?") and not self._take(":"):
            raise UndecidedPattern
        part = self.alternatives()
        if not self._take(")"):
            raise UndecidedPattern
        return part

    def _count(self) -> Times:
        """Read how often an atom may occur: once, if no count follows it."""
        count = COUNT.match(self.pattern, self.at)
        if count is None:
            return 1, 1
        self.at = count.end()
        # A count of a count is no pattern in some dialects.
        if self.pattern.startswith(("?", "*", "+", "{"), self.at):
            raise UndecidedPattern
        return times_of(count)

    def _class(self) -> Ranges:
        inverse = self._take("^")
        # Dialects differ in what an empty class is.
        if self._take("]"):
            raise UndecidedPattern
        found: list[_Ends] = []
        while not self._take("]"):
            members = self._member()
            if self._at_range():
                self.at += 1
                low, end = _only(members)
                high, other = _only(self._member())
                if low != end or high != other:
                    raise UndecidedPattern
                members = ((low, high),)
            found += members
        return _inverse(found) if inverse else tuple(found)

    def _at_range(self) -> bool:
        """Whether a dash follows that is not the last character of a class."""
        following = self.pattern[self.at : self.at + 2]
        return following[:1] == "-" and following != "-]"

    def _member(self) -> Ranges:
        char = self._next()
        # Sets of classes are another dialect.
        if char == "[" or self.pattern[self.at - 1 : self.at + 1] in _OF_SETS:
            raise UndecidedPattern
        return self._escape() if char == "\\" else _one(char)

    def _escape(self) -> Ranges:
        char = self._next()
        if char.lower() in _CLASSES:
            ranges = _CLASSES[char.lower()]
            return ranges if char.islower() else _inverse(ranges)
        if char in _CONTROLS:
            return ((_CONTROLS[char],) * 2,)
        if char in _PUNCTUATION:
            return _one(char)
        raise UndecidedPattern

    def _edge(self, ranges: Ranges | None = None, needs: str = "") -> _Ends:
        first = self._state()
        last = self._state()
        if ranges is None:
            self._join(first, last, needs)
        else:
            self.moves[first].append((ranges, last))
        return first, last

    def _state(self) -> int:
        if len(self.empty) >= _MAX_STATES:
            raise UndecidedPattern
        self.empty.append([])
        self.moves.append([])
        return len(self.empty) - 1

    def _join(self, first: int, last: int, needs: str = "") -> None:
        self.empty[first].append((last, needs))

    def _take(self, char: str) -> bool:
        found = self.pattern.startswith(char, self.at)
        self.at += found
        return found

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise UndecidedPattern
        self.at += 1
        return self.pattern[self.at - 1]

"""Finds messages that a schema accepts.

A message that refutes a claim is a proof, however it was found. Each is made from the
schema, changed at one path, and validated as the router does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain
from math import inf
from typing import Any

from msgspec import Struct

from router.prover.budget import SearchDeadline
from router.prover.predicates import EACH, Steps
from router.prover.scalars import Stuck
from router.prover.subschema_walker import Level, SubschemaWalker, own_parts
from router.prover.value_generation import (
    BY_CHANCE,
    MISSING,
    Fault,
    ValueGenerator,
    constants_of,
)
from router.runtime.engine.attributes import MAX_DIGITS

# The messages that are made as the base of others.
_VARIANTS = 6
# With those whose choices are made by chance.
_MORE = 12
_MOST_GIVEN = 8
_LONGEST = 4096
# Values that are tried at each path.
_PROBES: Sequence[Any] = (
    MISSING,
    None,
    "",
    "x",
    "9",
    "10",
    "a-1",
    "1.5",
    "2026-01-02",
    "2026-01-02T03:04:05Z",
    "x" * _LONGEST,
    "2026-01-02T03:04:05.678Z",
    "2026-01-02T03:04:05+05:30",
    0,
    1,
    -1,
    Decimal("1.5"),
    10**12,
    True,
    False,
    [],
    ["x"],
    [1],
    {},
    {"x": 1},
)
# Values at which transforms and conversions fail seldom.
_RARE: Sequence[Any] = (
    "9" * 45,
    "1e999",
    "%",
    "1998-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    10**15,
    10**MAX_DIGITS - 1,
    Decimal("0." + "9" * MAX_DIGITS),
    [1, Decimal("0." + "9" * MAX_DIGITS)],
    Decimal("9e125"),
    ["x", 1],
    [None],
    {"x": None},
    "a!" * _LONGEST,
)
# Values that grow. A text may be Base64, JSON or a number. It may be in a list or an
# object.
_LIKELY: Sequence[Any] = (
    "x",
    "QUJD",
    '"x"',
    ["x"],
    ["QUJD", "QUJE"],
    ["1" * 38, "2" * 38],
    [1, 2],
    {"x": "x"},
    "/aaa",
    "QUJD" * 1024,
    f'"{"x" * _LONGEST}"',
)
Wanted = Callable[[Any], bool]
Paths = Sequence[Steps]


class Growth(Struct, frozen=True):
    """A limit on messages.

    `grow` yields larger values that are made of one in a message that `fits`.
    """

    fits: Wanted
    grow: Callable[[Any], Iterator[Any]]
    exceeds: Wanted


class FoundValue(Struct):
    """A value with which the first message that was tried at a path was wanted.

    Without one, the path is empty.
    """

    path: Steps = ()
    value: Any = MISSING


class ExampleSearch:
    """Messages that `accepts` is true of, made from the level of a schema's root."""

    def __init__(self, walker: SubschemaWalker, root: Level, accepts: Wanted, fault: Fault) -> None:
        self._walker = walker
        self._root = root
        self._accepts = accepts
        self._fault = fault
        self._generator = ValueGenerator(walker)
        self.deadline = SearchDeadline(inf)
        """When a search ends with BudgetSpent."""
        self._tried: dict[Steps, list[Any]] = {}
        self._rare: dict[Steps, list[Any]] = {}
        self._given: dict[Steps, dict[str, Any]] = {}
        self._found: dict[tuple[Steps, str], Any] = {}
        self._bases: dict[Steps, list[Any]] = {}

    def any_at(self, steps: Steps, wanted: Wanted) -> bool:
        """Whether a message is found whose value at a path is a wanted one.

        That value may be MISSING.
        """
        return any(wanted(value) and self.accepts(steps, value) for value in self._values(steps))

    def find(
        self,
        paths: Paths,
        wanted: Wanted,
        there: Paths = (),
        tested: Paths = (),
        known: FoundValue | None = None,
    ) -> Any:
        """Return a wanted message with an unusual value at or near one of the paths.

        MISSING if none is found. Something is at the paths `there`, too. The conditions
        in `accepts` read the paths `tested`. The value is that of `known`, if it is one
        here as well; else it becomes that.
        """
        known = FoundValue() if known is None else known
        if known.path:
            base = next(self._grown(known.path, there, tested))
            message = _placed(base, known.path, known.value)
            if message is not MISSING and wanted(message) and self._accepts(message):
                return message
        tried = chain(
            self._changed(paths, there, tested, known),
            self._changed_together(paths, there, tested),
            self._grown((), there, tested),
        )
        for message in self._timed(tried):
            if wanted(message) and self._accepts(message):
                return message
        return MISSING

    def _changed(
        self,
        paths: Paths,
        there: Paths,
        tested: Paths,
        last: FoundValue,
    ) -> Iterator[Any]:
        """Yield messages with another value at or near a path.

        `last` becomes that of the last one.
        """
        for path in _near(paths):
            for index, base in enumerate(self._grown(path, there, tested)):
                last.path = () if index else path
                for value in self._unusual(path):
                    last.value = value
                    yield _placed(base, path, value)
        last.path = ()

    def _changed_together(self, paths: Paths, there: Paths, tested: Paths) -> Iterator[Any]:
        """Yield messages with one value at several paths."""
        if len(paths) < 2:
            return
        for base in self._grown((), [*there, *paths], tested):
            for path in paths:
                for value in self._unusual(path):
                    message = base
                    for each in paths:
                        message = _placed(message, each, value)
                    yield message

    def _timed(self, messages: Iterable[Any]) -> Iterator[Any]:
        """Yield those that are there, until the time is up."""
        for message in messages:
            self.deadline.check()
            if message is not MISSING:
                yield message

    def find_larger(
        self,
        steps: Steps,
        growth: Growth,
        there: Paths = (),
        tested: Paths = (),
    ) -> Any:
        """Return a message that exceeds a limit with a larger value at a path.

        MISSING if none is found: see `find`.
        """
        seen = set()
        for base, value in self._starts(steps, there, tested):
            text = repr(value)
            if text in seen or not growth.fits(_placed(base, steps, value)):
                continue
            seen.add(text)
            grown = (_placed(base, steps, each) for each in growth.grow(value))
            for message in self._timed(grown):
                if self._accepts(message) and growth.exceeds(message):
                    return message
        return MISSING

    def _starts(self, steps: Steps, there: Paths, tested: Paths) -> Iterator[tuple[Any, Any]]:
        """Yield values at a path, each with a message that has it there.

        First come likely values, then those of valid messages.
        """
        for value in self._likely(steps):
            for base in self._grown(steps, there, tested):
                if self._is_message(_placed(base, steps, value)):
                    yield base, value
                    break
        for path in ((*steps, EACH), steps, (*steps, "x")):
            for base in self._grown(steps, (*there, path), tested):
                value = _value_at(base, steps)
                if value is not MISSING and self._is_message(base):
                    yield base, value

    def _likely(self, steps: Steps) -> Iterator[Any]:
        """Yield different values at a path.

        First come plain ones, then those that the schema suggests.
        """
        yield from _LIKELY
        suggested = chain(self._suggested(steps), self._by_chance(steps))
        yield from {repr(value): value for value in suggested}.values()

    def _grown(self, steps: Steps, there: Paths, tested: Paths = ()) -> Iterator[Any]:
        """Yield messages that conditions accept.

        They have a parent of the path, and something at the paths `there`.
        """
        for index, base in enumerate(self._parents(steps, _MORE)):
            message = base
            if there and base is not MISSING:
                message = self._with(base, (_parent(steps), *there), index)
            yield self._adjusted(message, tested)

    def _with(self, message: Any, there: Paths, index: int) -> Any:
        """Return a message that has something at the paths; MISSING if invalid."""
        grow = self._generator.grow
        try:
            for path in there:
                message = grow(message, self._root, path, _variant(index))
        except Stuck:
            return MISSING
        return self._generator.repaired(message, self._root, there, self._fault)

    def _adjusted(self, message: Any, tested: Paths) -> Any:
        """Return a message with another value at one of the paths that are tested.

        It is returned as it is, if it is accepted, or no value makes it so.
        """
        if message is MISSING or not tested or self._accepts(message):
            return message
        for path in tested:
            for value in self._unusual(path):
                changed = _placed(message, path, value)
                if self._is_message(changed):
                    return changed
        return message

    def accepts(self, steps: Steps, value: Any) -> bool:
        """Whether a message is found that has a value at a path."""
        return self.message_with(steps, value) is not MISSING

    def message_with(self, steps: Steps, value: Any) -> Any:
        """Return a message with a value at a path; MISSING if none is found."""
        key = steps, repr(value)
        if key not in self._found:
            placed = (_placed(base, steps, value) for base in self._parents(steps))
            self._found[key] = next(filter(self._is_message, placed), MISSING)
        return self._found[key]

    def _is_message(self, message: Any) -> bool:
        return message is not MISSING and self._accepts(message)

    def suggest(self, steps: Steps, values: Sequence[Any]) -> None:
        """Try a few values at a path before others.

        A rule found that one of them is possible, and matters.
        """
        given = self._given.setdefault(steps, {})
        for value in values[: _MOST_GIVEN - len(given)]:
            given[repr(value)] = value

    def _values(self, steps: Steps) -> Iterator[Any]:
        """Yield values to try at a path: usual ones, and those the schema suggests."""
        yield from _PROBES
        yield from self._suggested(steps)

    def _unusual(self, steps: Steps) -> Iterator[Any]:
        """Yield values to try at a path, with some that are seldom of use."""
        yield from self._given.get(steps, {}).values()
        yield from self._values(steps)
        yield from _RARE
        yield from self._by_chance(steps)

    def _suggested(self, steps: Steps) -> list[Any]:
        """Return values at a path that the schema suggests."""
        if steps not in self._tried:
            level = self._walker.below_all(self._root, steps)
            found: list[Any] = []
            for part in own_parts(self._walker.parts(level)):
                found += constants_of(part.place.content)
            found += self._made(level, range(_VARIANTS))
            self._tried[steps] = found
        return self._tried[steps]

    def _by_chance(self, steps: Steps) -> list[Any]:
        """Return values at a path that are made by chance, as the schema suggests."""
        if steps not in self._rare:
            level = self._walker.below_all(self._root, steps)
            variants = [BY_CHANCE] * (_MORE - _VARIANTS)
            self._rare[steps] = list(self._made(level, variants))
        return self._rare[steps]

    def _made(self, level: Level, variants: Iterable[int]) -> Iterator[Any]:
        for variant in variants:
            try:
                yield self._generator.make(level, (), variant)
            except Stuck:
                continue

    def _parents(self, steps: Steps, most: int = _VARIANTS) -> Iterator[Any]:
        """Yield messages that have a parent of the path, made as they are needed."""
        parent = _parent(steps)
        made = self._bases.setdefault(parent, [])
        for index in range(most):
            if index == len(made):
                made.append(self._base(parent, index))
            self.deadline.check()
            yield made[index]

    def _base(self, parent: Steps, index: int) -> Any:
        try:
            message = self._generator.make(self._root, parent, _variant(index))
        except Stuck:
            return MISSING
        return self._generator.repaired(message, self._root, (parent,), self._fault)


def _variant(index: int) -> int:
    return index if index < _VARIANTS else BY_CHANCE


def _parent(steps: Steps) -> Steps:
    """Return the path of what a value at a path is put into.

    An element of a list is put in the place of another.
    """
    return steps if steps[-1:] == (EACH,) else steps[:-1]


def _near(found: Paths) -> list[Steps]:
    """Return paths, each followed by that to its elements and those around it."""
    seen: dict[Steps, None] = {}
    for steps in found:
        seen[steps] = None
        seen[*steps, EACH] = None
        for end in range(len(steps) - 1, -1, -1):
            seen[steps[:end]] = None
    return list(seen)


def _value_at(message: Any, steps: Steps) -> Any:
    """Return the value at a path, MISSING if there is none."""
    for step in steps:
        if step is EACH:
            if not isinstance(message, list) or not message:
                return MISSING
            message = message[0]
        elif isinstance(message, dict) and step in message:
            message = message[step]
        else:
            return MISSING
    return message


def _placed(message: Any, steps: Steps, value: Any) -> Any:
    """Return a copy of a message with a value at a path; for MISSING without one.

    MISSING if the parent of the path is not there.
    """
    if not steps:
        return value
    step = steps[0]
    rest = steps[1:]
    removes = not rest and value is MISSING
    if step is EACH:
        if removes or not isinstance(message, list) or not message:
            return MISSING
        inner = _placed(message[0], rest, value)
        return MISSING if inner is MISSING else [inner, *message[1:]]
    if not isinstance(message, dict):
        return MISSING
    if removes:
        return {name: each for name, each in message.items() if name != step}
    inner = _placed(message.get(step), rest, value)
    return MISSING if inner is MISSING else {**message, step: inner}

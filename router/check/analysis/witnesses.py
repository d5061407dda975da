"""Finds messages that a schema accepts: a message that refutes a claim is a proof, however it was found.

Each is made from the schema, changed at one path, and validated as the router does.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import reduce
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from router.check.analysis.levels import Every, Level, Levels, Own, Some
from router.check.analysis.predicates import EACH, Schema, Steps
from router.check.analysis.scalars import Stuck, make_number, make_text
from router.program.schemas.documents import MAX_DEPTH

MAX_VALUES = 1000
"""The most values of which a message is made."""
_OPTIONAL_DEPTH = 2
_OPTIONAL = 12
"""Deeper and more parts are not made unless they must be there."""
_VARIANTS = 6
_LONGEST = 4096
MISSING: Any = msgspec.UNSET
"""In place of a value: the path is not there."""
_PROBES: Sequence[Any] = (
    *(MISSING, None, "", "x", "9", "10", "a-1", "1.5", "2026-01-02", "2026-01-02T03:04:05Z", "x" * _LONGEST),
    *("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+05:30", 0, 1, -1, Decimal("1.5"), 10**12, True, False),
    *([], ["x"], [1], {}, {"x": 1}),
)
"""Values that are tried at each path."""
_RARE: Sequence[Any] = (
    *("9" * 45, "1e999", "%", "1998-12-31T23:59:60Z", "0000-01-01T00:00:00Z", 10**15, ["x", 1], [None], {"x": None}),
)
"""Values at which transforms and conversions fail seldom."""
_LIKELY: Sequence[Any] = ("x", "QUJD", ["x"], ["QUJD"], {"x": "x"})
"""Values that grow: text that may be Base64, or be in a list or an object."""
_TYPES = ("object", "string", "integer", "array", "boolean", "number", "null")


class Growth(Struct, frozen=True):
    """A limit on messages: `grow` yields larger values that are made of one in a message that `fits`."""

    fits: Callable[[Any], bool]
    grow: Callable[[Any], Iterator[Any]]
    exceeds: Callable[[Any], bool]


class Witnesses:
    """Messages that `accepts` is true of, made from the level of a schema's root."""

    def __init__(self, levels: Levels, root: Level, accepts: Callable[[Any], bool]) -> None:
        self._levels = levels
        self._root = root
        self._accepts = accepts
        self._left = MAX_VALUES
        self._tried: dict[Steps, list[Any]] = {}
        self._found: dict[tuple[Steps, str], Any] = {}
        self._bases: dict[Steps, list[Any]] = {}

    def any_at(self, steps: Steps, wanted: Callable[[Any], bool]) -> bool:
        """Whether a message is found whose value at a path, which may be MISSING, is a wanted one."""
        return any(wanted(value) and self.accepts(steps, value) for value in self._values(steps))

    def find(
        self,
        paths: Sequence[Steps],
        wanted: Callable[[Any], bool],
        there: Sequence[Steps] = (),
        tested: Sequence[Steps] = (),
    ) -> Any:
        """Return a message that is wanted, with an unusual value at or near one of the paths; MISSING if none is found.

        Something is at the paths `there`, too. Conditions that `accepts` evaluates read the paths `tested`.
        """
        changed = (
            _placed(base, path, value)
            for path in _near(paths)
            for base in self._grown(path, there, tested)
            for value in chain(self._values(path), _RARE)
        )
        together = (
            reduce(lambda message, path: _placed(message, path, value), paths, base)
            for base in self._grown((), [*there, *paths], tested)
            for value in chain((value for path in paths for value in self._values(path)), _RARE)
            if len(paths) > 1
        )
        tried = chain(changed, together, self._grown((), there, tested))
        return next((each for each in tried if each is not MISSING and wanted(each) and self._accepts(each)), MISSING)

    def can_exceed(self, steps: Steps, growth: Growth, there: Sequence[Steps] = ()) -> bool:
        """Whether a message is found that exceeds a limit if the value at a path grows; something is `there`, too."""
        for value in self._likely(steps):
            placed = ((base, _placed(base, steps, value)) for base in self._grown(steps, there))
            base, message = next((each for each in placed if self._is_message(each[1])), (MISSING, MISSING))
            if message is MISSING or not growth.fits(message):
                continue
            larger = (_placed(base, steps, each) for each in growth.grow(value))
            if any(growth.exceeds(message) for message in larger if self._is_message(message)):
                return True
        return False

    def _likely(self, steps: Steps) -> Iterator[Any]:
        """Yield different values at a path: plain ones, and those that the schema suggests."""
        yield from _LIKELY
        yield from {repr(value): value for value in self._suggested(steps)}.values()

    def _grown(self, steps: Steps, there: Sequence[Steps], tested: Sequence[Steps] = ()) -> Iterator[Any]:
        """Yield messages that have a parent of the path, and something at others, and that conditions accept."""
        for variant, base in enumerate(self._parents(steps)):
            message = base
            for path in there if base is not MISSING else ():
                self._left = MAX_VALUES
                try:
                    message = self._grow(message, self._root, path, variant)
                except Stuck:
                    message = MISSING
                    break
            yield self._adjusted(message, tested)

    def _adjusted(self, message: Any, tested: Sequence[Steps]) -> Any:
        """Return a message with another value at one of the paths that conditions read, if it is accepted so."""
        if message is MISSING or not tested or self._accepts(message):
            return message
        changed = (_placed(message, path, value) for path in tested for value in self._values(path))
        return next((each for each in changed if each is not MISSING and self._accepts(each)), message)

    def _grow(self, value: Any, level: Level, toward: Steps, variant: int) -> Any:
        """Return a value with something at a path: what is missing on the way is made."""
        if not toward:
            return value
        step, rest = toward[0], toward[1:]
        below = self._levels.below(level, step)
        match value:
            case [] if step is EACH:
                return [self._make(below, rest, variant, 1)]
            case [first, *others] if step is EACH:
                return [self._grow(first, below, rest, variant), *others]
            case {} if step is not EACH and step in value:
                return {**value, step: self._grow(value[step], below, rest, variant)}
            case {} if step is not EACH:
                return {**value, step: self._make(below, rest, variant, 1)}
        raise Stuck

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

    def _values(self, steps: Steps) -> Iterator[Any]:
        """Yield values to try at a path: usual ones, and those that the schema suggests."""
        yield from _PROBES
        yield from self._suggested(steps)

    def _suggested(self, steps: Steps) -> list[Any]:
        """Return values at a path that the schema suggests."""
        if steps not in self._tried:
            level = self._levels.below_all(self._root, steps)
            constants = [value for schema in _subschemas(self._levels.parts(level)) for value in _constants(schema)]
            self._tried[steps] = [*constants, *self._made(level, ())]
        return self._tried[steps]

    def _made(self, level: Level, toward: Steps) -> Iterator[Any]:
        for variant in range(_VARIANTS):
            self._left = MAX_VALUES
            try:
                yield self._make(level, toward, variant, 0)
            except Stuck:
                continue

    def _parents(self, steps: Steps) -> Iterator[Any]:
        """Yield messages that have a parent of the path, made as they are needed."""
        made = self._bases.setdefault(steps if steps[-1:] == (EACH,) else steps[:-1], [])
        for index in range(_VARIANTS):
            if index == len(made):
                made.append(self._variant(steps, index))
            yield made[index]

    def _variant(self, steps: Steps, variant: int) -> Any:
        try:
            # An element of a list is put in the place of one.
            toward = steps if steps and steps[-1] is EACH else steps[:-1]
            self._left = MAX_VALUES
            return self._make(self._root, toward, variant, 0)
        except Stuck:
            return MISSING

    def _make(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        """Return a value of a level, with something at the path `toward`; another for each variant."""
        chosen = tuple(_chosen(self._levels.parts(level), variant))
        schemas = [part.place.content for part in chosen]
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise Stuck
        constants = [value for schema in schemas for value in _constants(schema)]
        if constants:
            return constants[variant % len(constants)]
        kinds = [kind for kind in _TYPES if all(_allows(schema, kind) for schema in schemas)]
        if toward:
            kinds = [kind for kind in kinds if kind == ("array" if toward[0] is EACH else "object")]
        if not kinds:
            raise Stuck
        # Without a type, an object is the most likely value.
        typed = any("type" in schema for schema in schemas)
        kind = kinds[variant % len(kinds)] if typed else kinds[0]
        match kind:
            case "object":
                return self._make_object(Every(chosen), schemas, toward, variant, depth)
            case "array":
                return self._make_list(Every(chosen), schemas, toward, variant, depth)
            case "string":
                return make_text(schemas, variant)
            case "integer" | "number":
                return make_number(schemas, variant, whole=kind == "integer")
        return True if kind == "boolean" else None

    def _make_object(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        required = [name for schema in schemas for name in schema.get("required", ())]
        made = {}
        for name in dict.fromkeys([*(str(step) for step in toward[:1]), *required]):
            inner = toward[1:] if toward[:1] == (name,) else ()
            made[name] = self._make(self._levels.below(level, name), inner, variant, depth + 1)
        least = max((schema.get("minProperties", 0) for schema in schemas), default=0)
        optional = [name for schema in schemas for name in schema.get("properties", ())]
        rich = _OPTIONAL if variant % 2 and depth < _OPTIONAL_DEPTH else 0
        wanted = optional[: max(rich, least - len(made))]
        for name in wanted:
            if name not in made:
                try:
                    made[name] = self._make(self._levels.below(level, name), (), variant, depth + 1)
                except Stuck:
                    continue
        for number in range(least - len(made)):
            made[f"x{number}"] = self._make(self._levels.below(level, f"x{number}"), (), variant, depth + 1)
        return made

    def _make_list(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        least = max((schema.get("minItems", 0) for schema in schemas), default=0)
        count = max(least, 1 if toward or (variant % 2 and depth < _OPTIONAL_DEPTH) else 0)
        if count > _LONGEST:
            raise Stuck
        element = self._levels.below(level, EACH)
        made = [self._make(element, toward[1:], variant, depth + 1) for _ in range(count)]
        if any(schema.get("uniqueItems") for schema in schemas):
            made = [_varied(value, index) if index else value for index, value in enumerate(made)]
        return made


def _near(found: Sequence[Steps]) -> list[Steps]:
    """Return paths, each followed by those to its elements and to what is around it."""
    seen: dict[Steps, None] = {}
    for steps in found:
        seen |= dict.fromkeys([steps, (*steps, EACH), *(steps[:end] for end in range(len(steps) - 1, 0, -1))])
    return list(seen)


def _varied(value: Any, number: int) -> Any:
    """Return a value that differs from a value by a number."""
    match value:
        case bool():
            return value is (number % 2 == 0)
        case int() | Decimal():
            return value + number
        case str():
            return f"{value}{number}"
        case list():
            return [*value, number]
        case dict():
            return {**value, "x": number}
    return value


def _chosen(level: Level, variant: int) -> Iterator[Own]:
    """Yield the subschemas of a level, with one branch of each choice."""
    match level:
        case Every(parts):
            for part in parts:
                yield from _chosen(part, variant)
        case Some(parts):
            if not parts:
                raise Stuck
            yield from _chosen(parts[variant % len(parts)], variant // len(parts) + variant)
        case _:
            assert isinstance(level, Own)
            yield level


def _subschemas(level: Level) -> Iterator[Schema]:
    match level:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from _subschemas(part)
        case _:
            assert isinstance(level, Own)
            yield level.place.content


def _constants(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _allows(schema: Schema, kind: str) -> bool:
    given = schema.get("type", kind)
    types = (given,) if isinstance(given, str) else given
    return kind in types or (kind == "integer" and "number" in types)


def _placed(message: Any, steps: Steps, value: Any) -> Any:
    """Return a copy of a message with a value at a path, or without it; MISSING if its parent is not there."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    key: Any = 0 if step is EACH else step
    if not isinstance(message, list if step is EACH else dict) or (
        step is EACH and (not message or (value is MISSING and not rest))
    ):
        return MISSING
    changed: Any = [*message] if isinstance(message, list) else {**message}
    if not rest and value is MISSING:
        changed.pop(key, None)
        return changed
    inner = changed[key] if step is EACH else changed.get(step)
    changed[key] = _placed(inner, rest, value) if rest else value
    return MISSING if changed[key] is MISSING else changed

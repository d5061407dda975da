"""Makes values of a level of a schema: usual ones, and others by chance.

What is invalid is made again, until the value is valid.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from router.prover.predicates import EACH, Schema, Steps
from router.prover.scalars import (
    Schemas,
    Stuck,
    generate_number,
    generate_text,
    given,
    least_of,
)
from router.prover.subschema_walker import Every, Level, Own, Some, SubschemaWalker, as_own
from router.prover.value_types import types_in
from router.runtime.program.schemas.documents import MAX_DEPTH

if TYPE_CHECKING:
    from random import Random

# The most values of which a message is made.
_MAX_VALUES = 1000
MOST_ITEMS = 4096
BY_CHANCE = -1
"""In place of the number of a variant: each choice is made by chance."""
MISSING: Any = msgspec.UNSET
"""In place of a value: the path is not there."""
_OPTIONAL_DEPTH = 2
# Deeper and more parts are not made unless they must be there.
_OPTIONAL = 12
_DEPTH_BY_CHANCE = 6
# The types, the most likely first.
_TYPES = ("object", "string", "integer", "array", "boolean", "number", "null")
# The most values that are kept to be used again.
_MOST_KEPT = 1000
_ATTEMPTS = 4
_REPAIRS = 24
JsonPath = Sequence[str | int]
Fault = Callable[[Any], JsonPath | None]
"""Returns the path of the first value of a message that its schema rejects.

None if the message is valid.
"""


class ValueGenerator:
    """Makes values of the levels of one schema; the same ones in each run."""

    def __init__(self, walker: SubschemaWalker) -> None:
        self._walker = walker
        self._left = _MAX_VALUES
        # Values of variants, with the number of values in them, by the identity of
        # their level, which is kept too. They are the same each time.
        self._kept: dict[tuple[int, int, int], tuple[Level, Any, int]] = {}

    @cached_property
    def _chance(self) -> "Random":
        # Few messages need it.
        from random import Random

        return Random(0)  # noqa: S311 — no secret, and the same in each run

    def make(self, level: Level, toward: Steps, variant: int) -> Any:
        """Return a value of a level, with something at a path; raises Stuck."""
        self._left = _MAX_VALUES
        return self._make(level, toward, variant, 0)

    def grow(self, value: Any, level: Level, toward: Steps, variant: int) -> Any:
        """Return a value with something at a path; raises Stuck.

        What is missing on the way is made.
        """
        self._left = _MAX_VALUES
        return self._grow(value, level, toward, variant)

    def repaired(self, message: Any, root: Level, there: Sequence[Steps], fault: Fault) -> Any:
        """Return a message in which what `fault` finds is made again.

        What is at the paths `there` is kept, or made again. MISSING if the message
        stays invalid.
        """
        failed: JsonPath | None = None
        up = 0
        for _ in range(_REPAIRS):
            found = fault(message)
            if found is None:
                return message
            # Where another choice is of no use, one further up may be.
            up = up + 1 if found == failed else 0
            failed = found
            path = found[: max(0, len(found) - up // 3)]
            try:
                message = self._made_again(message, root, path, there)
                for steps in there:
                    message = self.grow(message, root, steps, BY_CHANCE)
            except Stuck:
                continue
        return MISSING

    def _made_again(
        self,
        message: Any,
        root: Level,
        path: JsonPath,
        there: Sequence[Steps],
    ) -> Any:
        steps = tuple(EACH if isinstance(part, int) else part for part in path)
        end = len(steps)
        toward = [each[end:] for each in there if each[:end] == steps]
        level = self._walker.below_all(root, steps)
        value = self.make(level, max(toward, key=len, default=()), BY_CHANCE)
        return replaced(message, path, value)

    def _grow(self, value: Any, level: Level, toward: Steps, variant: int) -> Any:
        if not toward:
            return value
        step, *rest = toward
        further = tuple(rest)
        below = self._walker.below(level, step)
        if step is EACH and isinstance(value, list):
            if not value:
                return [self._make(below, further, variant, 1)]
            return [self._grow(value[0], below, further, variant), *value[1:]]
        if step is EACH or not isinstance(value, dict):
            raise Stuck
        if step in value:
            inner = self._grow(value[step], below, further, variant)
        else:
            inner = self._make(below, further, variant, 1)
        return {**value, step: inner}

    def _pick(self, variant: int, count: int) -> int:
        return variant % count if variant >= 0 else self._chance.randrange(count)

    def _make(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        """Return a value of a level.

        By chance, the choices that leave no value are made again.
        """
        parts = self._walker.parts(level)
        if variant < 0 or toward:
            return self._attempt(parts, toward, variant, depth)
        key = id(parts), variant, depth
        kept = self._kept.get(key)
        if kept is not None and kept[2] <= self._left:
            self._left -= kept[2]
            return kept[1]
        before = self._left
        value = self._attempt(parts, toward, variant, depth)
        if len(self._kept) < _MOST_KEPT:
            self._kept[key] = parts, value, before - self._left
        return value

    def _attempt(self, parts: Level, toward: Steps, variant: int, depth: int) -> Any:
        for _ in range(_ATTEMPTS if variant < 0 else 1):
            self._left -= 1
            if self._left < 0 or depth > MAX_DEPTH:
                break
            try:
                return self._make_once(parts, toward, variant, depth)
            except Stuck:
                continue
        raise Stuck

    def _make_once(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        chosen = (level,) if isinstance(level, Own) else tuple(self._chosen(level, variant))
        schemas = [part.place.content for part in chosen]
        values = constants_in(schemas)
        if values:
            return values[self._pick(variant, len(values))]
        match self._kind(schemas, toward, variant):
            case "object":
                together = self._walker.together(chosen)
                return self._make_object(together, schemas, toward, variant, depth)
            case "array":
                together = self._walker.together(chosen)
                return self._make_list(together, schemas, toward, variant, depth)
            case "string":
                text = self._pick(variant, 8) if variant < 0 else variant
                return generate_text(schemas, text)
            case "integer":
                return generate_number(schemas, self._pick(variant, 4), whole=True)
            case "number":
                return generate_number(schemas, self._pick(variant, 4), whole=False)
            case "boolean":
                return self._pick(variant, 2) == 0
        return None

    def _kind(self, schemas: Schemas, toward: Steps, variant: int) -> str:
        """Return a type that all schemas allow, and that has something on the way."""
        kinds: Sequence[str] = _TYPES
        if toward:
            kinds = ("array",) if toward[0] is EACH else ("object",)
        named = given(schemas, "type")
        for types in named:
            allowed = types_in(types)
            kinds = [kind for kind in kinds if kind in allowed]
        if not kinds:
            raise Stuck
        # Without a type, an object is the most likely value.
        return kinds[self._pick(variant, len(kinds))] if named else kinds[0]

    def _chosen(self, level: Level, variant: int) -> Iterator[Own]:
        """Yield the subschemas of a level, with one branch of each choice."""
        match level:
            case Every(parts):
                for part in parts:
                    yield from self._chosen(part, variant)
            case Some(parts):
                if not parts:
                    raise Stuck
                branch = parts[self._pick(variant, len(parts))]
                # Choices in branches differ from those around them.
                inner = variant if variant < 0 else variant // len(parts) + variant
                yield from self._chosen(branch, inner)
            case _:
                yield as_own(level)

    def _make_object(
        self, level: Level, schemas: Schemas, toward: Steps, variant: int, depth: int
    ) -> Any:
        made: dict[str, Any] = {}

        def add(name: str, further: Steps = ()) -> None:
            below = self._walker.below(level, name)
            made[name] = self._make(below, further, variant, depth + 1)

        if toward:
            add(str(toward[0]), toward[1:])
        for names in given(schemas, "required"):
            for name in names:
                if name not in made:
                    add(name)
        least = least_of(schemas, "minProperties")
        for name in self._optional(schemas, least - len(made), variant, depth):
            if name not in made:
                try:
                    add(name)
                except Stuck:
                    continue
        if not made and variant < 0 and _describes_others(schemas):
            least = max(least, self._pick(variant, 2))
        for number in range(least - len(made)):
            add(f"x{number}")
        return made

    def _optional(self, schemas: Schemas, least: int, variant: int, depth: int) -> list[str]:
        """Return optional properties that an object gets."""
        is_full = variant % 2 and depth < _OPTIONAL_DEPTH
        most = max(_OPTIONAL if is_full else 0, least)
        if variant >= 0 and not most:
            return []
        names: list[str] = []
        for properties in given(schemas, "properties"):
            names += properties
        if variant >= 0:
            return names[:most]
        # Of a deep object by chance, only about one property is made.
        share = 3 if depth < _DEPTH_BY_CHANCE else len(names) + 1
        chosen = [name for name in names if self._chance.randrange(share) == 0]
        return chosen[: max(least, _OPTIONAL)]

    def _make_list(
        self, level: Level, schemas: Schemas, toward: Steps, variant: int, depth: int
    ) -> Any:
        has_more = depth < _OPTIONAL_DEPTH and self._pick(variant, 2)
        count = max(least_of(schemas, "minItems"), 1 if toward or has_more else 0)
        if count > MOST_ITEMS:
            raise Stuck
        element = self._walker.below(level, EACH)
        further = toward[1:]
        made = [self._make(element, further, variant, depth + 1) for _ in range(count)]
        if not any(given(schemas, "uniqueItems")):
            return made
        for part in self._chosen(self._walker.parts(element), variant):
            values = constants_of(part.place.content)
            if len(values) >= count > 1:
                return values[:count]
        return [varied(value, index) for index, value in enumerate(made)]


def _describes_others(schemas: Schemas) -> bool:
    others = given(schemas, "additionalProperties")
    return any(isinstance(each, dict) for each in others)


def varied(value: Any, number: int) -> Any:
    """Return a value that differs from a value by a number; for 0 the same."""
    if not number:
        return value
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


def constants_of(schema: Schema) -> list[Any]:
    """Return the values that a subschema lists."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def constants_in(schemas: Schemas) -> list[Any]:
    """Return the values that subschemas list."""
    values: list[Any] = []
    for schema in schemas:
        values += constants_of(schema)
    return values


def replaced(message: Any, path: JsonPath, value: Any) -> Any:
    """Return a copy of a message with another value at a path.

    For MISSING the copy has no value there.
    """
    if not path:
        return value
    first, *rest = path
    changed = copy(message)
    if not rest and value is MISSING:
        del changed[first]
    else:
        inner = changed.get(first) if isinstance(changed, dict) else changed[first]
        changed[first] = replaced(inner, rest, value)
    return changed

"""Makes values of a level of a schema: usual ones, others by chance, and valid ones by making again what is invalid."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from router.prover.predicates import EACH, Schema, Steps
from router.prover.scalars import Stuck, generate_number, generate_text
from router.prover.subschema_walker import Every, Level, Own, Some, SubschemaWalker
from router.runtime.program.schemas.documents import MAX_DEPTH

if TYPE_CHECKING:
    from random import Random

MAX_VALUES = 1000
"""The most values of which a message is made."""
MOST_ITEMS = 4096
BY_CHANCE = -1
"""In place of the number of a variant: each choice is made by chance."""
MISSING: Any = msgspec.UNSET
"""In place of a value: the path is not there."""
_OPTIONAL_DEPTH = 2
_OPTIONAL = 12
"""Deeper and more parts are not made unless they must be there."""
_DEPTH_BY_CHANCE = 6
_TYPES = ("object", "string", "integer", "array", "boolean", "number", "null")
_MOST_KEPT = 1000
"""The most values that are kept to be used again."""
_ATTEMPTS = 4
_REPAIRS = 24
Fault = Callable[[Any], "Sequence[str | int] | None"]
"""Returns the path of the first value of a message that its schema rejects; None if the message is valid."""


class ValueGenerator:
    """Makes values of the levels of one schema; the same ones in each run."""

    def __init__(self, levels: SubschemaWalker) -> None:
        self._walker = levels
        self._left = MAX_VALUES
        self._kept: dict[tuple[int, int, int], tuple[Level, Any, int]] = {}
        """Values of variants, which are the same each time, by the identity of their level, with their number."""

    @cached_property
    def _chance(self) -> "Random":
        from random import Random  # few messages need it

        return Random(0)  # noqa: S311 — no secret, and the same in each run

    def make(self, level: Level, toward: Steps, variant: int) -> Any:
        """Return a value of a level, with something at the path `toward`; raises Stuck."""
        self._left = MAX_VALUES
        return self._make(level, toward, variant, 0)

    def grow(self, value: Any, level: Level, toward: Steps, variant: int) -> Any:
        """Return a value with something at a path: what is missing on the way is made; raises Stuck."""
        self._left = MAX_VALUES
        return self._grow(value, level, toward, variant)

    def repaired(self, message: Any, root: Level, there: Sequence[Steps], fault: Fault) -> Any:
        """Return a message in which what `fault` finds is made again; MISSING if it stays invalid.

        What is at the paths `there` is kept, or made again.
        """
        failed: Sequence[str | int] | None = None
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

    def _made_again(self, message: Any, root: Level, path: Sequence[str | int], there: Sequence[Steps]) -> Any:
        steps = tuple(EACH if isinstance(part, int) else part for part in path)
        toward = [each[len(steps) :] for each in there if each[: len(steps)] == steps]
        value = self.make(self._walker.below_all(root, steps), max(toward, key=len, default=()), BY_CHANCE)
        return replaced(message, path, value)

    def _grow(self, value: Any, level: Level, toward: Steps, variant: int) -> Any:
        if not toward:
            return value
        step, rest = toward[0], toward[1:]
        below = self._walker.below(level, step)
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

    def _pick(self, variant: int, count: int) -> int:
        return variant % count if variant >= 0 else self._chance.randrange(count)

    def _make(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        """Return a value of a level; by chance, the choices that leave none are made again."""
        parts = self._walker.parts(level)
        key = id(parts), variant, depth
        if variant >= 0 and not toward and key in self._kept and self._kept[key][2] <= self._left:
            _, value, count = self._kept[key]
            self._left -= count
            return value
        before = self._left
        for _ in range(_ATTEMPTS if variant < 0 else 1):
            self._left -= 1
            if self._left < 0 or depth > MAX_DEPTH:
                break
            try:
                value = self._make_once(parts, toward, variant, depth)
            except Stuck:
                continue
            if variant >= 0 and not toward and len(self._kept) < _MOST_KEPT:
                self._kept[key] = parts, value, before - self._left
            return value
        raise Stuck

    def _make_once(self, level: Level, toward: Steps, variant: int, depth: int) -> Any:
        chosen = (level,) if isinstance(level, Own) else tuple(self._chosen(level, variant))
        schemas = [part.place.content for part in chosen]
        values = [value for schema in schemas for value in constants_of(schema)]
        if values:
            return values[self._pick(variant, len(values))]
        given = [schema["type"] for schema in schemas if "type" in schema]
        kinds: Sequence[str] = _TYPES if not toward else ("array",) if toward[0] is EACH else ("object",)
        for types in given:
            taken = (types,) if isinstance(types, str) else types
            kinds = [kind for kind in kinds if kind in taken or (kind == "integer" and "number" in taken)]
        if not kinds:
            raise Stuck
        # Without a type, an object is the most likely value.
        typed = bool(given)
        kind = kinds[self._pick(variant, len(kinds))] if typed else kinds[0]
        match kind:
            case "object":
                return self._make_object(self._walker.together(chosen), schemas, toward, variant, depth)
            case "array":
                return self._make_list(self._walker.together(chosen), schemas, toward, variant, depth)
            case "string":
                return generate_text(schemas, self._pick(variant, 8) if variant < 0 else variant)
            case "integer" | "number":
                return generate_number(schemas, self._pick(variant, 4), whole=kind == "integer")
        return self._pick(variant, 2) == 0 if kind == "boolean" else None

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
                yield from self._chosen(branch, variant if variant < 0 else variant // len(parts) + variant)
            case _:
                assert isinstance(level, Own)
                yield level

    def _make_object(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        required = [name for schema in schemas for name in schema.get("required", ())]
        made = {}
        for name in dict.fromkeys([str(toward[0]), *required] if toward else required):
            inner = toward[1:] if toward[:1] == (name,) else ()
            made[name] = self._make(self._walker.below(level, name), inner, variant, depth + 1)
        least = max((schema.get("minProperties", 0) for schema in schemas), default=0)
        for name in self._optional(schemas, least - len(made), variant, depth):
            if name not in made:
                try:
                    made[name] = self._make(self._walker.below(level, name), (), variant, depth + 1)
                except Stuck:
                    continue
        if not made and variant < 0 and any(isinstance(each.get("additionalProperties"), dict) for each in schemas):
            least = max(least, self._pick(variant, 2))
        for number in range(least - len(made)):
            made[f"x{number}"] = self._make(self._walker.below(level, f"x{number}"), (), variant, depth + 1)
        return made

    def _optional(self, schemas: list[Any], least: int, variant: int, depth: int) -> list[str]:
        """Return optional properties that an object gets."""
        most = max(_OPTIONAL if variant % 2 and depth < _OPTIONAL_DEPTH else 0, least)
        if variant >= 0 and not most:
            return []
        names = [name for schema in schemas for name in schema.get("properties", ())]
        if variant < 0:
            share = 3 if depth < _DEPTH_BY_CHANCE else len(names) + 1
            return [name for name in names if self._chance.randrange(share) == 0][: max(least, _OPTIONAL)]
        return names[:most]

    def _make_list(self, level: Level, schemas: list[Any], toward: Steps, variant: int, depth: int) -> Any:
        least = max((schema.get("minItems", 0) for schema in schemas), default=0)
        more = depth < _OPTIONAL_DEPTH and self._pick(variant, 2)
        count = max(least, 1 if toward or more else 0)
        if count > MOST_ITEMS:
            raise Stuck
        element = self._walker.below(level, EACH)
        made = [self._make(element, toward[1:], variant, depth + 1) for _ in range(count)]
        if any(schema.get("uniqueItems") for schema in schemas):
            listed = [constants_of(part.place.content) for part in self._chosen(self._walker.parts(element), variant)]
            different = next((values[:count] for values in listed if len(values) >= count > 1), None)
            made = different or [varied(value, index) if index else value for index, value in enumerate(made)]
        return made


def varied(value: Any, number: int) -> Any:
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


def constants_of(schema: Schema) -> list[Any]:
    """Return the values that a subschema lists."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def replaced(message: Any, path: Sequence[str | int], value: Any) -> Any:
    """Return a copy of a message with another value at a path, or without it for MISSING."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    changed: Any = copy(message)
    if not rest and value is MISSING:
        del changed[first]
    else:
        inner = changed.get(first) if isinstance(changed, dict) else changed[first]
        changed[first] = replaced(inner, rest, value)
    return changed

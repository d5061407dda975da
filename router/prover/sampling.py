"""Makes messages that may satisfy a schema: a validator then accepts or refuses them.

`not`, `else` and `unevaluatedProperties` are not followed, so that some of what is made
does not satisfy the schema.
"""

from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from math import ceil, floor
from random import Random
from typing import Any

from router.prover.changed_keywords import Spot
from router.prover.predicates import Schema
from router.prover.scalars import (
    FORMATS,
    Schemas,
    Stuck,
    given,
    least_of,
    lengthened,
    most_of,
    number_bounds,
)
from router.prover.subschema_walker import branches, element_keys, property_places
from router.prover.text_patterns import matching_text
from router.prover.value_generation import constants_of
from router.prover.value_types import common_types, is_of_types
from router.runtime.program.expressions import equal
from router.runtime.program.schemas.documents import map_of
from router.runtime.program.schemas.references import KEYWORDS, Location, Locations

# Levels of a message that are made. Schemas that refer to themselves have messages of
# any depth.
_DEEPEST = 24
# The values in a message from which on only required properties are made. A message
# with twice as many is given up.
_MOST_NODES = 300
# The level from which on only required properties are made.
_SHALLOW = 6
_ATTEMPTS = 8
# The types, each with keywords that suggest it where a schema names no type.
_KINDS = {
    "object": (
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
        "propertyNames",
    ),
    "array": (
        "items",
        "prefixItems",
        "contains",
        "minItems",
        "maxItems",
        "uniqueItems",
    ),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    ),
}
_SIMPLE = ("string", "string", "integer", "boolean", "null", "object")
_CASES = ("if", "then", "else")
_TEXTS = ("a", "b", "abc", "x-1", "A")
_UNUSUAL_TEXTS = (
    "",
    "a",
    "x" * 300,
    "a b",
    "A",
    "0",
    "-",
    "x" * 25,
    "\u00e9\u4e16",
    "a.b/c:d",
    "x" * 7,
    "ab",
)
_NUMBERS = tuple(map(Decimal, (1, 0, 2, -1, 10)))
_UNUSUAL_NUMBERS = tuple(
    map(
        Decimal,
        ("0", "-1", "1", "1.5", "1000000", "-1000000", "7", "25", "0.001"),
    )
)
# As a schema gives the type of whole numbers alone.
_ONLY_WHOLE = ("integer", ["integer"])
Places = list[Location]


class Sampler:
    """Makes values of the subschemas of some documents.

    They are different ones each time, and the same ones for one seed.
    """

    def __init__(
        self,
        locations: Locations,
        seed: int = 0,
        leading: frozenset[Spot] = frozenset(),
        changed: Collection[Spot] = (),
        texts: Sequence[str] = (),
    ) -> None:
        """`leading` are subschemas that values should have a part for.

        That decides where the schema leaves a choice. Texts and numbers of the
        `changed` subschemas are unusual ones, some of them those of `texts`.
        """
        self._locations = locations
        self._changed = changed
        self._texts = texts
        self._leading = leading
        self._random = Random(seed)  # noqa: S311 — no secrets
        self._fullness = 0.5
        self._left = _MOST_NODES

    def values(self, place: Location, count: int) -> Iterator[Any]:
        """Yield up to `count` values of a schema.

        The first has few optional parts, the second has all of them, others have some.
        """
        for index in range(count):
            self._fullness = (0.0, 1.0, 0.5, 0.8)[min(index, 2 + index % 2)]
            self._left = _MOST_NODES
            try:
                yield self._value([place], 0)
            except (Stuck, RecursionError):
                continue

    def _value(self, places: Places, depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < -_MOST_NODES:
            raise Stuck
        parts: Places = []
        for place in places:
            self._gather(place, parts, 0)
        schemas = [part.content for part in parts]
        constants = _common_constants(schemas)
        if constants is not None:
            if not constants:
                raise Stuck
            return self._random.choice(constants)
        is_changed = any(part.key in self._changed for part in parts)
        match self._kind(schemas):
            case "object":
                return self._object(parts, depth)
            case "array":
                return self._array(parts, depth)
            case "string":
                return self._string(schemas, is_changed)
            case "integer":
                return self._number(schemas, True, is_changed)
            case "number":
                whole = any(each in _ONLY_WHOLE for each in given(schemas, "type"))
                return self._number(schemas, whole, is_changed)
            case "boolean":
                return self._random.random() < 0.5
        return None

    def _gather(self, place: Location, parts: Places, depth: int) -> None:
        """Add the subschemas that apply to the same value.

        Of `anyOf` and `oneOf`, one alternative is added.
        """
        schema = place.content
        if schema is False or depth > _DEEPEST:
            raise Stuck
        if not isinstance(schema, dict):
            return
        reference = _reference(schema)
        if isinstance(reference, str):
            target = self._locations.follow(place, reference)
            if target is None:
                raise Stuck
            self._gather(target, parts, depth + 1)
            if place.is_reference:
                return
        parts.append(place)
        for part in branches(place, "allOf"):
            self._gather(part, parts, depth + 1)
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                self._gather_one(branches(place, key), parts, depth + 1)
        if "if" in schema:
            self._gather_case(place, parts, depth + 1)

    def _gather_one(self, alternatives: Places, parts: Places, depth: int) -> None:
        leading = [each for each in alternatives if self._leads(each)]
        self._gather(self._random.choice(leading or alternatives), parts, depth)

    def _gather_case(self, place: Location, parts: Places, depth: int) -> None:
        """Add `if` and `then`, or `else`."""
        cases = {key: place.below((key,)) for key in _CASES if key in place.content}
        outcomes = [key for key in ("then", "else") if key in cases]
        leading = [key == "then" for key in outcomes if self._leads(cases[key])]
        holds = self._random.choice(leading or [True, False])
        for key in ("if", "then") if holds else ("else",):
            if key in cases:
                self._gather(cases[key], parts, depth)

    def _kind(self, schemas: Schemas) -> str:
        allowed = common_types(schemas)
        if not allowed:
            raise Stuck
        if given(schemas, "type"):
            return self._random.choice(sorted(allowed))
        keywords = set[str]().union(*schemas)
        for kind, hints in _KINDS.items():
            if not keywords.isdisjoint(hints):
                return kind
        # Values of any type are mostly simple ones.
        return self._random.choice(_SIMPLE)

    def _object(self, parts: Places, depth: int) -> dict[str, Any]:
        required = _names(parts, "required")
        made: dict[str, Any] = {}
        for name in self._wanted(parts, required, depth):
            try:
                made[name] = self._value(_property_places(parts, name), depth + 1)
            except Stuck:
                if name in required:
                    raise
        return made

    def _wanted(self, parts: Places, required: dict[str, None], depth: int) -> dict[str, None]:
        """Return the names of the properties that an object gets."""
        wanted = required.copy()
        declared = _names(parts, "properties")
        has_more = depth < _SHALLOW and self._left > 0
        fullness = self._fullness if has_more else 0.0
        for name in declared:
            if name in wanted:
                continue
            leads = any(map(self._leads, _property_places(parts, name)))
            if leads or self._random.random() < fullness:
                wanted[name] = None
        for part in parts:
            wanted |= dict.fromkeys(self._matching(part))
        for part in parts:
            for name, needed in map_of(part.content, "dependentRequired").items():
                if name in wanted:
                    wanted |= dict.fromkeys(needed)
        least = least_of([part.content for part in parts], "minProperties")
        for name in (*declared, *(f"a{index}" for index in range(least))):
            if len(wanted) < least:
                wanted[name] = None
        return wanted

    def _matching(self, part: Location) -> Iterator[str]:
        """Yield names that are not declared, and that lead to what is wanted.

        There is one for each pattern, and one for what matches none.
        """
        for pattern in map_of(part.content, "patternProperties"):
            if self._leads(part.below(("patternProperties", pattern))):
                yield matching_text(pattern, self._random) or "a"
        others = "additionalProperties"
        if others in part.content and self._leads(part.below((others,))):
            yield "other"

    def _leads(self, place: Location) -> bool:
        return self._left > 0 and place.key in self._leading

    def _array(self, parts: Places, depth: int) -> list[Any]:
        schemas = [part.content for part in parts]
        containing = [part.below(("contains",)) for part in _having(parts, "contains")]
        count = self._count(parts, schemas, bool(containing))
        is_unique = any(given(schemas, "uniqueItems"))
        made: list[Any] = []
        for index in range(count):
            places = _element_places(parts, index)
            if index == count - 1:
                places += containing
            value = self._value(places, depth + 1)
            if is_unique and value in made:
                value = self._different(value, made, places, depth)
            made.append(value)
        return made

    def _count(self, parts: Places, schemas: Schemas, has_contained: bool) -> int:
        """Return how many elements a list gets."""
        least = least_of(schemas, "minItems")
        most = most_of(schemas, "maxItems", least + 2)
        prefix = max((element_keys(part)[1] for part in parts), default=0)
        leads = any(map(self._leads, _element_places(parts, 0)))
        is_filled = has_contained or leads or self._fullness > 0.4
        first = min(most, prefix if self._fullness else 0)
        return min(max(least, first, int(is_filled)), max(most, least))

    def _different(self, value: Any, made: list[Any], places: Places, depth: int) -> Any:
        for _ in range(_ATTEMPTS):
            other = self._value(places, depth + 1)
            if other not in made:
                return other
        return value

    def _string(self, schemas: Schemas, is_changed: bool) -> str:
        least = least_of(schemas, "minLength")
        most = most_of(schemas, "maxLength", max(least, 64))
        if is_changed and self._texts and self._random.random() < 0.5:
            return self._random.choice(self._texts)
        patterns = given(schemas, "pattern")
        if patterns:
            return self._matching_text(patterns[-1], least, most)
        formats = [name for name in given(schemas, "format") if name in FORMATS]
        if formats:
            return FORMATS[formats[-1]][0]
        text = self._random.choice(_UNUSUAL_TEXTS if is_changed else _TEXTS)
        text = text.ljust(least, "a")
        return text[:most] if given(schemas, "maxLength") else text

    def _matching_text(self, pattern: str, least: int, most: int) -> str:
        text: str | None = None
        for _ in range(_ATTEMPTS):
            text = matching_text(pattern, self._random)
            if text is not None and least <= len(text) <= most:
                return text
        if text is None:
            raise Stuck
        return lengthened(text, least)

    def _number(self, schemas: Schemas, whole: bool, is_changed: bool) -> Any:
        low, high = number_bounds(schemas, 1 if whole else Decimal("0.125"))
        step = Decimal((given(schemas, "multipleOf") or [0])[-1])
        near = _near([Decimal(bound) for bound in (low, high) if bound is not None])
        if step:
            near = [each * step for number in near for each in _around(number / step)]
            near.append(step)
        tried: list[Decimal] = []
        if is_changed:
            tried += self._random.sample(_UNUSUAL_NUMBERS, len(_UNUSUAL_NUMBERS))
        tried += self._random.sample(near, len(near))
        for number in (*tried, *_NUMBERS):
            if (low is not None and number < low) or (high is not None and number > high):
                continue
            is_whole = number % 1 == 0
            if (is_whole or not whole) and not (step and number % step):
                return int(number) if is_whole else number
        raise Stuck


def _common_constants(schemas: Schemas) -> list[Any] | None:
    """Return the values that all schemas list which list some; None if none does."""
    common: list[Any] | None = None
    for schema in schemas:
        if "enum" in schema or "const" in schema:
            listed = constants_of(schema)
            if common is None:
                common = listed
            else:
                common = [each for each in common if _is_among(each, listed)]
    if common is None:
        return None
    types = common_types(schemas)
    return [value for value in common if is_of_types(value, types)]


def _is_among(value: Any, values: list[Any]) -> bool:
    return any(equal(value, each) for each in values)


def _reference(schema: Schema) -> Any:
    for key in KEYWORDS:
        if key in schema:
            return schema[key]
    return None


def _names(parts: Places, keyword: str) -> dict[str, None]:
    """Return the names in a list or a map of several subschemas."""
    names: dict[str, None] = {}
    for part in _having(parts, keyword):
        names |= dict.fromkeys(part.content[keyword])
    return names


def _having(parts: Places, keyword: str) -> Places:
    return [part for part in parts if keyword in part.content]


def _property_places(parts: Places, name: str) -> Places:
    return [place for part in parts for place in property_places(part, name)]


def _element_places(parts: Places, index: int) -> Places:
    """Return the subschemas that describe an element of a list."""
    found: Places = []
    for part in parts:
        first, count, rest = element_keys(part)
        if index < count:
            found.append(part.below((first, index)))
        elif rest in part.content:
            found.append(part.below((rest,)))
    return found


def _near(bounds: list[Decimal]) -> list[Decimal]:
    """Return numbers at bounds, and one between two bounds."""
    near: list[Decimal] = []
    for bound in bounds:
        near += [bound, bound + 1, bound - 1]
    return [*near, sum(bounds, Decimal()) / 2] if len(bounds) == 2 else near


def _around(number: Decimal) -> tuple[int, int]:
    return ceil(number), floor(number)

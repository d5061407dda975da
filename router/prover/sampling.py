"""Makes messages that satisfy a schema: candidates, which a validator then accepts or refuses.

`not`, `else` and `unevaluatedProperties` are not followed: of what is made, some does not satisfy the schema.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from math import ceil, floor
from random import Random
from typing import Any

from router.prover.changed_keywords import Spot
from router.prover.scalars import FORMATS, Stuck
from router.prover.subschema_walker import element_keys, property_places
from router.prover.text_patterns import matching_text
from router.prover.value_generation import constants_of
from router.runtime.program.expressions import equal, kind_of
from router.runtime.program.schemas.documents import list_of, map_of
from router.runtime.program.schemas.references import Location, Locations

_DEEPEST = 24
"""SubschemaWalker of a message that are made; schemas that refer to themselves have messages of any depth."""
_MOST_NODES = 300
"""The values in a message from which on only required properties are made; twice as many are given up."""
_SHALLOW = 6
"""The level from which on only required properties are made."""
_KINDS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "propertyNames"),
    "array": ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""The types, each with keywords that suggest it where a schema names no type."""
_UNUSUAL_TEXTS = ("", "a", "x" * 300, "a b", "A", "0", "-", "x" * 25, "\u00e9\u4e16", "a.b/c:d", "x" * 7, "ab")
_UNUSUAL_NUMBERS = tuple(map(Decimal, ("0", "-1", "1", "1.5", "1000000", "-1000000", "7", "25", "0.001")))
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")


class Sampler:
    """Makes values of the subschemas of some documents, different ones each time, the same ones for one seed."""

    def __init__(
        self,
        locations: Locations,
        seed: int = 0,
        leading: frozenset[Spot] = frozenset(),
        targets: Collection[Spot] = (),
        texts: Sequence[str] = (),
    ) -> None:
        """`leading` are subschemas that values should have a part for, where the schema leaves a choice.

        Texts and numbers of the `targets` are unusual ones, some of them those of `texts`.
        """
        self._locations = locations
        self._targets, self._texts = targets, texts
        self._leading = leading
        self._random = Random(seed)  # noqa: S311 — no secrets
        self._fullness = 0.5
        self._left = _MOST_NODES

    def values(self, place: Location, count: int) -> Iterator[Any]:
        """Yield up to `count` values of a schema: with few optional parts, with all of them, then with some."""
        for index in range(count):
            self._fullness = (0.0, 1.0, 0.5, 0.8)[min(index, 2 + index % 2)]
            self._left = _MOST_NODES
            try:
                yield self._value([place], 0)
            except (Stuck, RecursionError):
                continue

    def _value(self, places: list[Location], depth: int) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < -_MOST_NODES:
            raise Stuck
        parts: list[Location] = []
        for place in places:
            self._gather(place, parts, 0)
        schemas = [part.content for part in parts]
        listed = [constants_of(schema) for schema in schemas if "enum" in schema or "const" in schema]
        if listed:
            types, (first, *others) = common_types(schemas), listed
            common = [value for value in first if all(any(equal(value, each) for each in other) for other in others)]
            allowed = [value for value in common if is_of_types(value, types)]
            if not allowed:
                raise Stuck
            return self._random.choice(allowed)
        kind = self._kind(schemas)
        match kind:
            case "object":
                return self._object(parts, depth)
            case "array":
                return self._array(parts, depth)
            case "string":
                return self._string(schemas, self._is_target(parts))
            case "integer" | "number":
                return self._number(schemas, kind, self._is_target(parts))
            case "boolean":
                return self._random.random() < 0.5
            case _:
                return None

    def _gather(self, place: Location, parts: list[Location], depth: int) -> None:
        """Add the subschemas that apply to the same value, with one of the alternatives of `anyOf` and `oneOf`."""
        schema = place.content
        if schema is False or depth > _DEEPEST:
            raise Stuck
        if not isinstance(schema, dict):
            return
        reference = schema.get("$ref", schema.get("$dynamicRef", schema.get("$recursiveRef")))
        if isinstance(reference, str):
            target = self._locations.follow(place, reference)
            if target is None:
                raise Stuck
            self._gather(target, parts, depth + 1)
            if place.is_reference:
                return
        parts.append(place)
        for index in range(len(schema.get("allOf", ()))):
            self._gather(place.below(("allOf", index)), parts, depth + 1)
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                branches = [place.below((key, index)) for index in range(len(schema[key]))]
                wanted = [branch for branch in branches if self._leads(branch)]
                self._gather(self._random.choice(wanted or branches), parts, depth + 1)
        if "if" in schema:
            wanted = [place.below((key,)) for key in ("then", "else") if key in schema]
            leading = [branch.path[-1] == "then" for branch in wanted if self._leads(branch)]
            holds = self._random.choice(leading or [True, False])
            for key in ("if", "then") if holds else ("else",):
                if key in schema:
                    self._gather(place.below((key,)), parts, depth + 1)

    def _kind(self, schemas: list[dict[str, Any]]) -> str:
        allowed = common_types(schemas)
        if not allowed:
            raise Stuck
        named = any("type" in schema for schema in schemas)
        hinted = [kind for kind, keys in _KINDS.items() if any(key in schema for schema in schemas for key in keys)]
        if not named and hinted:
            return hinted[0]
        # Values of any type are mostly simple ones.
        choices = sorted(allowed) if named else ["string", "string", "integer", "boolean", "null", "object"]
        return self._random.choice(choices)

    def _object(self, parts: list[Location], depth: int) -> dict[str, Any]:
        wanted = {name: None for part in parts for name in list_of(part.content, "required")}
        fullness = self._fullness if depth < _SHALLOW and self._left > 0 else 0.0
        declared = {name: None for part in parts for name in map_of(part.content, "properties")}
        for name in declared:
            leads = any(self._leads(place) for part in parts for place in property_places(part, name))
            if name not in wanted and (leads or self._random.random() < fullness):
                wanted[name] = None
        for part in parts:
            wanted.update(dict.fromkeys(self._matching(part)))
        for part in parts:
            for name, needed in map_of(part.content, "dependentRequired").items():
                wanted.update(dict.fromkeys(needed if name in wanted else ()))
        least = max((int(part.content.get("minProperties", 0)) for part in parts), default=0)
        spare = [*declared, *(f"a{index}" for index in range(least))]
        for name in spare[: least + len(declared)]:
            if len(wanted) < least:
                wanted[name] = None
        made = {}
        for name in wanted:
            places = [place for part in parts for place in property_places(part, name)]
            try:
                made[name] = self._value(places, depth + 1)
            except Stuck:
                if any(name in list_of(part.content, "required") for part in parts):
                    raise
        return made

    def _matching(self, part: Location) -> Iterator[str]:
        """Yield a name for each pattern, and for what has no name, that leads to what is wanted."""
        for pattern in map_of(part.content, "patternProperties"):
            if self._leads(part.below(("patternProperties", pattern))):
                yield matching_text(pattern, self._random) or "a"
        if "additionalProperties" in part.content and self._leads(part.below(("additionalProperties",))):
            yield "other"

    def _is_target(self, parts: list[Location]) -> bool:
        return any(part.key in self._targets for part in parts)

    def _leads(self, place: Location) -> bool:
        return self._left > 0 and place.key in self._leading

    def _array(self, parts: list[Location], depth: int) -> list[Any]:
        schemas = [part.content for part in parts]
        least = max((int(schema.get("minItems", 0)) for schema in schemas), default=0)
        most = min((int(schema["maxItems"]) for schema in schemas if "maxItems" in schema), default=least + 2)
        prefix = max((element_keys(part)[1] for part in parts), default=0)
        containing = [part for part in parts if "contains" in part.content]
        leads = any(self._leads(place) for part in parts for place in element_places(part, 0))
        some = containing or leads or self._fullness > 0.4
        wanted = max(least, min(most, prefix if self._fullness else 0), 1 if some else 0)
        made: list[Any] = []
        for index in range(min(wanted, max(most, least))):
            places = [place for part in parts for place in element_places(part, index)]
            if index == wanted - 1:
                places += [part.below(("contains",)) for part in containing]
            value = self._value(places, depth + 1)
            if any(schema.get("uniqueItems") for schema in schemas) and value in made:
                value = next((each for each in self._others(places, depth) if each not in made), value)
            made.append(value)
        return made

    def _others(self, places: list[Location], depth: int) -> Iterator[Any]:
        for _ in range(8):
            yield self._value(places, depth + 1)

    def _string(self, schemas: list[dict[str, Any]], unusual: bool) -> str:
        least = max((int(schema.get("minLength", 0)) for schema in schemas), default=0)
        most = min((int(schema["maxLength"]) for schema in schemas if "maxLength" in schema), default=max(least, 64))
        patterns = [schema["pattern"] for schema in schemas if "pattern" in schema]
        formats = [schema["format"] for schema in schemas if schema.get("format") in FORMATS]
        if unusual and self._texts and self._random.random() < 0.5:
            return self._random.choice(self._texts)
        if patterns:
            for _ in range(8):
                text = matching_text(patterns[-1], self._random)
                if text is not None and least <= len(text) <= most:
                    return text
            if text is None:
                raise Stuck
            return text.ljust(least, text[-1:] or "a")
        if formats:
            return FORMATS[formats[-1]][0]
        text = self._random.choice(_UNUSUAL_TEXTS if unusual else ("a", "b", "abc", "x-1", "A"))
        return text.ljust(least, "a")[: most if any("maxLength" in schema for schema in schemas) else None]

    def _number(self, schemas: list[dict[str, Any]], kind: str, unusual: bool) -> Any:
        whole = kind == "integer" or any(named_types(schema) == {"integer"} for schema in schemas)
        low, high, step = _bounds(schemas, Decimal(1) if whole else Decimal("0.125"))
        bounds = [bound for bound in (low, high) if bound is not None]
        near = [value for bound in bounds for value in (bound, bound + 1, bound - 1)]
        near += [(bounds[0] + bounds[1]) / 2] if len(bounds) == 2 else []
        if step:
            near = [factor * step for value in near for factor in (ceil(value / step), floor(value / step))] + [step]
        far = self._random.sample(_UNUSUAL_NUMBERS, len(_UNUSUAL_NUMBERS)) if unusual else []
        for number in [*far, *self._random.sample(near, len(near)), *map(Decimal, (1, 0, 2, -1, 10))]:
            inside = (low is None or number >= low) and (high is None or number <= high)
            if inside and not (whole and number % 1) and not (step and number % step):
                return int(number) if number % 1 == 0 else number
        raise Stuck


def _bounds(schemas: list[dict[str, Any]], beyond: Decimal) -> tuple[Decimal | None, Decimal | None, Decimal]:
    """Return the bounds of a number, and what it is a multiple of, or 0; exclusive bounds are moved by `beyond`."""
    low: list[Decimal] = []
    high: list[Decimal] = []
    step = Decimal(0)
    for schema in schemas:
        for key, bounds, sign in (("inimum", low, 1), ("aximum", high, -1)):
            word = "m" + key
            exclusive = schema.get("exclusiveM" + key)
            if word in schema:
                bounds.append(Decimal(schema[word]) + (sign * beyond if exclusive is True else 0))
            if exclusive is not None and not isinstance(exclusive, bool):
                bounds.append(Decimal(exclusive) + sign * beyond)
        step = Decimal(schema["multipleOf"]) if "multipleOf" in schema else step
    return max(low, default=None), min(high, default=None), step


def element_places(part: Location, index: int) -> list[Location]:
    """Return the subschemas of one schema that describe an element of a list."""
    first, count, rest = element_keys(part)
    if index < count:
        return [part.below((first, index))]
    return [part.below((rest,))] if rest in part.content else []


def named_types(schema: dict[str, Any]) -> set[str]:
    """Return the types that a schema names; all if it names none."""
    given = schema.get("type", _TYPES)
    return {given} if isinstance(given, str) else set(given)


def common_types(schemas: list[dict[str, Any]]) -> set[str]:
    """Return the types that all schemas allow."""
    return set(_TYPES).intersection(*(types_in(schema.get("type", _TYPES)) for schema in schemas))


def types_in(given: str | Iterable[str]) -> set[str]:
    """Return the types that the keyword `type` allows."""
    named = {given} if isinstance(given, str) else set(given)
    return named | ({"integer"} if "number" in named else set())


def is_of_types(value: Any, types: set[str]) -> bool:
    """Return whether a value has one of the types."""
    kind = kind_of(value)
    return kind in types or (kind == "number" and "integer" in types and value % 1 == 0)

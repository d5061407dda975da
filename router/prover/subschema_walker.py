"""Follows a schema level by level: what is true of every value at a path.

All results over-approximate: every value that the schema allows at a path satisfies them, and perhaps more do.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, TypeVar

from msgspec import Struct

from router.prover.predicates import (
    EACH,
    NO_TEXT,
    NOTHING,
    TYPES,
    Schema,
    Steps,
    all_of,
    is_plain,
    keywords_of,
)
from router.prover.text_patterns import has_no_text, longest_match, shortest_match
from router.runtime.program.schemas.references import Location, Locations

MAX_PARTS = 1000
"""The most subschemas that one level is made of; what is over that is left out."""
_MOST_KEPT = 1000
"""The most levels that are kept to be used again."""
_ASSERTIONS = frozenset(
    [
        *("const", "enum", "format", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength"),
        *("minProperties", "minimum", "multipleOf", "pattern", "required", "type", "uniqueItems", "exclusiveMaximum"),
        *("exclusiveMinimum", "dependentRequired"),
    ]
)
"""The keywords about a value itself, which mean the same in each draft but for `_translated`."""
_OF_OBJECTS = frozenset(
    [
        *("required", "properties", "patternProperties", "additionalProperties", "minProperties", "maxProperties"),
        *("title", "description", "$comment", "default", "examples"),
    ]
)
"""The keywords that say nothing of other values than objects."""
_BESIDE = frozenset(("$ref", "allOf", "anyOf", "oneOf", "if"))
"""The keywords whose subschemas apply to the same value."""
_LAST_WITHOUT_SIBLINGS = 7
"""The last draft that ignores the keywords beside `$ref`."""


class Every(Struct, frozen=True):
    """All parts hold; without parts, anything does."""

    parts: tuple["Level", ...] = ()


class Some(Struct, frozen=True):
    """One of the parts holds; without parts, nothing does."""

    parts: tuple["Level", ...] = ()


class Own(Struct, frozen=True):
    """The keywords of a subschema itself, without the other subschemas that apply to the same value."""

    place: Location


Level = Location | Own | Every | Some
"""What is known of the values at a path: a subschema, or several together."""
_K = TypeVar("_K")
_T = TypeVar("_T")
ALL_TYPES = (*TYPES, "null")
ANYTHING = Every()
IMPOSSIBLE = Some()


class SubschemaWalker:
    """Follows subschemas to those of the next level, and writes a level as a schema without references."""

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._left = MAX_PARTS
        # By the identity of a level, which is kept beside its result: comparing levels would take longer than both.
        self._below: dict[tuple[int, str | None], tuple[Level, Level]] = {}
        self._parts: dict[int, tuple[Level, Level]] = {}
        self._together: dict[tuple[int, ...], Every] = {}

    def below(self, level: Level, step: str | None) -> Level:
        """Return what is known of the values one step further."""
        known = self._below.get((id(level), step))
        if known is None:
            made = level, self._start(level, partial(self._child, step=step))
            known = _keep(self._below, (id(level), step), made)
        return known[1]

    def below_all(self, level: Level, steps: Steps) -> Level:
        """Return what is known of the values at a path."""
        for step in steps:
            level = self.below(level, step)
        return level

    def parts(self, level: Level) -> Level:
        """Return a level in which each subschema has only its own keywords, and the others beside it."""
        known = self._parts.get(id(level))
        if known is None:
            known = _keep(self._parts, id(level), (level, self._start(level, Own)))
        return known[1]

    def together(self, parts: tuple[Own, ...]) -> Level:
        """Return the level of values that satisfy all parts; for the same ones the same level."""
        key = tuple(map(id, parts))
        return self._together.get(key) or _keep(self._together, key, Every(parts))

    def _start(self, level: Level, own: Callable[[Location], Level]) -> Level:
        self._left = MAX_PARTS
        return self._combine(level, own, frozenset())

    def _combine(self, level: Level, own: Callable[[Location], Level], seen: frozenset[Any]) -> Level:
        """Return a level of what `own` returns for each subschema that applies to its values."""
        if not isinstance(level, Location):
            match level:
                case Every(parts):
                    found = [
                        own(part.place) if isinstance(part, Own) else self._combine(part, own, seen) for part in parts
                    ]
                    return every(found)
                case Some(parts):
                    return some([self._combine(part, own, seen) for part in parts])
            return own(level.place)
        key = (level.document.uri, level.path)
        self._left -= 1
        if key in seen or self._left < 0:
            return ANYTHING
        if isinstance(level.content, bool):
            return ANYTHING if level.content else IMPOSSIBLE
        if _BESIDE.isdisjoint(level.content):  # as in most
            return own(level)
        beside = [self._combine(each, own, seen | {key}) for each in self._beside(level)]
        return every(beside if _is_reference(level) else [own(level), *beside])

    def _beside(self, place: Location) -> Iterator[Level]:
        """Yield the other subschemas that apply to the same value."""
        schema = place.content
        if "$ref" in schema:
            target = self._locations.follow(place, schema["$ref"])
            yield ANYTHING if target is None else target
            if _is_reference(place):
                return
        yield from (place.below(("allOf", index)) for index in range(len(schema.get("allOf", ()))))
        for key in ("anyOf", "oneOf"):
            if key in schema:
                yield Some(tuple(place.below((key, index)) for index in range(len(schema[key]))))
        if sum(self._takes_others(place.below(("oneOf", index))) for index in range(len(schema.get("oneOf", ())))) > 1:
            yield Own(Location(place.document, (*place.path, "oneOf"), {"type": "object"}))
        if "if" in schema and place.document.draft >= _LAST_WITHOUT_SIBLINGS:
            then, otherwise = (place.below((key,)) if key in schema else ANYTHING for key in ("then", "else"))
            yield Some((Every((place.below(("if",)), then)), otherwise))

    def _takes_others(self, branch: Location) -> bool:
        """Whether a branch is only about objects, so that it takes all other values: of `oneOf`, one branch may."""
        content = branch.content
        if isinstance(content, dict) and content.keys() == {"$ref"}:
            target = self._locations.follow(branch, content["$ref"])
            content = None if target is None else target.content
        return isinstance(content, dict) and content.keys() <= _OF_OBJECTS

    def _child(self, place: Location, step: str | None) -> Level:
        """Return what a subschema itself says of the values one step further."""
        schema, kind = place.content, "array" if step is EACH else "object"
        if (schema.get("type") != kind or "enum" in schema) and kind not in own_types(schema):
            return IMPOSSIBLE
        return self._element(place) if step is EACH else every(property_places(place, step))

    def _element(self, place: Location) -> Level:
        first, count, rest = element_keys(place)
        others: Level = place.below((rest,)) if rest in place.content else ANYTHING
        return some([*(place.below((first, index)) for index in range(count)), others]) if count else others

    def schema(
        self, level: Level, depth: int, without: frozenset[str] = frozenset(), names: frozenset[str] | None = None
    ) -> Schema:
        """Return a schema of draft 2020-12 that all values of a level satisfy, so many levels deep.

        Keywords in `without` are left out, and of the properties of the level itself only those in `names` are kept.
        """
        return _LevelWriter(self, depth, without, names).write(level, depth)


def _keep(known: dict[_K, _T], key: _K, made: _T) -> _T:
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = made
    return made


class _LevelWriter:
    """Writes levels as schemas, until they are too large."""

    def __init__(
        self, levels: SubschemaWalker, depth: int, without: frozenset[str], names: frozenset[str] | None
    ) -> None:
        self._walker = levels
        self._without = without
        self._names = names
        self._inside = depth - 1
        self._left = MAX_PARTS

    def write(self, level: Level, depth: int) -> Schema:
        return self._write(self._walker.parts(level), depth)

    def _write(self, level: Level, depth: int) -> Schema:
        self._left -= 1
        match level:
            case _ if self._left < 0:
                return {}
            case Every(parts):
                textless = has_no_text([part.place.content for part in parts if isinstance(part, Own)])
                return all_of([*(self._write(part, depth) for part in parts), *([NO_TEXT] if textless else [])])
            case Some(parts) if ANYTHING in parts:
                return {}
            case Some(parts):
                return {"anyOf": [self._write(part, depth) for part in parts]} if parts else NOTHING
        assert isinstance(level, Own)
        written = self._own(level.place, depth)
        return all_of([written, NO_TEXT]) if has_no_text([level.place.content]) else written

    def _own(self, place: Location, depth: int) -> Schema:
        """Return the keywords of a subschema itself."""
        schema = place.content
        written = _translated(place)
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            longest = longest_match(pattern)
            bounds = {"minLength": shortest_match(pattern)} | ({} if longest is None else {"maxLength": longest})
            written["allOf"] = [bounds]
        for keyword in self._without:
            written.pop(keyword, None)
        if depth:
            written |= self._properties(place, depth - 1)
            if "items" in schema or "prefixItems" in schema:
                written["items"] = self.write(self._walker.below(Own(place), EACH), depth - 1)
        negated = self._negated(place)
        return written if negated is None else {"allOf": [written, {"not": negated}]}

    def _properties(self, place: Location, depth: int) -> Schema:
        schema = place.content
        written: Schema = {}
        for key in ("properties", "patternProperties"):
            if key in schema:
                written[key] = {
                    name: self.write(place.below((key, name)), depth) if self._keeps(key, name, depth) else {}
                    for name in schema[key]
                }
        if "additionalProperties" in schema:
            written["additionalProperties"] = self.write(place.below(("additionalProperties",)), depth)
        return written

    def _keeps(self, key: str, name: str, depth: int) -> bool:
        """Whether a property of the level itself, or those that match a pattern, are kept: others may be anything."""
        if self._names is None or depth < self._inside:
            return True
        return name in self._names if key == "properties" else any(matches(name, each) for each in self._names)

    def _negated(self, place: Location) -> Schema | None:
        """Return what `not` of a subschema negates, if it is exactly that; None otherwise."""
        negated = place.content.get("not")
        return negated if is_plain(negated) and not self._without & keywords_of(negated) else None


def every(parts: Sequence[Level]) -> Level:
    """Return the level of values that satisfy all parts."""
    if len(parts) == 1 and not isinstance(parts[0], Every):
        return parts[0]
    if IMPOSSIBLE in parts:
        return IMPOSSIBLE
    kept = [inner for part in parts for inner in (part.parts if isinstance(part, Every) else (part,))]
    return kept[0] if len(kept) == 1 else Every(tuple(kept))


def some(parts: list[Level]) -> Level:
    """Return the level of values that satisfy one of the parts: one may be anything, and the others are examples."""
    kept = [inner for part in parts for inner in (part.parts if isinstance(part, Some) else (part,))]
    return kept[0] if len(kept) == 1 else Some(tuple(kept))


def is_free(level: Level) -> bool:
    """Whether nothing is said of the values of a level."""
    match level:
        case Every(parts):
            return all(map(is_free, parts))
        case Some(parts):
            return any(map(is_free, parts))
    return False


def _is_reference(place: Location) -> bool:
    """Whether a subschema is only a reference, because its draft ignores what stands beside it."""
    return "$ref" in place.content and place.document.draft <= _LAST_WITHOUT_SIBLINGS


def own_types(schema: Schema) -> Sequence[str]:
    """Return the types that a subschema itself allows, as its draft names them."""
    given = schema.get("type", ALL_TYPES)
    types = (given,) if isinstance(given, str) else given
    if "enum" not in schema or any(isinstance(value, dict | list) for value in schema["enum"]):
        return types
    return [kind for kind in types if kind not in ("array", "object")]


def property_places(place: Location, name: str) -> list[Location]:
    """Return the subschemas of one schema that describe a property."""
    schema = place.content
    found = [place.below(("properties", name))] if name in schema.get("properties", ()) else []
    if patterns := schema.get("patternProperties"):
        found += [place.below(("patternProperties", each)) for each in patterns if matches(each, name)]
    if not found and "additionalProperties" in schema:
        found.append(place.below(("additionalProperties",)))
    return found


def element_keys(place: Location) -> tuple[str, int, str]:
    """Return the keyword for the first elements of a list, the number of these, and the keyword for the others."""
    schema = place.content
    if isinstance(schema.get("items"), list):
        return "items", len(schema["items"]), "additionalItems"
    return "prefixItems", len(schema.get("prefixItems", ())) if place.document.draft >= 2020 else 0, "items"


def _translated(place: Location) -> Schema:
    """Return the assertions of a subschema, as draft 2020-12 has them."""
    schema, draft = place.content, place.document.draft
    written = {key: value for key, value in schema.items() if key in _ASSERTIONS}
    if draft == 4:
        for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            written.pop(exclusive, None)
            if schema.get(exclusive) is True and limit in written:
                written[exclusive] = written.pop(limit)
    if draft < 6:
        written.pop("const", None)
    if draft < 2019:
        written.pop("dependentRequired", None)
    return written


@lru_cache(maxsize=4096)
def matches(pattern: str, name: str | None) -> bool:
    """Whether the library finds a pattern in a name."""
    from jsonschema_rs import Draft202012Validator, RegexOptions

    return Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions()).is_valid(name)

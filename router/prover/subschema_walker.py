"""Follows a schema level by level: what is true of every value at a path.

All results over-approximate. Every value that the schema allows at a path satisfies
them, and perhaps more do.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
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
from router.prover.scalars import validator_of
from router.prover.text_patterns import has_no_text, longest_match, shortest_match
from router.runtime.program.expressions import kind_of
from router.runtime.program.schemas.references import Location, Locations

# The most subschemas that one level is made of. What is over that is left out.
_MAX_PARTS = 1000
# The most levels that are kept to be used again.
_MOST_KEPT = 1000
# The keywords about a value itself. They mean the same in each draft, but for what
# `_translated` changes.
_ASSERTIONS = frozenset(
    (
        "const",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
        "type",
        "uniqueItems",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "dependentRequired",
    )
)
# The keywords that say nothing of other values than objects.
_OF_OBJECTS = frozenset(
    (
        "required",
        "properties",
        "patternProperties",
        "additionalProperties",
        "minProperties",
        "maxProperties",
        "title",
        "description",
        "$comment",
        "default",
        "examples",
    )
)
# The keywords whose subschemas apply to the same value.
_BESIDE = frozenset(("$ref", "allOf", "anyOf", "oneOf", "if"))
# The last draft that ignores the keywords beside `$ref`.
_LAST_WITHOUT_SIBLINGS = 7


class Every(Struct, frozen=True):
    """All parts hold; without parts, anything does."""

    parts: tuple["Level", ...] = ()


class Some(Struct, frozen=True):
    """One of the parts holds; without parts, nothing does."""

    parts: tuple["Level", ...] = ()


class Own(Struct, frozen=True):
    """The keywords of a subschema itself.

    The other subschemas that apply to the same value are not part of it.
    """

    place: Location


Level = Location | Own | Every | Some
"""What is known of the values at a path: a subschema, or several together."""
Names = frozenset[str]
_K = TypeVar("_K")
_T = TypeVar("_T")
_FromPlace = Callable[[Location], Level]
ALL_TYPES = (*TYPES, "null")
ANYTHING = Every()
IMPOSSIBLE = Some()


class SubschemaWalker:
    """Follows subschemas to those of the next level."""

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._left = _MAX_PARTS
        # By the identity of a level, which is kept beside its result. To compare levels
        # would take longer than to make both.
        self._below: dict[tuple[int, str | None], tuple[Level, Level]] = {}
        self._parts: dict[int, tuple[Level, Level]] = {}
        self._together: dict[tuple[int, ...], Every] = {}

    def below(self, level: Level, step: str | None) -> Level:
        """Return what is known of the values one step further."""
        key = id(level), step
        known = self._below.get(key)
        if known is None:
            found = self._start(level, partial(self._child, step=step))
            known = _keep(self._below, key, (level, found))
        return known[1]

    def below_all(self, level: Level, steps: Steps) -> Level:
        """Return what is known of the values at a path."""
        for step in steps:
            level = self.below(level, step)
        return level

    def parts(self, level: Level) -> Level:
        """Return a level in which each subschema has only its own keywords.

        The other subschemas that apply to the same value stand beside it.
        """
        known = self._parts.get(id(level))
        if known is None:
            found = self._start(level, Own)
            known = _keep(self._parts, id(level), (level, found))
        return known[1]

    def together(self, parts: tuple[Own, ...]) -> Level:
        """Return the level of values that satisfy all parts.

        For the same parts it is the same level.
        """
        key = tuple(map(id, parts))
        return self._together.get(key) or _keep(self._together, key, Every(parts))

    def _start(self, level: Level, own: _FromPlace) -> Level:
        self._left = _MAX_PARTS
        return self._combine(level, own, frozenset())

    def _combine(self, level: Level, own: _FromPlace, seen: frozenset[Any]) -> Level:
        """Return a level of what `own` returns for each subschema of its values."""
        match level:
            case Every(parts):
                return every([self._combine(part, own, seen) for part in parts])
            case Some(parts):
                return some([self._combine(part, own, seen) for part in parts])
            case Own(place):
                return own(place)
        key = level.key
        content = level.content
        self._left -= 1
        if key in seen or self._left < 0:
            return ANYTHING
        if isinstance(content, bool):
            return ANYTHING if content else IMPOSSIBLE
        # Most have no other subschemas beside them.
        if _BESIDE.isdisjoint(content):
            return own(level)
        inside = seen | {key}
        beside = [self._combine(each, own, inside) for each in self._beside(level)]
        return every(beside if _is_reference(level) else [own(level), *beside])

    def _beside(self, place: Location) -> Iterator[Level]:
        """Yield the other subschemas that apply to the same value."""
        schema = place.content
        if "$ref" in schema:
            yield self._locations.follow(place, schema["$ref"]) or ANYTHING
            if _is_reference(place):
                return
        yield from branches(place, "allOf")
        for key in ("anyOf", "oneOf"):
            if key in schema:
                yield Some(tuple(branches(place, key)))
        # Two branches that are only about objects take all other values. Of `oneOf`
        # only one branch may, so that the value is an object.
        if sum(map(self._takes_others, branches(place, "oneOf"))) > 1:
            path = (*place.path, "oneOf")
            yield Own(Location(place.document, path, {"type": "object"}))
        if "if" in schema and place.document.draft >= _LAST_WITHOUT_SIBLINGS:
            then = Every((place.below(("if",)), _case(place, "then")))
            yield Some((then, _case(place, "else")))

    def _takes_others(self, branch: Location) -> bool:
        """Whether a branch is only about objects, so that it takes all other values."""
        content = branch.content
        if isinstance(content, dict) and content.keys() == {"$ref"}:
            target = self._locations.follow(branch, content["$ref"])
            content = None if target is None else target.content
        return isinstance(content, dict) and content.keys() <= _OF_OBJECTS

    def _child(self, place: Location, step: str | None) -> Level:
        """Return what a subschema itself says of the values one step further."""
        schema = place.content
        kind = "array" if step is EACH else "object"
        is_surely_of_kind = schema.get("type") == kind and "enum" not in schema
        if not is_surely_of_kind and kind not in own_types(schema):
            return IMPOSSIBLE
        if step is not EACH:
            places = property_places(place, step)
            # Most subschemas say it once, or not at all.
            if len(places) == 1:
                return places[0]
            return every(places) if places else ANYTHING
        first, count, rest = element_keys(place)
        others = place.below((rest,)) if rest in schema else ANYTHING
        if not count:
            return others
        return some([*(place.below((first, index)) for index in range(count)), others])


def _keep(known: dict[_K, _T], key: _K, found: _T) -> _T:
    if len(known) >= _MOST_KEPT:
        known.clear()
    known[key] = found
    return found


class LevelWriter:
    """Writes levels as schemas without references, until they are too large."""

    def __init__(
        self,
        walker: SubschemaWalker,
        depth: int,
        without: Names,
        names: Names | None,
    ) -> None:
        """Keywords in `without` are left out.

        Of the properties of the level itself only those in `names` are kept.
        """
        self._walker = walker
        self._without = without
        self._names = names
        self._inside = depth - 1
        self._left = _MAX_PARTS

    def write(self, level: Level, depth: int) -> Schema:
        """Return a schema of draft 2020-12 that all values of a level satisfy.

        It is so many levels deep.
        """
        return self._write(self._walker.parts(level), depth)

    def _write(self, level: Level, depth: int) -> Schema:
        self._left -= 1
        if self._left < 0:
            return {}
        match level:
            case Every(parts):
                contents = [part.place.content for part in parts if isinstance(part, Own)]
                written = [self._write(part, depth) for part in parts]
                return all_of([*written, NO_TEXT] if has_no_text(contents) else written)
            case Some(parts):
                if not parts:
                    return NOTHING
                if ANYTHING in parts:
                    return {}
                return {"anyOf": [self._write(part, depth) for part in parts]}
        place = as_own(level).place
        found = self._own(place, depth)
        return all_of([found, NO_TEXT]) if has_no_text([place.content]) else found

    def _own(self, place: Location, depth: int) -> Schema:
        """Return the keywords of a subschema itself."""
        schema = place.content
        written = _translated(place)
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            written["allOf"] = [_lengths_of(pattern)]
        for keyword in self._without:
            written.pop(keyword, None)
        if depth:
            written |= self._properties(place, depth - 1)
            if "items" in schema or "prefixItems" in schema:
                element = self._walker.below(Own(place), EACH)
                written["items"] = self.write(element, depth - 1)
        # Only a plain schema has an exact opposite.
        negated = schema.get("not")
        if is_plain(negated) and not self._without & keywords_of(negated):
            return {"allOf": [written, {"not": negated}]}
        return written

    def _properties(self, place: Location, depth: int) -> Schema:
        written: Schema = {}
        for key in ("properties", "patternProperties"):
            if key in place.content:
                written[key] = self._named(place, key, depth)
        if "additionalProperties" in place.content:
            others = place.below(("additionalProperties",))
            written["additionalProperties"] = self.write(others, depth)
        return written

    def _named(self, place: Location, key: str, depth: int) -> Schema:
        """Return the schemas of properties by their names, or by their patterns."""
        written: Schema = {}
        for name in place.content[key]:
            if self._keeps(key, name, depth):
                written[name] = self.write(place.below((key, name)), depth)
            else:
                written[name] = {}
        return written

    def _keeps(self, key: str, name: str, depth: int) -> bool:
        """Whether a property, or those that match a pattern, are kept.

        Others of the level itself may be anything.
        """
        if self._names is None or depth < self._inside:
            return True
        if key == "properties":
            return name in self._names
        return any(matches(name, each) for each in self._names)


def every(parts: Sequence[Level]) -> Level:
    """Return the level of values that satisfy all parts."""
    if len(parts) == 1 and not isinstance(parts[0], Every):
        return parts[0]
    if IMPOSSIBLE in parts:
        return IMPOSSIBLE
    return _flattened(parts, Every)


def some(parts: Sequence[Level]) -> Level:
    """Return the level of values that satisfy one of the parts.

    One part may be anything, and the others are examples.
    """
    return _flattened(parts, Some)


def _flattened(parts: Sequence[Level], kind: type[Every] | type[Some]) -> Level:
    """Return a level of parts, with those of inner levels of the same kind."""
    kept: list[Level] = []
    for part in parts:
        if isinstance(part, kind):
            kept += part.parts
        else:
            kept.append(part)
    return kept[0] if len(kept) == 1 else kind(tuple(kept))


def is_free(level: Level) -> bool:
    """Whether nothing is said of the values of a level."""
    match level:
        case Every(parts):
            return all(map(is_free, parts))
        case Some(parts):
            return any(map(is_free, parts))
    return False


def as_own(level: Level) -> Own:
    """Return a level that is taken apart and has no parts: it is one subschema."""
    assert isinstance(level, Own)
    return level


def own_parts(level: Level) -> Iterator[Own]:
    """Yield all subschemas of a level that is taken apart."""
    match level:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from own_parts(part)
        case _:
            yield as_own(level)


def _is_reference(place: Location) -> bool:
    """Whether a subschema is only a reference.

    Old drafts ignore what stands beside it.
    """
    return "$ref" in place.content and place.document.draft <= _LAST_WITHOUT_SIBLINGS


def _case(place: Location, key: str) -> Level:
    return place.below((key,)) if key in place.content else ANYTHING


def branches(place: Location, key: str) -> list[Location]:
    """Return the subschemas in the list of a keyword."""
    return [place.below((key, index)) for index in range(len(place.content.get(key, ())))]


def own_types(schema: Schema) -> Sequence[str]:
    """Return the types that a subschema itself allows, as its draft names them."""
    given = schema.get("type", ALL_TYPES)
    types = (given,) if isinstance(given, str) else given
    if "enum" not in schema:
        return types
    if any(isinstance(value, dict | list) for value in schema["enum"]):
        return types
    return [kind for kind in types if kind not in ("array", "object")]


def json_types(schema: Schema, values: Collection[Any] | None) -> Names:
    """Return the types of JSON that a subschema itself allows.

    If there are `values`, it allows only these. An integer is a number.
    """
    named = own_types(schema)
    types = frozenset("number" if kind == "integer" else kind for kind in named)
    return types if values is None else types.intersection(map(kind_of, values))


def property_places(place: Location, name: str) -> list[Location]:
    """Return the subschemas of one schema that describe a property."""
    schema = place.content
    found = []
    if name in schema.get("properties", ()):
        found.append(place.below(("properties", name)))
    if "patternProperties" in schema:
        patterns = [each for each in schema["patternProperties"] if matches(each, name)]
        found += [place.below(("patternProperties", each)) for each in patterns]
    if not found and "additionalProperties" in schema:
        found.append(place.below(("additionalProperties",)))
    return found


def element_keys(place: Location) -> tuple[str, int, str]:
    """Return the keyword for the first elements of a list, and how many these are.

    The last is the keyword for the others.
    """
    schema = place.content
    if isinstance(schema.get("items"), list):
        return "items", len(schema["items"]), "additionalItems"
    if place.document.draft < 2020:
        return "prefixItems", 0, "items"
    return "prefixItems", len(schema.get("prefixItems", ())), "items"


def _lengths_of(pattern: str) -> Schema:
    """Return the bounds of the length of texts that a pattern matches."""
    longest = longest_match(pattern)
    shortest = shortest_match(pattern)
    if longest is None:
        return {"minLength": shortest}
    return {"minLength": shortest, "maxLength": longest}


def _translated(place: Location) -> Schema:
    """Return the assertions of a subschema, as draft 2020-12 has them."""
    schema = place.content
    draft = place.document.draft
    written = {key: schema[key] for key in schema if key in _ASSERTIONS}
    if draft == 4:
        _translate_bound(written, "minimum", "exclusiveMinimum")
        _translate_bound(written, "maximum", "exclusiveMaximum")
    if draft < 6:
        written.pop("const", None)
    if draft < 2019:
        written.pop("dependentRequired", None)
    return written


def _translate_bound(written: Schema, limit: str, exclusive: str) -> None:
    """Replace a bound of draft 4, in which a boolean says that it is exclusive."""
    is_exclusive = written.pop(exclusive, None) is True
    if is_exclusive and limit in written:
        written[exclusive] = written.pop(limit)


@lru_cache(maxsize=4096)
def matches(pattern: str, name: str | None) -> bool:
    """Whether the library finds a pattern in a name."""
    return validator_of({"pattern": pattern})(name)

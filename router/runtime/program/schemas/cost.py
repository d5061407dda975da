"""Finds schemas that keep the router busy for long with a small message.

A subschema may apply to one value often, once references are followed; and a recursive
schema may apply to a part of a message several times at each level of nesting.
"""

from collections.abc import Iterable, Iterator

from router.codes import declare
from router.model import Path
from router.runtime.config.findings import ConfigFault
from router.runtime.program.schemas.documents import (
    UNEVALUATED,
    SchemaDocument,
    list_of,
    map_of,
    parts_of,
    pointer,
    subschemas,
)
from router.runtime.program.schemas.references import (
    KEYWORDS,
    Location,
    Locations,
)

TOO_MUCH_WORK = declare(
    "RT315",
    "schema that multiplies when its references are followed",
    "Each subschema that applies to the same value is work for each message. "
    "Definitions that each refer twice to the "
    "next double it, so that thirty short ones keep the router busy for minutes with "
    "one small message.",
)
REPEATED = declare(
    "RT316",
    "recursive schema that applies to a part of a message several times",
    "Two parts of an `allOf` that both lead to the whole schema for the same property "
    "double the work at each level of "
    "a message: with 30 levels, one of a few hundred bytes keeps the router busy for minutes.",
)
MAX_APPLIED = 10_000
"""Maximum subschemas that apply to one value.

The largest schema in public use has 377 (of 536 of SchemaStore).
"""
MAX_STEPS = 20_000
"""The most subschemas, and pairs of them, that are looked at.

A schema with more is not examined further.
"""
_IN_PLACE = frozenset(
    (
        "allOf",
        "anyOf",
        "dependencies",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "oneOf",
        "then",
    )
)
_DEFINITIONS = frozenset(("$defs", "definitions"))

_MULTIPLYING = frozenset((*KEYWORDS, *UNEVALUATED))
_MULTIPLYING_TEXTS = tuple(f'"{keyword}"'.encode() for keyword in _MULTIPLYING)
_FOLLOWED = ("properties", "items", "allOf")
_Key = tuple[str, Path]
_Step = str | None
"""A property, or None for each element of a list."""


def cost_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if a small message may cost much."""
    if not _may_multiply(root):
        return None
    return _growth_fault(root, locations) or _repetition_fault(root, locations)


def _may_multiply(root: SchemaDocument) -> bool:
    """Whether a subschema may apply more often than it stands in the document.

    False for most, which are small.
    """
    # A subschema has a brace.
    is_small = root.text.count(b"{") <= MAX_APPLIED
    if is_small and not any(keyword in root.text for keyword in _MULTIPLYING_TEXTS):
        return False
    parts = [part for _, part in subschemas(root.content)]
    is_large = len(parts) > MAX_APPLIED
    return is_large or not all(_MULTIPLYING.isdisjoint(part) for part in parts)


def _growth_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if too many subschemas apply to one value.

    Each place in the documents is counted once.
    """
    sizes: dict[_Key, int] = {}
    start = Location.of(root)
    waiting = [start]
    seen = {start.key}
    for place in waiting:
        large = _count(place, locations, sizes)
        if large is not None:
            return ConfigFault(
                TOO_MUCH_WORK,
                f"{root.name} applies more than {MAX_APPLIED:,} subschemas to one "
                f"value, once its references are followed, at {_shown(large, root)}",
                "let its allOf, anyOf and oneOf refer to a definition once",
            )
        parts = [*_parts(place, in_place=True), *_parts(place, in_place=False)]
        _add_new((*parts, *locations.referred(place)), waiting, seen)
    return None


def _shown(place: Location, root: SchemaDocument) -> str:
    """Return a place as a sentence about the root names it."""
    at = pointer(place.path)
    if place.document.uri == root.uri:
        return at
    return f"{at} of {place.document.name}"


def _add_new(places: Iterable[Location], waiting: list[Location], seen: set[_Key]) -> None:
    """Let places wait that were not seen before."""
    for place in places:
        if place.key not in seen:
            seen.add(place.key)
            waiting.append(place)


def _count(start: Location, locations: Locations, sizes: dict[_Key, int]) -> Location | None:
    """Add the sizes of a place and of those that apply in it.

    Return the innermost that is too large. A place that leads back to itself counts
    once.
    """
    stack = [(start, False)]
    opened: set[_Key] = set()
    while stack:
        place, is_complete = stack.pop()
        key = place.key
        if key in sizes or (key in opened and not is_complete):
            continue
        parts = [*_parts(place, in_place=True), *locations.referred(place)]
        if not is_complete:
            opened.add(key)
            stack += [(place, True), *((part, False) for part in parts)]
            continue
        # What unevaluated keywords look into is applied a second time.
        is_twice = parts and not place.schema.keys().isdisjoint(UNEVALUATED)
        times = 2 if is_twice else 1
        sizes[key] = 1 + times * sum(sizes.get(part.key, 1) for part in parts)
        if sizes[key] > MAX_APPLIED:
            return place
    return None


def _parts(place: Location, *, in_place: bool) -> Iterator[Location]:
    """Yield the subschemas that apply to the same value, or to values inside of it."""
    for path in parts_of(place.schema):
        if path[0] not in _DEFINITIONS and (path[0] in _IN_PLACE) is in_place:
            yield place.below(path)


def _repetition_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if a place leads back to itself on two ways.

    Both ways lead to it for the same part of a message.
    """
    levels = _Levels(locations)
    start = levels.target(Location.of(root))
    waiting = [start]
    seen = {start.key}
    for place in waiting:
        children = levels.below(place)
        if levels.left < 0:
            return None
        for step, targets in children.items():
            if len(targets) > 1 and levels.both_return(targets, place.key):
                name = "its elements" if step is None else f"'{step}'"
                return ConfigFault(
                    REPEATED,
                    f"{root.name} applies to {name} of each level several times, at "
                    f"{_shown(place, root)}",
                    "declare it in one part of allOf",
                )
            _add_new(targets, waiting, seen)
    return None


class _Levels:
    """The subschemas that apply to the parts of a value of a subschema.

    Each is listed as often as it applies.
    """

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._below: dict[_Key, dict[_Step, list[Location]]] = {}
        self.left = MAX_STEPS

    def below(self, start: Location) -> dict[_Step, list[Location]]:
        """Return the subschemas for each property, and for the elements.

        Those by all of `allOf` and references are among them.
        """
        if start.key in self._below:
            return self._below[start.key]
        found: dict[_Step, list[Location]] = {}
        waiting = [(start, frozenset((start.key,)))]
        while waiting and self.left >= 0:
            self.left -= 1
            place, around = waiting.pop()
            for step, target in _own(place):
                found.setdefault(step, []).append(self.target(target))
            beside = [each for each in self._beside(place) if each.key not in around]
            waiting += [(each, around | {each.key}) for each in beside]
        self._below[start.key] = found
        return found

    def target(self, place: Location) -> Location:
        """Return what a reference leads to that has no parts of its own.

        So it is one place for each of several references.
        """
        seen = set()
        while place.key not in seen:
            seen.add(place.key)
            text = place.schema.get("$ref")
            has_parts = not place.schema.keys().isdisjoint(_FOLLOWED)
            if not isinstance(text, str) or (has_parts and not place.is_reference):
                break
            found = self._locations.follow(place, text)
            if found is None:
                break
            place = found
        return place

    def _beside(self, place: Location) -> Iterator[Location]:
        yield from self._locations.referred(place)
        if not place.is_reference:
            for index in range(len(list_of(place.schema, "allOf"))):
                yield place.below(("allOf", index))

    def both_return(self, targets: list[Location], home: _Key) -> bool:
        """Whether two of the subschemas for one part of a value lead to a place.

        Both lead to it by the same further steps.
        """
        waiting = [(targets, targets)]
        seen: set[tuple[_Key, _Key]] = set()
        while waiting:
            ones, others = waiting.pop()
            self.left -= len(ones) * len(others)
            if self.left < 0:
                return False
            for index, one in enumerate(ones):
                for other in others[index + 1 :] if others is ones else others:
                    keys = (one.key, other.key)
                    if keys == (home, home):
                        return True
                    if keys in seen:
                        continue
                    seen.add(keys)
                    left = self.below(one)
                    right = self.below(other)
                    # A copy: the same list would be taken for pairs within it.
                    steps = left.keys() & right.keys()
                    waiting += [(left[step], [*right[step]]) for step in steps]
        return False


def _own(place: Location) -> Iterator[tuple[_Step, Location]]:
    """Yield the subschemas that a subschema itself names for the parts of a value."""
    if place.is_reference:
        return
    for name in map_of(place.schema, "properties"):
        yield name, place.below(("properties", name))
    if isinstance(place.schema.get("items"), dict):
        yield None, place.below(("items",))

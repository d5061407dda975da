"""Finds recursive schemas that apply to a part of a message several times at each level of nesting."""

from collections.abc import Iterator

from router.codes import declare
from router.config.findings import ConfigFault
from router.model import Path
from router.program.schemas.documents import SchemaDocument, pointer
from router.program.schemas.references import Location, Locations

REPEATED = declare(
    "RT316",
    "recursive schema that applies to a part of a message several times",
    "Two parts of an `allOf` that both lead to the whole schema for the same property double the work at each level of "
    "a message: with 30 levels, one of a few hundred bytes keeps the router busy for minutes.",
)
MAX_STEPS = 20_000
"""The most subschemas, and pairs of them, that are looked at; a schema with more is not examined further."""
_PARTS = ("properties", "items", "allOf")
_Key = tuple[str, Path]
_Step = str | None
"""A property, or None for each element of a list."""


def repetition_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if a place of the schema leads back to itself on two ways for the same part of a message."""
    levels = _Levels(locations)
    start = levels.target(Location.of(root))
    waiting, seen = [start], {start.key}
    for place in waiting:
        children = levels.below(place)
        if levels.left < 0:
            return None
        for step, targets in children.items():
            if len(targets) > 1 and levels.both_return(targets, place.key):
                name = "its elements" if step is None else f"'{step}'"
                sentence = f"{root.name} applies to {name} of each level several times, at {pointer(place.path)}"
                if place.document.uri != root.uri:
                    sentence += f" of {place.document.name}"
                return ConfigFault(REPEATED, sentence, "declare it in one part of allOf")
            for target in targets:
                if target.key not in seen:
                    seen.add(target.key)
                    waiting.append(target)
    return None


class _Levels:
    """The subschemas that apply to the parts of a value for which a subschema holds, as often as they do."""

    def __init__(self, locations: Locations) -> None:
        self._locations = locations
        self._below: dict[_Key, dict[_Step, list[Location]]] = {}
        self.left = MAX_STEPS

    def below(self, start: Location) -> dict[_Step, list[Location]]:
        """Return the subschemas for each property, and for the elements, by all of `allOf` and references."""
        key = start.key
        if key not in self._below:
            found: dict[_Step, list[Location]] = {}
            waiting = [(start, frozenset((key,)))]
            while waiting and self.left >= 0:
                self.left -= 1
                place, around = waiting.pop()
                for step, target in _own(place):
                    found.setdefault(step, []).append(self.target(target))
                waiting += [(each, around | {each.key}) for each in self._beside(place) if each.key not in around]
            self._below[key] = found
        return self._below[key]

    def target(self, place: Location) -> Location:
        """Return what a reference leads to that has no parts of its own: one place for each of them."""
        seen = set()
        while isinstance(place.content, dict) and place.key not in seen:
            seen.add(place.key)
            text = place.content.get("$ref")
            has_parts = not place.is_reference and not place.content.keys().isdisjoint(_PARTS)
            found = self._locations.follow(place, text) if isinstance(text, str) and not has_parts else None
            if found is None:
                break
            place = found
        return place

    def _beside(self, place: Location) -> Iterator[Location]:
        content = place.content if isinstance(place.content, dict) else {}
        yield from self._locations.referred(place)
        if not place.is_reference and isinstance(content.get("allOf"), list):
            yield from (place.below(("allOf", index)) for index in range(len(content["allOf"])))

    def both_return(self, targets: list[Location], home: _Key) -> bool:
        """Whether two of the subschemas for one part of a value lead to a place by the same further steps."""
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
                    if keys not in seen:
                        seen.add(keys)
                        left, right = self.below(one), self.below(other)
                        waiting += [(left[step], [*right[step]]) for step in left.keys() & right.keys()]
        return False


def _own(place: Location) -> Iterator[tuple[_Step, Location]]:
    """Yield the subschemas that a subschema itself names for a property, or for all elements."""
    content = place.content
    if not isinstance(content, dict) or place.is_reference:
        return
    properties = content.get("properties")
    for name in properties if isinstance(properties, dict) else ():
        yield name, place.below(("properties", name))
    if isinstance(content.get("items"), dict):
        yield None, place.below(("items",))

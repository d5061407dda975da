"""Estimates how many subschemas apply to one value of a message, once references are followed."""

from collections.abc import Iterator

from router.codes import declare
from router.config.findings import ConfigFault
from router.model import Path
from router.program.schemas.documents import (
    LISTED_PARTS,
    NAMED_PARTS,
    ONE_PART,
    UNEVALUATED,
    SchemaDocument,
    pointer,
)
from router.program.schemas.references import KEYWORDS, Location, Locations

TOO_MUCH_WORK = declare(
    "RT315",
    "schema that multiplies when its references are followed",
    "Each subschema that applies to the same value is work for each message. Definitions that each refer twice to the "
    "next double it, so that thirty short ones keep the router busy for minutes with one small message.",
)
MAX_APPLIED = 10_000
"""Maximum subschemas that apply to one value; the largest schema in public use has 377 (of 536 of SchemaStore)."""
_IN_PLACE = frozenset(("allOf", "anyOf", "dependencies", "dependentSchemas", "else", "if", "not", "oneOf", "then"))
_DEFINITIONS = frozenset(("$defs", "definitions"))

_Key = tuple[str, Path]


def growth_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if too many subschemas apply to one value; each place in the documents is counted once."""
    sizes: dict[_Key, int] = {}
    start = Location(root, (), root.content)
    waiting, seen = [start], {_key(start)}
    for place in waiting:
        large = _count(place, locations, sizes)
        if large is not None:
            sentence = (
                f"{root.name} applies more than {MAX_APPLIED:,} subschemas to one value, once its references are "
                f"followed, at {pointer(large.path)}"
            )
            if large.document.uri != root.uri:
                sentence += f" of {large.document.name}"
            return ConfigFault(TOO_MUCH_WORK, sentence, "let its allOf, anyOf and oneOf refer to a definition once")
        for part in (*_parts(place, in_place=True), *_parts(place, in_place=False), *_referred(place, locations)):
            if _key(part) not in seen:
                seen.add(_key(part))
                waiting.append(part)
    return None


def _count(start: Location, locations: Locations, sizes: dict[_Key, int]) -> Location | None:
    """Add the sizes of a place and of those that apply in it; return the innermost that is too large.

    A place that leads back to itself counts once. What unevaluated keywords look into is applied a second time.
    """
    stack = [(start, False)]
    opened: set[_Key] = set()
    while stack:
        place, is_complete = stack.pop()
        key = _key(place)
        if key in sizes or (key in opened and not is_complete):
            continue
        parts = [*_parts(place, in_place=True), *_referred(place, locations)]
        if not is_complete:
            opened.add(key)
            stack += [(place, True), *((part, False) for part in parts)]
            continue
        times = 2 if any(keyword in place.content for keyword in UNEVALUATED if parts) else 1
        sizes[key] = 1 + times * sum(sizes.get(_key(part), 1) for part in parts)
        if sizes[key] > MAX_APPLIED:
            return place
    return None


def _parts(place: Location, *, in_place: bool) -> Iterator[Location]:
    """Yield the subschemas that apply to the same value, or those that apply to values inside of it."""
    for key, value in place.content.items() if isinstance(place.content, dict) else ():
        if (key in _IN_PLACE) is not in_place or key in _DEFINITIONS:
            continue
        if key in ONE_PART and isinstance(value, dict):
            yield place.below((key,))
        elif key in LISTED_PARTS and isinstance(value, list):
            yield from (place.below((key, index)) for index in range(len(value)))
        elif key in NAMED_PARTS and isinstance(value, dict):
            yield from (place.below((key, name)) for name in value)


def _referred(place: Location, locations: Locations) -> Iterator[Location]:
    for keyword in KEYWORDS if isinstance(place.content, dict) else ():
        text = place.content.get(keyword)
        found = locations.follow(place, text) if isinstance(text, str) else None
        if found is not None:
            yield found


def _key(place: Location) -> _Key:
    return place.document.uri, place.path

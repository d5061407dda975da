"""Estimates how many subschemas apply to one value of a message, once references are followed."""

from collections.abc import Iterator

from router.codes import declare
from router.config.findings import ConfigFault
from router.model import Path
from router.program.schemas.documents import UNEVALUATED, SchemaDocument, parts_of, pointer, subschemas
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

_MULTIPLYING = frozenset((*KEYWORDS, *UNEVALUATED))
_Key = tuple[str, Path]


def may_multiply(root: SchemaDocument) -> bool:
    """Whether a subschema may apply more often than it stands in the document; False for most, which are small."""
    parts = [part for _, part in subschemas(root.content)]
    return len(parts) > MAX_APPLIED or not all(_MULTIPLYING.isdisjoint(part) for part in parts)


def growth_fault(root: SchemaDocument, locations: Locations) -> ConfigFault | None:
    """Return a fault if too many subschemas apply to one value; each place in the documents is counted once."""
    sizes: dict[_Key, int] = {}
    start = Location.of(root)
    waiting, seen = [start], {start.key}
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
        for part in (*_parts(place, in_place=True), *_parts(place, in_place=False), *locations.referred(place)):
            if part.key not in seen:
                seen.add(part.key)
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
        key = place.key
        if key in sizes or (key in opened and not is_complete):
            continue
        parts = [*_parts(place, in_place=True), *locations.referred(place)]
        if not is_complete:
            opened.add(key)
            stack += [(place, True), *((part, False) for part in parts)]
            continue
        times = 2 if any(keyword in place.content for keyword in UNEVALUATED if parts) else 1
        sizes[key] = 1 + times * sum(sizes.get(part.key, 1) for part in parts)
        if sizes[key] > MAX_APPLIED:
            return place
    return None


def _parts(place: Location, *, in_place: bool) -> Iterator[Location]:
    """Yield the subschemas that apply to the same value, or those that apply to values inside of it."""
    for path in parts_of(place.content) if isinstance(place.content, dict) else ():
        if (path[0] in _IN_PLACE) is in_place and path[0] not in _DEFINITIONS:
            yield place.below(path)

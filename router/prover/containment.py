"""Proves that a new schema takes every value that an old one takes, by comparing them keyword by keyword.

It is for schemas that the library cannot compare as a whole: large ones, and those that refer to themselves. A proof is
sound, but many true claims are not proved: a keyword that is not known here must be the same in both.
"""

from collections.abc import Callable, Mapping
from typing import Any

from router.model import Path
from router.prover.predicates import exact
from router.prover.text_patterns import pattern_follows
from router.prover.value_types import types_in
from router.runtime.program.schemas.documents import ASSERTED_SINCE
from router.runtime.program.schemas.references import KEYWORDS, Location, Locations

_ANNOTATIONS = frozenset(
    (
        *(
            "$schema",
            "$id",
            "id",
            "$comment",
            "$defs",
            "definitions",
            "$anchor",
            "$vocabulary",
            "title",
            "description",
        ),
        *(
            "default",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "contentMediaType",
            "contentEncoding",
        ),
        "contentSchema",
    )
)
"""Keywords that validate nothing. An `$id` decides what references lead to, which are followed before."""
_OBJECTS = ("properties", "patternProperties", "additionalProperties")
_LOWER, _UPPER = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("items", "prefixItems", "additionalItems"),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    _LOWER,
    _UPPER,
)
"""Keywords that mean something only together."""
_LEAST = ("minLength", "minItems", "minProperties")
_MOST = ("maxLength", "maxItems", "maxProperties")
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_MOST_PAIRS = 20_000
"""The pairs of subschemas that are compared."""
_CHOICES = ("anyOf", "oneOf")
_OTHERS = "other properties"
"""A step of a path that no schema has."""
_Key = tuple[str, Path, str, Path]


class _ComparedPairs:
    """Pairs of places that are compared: a pair inside itself is taken to hold.

    That is sound: a value is finite, so that its parts are smaller. If a pair fails in spite of it, what was found
    meanwhile may not hold.
    """

    def __init__(self) -> None:
        self._open: set[_Key] = set()
        self._failed: set[_Key] = set()
        self._holding: dict[_Key, None] = {}

    def holds(
        self,
        old: Location,
        new: Location,
        compare: Callable[[Location, Location], bool],
    ) -> bool:
        key = (*old.key, *new.key)
        if key in self._failed or len(self._failed) + len(self._holding) > _MOST_PAIRS:
            return False
        if key in self._open or key in self._holding:
            return True
        before = len(self._holding)
        self._open.add(key)
        found = compare(old, new)
        self._open.discard(key)
        if found:
            self._holding[key] = None
        else:
            self._failed.add(key)
            for later in list(self._holding)[before:]:
                del self._holding[later]
        return found


class Containment:
    """The comparison of two schemas, of which the new one is to take every value that the old one takes."""

    def __init__(
        self, old: Locations, new: Locations, covers: Callable[[Any, Any], bool]
    ) -> None:
        """`covers` tells whether it is proved that the second of two subschemas without references covers the first."""
        self._old, self._new = old, new
        self._covers = covers
        self._implied, self._equal = _ComparedPairs(), _ComparedPairs()

    def implies(self, old: Location, new: Location) -> bool:
        """Return whether it is proved that a place in the new schema takes every value that one in the old takes."""
        return self._implied.holds(old, new, self._compare)

    def _compare(self, old: Location, new: Location) -> bool:
        before, after = _resolve(self._old, old), _resolve(self._new, new)
        if before is None or after is None:
            return False
        if not isinstance(after.content, dict):
            return after.content is True or before.content is False
        if not isinstance(before.content, dict):
            if before.content is False:
                return True
            before = Location(before.document, before.path, {})
        return (
            self._keywords(before, after)
            or self._by_part(before, after)
            or self._by_library(before, after)
        )

    def _by_library(self, old: Location, new: Location) -> bool:
        return not any(map(_references, (old.content, new.content))) and self._covers(
            old.content, new.content
        )

    def _by_part(self, old: Location, new: Location) -> bool:
        """Return whether a part of the old schema implies the new one, or all of its alternatives do."""
        target = (
            self._old.follow(old, old.content["$ref"])
            if "$ref" in old.content
            else None
        )
        parts = [*([target] if target else []), *_branches(old, "allOf")]
        return any(self.implies(part, new) for part in parts) or any(
            all(self.implies(branch, new) for branch in _branches(old, key))
            for key in _CHOICES
            if old.content.get(key)
        )

    def _keywords(self, old: Location, new: Location) -> bool:
        names = [name for name in new.content if name not in _ANNOTATIONS]
        if any(name in _UNEVALUATED for name in names):
            return self._same(old, new)
        if any(name in _OBJECTS for name in names) and not self._objects(old, new):
            return False
        return all(
            self._keyword(name, old, new) for name in names if name not in _OBJECTS
        )

    def _keyword(self, name: str, old: Location, new: Location) -> bool:
        """Return whether a keyword of the new schema follows from the old one."""
        before, after = old.content, new.content
        group = next((each for each in _GROUPS if name in each), (name,))
        if name not in KEYWORDS and all(
            self._same_key(each, old, new) for each in group
        ):
            return True
        if name in _COMPARED:
            return _COMPARED[name](before, after[name])
        if name in (*_LOWER, *_UPPER):
            return _bound_follows(group, before, after)
        return self._applicator(name, old, new)

    def _applicator(self, name: str, old: Location, new: Location) -> bool:
        before, after = old.content, new.content
        match name:
            case "$ref":
                target = self._new.follow(new, after["$ref"])
                return target is not None and self.implies(old, target)
            case "allOf":
                return all(self.implies(old, part) for part in _branches(new, "allOf"))
            case "anyOf":
                branches = _branches(old, "anyOf") or [old]
                return all(
                    any(self.implies(one, two) for two in _branches(new, "anyOf"))
                    for one in branches
                )
            case "not" if "not" in before:
                # What the new one excludes, the old one must exclude.
                swapped = Containment(self._new, self._old, self._covers)
                return swapped.implies(new.below((name,)), old.below((name,)))
            case "propertyNames" | "items" if name in before and not (
                _is_tuple(before) or _is_tuple(after)
            ):
                return self.implies(old.below((name,)), new.below((name,)))
            case _:
                return False

    def _objects(self, old: Location, new: Location) -> bool:
        """Compare what is known of each property, and of those that the new schema does not name."""
        before, after = old.content, new.content
        if not self._same_key("patternProperties", old, new):
            return False
        was, becomes = before.get("properties", {}), after.get("properties", {})
        if "patternProperties" in after and becomes.keys() - was.keys():
            return False  # the old pattern may describe such a property
        for name in {**was, **becomes}:
            two = _property(new, name, becomes)
            one = _property(old, name, was) or Location(
                old.document, (*old.path, _OTHERS), {}
            )
            if two is not None and not self.implies(one, two):
                return False
        if "additionalProperties" not in after:
            return True
        rest = Location(
            old.document, (*old.path, _OTHERS), before.get("additionalProperties", {})
        )
        return self.implies(rest, new.below(("additionalProperties",)))

    def _same_key(self, key: str, old: Location, new: Location) -> bool:
        if key not in old.content or key not in new.content:
            return key not in old.content and key not in new.content
        return self._same(old.below((key,)), new.below((key,)))

    def _same(self, old: Location, new: Location) -> bool:
        """Return whether two places are the same, what they refer to included."""
        return self._equal.holds(old, new, self._compare_same)

    def _compare_same(self, old: Location, new: Location) -> bool:
        if (
            exact(old.content) != exact(new.content)
            or old.document.draft != new.document.draft
        ):
            return False
        for path, text in _references(new.content):
            one, two = (
                self._old.follow(old.below(path), text),
                self._new.follow(new.below(path), text),
            )
            if one is None or two is None or not self._same(one, two):
                return False
        return True


def _property(
    place: Location, name: str, declared: Mapping[str, Any]
) -> Location | None:
    """Return the subschema of a property by its name, or that of all others; None if there is none."""
    if name in declared:
        return place.below(("properties", name))
    return (
        place.below(("additionalProperties",))
        if "additionalProperties" in place.content
        else None
    )


def _resolve(locations: Locations, place: Location) -> Location | None:
    """Follow a reference that stands alone; None if it leads nowhere, or depends on how the schema is reached."""
    for _ in range(100):
        schema = place.content
        if not isinstance(schema, dict):
            return place
        if any(key in schema for key in KEYWORDS if key != "$ref"):
            return None
        alone = place.is_reference or schema.keys() - _ANNOTATIONS == {"$ref"}
        if "$ref" not in schema or not alone:
            return place
        target = locations.follow(place, schema["$ref"])
        if target is None:
            return None
        place = target
    return None


def _references(value: Any, path: Path = ()) -> list[tuple[Path, str]]:
    """Return the references in a value, each with the path of the object that has it."""
    if isinstance(value, list):
        return [
            each
            for index, part in enumerate(value)
            for each in _references(part, (*path, index))
        ]
    if not isinstance(value, dict):
        return []
    own = [(path, value[key]) for key in KEYWORDS if isinstance(value.get(key), str)]
    return own + [
        each
        for name, part in value.items()
        for each in _references(part, (*path, name))
    ]


def _branches(place: Location, key: str) -> list[Location]:
    return [
        place.below((key, index)) for index in range(len(place.content.get(key, ())))
    ]


def _is_tuple(schema: Mapping[str, Any]) -> bool:
    return "prefixItems" in schema or isinstance(schema.get("items"), list)


def _bound_follows(
    group: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]
) -> bool:
    """Return whether the old bounds are at least as strict; those of draft 4, which are booleans, are not compared."""
    bound, strict = group
    if any(isinstance(each.get(strict), bool) for each in (before, after)):
        return False
    sign = 1 if bound == "minimum" else -1
    old, new = (
        [(sign * each[name], name == strict) for name in group if name in each]
        for each in (before, after)
    )
    return bool(old) and max(old) >= max(new)


def _values(schema: Mapping[str, Any]) -> set[bytes] | None:
    if "const" in schema:
        return {exact(schema["const"])}
    return {exact(each) for each in schema["enum"]} if "enum" in schema else None


def _type_follows(old: Mapping[str, Any], new: Any) -> bool:
    return "type" in old and types_in(old["type"]) <= types_in(new)


def _choice_follows(old: Mapping[str, Any], new: list[Any]) -> bool:
    values = _values(old)
    return values is not None and values <= {exact(each) for each in new}


def _at_least(name: str) -> Callable[[Mapping[str, Any], Any], bool]:
    return lambda old, new: new <= 0 or (name in old and old[name] >= new)


def _at_most(name: str) -> Callable[[Mapping[str, Any], Any], bool]:
    return lambda old, new: name in old and old[name] <= new


_COMPARED: Mapping[str, Callable[[Mapping[str, Any], Any], bool]] = {
    "type": _type_follows,
    "enum": _choice_follows,
    "const": lambda old, new: _choice_follows(old, [new]),
    "required": lambda old, new: (
        isinstance(new, list) and set(new) <= set(old.get("required", ()))
    ),
    "uniqueItems": lambda old, new: new is False,
    "pattern": lambda old, new: isinstance(new, str) and pattern_follows(old, new),
    "format": lambda old, new: new not in ASSERTED_SINCE,
    **{name: _at_least(name) for name in _LEAST},
    **{name: _at_most(name) for name in _MOST},
}
"""Whether a keyword follows from an old schema in which it is another."""

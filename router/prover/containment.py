"""Proves that a new schema takes every value that an old one takes.

They are compared keyword by keyword. It is for schemas that the library cannot compare
as a whole: large ones, and those that refer to themselves. A proof is sound, but many
true claims are not proved: a keyword that is not known here must be the same in both.
"""

from collections.abc import Callable, Mapping
from typing import Any

from router.model import Path
from router.prover.predicates import Schema, exact
from router.prover.subschema_walker import branches
from router.prover.text_patterns import pattern_follows
from router.prover.value_types import types_in
from router.runtime.program.schemas.documents import ASSERTED_SINCE
from router.runtime.program.schemas.references import KEYWORDS, Location, Locations

# Keywords that validate nothing. An `$id` decides what references lead to. They are
# followed before.
_ANNOTATIONS = frozenset(
    (
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
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "contentMediaType",
        "contentEncoding",
        "contentSchema",
    )
)
_OBJECTS = ("properties", "patternProperties", "additionalProperties")
_LOWER = ("minimum", "exclusiveMinimum")
_UPPER = ("maximum", "exclusiveMaximum")
# Keywords that mean something only together.
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("items", "prefixItems", "additionalItems"),
    ("if", "then", "else"),
    ("contains", "minContains", "maxContains"),
    _LOWER,
    _UPPER,
)
_BOUNDS = (*_LOWER, *_UPPER)
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
# The pairs of subschemas that are compared.
_MOST_PAIRS = 20_000
_CHOICES = ("anyOf", "oneOf")
# A step of a path that no schema has.
_OTHERS = "other properties"
_Key = tuple[str, Path, str, Path]
Follows = Callable[[Schema, Any], bool]


class _ComparedPairs:
    """Pairs of places that are compared. A pair inside itself is taken to hold.

    That is sound: a value is finite, so that its parts are smaller. If a pair fails in
    spite of it, what was found meanwhile may not hold.
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
        before = len(self._holding)
        if key in self._failed or len(self._failed) + before > _MOST_PAIRS:
            return False
        if key in self._open or key in self._holding:
            return True
        self._open.add(key)
        found = compare(old, new)
        self._open.discard(key)
        if found:
            self._holding[key] = None
            return True
        self._failed.add(key)
        for later in list(self._holding)[before:]:
            del self._holding[later]
        return False


class Containment:
    """The comparison of two schemas.

    The new one is to take every value that the old one takes.
    """

    def __init__(self, old: Locations, new: Locations, covers: Callable[[Any, Any], bool]) -> None:
        """`covers` tells whether the second of two subschemas covers the first.

        It is asked only of subschemas without references.
        """
        self._old = old
        self._new = new
        self._covers = covers
        self._implied = _ComparedPairs()
        self._equal = _ComparedPairs()

    def implies(self, old: Location, new: Location) -> bool:
        """Whether it is proved that a new place takes every value of an old one."""
        return self._implied.holds(old, new, self._compare)

    def _compare(self, old: Location, new: Location) -> bool:
        before = _resolve(self._old, old)
        after = _resolve(self._new, new)
        if before is None or after is None:
            return False
        if before.content is False or after.content is True:
            return True
        if not isinstance(after.content, dict):
            return False
        if before.content is True:
            before = Location(before.document, before.path, {})
        return (
            self._keywords(before, after)
            or self._by_part(before, after)
            or self._by_library(before, after)
        )

    def _by_library(self, old: Location, new: Location) -> bool:
        if _references(old.content) or _references(new.content):
            return False
        return self._covers(old.content, new.content)

    def _by_part(self, old: Location, new: Location) -> bool:
        """Whether a part of the old schema implies the new one.

        All of its alternatives together may do so, too.
        """
        parts = branches(old, "allOf")
        if "$ref" in old.content:
            target = self._old.follow(old, old.content["$ref"])
            parts = [target, *parts] if target else parts
        if any(self.implies(part, new) for part in parts):
            return True
        for key in _CHOICES:
            alternatives = branches(old, key)
            if alternatives and all(self.implies(each, new) for each in alternatives):
                return True
        return False

    def _keywords(self, old: Location, new: Location) -> bool:
        names = new.content.keys() - _ANNOTATIONS
        if not names.isdisjoint(_UNEVALUATED):
            return self._same(old, new)
        if not names.isdisjoint(_OBJECTS) and not self._objects(old, new):
            return False
        others = [name for name in new.content if name in names - set(_OBJECTS)]
        return all(self._keyword(name, old, new) for name in others)

    def _keyword(self, name: str, old: Location, new: Location) -> bool:
        """Whether a keyword of the new schema follows from the old one."""
        group: tuple[str, ...] = (name,)
        for each in _GROUPS:
            if name in each:
                group = each
        if name not in KEYWORDS and all(self._same_key(key, old, new) for key in group):
            return True
        if name in _COMPARED:
            return _COMPARED[name](old.content, new.content[name])
        if name in _BOUNDS:
            return _bound_follows(group, old.content, new.content)
        return self._applicator(name, old, new)

    def _applicator(self, name: str, old: Location, new: Location) -> bool:
        before = old.content
        match name:
            case "$ref":
                target = self._new.follow(new, new.content["$ref"])
                return target is not None and self.implies(old, target)
            case "allOf":
                return all(self.implies(old, part) for part in branches(new, name))
            case "anyOf":
                alternatives = branches(old, name) or [old]
                return all(self._implies_one(each, new) for each in alternatives)
            case "not" if name in before:
                # What the new one excludes, the old one must exclude.
                swapped = Containment(self._new, self._old, self._covers)
                return swapped.implies(new.below((name,)), old.below((name,)))
            case "propertyNames" | "items" if name in before:
                if _is_tuple(before) or _is_tuple(new.content):
                    return False
                return self.implies(old.below((name,)), new.below((name,)))
        return False

    def _implies_one(self, old: Location, new: Location) -> bool:
        return any(self.implies(old, each) for each in branches(new, "anyOf"))

    def _objects(self, old: Location, new: Location) -> bool:
        """Compare what is known of each property.

        All properties that the new schema does not name are compared as one.
        """
        before = old.content
        after = new.content
        if not self._same_key("patternProperties", old, new):
            return False
        was = before.get("properties", {})
        becomes = after.get("properties", {})
        # The old pattern may describe a property that is new.
        if "patternProperties" in after and becomes.keys() - was.keys():
            return False
        path = (*old.path, _OTHERS)
        for name in {**was, **becomes}:
            one = _property(old, name) or Location(old.document, path, {})
            two = _property(new, name)
            if two is not None and not self.implies(one, two):
                return False
        if "additionalProperties" not in after:
            return True
        rest = Location(old.document, path, before.get("additionalProperties", {}))
        return self.implies(rest, new.below(("additionalProperties",)))

    def _same_key(self, key: str, old: Location, new: Location) -> bool:
        if key in old.content and key in new.content:
            return self._same(old.below((key,)), new.below((key,)))
        return key not in old.content and key not in new.content

    def _same(self, old: Location, new: Location) -> bool:
        """Whether two places are the same, what they refer to included."""
        return self._equal.holds(old, new, self._compare_same)

    def _compare_same(self, old: Location, new: Location) -> bool:
        if old.document.draft != new.document.draft:
            return False
        if exact(old.content) != exact(new.content):
            return False
        for path, text in _references(new.content):
            one = self._old.follow(old.below(path), text)
            two = self._new.follow(new.below(path), text)
            if one is None or two is None or not self._same(one, two):
                return False
        return True


def _property(place: Location, name: str) -> Location | None:
    """Return the subschema of a property, or that of all others; None without one."""
    if name in place.content.get("properties", {}):
        return place.below(("properties", name))
    if "additionalProperties" in place.content:
        return place.below(("additionalProperties",))
    return None


def _resolve(locations: Locations, place: Location) -> Location | None:
    """Follow a reference that stands alone.

    None if it leads nowhere, or depends on how the schema is reached.
    """
    for _ in range(100):
        schema = place.content
        if not isinstance(schema, dict):
            return place
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            return None
        if "$ref" not in schema:
            return place
        if not place.is_reference and schema.keys() - _ANNOTATIONS != {"$ref"}:
            return place
        target = locations.follow(place, schema["$ref"])
        if target is None:
            return None
        place = target
    return None


def _references(value: Any, path: Path = ()) -> list[tuple[Path, str]]:
    """Return the references in a value, each with the path of the object around it."""
    inner: Any = ()
    found: list[tuple[Path, str]] = []
    if isinstance(value, list):
        inner = enumerate(value)
    elif isinstance(value, dict):
        inner = value.items()
        texts = [value.get(key) for key in KEYWORDS]
        found = [(path, text) for text in texts if isinstance(text, str)]
    for step, part in inner:
        found += _references(part, (*path, step))
    return found


def _is_tuple(schema: Schema) -> bool:
    return "prefixItems" in schema or isinstance(schema.get("items"), list)


def _bound_follows(group: tuple[str, ...], before: Schema, after: Schema) -> bool:
    """Whether the old bounds are at least as strict.

    Those of draft 4 are booleans, which are not compared.
    """
    old = _strictest(group, before)
    new = _strictest(group, after)
    return old is not None and new is not None and old >= new


def _strictest(group: tuple[str, ...], schema: Schema) -> tuple[Any, bool] | None:
    """Return the strictest bound, and whether it is exclusive; None without one."""
    bound, strict = group
    if isinstance(schema.get(strict), bool):
        return None
    sign = 1 if bound == "minimum" else -1
    bounds = [(sign * schema[name], name == strict) for name in group if name in schema]
    return max(bounds, default=None)


def _values(schema: Schema) -> set[bytes] | None:
    if "const" in schema:
        return {exact(schema["const"])}
    return set(map(exact, schema["enum"])) if "enum" in schema else None


def _choice_follows(old: Schema, new: list[Any]) -> bool:
    values = _values(old)
    return values is not None and values <= set(map(exact, new))


def _at_least(name: str) -> Follows:
    return lambda old, new: new <= 0 or (name in old and old[name] >= new)


def _at_most(name: str) -> Follows:
    return lambda old, new: name in old and old[name] <= new


# Whether a keyword follows from an old schema in which it is another.
_COMPARED: Mapping[str, Follows] = {
    "type": lambda old, new: "type" in old and types_in(old["type"]) <= types_in(new),
    "enum": _choice_follows,
    "const": lambda old, new: _choice_follows(old, [new]),
    "required": lambda old, new: isinstance(new, list) and set(new) <= set(old.get("required", ())),
    "uniqueItems": lambda old, new: new is False,
    "pattern": lambda old, new: isinstance(new, str) and pattern_follows(old, new),
    "format": lambda old, new: new not in ASSERTED_SINCE,
    "minLength": _at_least("minLength"),
    "minItems": _at_least("minItems"),
    "minProperties": _at_least("minProperties"),
    "maxLength": _at_most("maxLength"),
    "maxItems": _at_most("maxItems"),
    "maxProperties": _at_most("maxProperties"),
}

"""Finds the subschemas that describe a path in a message.

They are for suggestions, not for proofs.
"""

import re
from collections.abc import Iterator

from router.model import Path
from router.prover.budget import ProofBudget
from router.prover.predicates import EACH, Schema, Steps, text_of
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import SchemaDocument, escape, map_of
from router.runtime.program.schemas.references import KEYWORDS, Location

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CASES = ("if", "then", "else", "not")
_DEPENDENT = ("dependentSchemas", "dependencies")
_OF_SAME_VALUE = frozenset((*_BRANCHES, *_CASES, *_DEPENDENT))


class SchemaIndex:
    """The subschemas of a schema by the path that they describe.

    `complete` becomes false at a reference that cannot be resolved here. `budget` is
    what searches may spend.
    """

    def __init__(self, schema: Validation, budget: ProofBudget) -> None:
        self.complete = True
        self.budget = budget
        self._schema = schema
        self._found: dict[Steps, list[Location]] = {}
        self._names: dict[Steps, tuple[str, ...]] = {}

    @property
    def document(self) -> SchemaDocument:
        """The document of the schema itself."""
        return self._schema.root

    def at(self, steps: Steps) -> list[Location]:
        """Return the subschemas that describe the value at a path of a message.

        The most direct ones come first.
        """
        known = self._found.get(steps)
        if known is not None:
            return known
        found: dict[tuple[str, Path], Location] = {}
        if steps:
            for place in self.at(steps[:-1]):
                for path in _next_step(place.content, steps[-1]):
                    self._gather(place.below(path), found)
        else:
            self._gather(Location.of(self._schema.root), found)
        self._found[steps] = list(found.values())
        return self._found[steps]

    def names(self, steps: Steps) -> tuple[str, ...]:
        """Return the names of the properties that are declared at a path."""
        if steps not in self._names:
            names: dict[str, None] = {}
            for place in self.at(steps):
                names |= dict.fromkeys(map_of(place.content, "properties"))
            self._names[steps] = tuple(names)
        return self._names[steps]

    def where(self, steps: Steps) -> str:
        """Return where a path is declared, for a sentence.

        An example: `at /properties/device of schema 'user.json'`.
        """
        found = self.at(steps)
        if not found:
            return f"for '{text_of(steps)}'"
        # In older drafts keywords beside `$ref` are ignored. They must be added to its
        # target.
        own = [place for place in found if "$ref" not in place.content]
        place = (own or found)[0]
        pointer = f"at {escape(place.path)}" if place.path else "at the root"
        return f"{pointer} of {place.document.name}"

    def _gather(self, start: Location, found: dict[tuple[str, Path], Location]) -> None:
        """Add a subschema, and those that apply to the same value."""
        waiting = [start]
        while waiting:
            place = waiting.pop()
            schema = place.content
            if not isinstance(schema, dict) or place.key in found:
                continue
            found[place.key] = place
            inner = [place.below(path) for path in _same_value(schema)]
            waiting += reversed(inner)
            if "$ref" in schema:
                target = self._schema.locations.follow(place, schema["$ref"])
                if target is not None:
                    waiting.append(target)
                    continue
            if any(key in schema for key in KEYWORDS):
                self.complete = False


def _same_value(schema: Schema) -> Iterator[Path]:
    """Yield the paths of the subschemas that apply to the value of a subschema."""
    # Most have none of these keywords.
    if _OF_SAME_VALUE.isdisjoint(schema):
        return
    for key in _BRANCHES:
        yield from _each_index(schema, key)
    for key in _CASES:
        if key in schema:
            yield (key,)
    for key in _DEPENDENT:
        yield from _each_name(schema, key)


def _each_index(schema: Schema, key: str) -> Iterator[Path]:
    for index in range(len(schema.get(key, ()))):
        yield key, index


def _each_name(schema: Schema, key: str) -> Iterator[Path]:
    for name in map_of(schema, key):
        yield key, name


def _next_step(schema: Schema, step: str | None) -> Iterator[Path]:
    """Yield the paths of the subschemas that describe the value one step further."""
    if step is EACH:
        for key in ("items", "prefixItems", "additionalItems"):
            if isinstance(schema.get(key), list):
                yield from _each_index(schema, key)
            elif key in schema:
                yield (key,)
    elif step in map_of(schema, "properties"):
        yield "properties", step
    else:
        for path in _each_name(schema, "patternProperties"):
            if _matches(str(path[1]), step):
                yield path
        if "additionalProperties" in schema:
            yield ("additionalProperties",)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    # The pattern is of another dialect.
    except re.error:
        return True

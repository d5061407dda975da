"""Finds the subschemas that describe a path in a message: for suggestions, not for proofs."""

import re
from collections.abc import Iterator
from typing import Any

from router.model import Path
from router.prover.budget import ProofBudget
from router.prover.predicates import EACH, Steps, text_of
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import escape, map_of
from router.runtime.program.schemas.references import Location

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CASES = ("if", "then", "else", "not")
_DEPENDENT = ("dependentSchemas", "dependencies")
_OF_SAME_VALUE = frozenset((*_BRANCHES, *_CASES, *_DEPENDENT))


class SchemaIndex:
    """The subschemas of a schema by the path that they describe.

    `complete` becomes false at a reference that cannot be resolved here. `budget` is what searches may spend.
    """

    def __init__(self, schema: Validation, budget: ProofBudget) -> None:
        self.complete = True
        self.budget = budget
        self._schema = schema
        self._found: dict[Steps, list[Location]] = {}
        self._names: dict[Steps, tuple[str, ...]] = {}

    def at(self, steps: Steps) -> list[Location]:
        """Return the subschemas that describe the value at a path of a message, the most direct first."""
        if steps not in self._found:
            root = Location.of(self._schema.root)
            found: dict[tuple[str, Path], Location] = {}
            for place in [root] if not steps else self.at(steps[:-1]):
                for path in _next_step(place.content, steps[-1]) if steps else [()]:
                    self._gather(place.below(path), found)
            self._found[steps] = list(found.values())
        return self._found[steps]

    def names(self, steps: Steps) -> tuple[str, ...]:
        """Return the names of the properties that are declared at a path."""
        if steps not in self._names:
            names = (name for subschema in self.at(steps) for name in map_of(subschema.content, "properties"))
            self._names[steps] = tuple(dict.fromkeys(names))
        return self._names[steps]

    def where(self, steps: Steps) -> str:
        """Return where a path is declared, for a sentence: `at /properties/device of schema 'user.json'`."""
        found = self.at(steps)
        if not found:
            return f"for '{text_of(steps)}'"
        # In older drafts keywords beside `$ref` are ignored, so that they must be added to its target.
        subschema = next((each for each in found if "$ref" not in each.content), found[0])
        pointer = f"at {escape(subschema.path)}" if subschema.path else "at the root"
        return f"{pointer} of {subschema.document.name}"

    def _gather(self, start: Location, found: dict[tuple[str, Path], Location]) -> None:
        """Add a subschema, and those that apply to the same value."""
        waiting = [start]
        while waiting:
            place = waiting.pop()
            schema, key = place.content, place.key
            if not isinstance(schema, dict) or key in found:
                continue
            found[key] = place
            waiting += [place.below(path) for path in reversed([*_same_value(schema)])]
            target = self._schema.locations.follow(place, schema["$ref"]) if "$ref" in schema else None
            if target is not None:
                waiting.append(target)
            elif "$ref" in schema or "$dynamicRef" in schema or "$recursiveRef" in schema:
                self.complete = False


def _same_value(schema: dict[str, Any]) -> Iterator[Path]:
    """Yield the paths of the subschemas in a subschema that apply to the same value."""
    if _OF_SAME_VALUE.isdisjoint(schema):  # as in most
        return
    for key in _BRANCHES:
        yield from ((key, index) for index in range(len(schema.get(key, ()))))
    yield from ((key,) for key in _CASES if key in schema)
    for key in _DEPENDENT:
        yield from ((key, name) for name in map_of(schema, key))


def _next_step(schema: dict[str, Any], step: str | None) -> Iterator[Path]:
    """Yield the paths of the subschemas in a subschema that describe the value one step further."""
    if step is EACH:
        for key in ("items", "prefixItems", "additionalItems"):
            if isinstance(schema.get(key), list):
                yield from ((key, index) for index in range(len(schema[key])))
            elif key in schema:
                yield (key,)
    elif step in map_of(schema, "properties"):
        yield "properties", step
    else:
        yield from (("patternProperties", each) for each in map_of(schema, "patternProperties") if _matches(each, step))
        if "additionalProperties" in schema:
            yield ("additionalProperties",)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # another dialect of patterns
        return True

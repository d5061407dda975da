"""What a schema says of a place in a message, and where it says so: for advice and suggestions, not for proofs."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from msgspec import Struct

from router.check.predicates import EACH, Steps
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import escape

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CASES = ("if", "then", "else", "not")


class Place(Struct, frozen=True):
    """A subschema: the document it stands in, by URI, its path there, and what it says."""

    uri: str
    path: Path
    schema: dict[str, Any]


class Declared:
    """The places of a schema; `whole` is lost once a reference leads where this cannot follow."""

    def __init__(self, schema: Validation) -> None:
        self.whole = True
        self._schema = schema
        self._known: dict[Steps, list[Place]] = {}

    def places(self, steps: Steps) -> list[Place]:
        """All subschemas that speak of what is at a path of a message, the most direct first."""
        if steps not in self._known:
            if steps:
                below = [part for place in self.places(steps[:-1]) for part in _below(place, steps[-1])]
            else:
                below = [(self._schema.root.uri, (), self._schema.root.content)]
            found: dict[tuple[str, Path], Place] = {}
            for uri, path, schema in below:
                self._gather(uri, path, schema, found)
            self._known[steps] = list(found.values())
        return self._known[steps]

    def names(self, steps: Steps) -> list[str]:
        """The names of the properties that something at a path is said to have."""
        names = [name for place in self.places(steps) for name in _map(place.schema, "properties")]
        return list(dict.fromkeys(names))

    def where(self, steps: Steps) -> str:
        """Where a schema speaks of a path, for a sentence: `at /properties/device of schema 'user.json'`."""
        places = self.places(steps)
        if not places:
            return f"for '{text_of(steps)}'"
        # What refers to something is where nothing can be added in older drafts; what it refers to is.
        place = next((each for each in places if "$ref" not in each.schema), places[0])
        pointer = f"at {escape(place.path)}" if place.path else "at the root"
        return f"{pointer} of {self._schema.documents[place.uri].name}"

    def _gather(self, uri: str, path: Path, schema: Any, found: dict[tuple[str, Path], Place]) -> None:
        """Add a subschema, and all that it draws in."""
        if not isinstance(schema, dict) or (uri, path) in found:
            return
        found[uri, path] = Place(uri, path, schema)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            self._follow(uri, reference, found)
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            self.whole = False
        for key in _BRANCHES:
            for index, part in enumerate(schema.get(key, ())):
                self._gather(uri, (*path, key, index), part, found)
        for key in _CASES:
            self._gather(uri, (*path, key), schema.get(key), found)
        for key in ("dependentSchemas", "dependencies"):
            for name, part in _map(schema, key).items():
                self._gather(uri, (*path, key, name), part, found)

    def _follow(self, uri: str, reference: str, found: dict[tuple[str, Path], Place]) -> None:
        target, fragment = urldefrag(urljoin(uri, reference))
        found_document = self._schema.documents.get(target)
        document: Any = found_document and found_document.content
        # What has an $id of its own is not where its file is, and an anchor may be anywhere.
        own = isinstance(document, dict) and ("$id" in document or "id" in document) and not reference.startswith("#")
        if document is None or own or fragment[:1] not in ("", "/"):
            self.whole = False
            return
        path: list[str | int] = []
        for part in unquote(fragment).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            path.append(int(name) if isinstance(document, list) else name)
            document = document[path[-1]]
        self._gather(target, tuple(path), document, found)


def text_of(steps: Steps) -> str:
    """A path as a person writes it: `lines[].sku`."""
    return "".join("[]" if step is EACH else f".{step}" for step in steps).removeprefix(".") or "@"


def _below(place: Place, step: str | None) -> Iterator[tuple[str, Path, Any]]:
    """The subschemas of a place for what is one step further."""
    schema = place.schema
    if step is EACH:
        for key in ("items", "prefixItems", "additionalItems"):
            part = schema.get(key)
            if isinstance(part, list):
                yield from ((place.uri, (*place.path, key, index), each) for index, each in enumerate(part))
            else:
                yield place.uri, (*place.path, key), part
        return
    named = _map(schema, "properties")
    if step in named:
        yield place.uri, (*place.path, "properties", step), named[step]
        return
    for pattern, part in _map(schema, "patternProperties").items():
        if _matches(pattern, step):
            yield place.uri, (*place.path, "patternProperties", pattern), part
    yield place.uri, (*place.path, "additionalProperties"), schema.get("additionalProperties")


def _map(schema: dict[str, Any], key: str) -> dict[str, Any]:
    found = schema.get(key)
    return found if isinstance(found, dict) else {}


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # a dialect of its own
        return True

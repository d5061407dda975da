"""Finds the subschemas that describe a path in a message: for suggestions, not for proofs."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from msgspec import Struct

from router.check.analysis.predicates import EACH, Steps
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import escape

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CASES = ("if", "then", "else", "not")


class Subschema(Struct, frozen=True):
    """A subschema: the URI of its document, its path there, and its content."""

    uri: str
    path: Path
    content: dict[str, Any]


class SchemaIndex:
    """The subschemas of a schema by the path that they describe.

    `complete` becomes false at a reference that cannot be resolved here.
    """

    def __init__(self, schema: Validation) -> None:
        self.complete = True
        self._schema = schema
        self._found: dict[Steps, list[Subschema]] = {}

    def at(self, steps: Steps) -> list[Subschema]:
        """Return the subschemas that describe the value at a path of a message, the most direct first."""
        if steps not in self._found:
            if steps:
                below = [part for subschema in self.at(steps[:-1]) for part in _below(subschema, steps[-1])]
            else:
                below = [(self._schema.root.uri, (), self._schema.root.content)]
            found: dict[tuple[str, Path], Subschema] = {}
            for uri, path, schema in below:
                self._gather(uri, path, schema, found)
            self._found[steps] = list(found.values())
        return self._found[steps]

    def names(self, steps: Steps) -> list[str]:
        """Return the names of the properties that are declared at a path."""
        names = [name for subschema in self.at(steps) for name in _map(subschema.content, "properties")]
        return list(dict.fromkeys(names))

    def where(self, steps: Steps) -> str:
        """Return where a path is declared, for a sentence: `at /properties/device of schema 'user.json'`."""
        found = self.at(steps)
        if not found:
            return f"for '{text_of(steps)}'"
        # In older drafts keywords beside `$ref` are ignored, so that they must be added to its target.
        subschema = next((each for each in found if "$ref" not in each.content), found[0])
        pointer = f"at {escape(subschema.path)}" if subschema.path else "at the root"
        return f"{pointer} of {self._schema.documents[subschema.uri].name}"

    def _gather(self, uri: str, path: Path, schema: Any, found: dict[tuple[str, Path], Subschema]) -> None:
        """Add a subschema, and those that apply to the same value."""
        if not isinstance(schema, dict) or (uri, path) in found:
            return
        found[uri, path] = Subschema(uri, path, schema)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            self._follow(uri, reference, found)
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            self.complete = False
        for key in _BRANCHES:
            for index, part in enumerate(schema.get(key, ())):
                self._gather(uri, (*path, key, index), part, found)
        for key in _CASES:
            self._gather(uri, (*path, key), schema.get(key), found)
        for key in ("dependentSchemas", "dependencies"):
            for name, part in _map(schema, key).items():
                self._gather(uri, (*path, key, name), part, found)

    def _follow(self, uri: str, reference: str, found: dict[tuple[str, Path], Subschema]) -> None:
        target, fragment = urldefrag(urljoin(uri, reference))
        found_document = self._schema.documents.get(target)
        document: Any = found_document and found_document.content
        # An $id changes the base URI of a document, and an anchor can be anywhere in it.
        own = isinstance(document, dict) and ("$id" in document or "id" in document) and not reference.startswith("#")
        if document is None or own or fragment[:1] not in ("", "/"):
            self.complete = False
            return
        path: list[str | int] = []
        for part in unquote(fragment).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            path.append(int(name) if isinstance(document, list) else name)
            document = document[path[-1]]
        self._gather(target, tuple(path), document, found)


def text_of(steps: Steps) -> str:
    """Return a path as text: `lines[].sku`."""
    return "".join("[]" if step is EACH else f".{step}" for step in steps).removeprefix(".") or "@"


def _below(subschema: Subschema, step: str | None) -> Iterator[tuple[str, Path, Any]]:
    """Yield the subschemas in a subschema that describe the value one step further."""
    schema = subschema.content
    if step is EACH:
        for key in ("items", "prefixItems", "additionalItems"):
            part = schema.get(key)
            if isinstance(part, list):
                yield from ((subschema.uri, (*subschema.path, key, index), each) for index, each in enumerate(part))
            else:
                yield subschema.uri, (*subschema.path, key), part
        return
    named = _map(schema, "properties")
    if step in named:
        yield subschema.uri, (*subschema.path, "properties", step), named[step]
        return
    for pattern, part in _map(schema, "patternProperties").items():
        if _matches(pattern, step):
            yield subschema.uri, (*subschema.path, "patternProperties", pattern), part
    yield subschema.uri, (*subschema.path, "additionalProperties"), schema.get("additionalProperties")


def _map(schema: dict[str, Any], key: str) -> dict[str, Any]:
    found = schema.get(key)
    return found if isinstance(found, dict) else {}


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # another dialect of patterns
        return True

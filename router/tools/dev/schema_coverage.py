"""The coverage of schemas by messages of tests: properties that no message has, branches that none
takes.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from msgspec import Struct

from router.model import Path
from router.runtime.engine.engine import Trace
from router.runtime.program.load import Loaded
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import (
    SchemaDocument,
    escape,
    list_of,
    map_of,
    pointer,
    subschemas,
)
from router.runtime.program.schemas.references import KEYWORDS


class Unreached(Struct, frozen=True):
    """A place in a schema that no message of the tests reaches."""

    schema: str
    pointer: str
    what: str

    def __str__(self) -> str:
        return f"{self.schema}: {self.what} at {self.pointer}"


class SchemaCoverage:
    """Records which locations of the schemas messages reach, test by test."""

    def __init__(self) -> None:
        self._present: set[str] = set()
        self._valid: set[str] = set()

    def trace(self, loaded: Loaded) -> Trace:
        """Return the trace function for the engine, for one message."""
        decoded: list[Any] = []

        def trace(route: str, stage: str, value: Any) -> None:
            if stage == "decode":
                decoded.append(value)
            if stage != "validate":
                return
            validation = loaded.validation(route)
            if validation and not validation.takes_long(decoded[-1]):
                # No plugin has changed the message before this stage.
                self._take(validation.validator.evaluate(decoded[-1]).list())

        return trace

    def _take(self, listed: Any) -> None:
        for node in listed["details"]:
            self._present.add(node["schemaLocation"])
            if node["valid"]:
                self._valid.add(node["schemaLocation"])

    def unreached(self, loaded: Loaded) -> list[Unreached]:
        """Return the locations that no message reached, of all schemas of the config, in the order
        of each schema.
        """
        found: dict[Unreached, None] = {}
        # Equal schemas of several routes have one validator, which names the places of the first.
        first: dict[int, Validation] = {}
        for validation in loaded.schemas.validations.values() if loaded.schemas else ():
            first.setdefault(id(validation.validator), validation)
        for validation in first.values():
            used: set[str] = set()
            for document in validation.documents.values():
                used.update(_referred(document.content))
            for document in validation.documents.values():
                found |= dict.fromkeys(self._unreached(document, used))
        return list(found)

    def _unreached(self, document: SchemaDocument, used: set[str]) -> Iterator[Unreached]:
        reported: list[Path] = []
        for path, location, schema in _places(document, used):
            is_part = any(path[: len(above)] == above for above in reported)
            if is_part or schema is False:
                continue
            what = self._what(path, location)
            if what:
                reported.append(path)
                yield Unreached(document.name, pointer(path), what)

    def _what(self, path: Path, location: str) -> str:
        match path:
            case (*_, "properties", name):
                return "" if location in self._present else f"no message has the property '{name}'"
            case (*_, "anyOf" | "oneOf", int()) | (*_, "then" | "else"):
                return "" if location in self._valid else "no message takes the branch"
        return ""


def _places(document: SchemaDocument, used: set[str]) -> Iterator[tuple[Path, str, Any]]:
    """Yield each subschema that can be reached: its path, and its location as the library names it."""
    bases: dict[Path, str] = {(): document.uri}
    keyword = "id" if document.draft == 4 else "$id"
    for path, schema in _with_booleans(document.content):
        is_definition = path[:1] in (("$defs",), ("definitions",))
        if is_definition and used.isdisjoint(("*", escape(path[:2]))):
            continue
        above = max((base for base in bases if path[: len(base)] == base), key=len)
        own = schema.get(keyword) if isinstance(schema, dict) else None
        if isinstance(own, str) and not own.startswith("#"):
            bases[path] = urljoin(bases[above], own)
            above = path
        document_uri, _, _ = bases[above].partition("#")
        yield path, f"{document_uri}#{escape(path[len(above) :])}", schema


def _with_booleans(content: Any) -> Iterator[tuple[Path, Any]]:
    """Yield subschemas as `subschemas` does, including those that are true or false."""
    for path, schema in subschemas(content):
        yield path, schema
        for place, part in _parts_of(schema):
            if isinstance(part, bool):
                yield (*path, *place), part


def _parts_of(schema: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Yield the branches and the properties of a subschema."""
    for key in ("then", "else"):
        yield (key,), schema.get(key)
    for key in ("anyOf", "oneOf"):
        for index, part in enumerate(list_of(schema, key)):
            yield (key, index), part
    for name, part in map_of(schema, "properties").items():
        yield ("properties", name), part


def _referred(content: Any) -> Iterator[str]:
    """Yield the definitions that references of a document name; "*" for a reference that may name
    any.
    """
    for _, schema in subschemas(content):
        for key in KEYWORDS:
            fragment = str(schema.get(key, "")).partition("#")[2]
            if fragment.startswith("/"):
                yield "/".join(fragment.split("/")[:3])
            elif fragment:
                yield "*"

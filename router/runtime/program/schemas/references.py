"""Finds what references in the documents of a schema lead to."""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cached_property, reduce
from operator import getitem
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin

from msgspec import Struct

from router.model import Path
from router.runtime.program.schemas.documents import SchemaDocument, subschemas
from router.runtime.program.schemas.json_pointers import steps_of, walk_steps

KEYWORDS = ("$ref", "$dynamicRef", "$recursiveRef")
"""The keywords whose values are references."""
_LAST_WITHOUT_SIBLINGS = 7
"""The last draft that ignores the keywords beside `$ref`."""
_NOT_IN_URI = r"[^\w.~!$&'()*+,;=:@/?#%-]|[^\x00-\x7f]|%(?![0-9A-Fa-f]{2})"
_ANCHORS = ("$anchor", "$dynamicAnchor")


class Location(Struct, frozen=True):
    """A place in a document of a schema, and its content."""

    document: SchemaDocument
    path: Path
    content: Any

    @classmethod
    def of(cls, document: SchemaDocument) -> "Location":
        """Return the root of a document."""
        return cls(document, (), document.content)

    @property
    def key(self) -> tuple[str, Path]:
        """The URI of its document, and its path there."""
        return self.document.uri, self.path

    @property
    def schema(self) -> dict[str, Any]:
        """The content; an empty schema for anything but an object."""
        return self.content if isinstance(self.content, dict) else {}

    @property
    def is_reference(self) -> bool:
        """Whether it is only a reference.

        Its draft may ignore what stands beside a reference.
        """
        ignores = self.document.draft <= _LAST_WITHOUT_SIBLINGS
        return ignores and "$ref" in self.schema

    def below(self, path: Path) -> "Location":
        """Return the place at a path inside of this one, which must exist."""
        content = reduce(getitem, path, self.content)
        return Location(self.document, (*self.path, *path), content)


class SchemaReference(Struct, frozen=True):
    """A reference in a document.

    It has the path of its keyword, its text, and the URI that it leads to.
    """

    path: Path
    text: str
    target: str


class Locations:
    """The places of some documents by URI.

    A URI is that of a file, or an `$id`, with an anchor or a JSON Pointer.
    """

    def __init__(self, documents: Iterable[SchemaDocument]) -> None:
        self._documents = tuple(documents)
        self._led: dict[str, Location | None] = {}

    @cached_property
    def _places(
        self,
    ) -> tuple[dict[str, Location], dict[tuple[str, Path], str]]:
        """The places by URI, and the URIs that references in subschemas are relative to.

        Most schemas have no reference, and need none of these.
        """
        known: dict[str, Location] = {}
        bases: dict[tuple[str, Path], str] = {}
        for document in self._documents:
            known[document.uri] = Location.of(document)
            for path, part, base in _parts(document):
                place = Location(document, path, part)
                bases[place.key] = base
                names = [urldefrag(own).fragment for own in _ids(document, part)]
                names += [part[key] for key in _ANCHORS if key in part]
                for name in names:
                    uri = f"{base}#{name}"
                    known.setdefault(uri.removesuffix("#"), place)
        return known, bases

    def find(self, uri: str) -> Location | None:
        """Return the place that a URI leads to; None if there is none."""
        if uri not in self._led:
            self._led[uri] = self._find(uri)
        return self._led[uri]

    def _find(self, uri: str) -> Location | None:
        url, fragment = urldefrag(uri)
        known, _ = self._places
        found = known.get(uri.removesuffix("#"))
        start = known.get(url)
        if found is not None or start is None or not fragment.startswith("/"):
            return found
        names = steps_of(unquote(fragment))
        path = tuple(step for _, step, _ in walk_steps(start.content, names))
        return start.below(path) if len(path) == len(names) else None

    def follow(self, place: Location, reference: str) -> Location | None:
        """Return the place that a reference at a place leads to; None if there is none."""
        uri, path = place.key
        _, bases = self._places
        base = bases.get(place.key)
        while base is None and path:
            path = path[:-1]
            base = bases.get((uri, path))
        return self.find(_join(base or uri, reference))

    def referred(self, place: Location) -> Iterator[Location]:
        """Yield the places that the references of a place lead to."""
        for _, text in _references_in(place.schema):
            found = self.follow(place, text)
            if found is not None:
                yield found


def with_escaped_references(content: Any) -> Any:
    """Return a document whose references escape what a URI must.

    A copy, if they did not. Generators and bundlers write names of definitions as they
    are: `#/definitions/Map<string>`.
    """
    escaped = content
    for path, part in subschemas(content):
        for keyword, text in _references_in(part):
            if re.search(_NOT_IN_URI, text):
                escaped = deepcopy(content) if escaped is content else escaped
                below = reduce(getitem, path, escaped)
                below[keyword] = re.sub(_NOT_IN_URI, lambda found: quote(found[0]), text)
    return escaped


def _references_in(part: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the references of a subschema itself: keywords and texts."""
    texts = [(keyword, part.get(keyword)) for keyword in KEYWORDS]
    return [(keyword, text) for keyword, text in texts if isinstance(text, str)]


def references_of(document: SchemaDocument) -> Iterator[SchemaReference]:
    """Yield the references in a document."""
    for path, part, base in _parts(document):
        for keyword, text in _references_in(part):
            yield SchemaReference((*path, keyword), text, _join(base, text))


def bases_of(document: SchemaDocument) -> set[str]:
    """Return the URIs that references in a document are relative to."""
    return {base for _, _, base in _parts(document)}


def own_base(document: SchemaDocument) -> str:
    """Return the base URI of a document: its `$id`, or else the URI of its file."""
    return next((base for path, _, base in _parts(document) if not path), document.uri)


def _parts(
    document: SchemaDocument,
) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Yield the subschemas of a document, each with the base URI of its references."""
    bases: dict[Path, str] = {}
    for path, part in subschemas(document.content):
        # The nearest subschema around it decides; between them are keywords and names.
        around = (path[:end] for end in range(len(path) - 1, -1, -1))
        base = next((bases[each] for each in around if each in bases), document.uri)
        for own in _ids(document, part):
            base = urldefrag(_join(base, own)).url
        bases[path] = base
        yield path, part, base


def _ids(document: SchemaDocument, part: dict[str, Any]) -> list[str]:
    """Return the URI that a subschema names itself by, if its draft reads it there."""
    own = part.get("id" if document.draft == 4 else "$id")
    ignored = document.draft <= _LAST_WITHOUT_SIBLINGS and "$ref" in part
    return [own] if isinstance(own, str) and not ignored else []


def _join(base: str, reference: str) -> str:
    # urljoin does not join a fragment to a URI whose scheme it does not know, such as
    # `urn:`.
    if reference.startswith("#"):
        return base + reference
    return urljoin(base, reference)

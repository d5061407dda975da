"""Finds what references in the documents of a schema lead to."""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any
from urllib.parse import quote, unquote, urldefrag, urljoin

from msgspec import Struct

from router.model import Path
from router.program.schemas.documents import SchemaDocument, steps_of, subschemas

KEYWORDS = ("$ref", "$dynamicRef", "$recursiveRef")
"""The keywords whose values are references."""
_NOT_IN_URI = re.compile(r"[^\w.~!$&'()*+,;=:@/?#%-]|[^\x00-\x7f]|%(?![0-9A-Fa-f]{2})")
_ANCHORS = ("$anchor", "$dynamicAnchor")


class Location(Struct, frozen=True):
    """A place in a document of a schema, and its content."""

    document: SchemaDocument
    path: Path
    content: Any

    def below(self, path: Path) -> "Location":
        """Return the place at a path inside of this one, which must exist."""
        return Location(self.document, (*self.path, *path), reduce(getitem, path, self.content))


class SchemaReference(Struct, frozen=True):
    """A reference: the path of its keyword in the document, its text, and the URI that it leads to."""

    path: Path
    text: str
    target: str


class Locations:
    """The places of some documents by URI: with the URI of a file, or an `$id`, and an anchor or a JSON Pointer."""

    def __init__(self, documents: Iterable[SchemaDocument]) -> None:
        self._known: dict[str, Location] = {}
        self._bases: dict[tuple[str, Path], str] = {}
        self._led: dict[str, Location | None] = {}
        for document in documents:
            self._known[document.uri] = Location(document, (), document.content)
            for path, part, base in _parts(document):
                self._bases[document.uri, path] = base
                own = part.get(_id_keyword(document))
                fragments = [urldefrag(own).fragment] if isinstance(own, str) else []
                for fragment in (*fragments, *(part[key] for key in _ANCHORS if key in part)):
                    self._known.setdefault(f"{base}#{fragment}".removesuffix("#"), Location(document, path, part))

    def find(self, uri: str) -> Location | None:
        """Return the place that a URI leads to; None if there is none."""
        if uri not in self._led:
            self._led[uri] = self._find(uri)
        return self._led[uri]

    def _find(self, uri: str) -> Location | None:
        url, fragment = urldefrag(uri)
        found = self._known.get(uri.removesuffix("#"))
        start = self._known.get(url)
        if found is not None or start is None or not fragment.startswith("/"):
            return found
        path, content = [*start.path], start.content
        for name in steps_of(unquote(fragment)):
            step: str | int = int(name) if isinstance(content, list) and name.isdecimal() else name
            try:
                content = content[step]
            except (LookupError, TypeError):
                return None
            path.append(step)
        return Location(start.document, tuple(path), content)

    def follow(self, place: Location, reference: str) -> Location | None:
        """Return the place that a reference at a place leads to; None if there is none."""
        uri, path = place.document.uri, place.path
        bases = (self._bases.get((uri, path[:end])) for end in range(len(path), -1, -1))
        return self.find(_join(next(filter(None, bases), uri), reference))


def with_escaped_references(content: Any) -> Any:
    """Return a document whose references escape what a URI must; a copy, if they did not.

    Generators and bundlers write names of definitions as they are: `#/definitions/Map<string>`.
    """
    if not any(_NOT_IN_URI.search(text) for _, _, text in _texts(content)):
        return content
    content = deepcopy(content)
    for part, keyword, text in list(_texts(content)):
        part[keyword] = _NOT_IN_URI.sub(lambda found: quote(found[0]), text)
    return content


def _texts(content: Any) -> Iterator[tuple[dict[str, Any], str, str]]:
    for _, part in subschemas(content):
        yield from ((part, keyword, part[keyword]) for keyword in KEYWORDS if isinstance(part.get(keyword), str))


def references_of(document: SchemaDocument) -> Iterator[SchemaReference]:
    """Yield the references in a document."""
    for path, part, base in _parts(document):
        for keyword in KEYWORDS:
            text = part.get(keyword)
            if isinstance(text, str):
                yield SchemaReference((*path, keyword), text, _join(base, text))


def bases_of(document: SchemaDocument) -> set[str]:
    """Return the URIs that references in a document are relative to."""
    return {base for _, _, base in _parts(document)}


def own_base(document: SchemaDocument) -> str:
    """Return the base URI of a document: its `$id`, or else the URI of its file."""
    return next((base for path, _, base in _parts(document) if not path), document.uri)


def _parts(document: SchemaDocument) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Yield the subschemas of a document, each with the base URI of its references."""
    bases: dict[Path, str] = {}
    for path, part in subschemas(document.content):
        above = next((bases[path[:end]] for end in range(len(path) - 1, -1, -1) if path[:end] in bases), document.uri)
        own = part.get(_id_keyword(document))
        bases[path] = urldefrag(_join(above, own)).url if isinstance(own, str) else above
        yield path, part, bases[path]


def _id_keyword(document: SchemaDocument) -> str:
    return "id" if document.draft == 4 else "$id"


def _join(base: str, reference: str) -> str:
    # urljoin does not join a fragment to a URI whose scheme it does not know, such as `urn:`.
    return base + reference if reference.startswith("#") else urljoin(base, reference)

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
from router.runtime.program.schemas.documents import (
    SchemaDocument,
    steps_of,
    subschemas,
)

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
    def is_reference(self) -> bool:
        """Whether it is only a reference, because its draft ignores what stands beside
        it.
        """
        content = self.content
        return (
            self.document.draft <= _LAST_WITHOUT_SIBLINGS
            and isinstance(content, dict)
            and "$ref" in content
        )

    def below(self, path: Path) -> "Location":
        """Return the place at a path inside of this one, which must exist."""
        return Location(
            self.document, (*self.path, *path), reduce(getitem, path, self.content)
        )


class SchemaReference(Struct, frozen=True):
    """A reference: the path of its keyword in the document, its text, and the URI that
    it leads to.
    """

    path: Path
    text: str
    target: str


class Locations:
    """The places of some documents by URI: with the URI of a file, or an `$id`, and an
    anchor or a JSON Pointer.
    """

    def __init__(self, documents: Iterable[SchemaDocument]) -> None:
        self._documents = tuple(documents)
        self._led: dict[str, Location | None] = {}

    @cached_property
    def _places(self) -> tuple[dict[str, Location], dict[tuple[str, Path], str]]:
        """The places by URI, and the URIs that references in subschemas are relative
        to: most schemas have none.
        """
        known: dict[str, Location] = {}
        bases: dict[tuple[str, Path], str] = {}
        for document in self._documents:
            known[document.uri] = Location.of(document)
            for path, part, base in _parts(document):
                bases[document.uri, path] = base
                fragments = [urldefrag(own).fragment for own in _ids(document, part)]
                for fragment in (
                    *fragments,
                    *(part[key] for key in _ANCHORS if key in part),
                ):
                    known.setdefault(
                        f"{base}#{fragment}".removesuffix("#"),
                        Location(document, path, part),
                    )
        return known, bases

    def find(self, uri: str) -> Location | None:
        """Return the place that a URI leads to; None if there is none."""
        if uri not in self._led:
            self._led[uri] = self._find(uri)
        return self._led[uri]

    def _find(self, uri: str) -> Location | None:
        url, fragment = urldefrag(uri)
        known, _ = self._places
        found, start = known.get(uri.removesuffix("#")), known.get(url)
        if found is not None or start is None or not fragment.startswith("/"):
            return found
        path, content = [*start.path], start.content
        for name in steps_of(unquote(fragment)):
            step: str | int = (
                int(name) if isinstance(content, list) and name.isdecimal() else name
            )
            try:
                content = content[step]
            except (LookupError, TypeError):
                return None
            path.append(step)
        return Location(start.document, tuple(path), content)

    def follow(self, place: Location, reference: str) -> Location | None:
        """Return the place that a reference at a place leads to; None if there is none."""
        uri, path = place.key
        _, known = self._places
        bases = (known.get((uri, path[:end])) for end in range(len(path), -1, -1))
        return self.find(_join(next(filter(None, bases), uri), reference))

    def referred(self, place: Location) -> Iterator[Location]:
        """Yield the places that the references of a place lead to."""
        content = place.content if isinstance(place.content, dict) else {}
        texts = [
            content[keyword]
            for keyword in KEYWORDS
            if isinstance(content.get(keyword), str)
        ]
        yield from filter(None, (self.follow(place, text) for text in texts))


def with_escaped_references(content: Any) -> Any:
    """Return a document whose references escape what a URI must.

    A copy, if they did not. Generators and bundlers write names of definitions as they
    are: `#/definitions/Map<string>`.
    """
    if not any(re.search(_NOT_IN_URI, text) for _, _, text in _texts(content)):
        return content
    content = deepcopy(content)
    for part, keyword, text in list(_texts(content)):
        part[keyword] = re.sub(_NOT_IN_URI, lambda found: quote(found[0]), text)
    return content


def _texts(content: Any) -> Iterator[tuple[dict[str, Any], str, str]]:
    for _, part in subschemas(content):
        yield from (
            (part, keyword, part[keyword])
            for keyword in KEYWORDS
            if isinstance(part.get(keyword), str)
        )


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
        above = next(
            (
                bases[path[:end]]
                for end in range(len(path) - 1, -1, -1)
                if path[:end] in bases
            ),
            document.uri,
        )
        bases[path] = next(
            (urldefrag(_join(above, own)).url for own in _ids(document, part)), above
        )
        yield path, part, bases[path]


def _ids(document: SchemaDocument, part: dict[str, Any]) -> list[str]:
    """Return the URI that a subschema names itself by, if its draft reads it there."""
    own = part.get("id" if document.draft == 4 else "$id")
    ignored = document.draft <= _LAST_WITHOUT_SIBLINGS and "$ref" in part
    return [own] if isinstance(own, str) and not ignored else []


def _join(base: str, reference: str) -> str:
    # urljoin does not join a fragment to a URI whose scheme it does not know, such as
    # `urn:`.
    return base + reference if reference.startswith("#") else urljoin(base, reference)

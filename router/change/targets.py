"""Finds where two schemas differ, and what of a message leads there: other messages seldom show the difference."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.change.routes import exact
from router.model import Path
from router.program.schemas.compile import Validation
from router.program.schemas.documents import subschemas
from router.program.schemas.references import KEYWORDS, Location

Spot = tuple[str, Path]
"""A place in a schema: the URI of its document, and its path there."""


def changed_places(one: Validation, two: Validation) -> dict[Spot, Any]:
    """Return the innermost subschemas of `one` that `two` does not have alike, with their content."""
    others = {_name(two, uri): dict(subschemas(each.content)) for uri, each in two.documents.items()}
    changed: dict[Spot, Any] = {}
    for uri, document in one.documents.items():
        counterparts = others.get(_name(one, uri), {})
        differing = {
            path: content
            for path, content in subschemas(document.content)
            if path not in counterparts or exact(counterparts[path]) != exact(content)
        }
        outer = {path[:end] for path in differing for end in range(len(path))}
        changed |= {(uri, path): content for path, content in differing.items() if path not in outer}
    return changed


def _name(schema: Validation, uri: str) -> str:
    """Return the name of a document from the folder of the first, which has none: that file may have another name."""
    return "" if uri == schema.root.uri else posixpath.relpath(uri, posixpath.dirname(schema.root.uri))


def leading_to(schema: Validation, targets: Iterable[Spot]) -> frozenset[Spot]:
    """Return the targets, and the subschemas that contain one or refer to one, whatever lies between."""
    reached_from: dict[Spot, list[Spot]] = {}
    for source, target in _steps(schema):
        reached_from.setdefault(target, []).append(source)
    found = set(targets)
    waiting = list(found)
    while waiting:
        for source in reached_from.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return frozenset(found)


def _steps(schema: Validation) -> Iterator[tuple[Spot, Spot]]:
    """Yield each subschema with those that are directly in it, or that it refers to."""
    for uri, document in schema.documents.items():
        known: Mapping[Path, Any] = dict(subschemas(document.content))
        for path, content in known.items():
            outer = next((path[:end] for end in range(len(path) - 1, -1, -1) if path[:end] in known), None)
            if outer is not None:
                yield (uri, outer), (uri, path)
            for keyword in KEYWORDS:
                if isinstance(content.get(keyword), str):
                    target = schema.locations.follow(Location(document, path, content), content[keyword])
                    if target is not None:
                        yield (uri, path), (target.document.uri, target.path)

"""Finds where two schemas differ, and what of a message leads there.

Other messages seldom show the difference.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.model import Path
from router.prover.predicates import ASSERTIONS, Schema, exact
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import list_of, map_of, subschemas
from router.runtime.program.schemas.references import KEYWORDS, Location

_CLOSING = frozenset(("additionalProperties", "unevaluatedProperties"))
# The keywords that say of which type a value is.
_TYPING = ("type", "enum", "const", *KEYWORDS)
# The keywords by which a bound can decide which schema a value satisfies.
_CHOOSING = frozenset(
    (
        "anyOf",
        "oneOf",
        "not",
        "if",
        "dependentSchemas",
        "dependencies",
        "contains",
    )
)
Spot = tuple[str, Path]
"""A place in a schema: the URI of its document, and its path there."""


def changed_places(one: Validation, two: Validation) -> dict[Spot, Any]:
    """Return the innermost subschemas of `one` that `two` does not have alike.

    Each is returned with its content.
    """
    changed: dict[Spot, Any] = {}
    for uri, subschemas_of_one, counterparts in _documents(one, two):
        differing = {
            path: content
            for path, content in subschemas_of_one.items()
            if not _has_alike(counterparts, path, content)
        }
        outer = {path[:end] for path in differing for end in range(len(path))}
        for path, content in differing.items():
            if path not in outer:
                changed[uri, path] = content
    return changed


def changed_keywords(one: Validation, two: Validation) -> Iterator[tuple[Spot, Schema]]:
    """Yield each subschema of `two` with a keyword that `one` does not have alike.

    It is yielded as if it had the keyword as `one` has it. Of keywords that contain
    schemas, only those that close a map or list are taken; of `required` each new name.
    """
    for uri, after, before in _documents(two, one):
        for path, content in after.items():
            for changed in _each_undone(before.get(path, {}), content):
                yield (uri, path), changed


def _each_undone(was: Schema, content: Schema) -> Iterator[Schema]:
    """Yield a subschema with one of its changed keywords as it was."""
    closes = _names(content) != _names(was)
    for keyword in filter(ASSERTIONS.__contains__, content):
        value = content[keyword]
        others = {name: each for name, each in content.items() if name != keyword}
        if _has_alike(was, keyword, value):
            # The same keyword refuses other names, if others are declared beside it.
            if closes and keyword in _CLOSING and value is False:
                yield others
        elif keyword == "required" and isinstance(value, list):
            for name in value:
                if name not in list_of(was, keyword):
                    yield {**others, keyword: [each for each in value if each != name]}
        elif keyword in was:
            yield {**others, keyword: was[keyword]}
        else:
            yield others


def _has_alike(known: Mapping[Any, Any], key: Any, value: Any) -> bool:
    return key in known and exact(known[key]) == exact(value)


def typing_of(schema: Validation | None) -> bytes:
    """Return what decides about the types of values, as text.

    The bounds of values are not part of it, unless they choose between schemas.
    """
    documents = schema.documents.values() if schema else ()
    typing: list[Any] = []
    for document in documents:
        for path, content in subschemas(document.content):
            if not _CHOOSING.isdisjoint(content):
                return exact([each.content for each in documents])
            named = {key: content[key] for key in _TYPING if key in content}
            typing.append((path, named))
    return exact(typing)


def _names(content: Schema) -> list[str]:
    """Return the names of properties and of patterns that a schema describes."""
    return [*map_of(content, "properties"), *map_of(content, "patternProperties")]


def _documents(
    one: Validation, two: Validation
) -> Iterator[tuple[str, dict[Path, Any], dict[Path, Any]]]:
    """Yield the URI of each document of `one` with its subschemas.

    Those of the same document of `two` are beside them.
    """
    others: dict[str, dict[Path, Any]] = {}
    for uri, document in two.documents.items():
        others[_name(two, uri)] = dict(subschemas(document.content))
    for uri, document in one.documents.items():
        found = others.get(_name(one, uri), {})
        yield uri, dict(subschemas(document.content)), found


def _name(schema: Validation, uri: str) -> str:
    """Return the name of a document, seen from the folder of the first.

    The first has none, as its file may have another name in another version.
    """
    root = schema.root.uri
    return "" if uri == root else posixpath.relpath(uri, posixpath.dirname(root))


def leading_to(schema: Validation, changed: Iterable[Spot]) -> frozenset[Spot]:
    """Return the changed places, and the subschemas that contain or refer to one.

    Any number of subschemas may lie between.
    """
    reached_from: dict[Spot, list[Spot]] = {}
    for source, target in _steps(schema):
        reached_from.setdefault(target, []).append(source)
    found = set(changed)
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
        known = dict(subschemas(document.content))
        for path, content in known.items():
            for end in range(len(path) - 1, -1, -1):
                if path[:end] in known:
                    yield (uri, path[:end]), (uri, path)
                    break
            place = Location(document, path, content)
            for target in schema.locations.referred(place):
                yield (uri, path), target.key

"""Finds where two schemas differ, and what of a message leads there: other messages seldom show the difference."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from router.model import Path
from router.prover.predicates import exact
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import list_of, map_of, subschemas
from router.runtime.program.schemas.references import KEYWORDS, Location

_CLOSING = frozenset(("additionalProperties", "unevaluatedProperties"))
_ASSERTIONS = frozenset(
    (
        *("type", "enum", "const", "format", "pattern", "minLength", "maxLength", "not", "propertyNames"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("required", "dependentRequired", "dependencies", "minProperties", "maxProperties"),
        *("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"),
        *("additionalItems", "unevaluatedItems", *_CLOSING),
    )
)
"""The keywords that can refuse a value by themselves."""
_TYPING = ("type", "enum", "const", *KEYWORDS)
"""The keywords that say of which type a value is."""
_CHOOSING = frozenset(("anyOf", "oneOf", "not", "if", "dependentSchemas", "dependencies", "contains"))
"""The keywords by which a bound can decide which schema a value satisfies."""
Spot = tuple[str, Path]
"""A place in a schema: the URI of its document, and its path there."""


def changed_places(one: Validation, two: Validation) -> dict[Spot, Any]:
    """Return the innermost subschemas of `one` that `two` does not have alike, with their content."""
    changed: dict[Spot, Any] = {}
    for uri, subschemas_of_one, counterparts in _documents(one, two):
        differing = {
            path: content
            for path, content in subschemas_of_one.items()
            if path not in counterparts or exact(counterparts[path]) != exact(content)
        }
        outer = {path[:end] for path in differing for end in range(len(path))}
        changed |= {(uri, path): content for path, content in differing.items() if path not in outer}
    return changed


def changed_keywords(one: Validation, two: Validation) -> Iterator[tuple[Spot, dict[str, Any]]]:
    """Yield each subschema of `two` with a keyword that `one` does not have alike, as if it had it as `one` has it.

    Of keywords that contain schemas, only those that close a map or list are taken; of `required` each new name.
    """
    for uri, after, before in _documents(two, one):
        for path, content in after.items():
            was = before.get(path, {})
            closes = _names(content) != _names(was)
            for keyword in filter(_ASSERTIONS.__contains__, content):
                same = keyword in was and exact(was[keyword]) == exact(content[keyword])
                if same and not (closes and keyword in _CLOSING and content[keyword] is False):
                    continue
                others = {name: value for name, value in content.items() if name != keyword}
                if keyword == "required" and isinstance(content[keyword], list):
                    for name in [each for each in content[keyword] if each not in list_of(was, keyword)]:
                        yield (uri, path), {**others, keyword: [each for each in content[keyword] if each != name]}
                else:
                    yield (uri, path), {**others, **({keyword: was[keyword]} if keyword in was and not same else {})}


def typing_of(schema: Validation | None) -> bytes:
    """Return what decides about the types of values, as text: not their bounds, unless they choose between schemas."""
    documents = schema.documents.values() if schema else ()
    parts = [part for document in documents for part in subschemas(document.content)]
    if any(not _CHOOSING.isdisjoint(content) for _, content in parts):
        return exact([document.content for document in documents])
    return exact([(path, {key: content[key] for key in _TYPING if key in content}) for path, content in parts])


def _names(content: Mapping[str, Any]) -> list[str]:
    """Return the names of properties and of patterns that a schema describes."""
    return [*map_of(dict(content), "properties"), *map_of(dict(content), "patternProperties")]


def _documents(one: Validation, two: Validation) -> Iterator[tuple[str, dict[Path, Any], dict[Path, Any]]]:
    """Yield the URI of each document of `one` with its subschemas, and those of the same document of `two`."""
    others = {_name(two, uri): dict(subschemas(each.content)) for uri, each in two.documents.items()}
    for uri, document in one.documents.items():
        yield uri, dict(subschemas(document.content)), others.get(_name(one, uri), {})


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
            for target in schema.locations.referred(Location(document, path, content)):
                yield (uri, path), target.key

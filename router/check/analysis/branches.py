"""Estimates the work of making a schema canonical: the number of ways to satisfy it."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from router.check.analysis.predicates import EACH, Steps
from router.program.schemas.documents import list_of, map_of, steps_of

MAX_BRANCHES = 1500
"""The most ways to satisfy a part of a schema: the library takes up to a millisecond and 100 KiB for each."""
SMALL_BYTES = 100
"""A schema of so many bytes, as JSON, without references is affordable: three choices in it have some 200 ways."""
_MAX_LEVELS = 500
_MAX_DEPTH = 150
"""The most subschemas and references inside each other that are followed: a schema with more is not affordable."""
_DEPENDENCIES = ("dependentRequired", "dependentSchemas", "dependencies")
_ELEMENTS = ("items", "contains", "additionalItems")
_STRUCTURED = ("properties", "required", "allOf", "anyOf", "oneOf", "$ref", "not", "if", "items", *_DEPENDENCIES)

Ways = dict[Steps, int]
"""The number of ways by the path in the message."""


def is_affordable(content: Any, uri: str = "", documents: Mapping[str, Any] | None = None) -> bool:
    """Whether a schema can be made canonical within the budget; `documents` are those that it refers to, by URI."""
    counter = _Counter(documents or {uri: content})
    counter.count(content, uri, 0)
    return counter.most <= MAX_BRANCHES


class _Counter:
    """Counts the ways to satisfy schemas; `most` is the greatest number that it has met."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.most = 1
        named = {part["$id"].removesuffix("#"): part for part in documents.values() if _is_named(part)}
        self._documents = {**named, **documents}
        self._known: dict[int, Ways] = {}

    def count(self, schema: Any, base: str, depth: int) -> Ways:
        """Return the ways to satisfy a schema: parts that all apply to a value multiply, and alternatives add up."""
        if depth > _MAX_DEPTH:
            self.most = MAX_BRANCHES + 1
        if not isinstance(schema, dict) or self.most > MAX_BRANCHES:
            return {}
        if id(schema) not in self._known:
            self._known[id(schema)] = {}  # a recursive reference
            ways: Ways = {}
            for factor in self._factors(schema, base, depth + 1):
                for steps, number in factor.items():
                    if len(ways) < _MAX_LEVELS or steps in ways:
                        ways[steps] = ways.get(steps, 1) * number
            self.most = max(self.most, *ways.values(), 1)
            self._known[id(schema)] = ways
        return self._known[id(schema)]

    def _factors(self, schema: dict[str, Any], base: str, depth: int) -> Iterator[Ways]:
        for part in list_of(schema, "allOf"):
            yield self.count(part, base, depth)
        if isinstance(schema.get("$ref"), str):
            yield self._referred(schema["$ref"], base, depth)
        for key in ("anyOf", "oneOf"):
            if list_of(schema, key):
                yield _alternatives([self.count(part, base, depth) for part in list_of(schema, key)])
        if "if" in schema and ("then" in schema or "else" in schema):
            parts = [self.count(schema.get(key), base, depth) for key in ("if", "then", "else")]
            yield _alternatives(parts)
        for key in _DEPENDENCIES:
            for part in map_of(schema, key).values():
                yield _alternatives([{}, {}, self.count(part, base, depth)])
        denied = schema.get("not")
        if isinstance(denied, dict) and any(key in denied for key in _STRUCTURED):
            sizes = sum(len(value) for key in _STRUCTURED if isinstance(value := denied.get(key), list | dict))
            yield _alternatives([self.count(denied, base, depth), *({} for _ in range(sizes))])
        yield from self._inside(schema, base, depth)

    def _inside(self, schema: dict[str, Any], base: str, depth: int) -> Iterator[Ways]:
        """Yield the ways at the levels below: the same property in parts that all apply."""
        for name, part in map_of(schema, "properties").items():
            yield _below(name, self.count(part, base, depth))
        for part in (*map_of(schema, "patternProperties").values(), schema.get("additionalProperties")):
            yield _below("*", self.count(part, base, depth))
        for key in _ELEMENTS:
            part = schema.get(key)
            for each in part if isinstance(part, list) else [part]:
                yield _below(EACH, self.count(each, base, depth))
        for part in list_of(schema, "prefixItems"):
            yield _below(EACH, self.count(part, base, depth))

    def _referred(self, reference: str, base: str, depth: int) -> Ways:
        root: Any = self._documents.get(base)
        own = root["$id"] if _is_named(root) else base
        uri, fragment = urldefrag(own + reference if reference.startswith("#") else urljoin(own, reference))
        content = self._documents.get(uri, root if reference.startswith("#") else None)
        for name in steps_of(unquote(fragment)):
            if isinstance(content, list) and name.isdecimal() and int(name) < len(content):
                content = content[int(name)]
            else:
                content = content.get(name) if isinstance(content, dict) else None
        return self.count(content, uri, depth)


def _is_named(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("$id"), str)


def _alternatives(parts: list[Ways]) -> Ways:
    """Return the ways of alternatives: they add up at this level; at the levels below they stay apart."""
    ways: Ways = {}
    for part in parts:
        for steps, number in part.items():
            ways[steps] = max(ways.get(steps, 1), number)
    ways[()] = sum(part.get((), 1) for part in parts)
    return ways


def _below(step: str | None, ways: Ways) -> Ways:
    return {(step, *steps): number for steps, number in ways.items()}

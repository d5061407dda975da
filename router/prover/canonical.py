"""Makes canonical schemas of jsonschema-rs, if that takes little work, and keeps them.

Most are needed again. The work is estimated by the number of ways to satisfy a schema.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from router.prover.budget import BudgetSpent, attempt
from router.prover.predicates import DECODER, EACH, Schema, Steps
from router.prover.text_patterns import longest_match
from router.runtime.program.schemas.documents import (
    ASSERTED_SINCE,
    NOWHERE,
    draft_of,
    list_of,
    map_of,
    steps_of,
    subschemas,
    value_at,
)

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

Texts = tuple[tuple[str, bytes], ...]
"""Documents as JSON, each with its URI."""
Ways = dict[Steps, int]
"""The number of ways by the path in the message."""

MAX_BRANCHES = 1500
"""The most ways to satisfy a part of a schema.

The library takes up to a millisecond and 100 KiB for each.
"""
# A schema of so many bytes, as JSON, without references is affordable. Three choices in it have
# some 200 ways.
_SMALL_BYTES = 100
_MAX_LEVELS = 500
# The most subschemas and references inside each other that are followed. A schema
# with more is not affordable.
_MAX_DEPTH = 150
_DEPENDENCIES = ("dependentRequired", "dependentSchemas", "dependencies")
_ELEMENTS = ("items", "contains", "additionalItems")
_STRUCTURED = (
    "properties",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "$ref",
    "not",
    "if",
    "items",
    *_DEPENDENCIES,
)
# The beginnings of the keywords of which `is_affordable` counts the ways. References
# are among them, as it follows these.
_OF_WAYS = (b'"anyOf"', b'"oneOf"', b'"not"', b'"if"', b'"dependen', b'"$ref"')
# A number such as 1e999999. The library writes out its digits, which takes seconds.
_FAR_EXPONENT = re.compile(rb"[0-9.][eE][+-]?[0-9]{4}")
# Lengths implied by formats. The library ignores these formats in older drafts, in
# which the router asserts them.
_IMPLIED_BY_FORMAT: Mapping[str, Schema] = {
    "uuid": {"minLength": 36, "maxLength": 36},
    "duration": {"minLength": 2},
    "idn-hostname": {"minLength": 1},
    "iri": {"minLength": 1},
    "relative-json-pointer": {"minLength": 1},
}
_IMPLYING = (b'"format"', b'"pattern"')


def canonical_of(uri: str, texts: Texts) -> "CanonicalSchema | None":
    """Return the canonical schema of the document at a URI, with all documents.

    None if there is none.
    """
    size = sum(len(text) for _, text in texts)
    for most, kept in _KEPT:
        if size <= most:
            return kept(uri, texts)
    return _make(uri, texts)


def _make(uri: str, texts: Texts) -> "CanonicalSchema | None":
    # This takes up to 50 ms, which configs without schemas do not need.
    from jsonschema_rs import RegexOptions, canonicalize

    if any(_FAR_EXPONENT.search(text) for _, text in texts):
        return None
    documents = {name: _decoded(text) for name, text in texts}
    content = documents[uri]
    has_ways = any(_has(text, _OF_WAYS) for _, text in texts)
    if has_ways and not is_affordable(content, uri, documents):
        return None
    return attempt(
        lambda: canonicalize(
            content,
            validate_formats=True,
            pattern_options=RegexOptions(),
            base_uri=uri or None,
            retriever=documents.__getitem__,
        )
    )


# The caches of schemas up to so many bytes. A schema takes some nine times its bytes,
# so that all take 150 MB at most.
_KEPT = (
    (8 * 1024, lru_cache(maxsize=1024)(_make)),
    (256 * 1024, lru_cache(maxsize=32)(_make)),
)


@lru_cache(maxsize=16384)
def parsed(draft: int, text: bytes) -> "CanonicalSchema":
    """Return the canonical schema of a document without references, as JSON.

    Raises BudgetSpent if that is not affordable.
    """
    from jsonschema_rs import RegexOptions, canonicalize

    content = DECODER.decode(text)
    if _FAR_EXPONENT.search(text):
        raise BudgetSpent
    if len(text) > _SMALL_BYTES and not is_affordable(content):
        raise BudgetSpent
    return canonicalize(
        content,
        draft=draft,
        validate_formats=True,
        pattern_options=RegexOptions(),
    )


def _decoded(text: bytes) -> Any:
    """Return a document with the lengths that it implies."""
    content = DECODER.decode(text)
    return _with_implied(content) if _has(text, _IMPLYING) else content


def _has(text: bytes, keywords: Iterable[bytes]) -> bool:
    """Whether a document may have one of the keywords. Most have none of them."""
    return any(keyword in text for keyword in keywords)


def _with_implied(content: Any) -> Any:
    """Add the lengths that patterns imply.

    Add those of formats, too, that the draft of the document does not assert.
    """
    draft = draft_of(content) or 0
    for _, schema in list(subschemas(content)):
        implied = _IMPLIED_BY_FORMAT.get(str(schema.get("format")))
        if implied is not None and ASSERTED_SINCE[schema["format"]] > draft:
            _add(schema, implied)
        pattern = schema.get("pattern")
        length = longest_match(pattern) if isinstance(pattern, str) else None
        if length is not None:
            _add(schema, {"maxLength": length})
    return content


def _add(schema: Schema, implied: Schema) -> None:
    schema["allOf"] = [*schema.get("allOf", []), implied]


def is_affordable(
    content: Any,
    uri: str = "",
    documents: Mapping[str, Any] | None = None,
) -> bool:
    """Whether a schema can be made canonical within the budget.

    `documents` are those that it refers to, by URI.
    """
    counter = _Counter(documents or {uri: content})
    counter.count(content, uri, 0)
    return counter.most <= MAX_BRANCHES


class _Counter:
    """Counts the ways to satisfy schemas.

    `most` is the greatest number that it has met.
    """

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.most = 1
        self._documents: dict[str, Any] = {}
        self._known: dict[int, Ways] = {}
        for part in documents.values():
            if _is_named(part):
                self._documents[part["$id"].removesuffix("#")] = part
        # A document is found by where it is, too, whatever others are named.
        self._documents.update(documents)

    def count(self, schema: Any, base: str, depth: int) -> Ways:
        """Return the ways to satisfy a schema.

        Those of parts that all apply to a value multiply; those of alternatives add up.
        """
        if depth > _MAX_DEPTH:
            self.most = MAX_BRANCHES + 1
        if not isinstance(schema, dict) or self.most > MAX_BRANCHES:
            return {}
        key = id(schema)
        if key in self._known:
            return self._known[key]
        # A recursive reference finds nothing here, so that the count ends.
        self._known[key] = {}
        ways: Ways = {}
        for factor in self._factors(schema, base, depth + 1):
            for steps, number in factor.items():
                if len(ways) < _MAX_LEVELS or steps in ways:
                    ways[steps] = ways.get(steps, 1) * number
        self.most = max(self.most, *ways.values(), 1)
        self._known[key] = ways
        return ways

    def _factors(self, schema: Schema, base: str, depth: int) -> Iterator[Ways]:
        for part in list_of(schema, "allOf"):
            yield self.count(part, base, depth)
        if isinstance(schema.get("$ref"), str):
            yield self._referred(schema["$ref"], base, depth)
        for key in ("anyOf", "oneOf"):
            parts = list_of(schema, key)
            if parts:
                yield _alternatives([self.count(part, base, depth) for part in parts])
        if "if" in schema and ("then" in schema or "else" in schema):
            parts = [schema.get(key) for key in ("if", "then", "else")]
            yield _alternatives([self.count(part, base, depth) for part in parts])
        for key in _DEPENDENCIES:
            for part in map_of(schema, key).values():
                yield _alternatives([{}, {}, self.count(part, base, depth)])
        denied = schema.get("not")
        if isinstance(denied, dict):
            yield from self._denied(denied, base, depth)
        yield from self._inside(schema, base, depth)

    def _denied(self, denied: Schema, base: str, depth: int) -> Iterator[Ways]:
        """Yield the ways of `not`: each structured keyword can be what fails."""
        if denied.keys().isdisjoint(_STRUCTURED):
            return
        values = [denied.get(key) for key in _STRUCTURED]
        size = sum(len(value) for value in values if isinstance(value, list | dict))
        nothing: list[Ways] = [{}]
        yield _alternatives([self.count(denied, base, depth), *nothing * size])

    def _inside(self, schema: Schema, base: str, depth: int) -> Iterator[Ways]:
        """Yield the ways at the levels below.

        The same property can be in several parts that all apply.
        """
        for name, part in map_of(schema, "properties").items():
            yield _ways_below(name, self.count(part, base, depth))
        unnamed = map_of(schema, "patternProperties").values()
        for part in (*unnamed, schema.get("additionalProperties")):
            yield _ways_below("*", self.count(part, base, depth))
        for key in _ELEMENTS:
            part = schema.get(key)
            for each in part if isinstance(part, list) else [part]:
                yield _ways_below(EACH, self.count(each, base, depth))
        for part in list_of(schema, "prefixItems"):
            yield _ways_below(EACH, self.count(part, base, depth))

    def _referred(self, reference: str, base: str, depth: int) -> Ways:
        root: Any = self._documents.get(base)
        own = root["$id"] if _is_named(root) else base
        is_local = reference.startswith("#")
        target = own + reference if is_local else urljoin(own, reference)
        uri, fragment = urldefrag(target)
        content = self._documents.get(uri, root if is_local else None)
        found = value_at(content, steps_of(unquote(fragment)))
        return self.count(None if found is NOWHERE else found, uri, depth)


def _is_named(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("$id"), str)


def _alternatives(parts: list[Ways]) -> Ways:
    """Return the ways of alternatives.

    They add up at this level. At the levels below they stay apart.
    """
    ways: Ways = {}
    for part in parts:
        for steps, number in part.items():
            ways[steps] = max(ways.get(steps, 1), number)
    ways[()] = sum(part.get((), 1) for part in parts)
    return ways


def _ways_below(step: str | None, ways: Ways) -> Ways:
    return {(step, *steps): number for steps, number in ways.items()}

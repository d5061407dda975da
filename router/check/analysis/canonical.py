"""Makes canonical schemas of jsonschema-rs, and keeps them, as most are needed again."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from router.check.analysis.branches import SMALL_BYTES, is_affordable
from router.check.analysis.budget import BudgetSpent, attempt
from router.check.analysis.pattern_lengths import longest_match
from router.check.analysis.predicates import Schema
from router.program.schemas.documents import ASSERTED_SINCE, draft_of, subschemas

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_IMPLIED_BY_FORMAT: Mapping[str, Schema] = {
    "uuid": {"minLength": 36, "maxLength": 36},
    "duration": {"minLength": 2},
    "idn-hostname": {"minLength": 1},
    "iri": {"minLength": 1},
    "relative-json-pointer": {"minLength": 1},
}
"""Lengths implied by formats that the library ignores in older drafts, in which the router asserts them."""
_IMPLYING = (b'"format"', b'"pattern"')
_OF_WAYS = (b'"anyOf"', b'"oneOf"', b'"not"', b'"if"', b'"dependen', b'"$ref"')
"""The beginnings of the keywords of which `is_affordable` counts the ways, and of the references that it follows."""


Texts = tuple[tuple[str, bytes], ...]
"""Documents as JSON, each with its URI."""


def canonical_of(uri: str, texts: Texts) -> "CanonicalSchema | None":
    """Return the canonical schema of the document at a URI, with all documents; None if there is none."""
    size = sum(len(text) for _, text in texts)
    make = next((kept for most, kept in _KEPT if size <= most), _make)
    return make(uri, texts)


def _make(uri: str, texts: Texts) -> "CanonicalSchema | None":
    from jsonschema_rs import RegexOptions, canonicalize  # takes up to 50 ms, which configs without schemas do not need

    documents = {name: _decoded(text) for name, text in texts}
    if any(_has_ways(text) for _, text in texts) and not is_affordable(documents[uri], uri, documents):
        return None
    return attempt(
        lambda: canonicalize(
            documents[uri],
            validate_formats=True,
            pattern_options=RegexOptions(),
            base_uri=uri or None,
            retriever=documents.__getitem__,
        )
    )


_KEPT = tuple((most, lru_cache(maxsize=number)(_make)) for most, number in ((8 * 1024, 1024), (256 * 1024, 32)))
"""The caches of schemas up to so many bytes: one takes some nine times its bytes, so that all take 150 MB at most."""


@lru_cache(maxsize=16384)
def parsed(draft: int, text: bytes) -> "CanonicalSchema":
    """Return the canonical schema of a document without references, as JSON, of a draft; raises BudgetSpent."""
    from jsonschema_rs import RegexOptions, canonicalize

    content = _DECODER.decode(text)
    if len(text) > SMALL_BYTES and not is_affordable(content):
        raise BudgetSpent
    return canonicalize(content, draft=draft, validate_formats=True, pattern_options=RegexOptions())


def _decoded(text: bytes) -> Any:
    """Return a document with the lengths that it implies."""
    content = _DECODER.decode(text)
    return _with_implied(content) if any(keyword in text for keyword in _IMPLYING) else content


def _has_ways(text: bytes) -> bool:
    """Whether there may be several ways to satisfy a document: most have no keyword for that."""
    return any(keyword in text for keyword in _OF_WAYS)


def _with_implied(content: Any) -> Any:
    """Add the lengths that patterns imply, and formats that the draft of the document does not assert."""
    draft = draft_of(content) or 0
    for _, schema in list(subschemas(content)):
        named = schema.get("format")
        if isinstance(named, str) and named in _IMPLIED_BY_FORMAT and ASSERTED_SINCE[named] > draft:
            schema["allOf"] = [*schema.get("allOf", []), _IMPLIED_BY_FORMAT[named]]
        pattern = schema.get("pattern")
        length = longest_match(pattern) if isinstance(pattern, str) else None
        if length is not None:
            schema["allOf"] = [*schema.get("allOf", []), {"maxLength": length}]
    return content

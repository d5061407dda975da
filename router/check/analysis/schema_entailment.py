"""Makes what follows from schemas: of a whole one, and of the parts of those that can be taken apart."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec

from router.check.analysis.budget import ProofBudget
from router.check.analysis.canonical import canonical_of, parsed
from router.check.analysis.entailment import Entailment
from router.check.analysis.levelwise import levelwise_of
from router.check.analysis.scalars import validator_of
from router.check.analysis.separation import Parts, SchemaPart
from router.program.schemas.compile import Validation
from router.program.schemas.documents import SchemaDocument, draft_of, subschemas

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
MAX_BYTES = 256 * 1024
"""The size of a schema, as JSON, over which the library proves nothing: proofs could take minutes."""
SEVERAL = 4
"""So many ask for a part before it is proved apart: a route alone asks up to three times."""


def entailment_of(
    schema: Validation, budget: ProofBudget | None = None, *, approximate: bool = False, parts: Parts | None = None
) -> Entailment | None:
    """Return what follows from a schema; None if it is too large, or the library does not support it.

    If `approximate`, such a schema is decided level by level only, and the result is never None. Of one with other
    drafts in it, nothing is proved.
    """
    known, uri = None, schema.root.uri
    texts = {uri: document.text for uri, document in schema.documents.items()}
    mixed = any(_has_other_drafts(document, texts[uri]) for uri, document in schema.documents.items())
    if not mixed and sum(map(len, texts.values())) <= MAX_BYTES:
        # A schema in one document does not depend on its URI, so that equal inline schemas of routes share an entry.
        known = (
            canonical_of(uri, tuple(sorted(texts.items()))) if len(texts) > 1 else canonical_of("", (("", texts[uri]),))
        )
    if known is None and not approximate:
        return None
    known, exact = (known, True) if known else (parsed(20, b"true"), False)
    return Entailment(known, exact, budget, levelwise=levelwise_of(schema, parsed, known=not mixed), parts=parts)


def _has_other_drafts(document: SchemaDocument, text: bytes) -> bool:
    """Whether a schema that is embedded in a document, which is given as JSON too, names another draft.

    The library proves by the draft of the document alone, in which references and keywords can mean something else.
    """
    if text.count(b'"$schema"') <= 1:  # that of the document itself, as in most
        return False
    return any(draft_of(part) != document.draft for _, part in subschemas(document.content) if "$schema" in part)


class SharedParts:
    """What follows from parts of schemas: of one that few ask for, the whole schema tells it with less work."""

    def __init__(self) -> None:
        self._asked = Counter[SchemaPart]()
        self._known: dict[SchemaPart, Entailment | None] = {}

    def find(self, part: SchemaPart) -> Entailment | None:
        """Return what follows from a part; None before several have asked, or if the library does not support it."""
        self._asked[part] += 1
        if self._asked[part] < SEVERAL:
            return None
        if part not in self._known:
            self._known[part] = entailment_of_part(part)
        return self._known[part]


def entailment_of_part(part: SchemaPart) -> Entailment | None:
    """Return what follows from a part of a schema; None if the library does not support it."""
    known = entailment_of(part.compile())
    if known is None or part.predicate == b"{}":
        return known
    predicate = _DECODER.decode(part.predicate)
    return known.narrow(predicate, holds=validator_of(predicate))


def entailment_of_document(content: Any, budget: ProofBudget | None = None) -> Entailment | None:
    """Return what follows from a schema without references; None if the library does not support it."""
    known = canonical_of("", (("", _ENCODER.encode(content)),))
    return None if known is None else Entailment(known, budget=budget)


def entailment_without_schema() -> Entailment:
    """Return what follows for messages without a schema."""
    return Entailment(parsed(20, b"true"))

"""Makes what follows from schemas, and shares it among routes: that of equal parts of schemas, and
of equal attributes.

Equal attributes of routes whose messages have equal parts have equal values.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, field

from router.prover.budget import ProofBudget
from router.prover.canonical import canonical_of, parsed
from router.prover.depthwise_prover import depthwise_prover_of
from router.prover.expressions import properties_in
from router.prover.predicates import DECODER, ENCODER
from router.prover.scalars import validator_of
from router.prover.schema_prover import SchemaProver
from router.prover.splitting import PropertySchema, SplitSchema
from router.runtime.config import spec
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import draft_of, subschemas
from router.runtime.sources import ExpressionUse, expressions_of

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

MAX_BYTES = 256 * 1024
"""The size of a schema, as JSON, over which the library proves nothing: proofs could take minutes.
"""
SEVERAL = 4
"""So many ask for a part before it is proved apart: a route alone asks up to three times."""
_T = TypeVar("_T")


def prover_of(schema: Validation, budget: ProofBudget | None = None) -> SchemaProver | None:
    """Return what follows from a schema.

    None if it is too large, or the library does not support it.

    Of one with other drafts in it, nothing is proved.
    """
    known = _canonical(schema)
    if known is None:
        return None
    return SchemaProver(known, budget=budget, depthwise=depthwise_prover_of(schema))


def approximate_prover_of(
    schema: Validation, budget: ProofBudget, parts: SplitSchema | None
) -> SchemaProver:
    """Return what follows from a schema; one of which `prover_of` proves nothing is decided level
    by level only.
    """
    known = _canonical(schema)
    is_of_one_draft = known is not None or not _is_mixed(schema)
    return SchemaProver(
        known or parsed(20, b"true"),
        known is not None,
        budget,
        depthwise=depthwise_prover_of(schema, known=is_of_one_draft),
        parts=parts,
    )


def _canonical(schema: Validation) -> "CanonicalSchema | None":
    texts = {uri: document.text for uri, document in schema.documents.items()}
    if sum(map(len, texts.values())) > MAX_BYTES or _is_mixed(schema):
        return None
    uri = schema.root.uri
    # A schema in one document does not depend on its URI, so that equal inline schemas of routes
    # share an entry.
    if len(texts) == 1:
        return canonical_of("", (("", texts[uri]),))
    return canonical_of(uri, tuple(sorted(texts.items())))


def _is_mixed(schema: Validation) -> bool:
    """Whether a schema that is embedded in a document names another draft.

    The library proves by the draft of the document alone, in which references and keywords can mean
    something else.
    """
    for document in schema.documents.values():
        # That of the document itself, as in most.
        if document.text.count(b'"$schema"') <= 1:
            continue
        for _, part in subschemas(document.content):
            if "$schema" in part and draft_of(part) != document.draft:
                return True
    return False


class SharedParts:
    """What follows from parts of schemas: of one that few ask for, the whole schema tells it with
    less work.
    """

    def __init__(self) -> None:
        self._asked = Counter[PropertySchema]()
        self._known: dict[PropertySchema, SchemaProver | None] = {}

    def find(self, part: PropertySchema) -> SchemaProver | None:
        """Return what follows from a part.

        None before several have asked, or if the library does not support it.
        """
        self._asked[part] += 1
        if self._asked[part] < SEVERAL:
            return None
        if part not in self._known:
            self._known[part] = prover_of_part(part)
        return self._known[part]


def prover_of_part(part: PropertySchema) -> SchemaProver | None:
    """Return what follows from a part of a schema; None if the library does not support it."""
    known = prover_of(part.compile())
    if known is None or part.predicate == b"{}":
        return known
    predicate = DECODER.decode(part.predicate)
    return known.narrow(predicate, holds=validator_of(predicate))


def prover_of_document(content: Any, budget: ProofBudget) -> SchemaProver | None:
    """Return what follows from a schema without references.

    None if the library does not support it.
    """
    known = canonical_of("", (("", ENCODER.encode(content)),))
    return None if known is None else SchemaProver(known, budget=budget)


def prover_without_schema() -> SchemaProver:
    """Return what follows for messages without a schema."""
    return SchemaProver(parsed(20, b"true"))


class _Read(Struct, frozen=True):
    """The expressions of an attribute, and the properties of messages that they read.

    None if that may be all.

    `known` is what is known of all equal attributes, whatever messages have.
    """

    uses: list[ExpressionUse]
    properties: frozenset[str] | None
    may_call: bool
    known: dict[Hashable, Any] = field(default_factory=dict)


class AttributeFacts:
    """What is known of an attribute of a route; `known` is that of equal ones, too."""

    def __init__(
        self,
        attribute: spec.Attribute,
        read: _Read,
        messages: SchemaProver | None,
        known: dict[Hashable, Any],
    ) -> None:
        self.attribute = attribute
        self.uses = read.uses
        """The expressions of the attribute."""
        self.may_call = read.may_call
        """Whether one of them may call a function."""
        self.inferred: Any = None
        """What `infer` returns, which rules ask for fifty times a route; None before."""
        self._read = read
        self._messages = messages
        self._known = known

    def once(self, what: Hashable, find: Callable[[], _T]) -> _T:
        """Return what is known by a name, or else what is found."""
        if what in self._known:
            found: _T = self._known[what]
            return found
        found = find()
        if not self._is_for_all:
            self._known = self._known.copy()
        self._known[what] = found
        return found

    def unless_nothing(
        self, what: Hashable, find: Callable[[], Iterable[_T]], *, alone: bool = False
    ) -> tuple[_T, ...]:
        """Return what is found, with names of the route in it; that it is nothing is known of equal
        attributes.

        What depends on the attribute `alone` is known of equal ones of all routes.
        """
        known = self._read.known if alone else self._known
        if what in known:
            return ()
        found = tuple(find())
        if not found and (alone or self._is_for_all):
            known[what] = found
        return found

    def unless_none(self, what: Hashable, find: Callable[[], _T | None]) -> _T | None:
        """Return what is known by a name, or else what is found; that nothing is found is of this
        route only.
        """
        known: _T | None = self._known.get(what)
        if known is not None:
            return known
        found = find()
        if found is not None and self._is_for_all:
            self._known[what] = found
        return found

    @property
    def _is_for_all(self) -> bool:
        """Whether equal attributes have the answer too: there was time for it, and all was decided.

        Where one of two schemas with an equal part has no message that is easy to find, the other
        may have one.
        """
        messages = self._messages
        return messages is None or messages.decides(self._read.properties or ())


class SharedAttributes:
    """What is known of the attributes of all routes of a config.

    `compiled` is a cache of how attributes are mapped without others, by their content.
    """

    def __init__(self) -> None:
        self.compiled: dict[bytes, Any] = {}
        self._read: dict[bytes, _Read] = {}
        self._known: dict[Hashable, dict[Hashable, Any]] = {}

    def facts(
        self,
        attribute: spec.Attribute,
        messages: SchemaProver | None,
        settings: tuple[Hashable, ...] | None,
    ) -> AttributeFacts:
        """Return what is known of an attribute, and of equal ones that read equal parts of
        messages.

        `settings` are those of the route that matter besides; with None, nothing is shared.
        """
        content = ENCODER.encode(attribute)
        read = self._read.get(content)
        if read is None:
            uses = expressions_of(attribute)
            texts = [use.text for use in uses]
            read = _Read(uses, properties_in(texts), any("(" in text for text in texts))
            self._read[content] = read
        parts = None if settings is None else _parts(read, messages)
        # Without messages nothing is looked at, which says nothing of equal attributes of routes
        # that have some.
        key = content, parts, messages is None, settings
        known = {} if parts is None else self._known.setdefault(key, {})
        return AttributeFacts(attribute, read, messages, known)


def _parts(read: _Read, messages: SchemaProver | None) -> tuple[PropertySchema, ...] | None:
    """Return the parts of the schema that an attribute reads; None if they cannot be taken out."""
    if messages is None or read.properties == frozenset():
        return ()
    if read.properties is None:
        return None
    found = [messages.part(name) for name in sorted(read.properties)]
    return None if None in found else tuple(part for part in found if part is not None)

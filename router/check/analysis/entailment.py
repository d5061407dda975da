"""Proves or refutes predicates about all messages that satisfy a schema, by canonical schemas of jsonschema-rs."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from router.check.analysis.branches import SMALL_BYTES, is_affordable
from router.check.analysis.budget import BudgetSpent, ProofBudget, attempt
from router.check.analysis.levels import ANYTHING
from router.check.analysis.levelwise import Levelwise, levelwise_of
from router.check.analysis.making import MISSING
from router.check.analysis.pattern_lengths import longest_match
from router.check.analysis.predicates import (
    EACH,
    NO_VALUE,
    SOME_VALUE,
    TYPES,
    Schema,
    Steps,
    in_element,
    somewhere,
    there,
    wherever,
)
from router.check.analysis.witnesses import Growth
from router.program.schemas.compile import Validation
from router.program.schemas.documents import ASSERTED_SINCE, draft_of, subschemas

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_T = TypeVar("_T")
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_IMPLIED_BY_FORMAT: Mapping[str, Schema] = {
    "uuid": {"minLength": 36, "maxLength": 36},
    "duration": {"minLength": 2},
    "idn-hostname": {"minLength": 1},
    "iri": {"minLength": 1},
    "relative-json-pointer": {"minLength": 1},
}
"""Lengths implied by formats that the library ignores in older drafts, in which the router asserts them."""
_OF_EACH_TYPE: tuple[Any, ...] = ("x", 1, True, [], {})
MAX_BYTES = 256 * 1024
"""The size of a schema, as JSON, over which the library proves nothing: proofs could take minutes."""
MAX_SEARCH_SECONDS = 0.8
"""The time for the search of messages about one schema. Nearly all are found in a millisecond."""


class Answer(Enum):
    """The result of a proof; UNKNOWN is never a reason for an error."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def opposite(self) -> "Answer":
        """Return the answer to the opposite question."""
        return self if self is Answer.UNKNOWN else Answer.NO if self is Answer.YES else Answer.YES


class Entailment:
    """What follows for every message that satisfies a schema, and the predicates by which it was narrowed.

    If not `exact`, the schema over-approximates: universal claims are sound, existential ones are not.
    `inferred` is a cache of what other modules infer about paths.
    """

    def __init__(
        self,
        schema: "CanonicalSchema",
        exact: bool = True,
        budget: ProofBudget | None = None,
        parse: "Callable[[int, bytes], CanonicalSchema] | None" = None,
        levelwise: Levelwise | None = None,
        search: ProofBudget | None = None,
    ) -> None:
        """`parse` makes the canonical schema of a predicate, as JSON, in a draft.

        `levelwise` decides what that does not; `search` is the time for messages that refute claims, not for proofs.
        """
        self._schema = schema
        self._budget = budget or ProofBudget()
        self._parse = parse or _parse
        self._proved: dict[bytes, Answer] = {}
        self._free: dict[Steps, bool] = {}
        self._levelwise = levelwise
        self._search = search or ProofBudget(MAX_SEARCH_SECONDS)
        self._growing = ProofBudget(MAX_SEARCH_SECONDS)
        self.exact = exact
        self.inferred: dict[Steps, Any] = {}

    @property
    def draft(self) -> int:
        """The draft of JSON Schema: 4, 6, 7, 19 or 20."""
        return int(self._schema.draft)

    def narrow(self, predicate: Schema, exact: bool = True, holds: Callable[[Any], bool] | None = None) -> "Entailment":
        """Add a predicate; unless `exact`, fewer messages may remain than satisfy it.

        These are the messages of which `holds` is true; without it, only the library decides.
        """
        text = _ENCODER.encode(predicate)
        both = self._budget.attempt(lambda: self._schema.intersect(self._parse(self._schema.draft, text)))
        levelwise = None
        if self._levelwise is not None and holds is not None:
            levelwise = self._levelwise.narrow(predicate, holds)
        narrowed, exact = (self._schema, False) if both is None else (both, self.exact and exact)
        return Entailment(narrowed, exact, self._budget, self._parse, levelwise, self._search)

    def again(self) -> "Entailment":
        """Return the same for another route: with all that is proved already, and time of its own to search."""
        same = Entailment(self._schema, self.exact, self._budget, self._parse, self._levelwise)
        same._proved, same._free, same.inferred = self._proved, self._free, self.inferred
        return same

    def _decide(
        self, answer: Answer, proved: Callable[[Levelwise], bool], refuted: Callable[[Levelwise], bool]
    ) -> Answer:
        """Return an answer of the library, or if that is unknown, the one that is found level by level."""
        one = self._levelwise
        if answer is not Answer.UNKNOWN or one is None:
            return answer
        if self._budget.attempt(lambda: proved(one)):
            return Answer.YES
        return Answer.NO if self._seek(self._search, refuted) else Answer.UNKNOWN

    def _seek(self, budget: ProofBudget, search: Callable[[Levelwise], _T]) -> _T | None:
        """Return the result of a search for messages within a budget; None if there is none."""
        one = self._levelwise
        return None if one is None else one.seek(budget, search)

    def entails(self, predicate: Schema) -> Answer:
        """Whether every message satisfies the predicate."""
        text = _ENCODER.encode(predicate)
        if text not in self._proved:
            answer = self._budget.attempt(lambda: str(self._parse(self._schema.draft, text).covers(self._schema)))
            if answer == "no" and not self.exact:
                answer = "unknown"
            self._proved[text] = Answer(answer or "unknown")
        return self._proved[text]

    def covers(self, other: "Entailment") -> Answer:
        """Whether every message of the other satisfies this; YES is sound only if this is exact."""
        return Answer(self._budget.attempt(lambda: str(self._schema.covers(other._schema))) or "unknown")

    def as_schema(self) -> Any:
        """Return a JSON Schema of the messages; None if there is none."""
        return self._budget.attempt(self._schema.to_json_schema)

    def without(self, other: "Entailment") -> Any:
        """Return a JSON Schema of the messages that satisfy this and not the other; None if it cannot be computed."""
        return self._budget.attempt(lambda: self._schema.subtract(other._schema).to_json_schema())

    def allows(self, predicate: Schema) -> Answer:
        """Whether a message can satisfy the predicate."""
        text = _ENCODER.encode(predicate)
        answer = self._budget.attempt(
            lambda: str(self._schema.intersect(self._parse(self._schema.draft, text)).satisfiability())
        )
        return Answer("unknown" if answer is None or (answer == "yes" and not self.exact) else answer)

    def holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        """Whether each value at a path, if there is one, satisfies `leaf`."""
        if self._is_free(steps) and self._seek(self._search, lambda each: each.refutes(steps, leaf)):
            return Answer.NO
        answer = self._holds_at(steps, leaf)
        return self._decide(answer, lambda each: each.entails(steps, leaf), lambda each: each.refutes(steps, leaf))

    def _is_free(self, steps: Steps) -> bool:
        """Whether nothing is said of the values at a path, so that nothing can be proved of them."""
        one = self._levelwise
        if steps not in self._free:
            self._free[steps] = one is not None and bool(self._budget.attempt(lambda: one.level(steps) == ANYTHING))
        return self._free[steps]

    def proves_at(self, steps: Steps, leaf: Schema) -> bool:
        """Whether it is proved that each value at a path satisfies `leaf`; no message is sought that does not."""
        if self._is_free(steps):
            return False
        answer = self._holds_at(steps, leaf)
        return self._decide(answer, lambda each: each.entails(steps, leaf), lambda each: False) is Answer.YES

    def _holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        answer = self.entails(wherever(steps, leaf))
        if answer is Answer.UNKNOWN and EACH in steps:
            # The library seldom refutes a claim about all elements of a list, but can construct a counterexample.
            counterexample = self.allows(somewhere(steps, {"not": leaf}))
            return Answer.NO if counterexample is Answer.YES else answer
        return answer

    def present(self, steps: Steps) -> Answer:
        """Whether there always is a value, not null, at a path; in a list, in each of its elements."""
        start = in_element(steps)
        answer = self._holds_at(steps[:start], there(steps[start:], SOME_VALUE))
        return self._decide(answer, lambda each: each.always_present(steps), lambda each: each.may_lack(steps))

    def absent(self, steps: Steps) -> Answer:
        """Whether there never is a value at a path."""
        return self.holds_at(steps, NO_VALUE)

    def types(self, steps: Steps) -> dict[str, Answer]:
        """Return for each of TYPES whether a value at a path can have it."""
        found = partial(Levelwise.takes, steps=steps, values=_OF_EACH_TYPE)
        if self._is_free(steps) and self._seek(self._search, found):
            return dict.fromkeys(TYPES, Answer.YES)
        return {kind: self.holds_at(steps, {"not": {"type": kind}}).opposite() for kind in TYPES}

    def can_be(self, steps: Steps, values: list[Any]) -> Answer:
        """Whether a message can have one of the values at a path."""
        answer = self.allows(somewhere(steps, {"enum": values})).opposite()
        excluded = {"not": {"enum": values}}
        answer = self._decide(
            answer, lambda each: each.entails(steps, excluded), lambda each: each.can_be(steps, values)
        )
        return answer.opposite()

    def most_bytes(self, steps: Steps, fixed: int = 0) -> float:
        """Return the most bytes in an item of all values at a path together, past the first `fixed` steps.

        Infinity if there is no bound, or none is known.
        """
        levelwise = self._levelwise
        most = None if levelwise is None else self._budget.attempt(lambda: levelwise.most_bytes(steps, fixed))
        return inf if most is None else most

    def find(self, paths: Sequence[Steps], wanted: Callable[[Any], bool], *beside: Sequence[Steps]) -> Any:
        """Return a message for which `wanted` is true; MISSING if none is found: see `Witnesses.find`."""
        found = self._seek(self._search, lambda one: [one.witnesses.find(paths, wanted, *beside)])
        return found[0] if found else MISSING

    def can_exceed(self, steps: Steps, growth: Growth, *beside: Sequence[Steps]) -> bool:
        """Whether a message is found that exceeds a limit if the value at a path grows: see `Witnesses.can_exceed`."""
        # One path takes at most half of the time, so that others are tried.
        own = self._growing.share(0.5)
        found = self._seek(own, lambda one: one.witnesses.can_exceed(steps, growth, *beside))
        self._growing.seconds += max(0.0, own.seconds)
        return bool(found)

    def longest(self, steps: Steps, limit: int) -> int | None:
        """Return the least bound, in characters, of the text at a path; None if no bound up to `limit` is proved."""
        levelwise = self._levelwise
        most = None if levelwise is None else self._budget.attempt(lambda: levelwise.most_characters(steps))
        if most is not None and most <= limit:
            return int(most)
        if self._is_free(steps) or self._holds_at(steps, {"maxLength": limit}) is not Answer.YES:
            return None
        low, high = 0, limit
        while low < high:
            middle = (low + high) // 2
            if self._holds_at(steps, {"maxLength": middle}) is Answer.YES:
                high = middle
            else:
                low = middle + 1
        return high

    def first_gap(self, steps: Steps) -> tuple[Steps, str]:
        """Return why a value may be missing: a path, and 'type', the name that is not required there, or 'null'."""
        for index in range(in_element(steps), len(steps)):
            level = steps[:index]
            name = steps[index]
            if self.holds_at(level, {"type": "object"}) is not Answer.YES:
                return level, "type"
            if self.holds_at(level, {"required": [name]}) is not Answer.YES:
                return level, str(name)
        return steps, "null"

    @property
    def impossible(self) -> bool:
        """Whether it is proved that no message satisfies the schema."""
        return self._budget.attempt(lambda: str(self._schema.satisfiability())) == "no"


def entailment_of(
    schema: Validation, budget: ProofBudget | None = None, *, approximate: bool = False
) -> Entailment | None:
    """Return what follows from a schema; None if it is too large, or the library does not support it.

    If `approximate`, such a schema is decided level by level only, and the result is never None.
    """
    known, uri = None, schema.root.uri
    texts = {uri: _ENCODER.encode(document.content) for uri, document in schema.documents.items()}
    if sum(map(len, texts.values())) <= MAX_BYTES:
        # A schema in one document does not depend on its URI, so that equal inline schemas of routes share an entry.
        known = _canonical(uri, tuple(sorted(texts.items()))) if len(texts) > 1 else _canonical("", (("", texts[uri]),))
    if known is None and not approximate:
        return None
    known, exact = (known, True) if known else (_parse(20, b"true"), False)
    return Entailment(known, exact, budget, levelwise=levelwise_of(schema, _parse))


def entailment_of_document(content: Any, budget: ProofBudget | None = None) -> Entailment | None:
    """Return what follows from a schema without references; None if the library does not support it."""
    known = _canonical("", (("", _ENCODER.encode(content)),))
    return None if known is None else Entailment(known, budget=budget)


def entailment_without_schema() -> Entailment:
    """Return what follows for messages without a schema."""
    return Entailment(_parse(20, b"true"))


@lru_cache(maxsize=1024)
def _canonical(uri: str, texts: tuple[tuple[str, bytes], ...]) -> "CanonicalSchema | None":
    from jsonschema_rs import RegexOptions, canonicalize  # takes up to 50 ms, which configs without schemas do not need

    documents = {name: _with_implied(_DECODER.decode(text)) for name, text in texts}
    if not is_affordable(documents[uri], uri, documents):
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


@lru_cache(maxsize=16384)
def _parse(draft: int, text: bytes) -> "CanonicalSchema":
    from jsonschema_rs import RegexOptions, canonicalize

    content = _DECODER.decode(text)
    if len(text) > SMALL_BYTES and not is_affordable(content):
        raise BudgetSpent
    return canonicalize(content, draft=draft, validate_formats=True, pattern_options=RegexOptions())


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

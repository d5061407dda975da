"""Knows what a schema guarantees: claims about every message that it takes, proved or refuted."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from router.check.pattern_lengths import longest_match
from router.check.predicates import (
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
from router.program.schemas.compile import Validation
from router.program.schemas.documents import ASSERTED_SINCE, draft_of, subschemas

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_T = TypeVar("_T")
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_NEVER_EMPTY: Mapping[str, Schema] = {
    "uuid": {"minLength": 36, "maxLength": 36},
    "duration": {"minLength": 2},
    "idn-hostname": {"minLength": 1},
    "iri": {"minLength": 1},
    "relative-json-pointer": {"minLength": 1},
}
"""What formats imply that the library takes for notes only in the older drafts, where the router asserts them."""
MAX_BYTES = 256 * 1024
"""Of a schema, as JSON, that is reasoned about: proofs of larger ones could keep a check waiting."""

PATIENCE = 3.0
"""Seconds for one schema. Nearly all take milliseconds; of a few published ones each question takes tenths of one."""


class Answer(Enum):
    """What can be proved; UNKNOWN is never a reason for an error."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def opposite(self) -> "Answer":
        """The answer to the opposite question."""
        return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(self, self)


class Spent:
    """The time that one schema has taken; once it is over PATIENCE, nothing more is found out about it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def attempt(self, ask: Callable[[], _T]) -> _T | None:
        """The answer of the library; None for what it cannot do, or fails at, or has no more time for."""
        if self.seconds > PATIENCE:
            return None
        start = perf_counter()
        answer = _attempt(ask)
        self.seconds += perf_counter() - start
        return answer


class Facts:
    """What is sure of the messages of a route: all that pass its schema, and fulfil what it was narrowed by.

    `exact` tells that these are just the messages that there can be; else there may be fewer, so that what holds for
    all of them holds, and what may be may also not be. `known_values` is for whoever works out more of a path.
    """

    def __init__(self, schema: "CanonicalSchema", exact: bool = True, spent: "Spent | None" = None) -> None:
        self._schema = schema
        self._exact = exact
        self._known: dict[bytes, Answer] = {}
        self.known_values: dict[Steps, Any] = {}
        self._spent = spent or Spent()

    def narrow(self, claim: Schema, exact: bool = True) -> "Facts":
        """The facts of those messages that fulfil the claim; `exact`: of no fewer."""
        text = _ENCODER.encode(claim)
        both = self._spent.attempt(lambda: self._schema.intersect(_claim(self._schema.draft, text)))
        if both is None:
            return Facts(self._schema, False, self._spent)
        return Facts(both, self._exact and exact, self._spent)

    def guarantee(self, claim: Schema) -> Answer:
        """Whether every message fulfils the claim."""
        text = _ENCODER.encode(claim)
        if text not in self._known:
            answer = self._spent.attempt(lambda: str(_claim(self._schema.draft, text).covers(self._schema)))
            if answer == "no" and not self._exact:
                answer = "unknown"
            self._known[text] = Answer(answer or "unknown")
        return self._known[text]

    def allow(self, claim: Schema) -> Answer:
        """Whether there can be a message that fulfils the claim."""
        text = _ENCODER.encode(claim)
        answer = self._spent.attempt(
            lambda: str(self._schema.intersect(_claim(self._schema.draft, text)).satisfiability())
        )
        return Answer("unknown" if answer is None or (answer == "yes" and not self._exact) else answer)

    def holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        """Whether each value at a path, if there is one, is as `leaf` says."""
        answer = self.guarantee(wherever(steps, leaf))
        if answer is Answer.UNKNOWN and EACH in steps:
            # Of all elements of a list the library seldom says no; but it finds a list that shows it.
            against = self.allow(somewhere(steps, {"not": leaf}))
            return Answer.NO if against is Answer.YES else answer
        return answer

    def present(self, steps: Steps) -> Answer:
        """Whether there always is a value, not null, at a path; in a list, in each of its elements."""
        start = in_element(steps)
        return self.holds_at(steps[:start], there(steps[start:], SOME_VALUE))

    def absent(self, steps: Steps) -> Answer:
        """Whether there never is a value at a path."""
        return self.holds_at(steps, NO_VALUE)

    def types(self, steps: Steps) -> dict[str, Answer]:
        """Of each of TYPES, whether a value at a path can be of it."""
        return {kind: self.holds_at(steps, {"not": {"type": kind}}).opposite() for kind in TYPES}

    def can_be(self, steps: Steps, values: list[Any]) -> Answer:
        """Whether there can be a message with one of the values at a path."""
        return self.allow(somewhere(steps, {"enum": values}))

    def longest(self, steps: Steps, limit: int) -> int | None:
        """The length in characters that no text at a path exceeds; None if that is not known to be under `limit`."""
        if self.holds_at(steps, {"maxLength": limit}) is not Answer.YES:
            return None
        low, high = 0, limit
        while low < high:
            middle = (low + high) // 2
            if self.holds_at(steps, {"maxLength": middle}) is Answer.YES:
                high = middle
            else:
                low = middle + 1
        return high

    def first_gap(self, steps: Steps) -> tuple[Steps, str]:
        """Why a value may be missing: the place, and 'type', the name that is not required, or 'null'."""
        for index in range(in_element(steps), len(steps)):
            level = steps[:index]
            name = steps[index]
            if self.holds_at(level, {"type": "object"}) is not Answer.YES:
                return level, "type"
            if self.holds_at(level, {"required": [name]}) is not Answer.YES:
                return level, str(name)
        return steps, "null"

    @property
    def exact(self) -> bool:
        """Whether these are just the messages that there can be."""
        return self._exact

    @property
    def impossible(self) -> bool:
        """Whether no message can be as all this says."""
        return self._spent.attempt(lambda: str(self._schema.satisfiability())) == "no"


def facts_of(schema: Validation) -> Facts | None:
    """The facts of a schema; None if it is too large, or of a kind that the library cannot reason about."""
    texts = {uri: _ENCODER.encode(document.content) for uri, document in schema.documents.items()}
    if sum(map(len, texts.values())) > MAX_BYTES:
        return None
    uri = schema.root.uri
    # One schema is often written in many routes; alone, it does not depend on where it stands.
    known = _canonical(uri, tuple(sorted(texts.items()))) if len(texts) > 1 else _canonical("", (("", texts[uri]),))
    return None if known is None else Facts(known)


def facts_of_anything() -> Facts:
    """The facts of messages that no schema binds."""
    return Facts(_claim(20, b"true"))


@lru_cache(maxsize=1024)
def _canonical(uri: str, texts: tuple[tuple[str, bytes], ...]) -> "CanonicalSchema | None":
    from jsonschema_rs import RegexOptions, canonicalize  # up to 50 ms that a config without schemas is spared

    documents = {name: _with_implied(_DECODER.decode(text)) for name, text in texts}
    return _attempt(
        lambda: canonicalize(
            documents[uri],
            validate_formats=True,
            pattern_options=RegexOptions(),
            base_uri=uri or None,
            retriever=documents.__getitem__,
        )
    )


@lru_cache(maxsize=16384)
def _claim(draft: int, text: bytes) -> "CanonicalSchema":
    from jsonschema_rs import RegexOptions, canonicalize

    return canonicalize(_DECODER.decode(text), draft=draft, validate_formats=True, pattern_options=RegexOptions())


def _with_implied(content: Any) -> Any:
    """The document, saying outright what patterns imply, and formats that its draft does not assert by itself."""
    draft = draft_of(content) or 0
    for _, schema in list(subschemas(content)):
        named = schema.get("format")
        if isinstance(named, str) and named in _NEVER_EMPTY and ASSERTED_SINCE[named] > draft:
            schema["allOf"] = [*schema.get("allOf", []), _NEVER_EMPTY[named]]
        pattern = schema.get("pattern")
        length = longest_match(pattern) if isinstance(pattern, str) else None
        if length is not None:
            schema["allOf"] = [*schema.get("allOf", []), {"maxLength": length}]
    return content


def _attempt(ask: Callable[[], _T]) -> _T | None:
    """The answer of the library; None for what it cannot do, or fails at."""
    try:
        return ask()
    except Exception:
        return None
    except BaseException as error:
        # What the library's own code calls a panic is no Exception, and has no name that could be imported.
        if type(error).__name__ != "PanicException":
            raise
        return None

"""Proves or refutes predicates about all messages that satisfy a schema.

The proofs are those of canonical schemas of jsonschema-rs.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from enum import Enum
from functools import cached_property, partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from router.prover.budget import ProofBudget
from router.prover.canonical import parsed
from router.prover.depthwise_prover import DepthwiseProver, Holds
from router.prover.example_search import Growth
from router.prover.predicates import (
    EACH,
    ENCODER,
    NO_VALUE,
    NOTHING,
    SOME_VALUE,
    TYPES,
    Schema,
    Steps,
    in_element,
    somewhere,
    there,
    wherever,
)
from router.prover.splitting import PROPERTY, PropertySchema, SplitSchema, names_of
from router.prover.subschema_walker import ALL_TYPES
from router.prover.value_generation import MISSING

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_K = TypeVar("_K")
_T = TypeVar("_T")
Question = Callable[[DepthwiseProver], bool]
_OF_EACH_TYPE: tuple[Any, ...] = ("x", 1, True, [], {})
MAX_SEARCH_SECONDS = 0.8
"""The time for the search of messages about one schema.

Nearly all are found in a millisecond.
"""


class Answer(Enum):
    """The result of a proof; UNKNOWN is never a reason for an error."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def opposite(self) -> "Answer":
        """Return the answer to the opposite question."""
        if self is Answer.UNKNOWN:
            return self
        return Answer.NO if self is Answer.YES else Answer.YES


YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN


class SchemaProver:
    """What follows for every message that satisfies a schema.

    Predicates narrow the messages. If not `exact`, the schema over-approximates:
    universal claims are sound, existential ones are not. `inferred` is a cache of what
    other modules infer about paths. `not_shared` are the properties about which an
    answer is of these messages alone: it is not decided, or the search for messages was
    given values to try.
    """

    def __init__(
        self,
        schema: "CanonicalSchema",
        exact: bool = True,
        budget: ProofBudget | None = None,
        depthwise: DepthwiseProver | None = None,
        search: ProofBudget | None = None,
        parts: SplitSchema | None = None,
    ) -> None:
        """`depthwise` decides what the library leaves open.

        `search` is the time for messages that refute claims, not for proofs. `parts`
        are those of the schema by properties, if it has such.
        """
        self._schema = schema
        self._budget = budget or ProofBudget()
        self._proved: dict[bytes, Answer] = {}
        self._free: dict[Steps, bool] = {}
        self._types: dict[Steps, dict[str, Answer]] = {}
        self._depthwise = depthwise
        self._search = search or ProofBudget(MAX_SEARCH_SECONDS)
        self._growing = ProofBudget(MAX_SEARCH_SECONDS)
        self.parts = parts
        self._about: dict[str | None, SchemaProver] = {}
        self._is_part = False
        self.exact = exact
        self.inferred: dict[Steps, Any] = {}
        self.not_shared: set[str | None] = set()

    @property
    def draft(self) -> int:
        """The draft of JSON Schema: 4, 6, 7, 19 or 20."""
        return int(self._schema.draft)

    def _canonical(self, text: bytes) -> "CanonicalSchema":
        return parsed(self._schema.draft, text)

    def narrow(
        self, predicate: Schema, exact: bool = True, holds: Holds | None = None
    ) -> "SchemaProver":
        """Add a predicate; unless `exact`, fewer messages may remain than satisfy it.

        These are the messages of which `holds` is true. Without it, only the library
        decides.
        """
        text = ENCODER.encode(predicate)
        narrowed = self._budget.attempt(lambda: self._schema.intersect(self._canonical(text)))
        depthwise: DepthwiseProver | None = None
        parts: SplitSchema | None = None
        if self._depthwise is not None and holds is not None:
            depthwise = self._depthwise.narrow(predicate, holds)
            parts = self.parts and self.parts.narrow(predicate)
        found = SchemaProver(
            self._schema if narrowed is None else narrowed,
            narrowed is not None and self.exact and exact,
            self._budget,
            depthwise,
            self._search,
            parts,
        )
        found.not_shared = self.not_shared
        return found

    def about(self, steps: Steps) -> "tuple[SchemaProver, Steps]":
        """Return what decides about the values at a path, and the path in its messages.

        It is a part of the schema, which others share, or all of it.
        """
        if not steps or self.parts is None:
            return self, steps
        name = steps[0]
        found = self._about.get(name)
        if found is None:
            part = None if name is EACH else self.part(name)
            found = (part and self.parts.find(part)) or self
            found._is_part = found is not self
            self._about[name] = found
        if found is self:
            return self, steps
        # What is not known yet is proved in the time of who asks.
        found._budget = self._budget
        found._search = self._search
        found._growing = self._growing
        return found, (PROPERTY, *steps[1:])

    def part(self, name: str) -> PropertySchema | None:
        """Return the part of the schema about a property.

        None without a message that has all the others.
        """
        if self.parts is None or not self.exact or self.satisfiability != "yes":
            return None
        return self.parts.part(name)

    @property
    def has_time(self) -> bool:
        """Whether time is left: an answer for lack of it is one of this route only."""
        return self._budget.seconds > 0 and self._search.seconds > 0

    def decides(self, names: Iterable[str]) -> bool:
        """Whether there was time for all that was asked about properties, and it was decided."""
        if self._budget.seconds <= 0 or self._search.seconds <= 0:
            return False
        return not self.not_shared or self.not_shared.isdisjoint(names)

    def keep(self, known: dict[_K, _T], key: _K, found: _T, *, decided: bool = False) -> _T:
        """Keep an answer, and return it.

        Unless it is decided, who has time left may have another one of a part.
        """
        if decided or not self._is_part or self.has_time:
            known[key] = found
        return found

    def again(self) -> "SchemaProver":
        """Return the same for another route.

        It has all that is proved already, and time of its own to search.
        """
        same = copy(self)
        same._search = ProofBudget(MAX_SEARCH_SECONDS)
        same._growing = ProofBudget(MAX_SEARCH_SECONDS)
        same._about = {}
        return same

    def _decide(
        self,
        steps: Steps,
        answer: Answer,
        proved: Question,
        refuted: Question,
    ) -> Answer:
        """Return an answer; if it is unknown, the one that is found level by level."""
        if answer is UNKNOWN:
            if self._try(proved):
                return YES
            if self._seek(self._search, refuted):
                answer = NO
        return self._noted(steps[:1], answer)

    def _noted(self, names: Iterable[str | None], answer: Answer) -> Answer:
        """Return an answer about properties. Others do not share an unknown one."""
        if answer is UNKNOWN:
            self.not_shared.update(names)
        return answer

    def _try(self, prove: Callable[[DepthwiseProver], _T]) -> _T | None:
        """Return the result of a proof level by level; None if there is none."""
        one = self._depthwise
        return None if one is None else self._budget.attempt(lambda: prove(one))

    def _seek(self, budget: ProofBudget, search: Callable[[DepthwiseProver], _T]) -> _T | None:
        """Return the result of a search for messages; None if there is none."""
        one = self._depthwise
        return None if one is None else one.seek(budget, search)

    def entails(self, predicate: Schema) -> Answer:
        """Whether every message satisfies the predicate."""
        text = ENCODER.encode(predicate)
        if text in self._proved:
            return self._proved[text]
        answer = self._ask(lambda: self._canonical(text).covers(self._schema))
        found = Answer(answer or "unknown")
        if found is NO and not self.exact:
            found = UNKNOWN
        return self.keep(self._proved, text, found, decided=answer is not None)

    def _ask(self, question: Callable[[], Any]) -> str | None:
        """Return an answer of the library as text; None if it fails."""
        return self._budget.attempt(lambda: str(question()))

    def covers(self, other: "SchemaProver") -> Answer:
        """Whether every message of the other satisfies this.

        YES is sound only if this is exact.
        """
        return Answer(self._ask(lambda: self._schema.covers(other._schema)) or "unknown")

    def as_schema(self) -> Any:
        """Return a JSON Schema of the messages; None if there is none."""
        return self._budget.attempt(self._schema.to_json_schema)

    def without(self, other: "SchemaProver") -> Any:
        """Return a JSON Schema of the messages that satisfy this and not the other.

        None if it cannot be computed.
        """
        return self._budget.attempt(lambda: self._schema.subtract(other._schema).to_json_schema())

    def allows(self, predicate: Schema) -> Answer:
        """Whether a message can satisfy the predicate."""
        text = ENCODER.encode(predicate)
        answer = self._ask(lambda: self._schema.intersect(self._canonical(text)).satisfiability())
        found = Answer(answer or "unknown")
        if found is YES and not self.exact:
            found = UNKNOWN
        return self._noted(names_of(predicate) or (), found)

    def holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        """Whether each value at a path, if there is one, satisfies `leaf`."""
        part, inside = self.about(steps)
        if part is not self:
            return part.holds_at(inside, leaf)

        def is_refuted(one: DepthwiseProver) -> bool:
            return one.refutes(steps, leaf)

        if self._is_free(steps) and self._seek(self._search, is_refuted):
            return NO
        answer = self._holds_at(steps, leaf)
        return self._decide(steps, answer, lambda one: one.entails(steps, leaf), is_refuted)

    def _is_free(self, steps: Steps) -> bool:
        """Whether nothing is known about a path: nothing can be proved of it then."""
        if steps in self._free:
            return self._free[steps]
        found = self._try(lambda one: one.is_free(steps))
        return self.keep(self._free, steps, bool(found), decided=found is not None)

    def proves_at(self, steps: Steps, leaf: Schema) -> bool:
        """Whether it is proved that each value at a path satisfies `leaf`.

        No message is sought that does not.
        """
        part, inside = self.about(steps)
        if part is not self:
            return part.proves_at(inside, leaf)
        if self._is_free(steps):
            return False
        answer = self._holds_at(steps, leaf)
        if answer is UNKNOWN and self._try(lambda one: one.entails(steps, leaf)):
            return True
        return self._noted(steps[:1], answer) is YES

    def _holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        answer = self.entails(wherever(steps, leaf))
        if answer is not UNKNOWN or EACH not in steps:
            return answer
        # The library seldom refutes a claim about all elements of a list, but can
        # construct a counterexample.
        counterexample = self.allows(somewhere(steps, {"not": leaf}))
        return NO if counterexample is YES else answer

    def present(self, steps: Steps) -> Answer:
        """Whether there always is a value, not null, at a path.

        In a list, there is one in each of its elements.
        """
        part, inside = self.about(steps)
        if part is not self:
            return part.present(inside)
        start = in_element(steps)
        answer = self._holds_at(steps[:start], there(steps[start:], SOME_VALUE))
        return self._decide(
            steps,
            answer,
            lambda one: one.always_present(steps),
            lambda one: one.may_lack(steps),
        )

    def absent(self, steps: Steps) -> Answer:
        """Whether there never is a value at a path."""
        if YES in self.types(steps).values():
            return NO
        return self.holds_at(steps, NO_VALUE)

    def types(self, steps: Steps) -> dict[str, Answer]:
        """Return for each of TYPES whether a value at a path can have it."""
        part, inside = self.about(steps)
        if part is not self:
            return part.types(inside)
        if steps in self._types:
            return self._types[steps]
        return self.keep(self._types, steps, self._types_at(steps))

    def _types_at(self, steps: Steps) -> dict[str, Answer]:
        takes_all = partial(DepthwiseProver.takes, steps=steps, values=_OF_EACH_TYPE)
        if self._is_free(steps) and self._seek(self._search, takes_all):
            return dict.fromkeys(TYPES, YES)
        possible = self._seek(self._budget, lambda one: one.types(steps))
        found = dict.fromkeys(TYPES, NO)
        for kind in TYPES:
            if possible is None or kind in possible:
                is_other = self.holds_at(steps, {"not": {"type": kind}})
                found[kind] = is_other.opposite()
        return found

    def can_be(self, steps: Steps, values: list[Any]) -> Answer:
        """Whether a message can have one of the values at a path."""
        listed = {"enum": values}
        answer = self._decide(
            steps,
            self.allows(somewhere(steps, listed)).opposite(),
            lambda one: one.entails(steps, {"not": listed}),
            lambda one: one.can_be(steps, values),
        )
        if answer is NO and self._depthwise is not None:
            self._depthwise.examples.suggest(steps, values)
            self.not_shared.update(steps[:1])
        return answer.opposite()

    def find_text(self, steps: Steps, matching: Sequence[str], outside: str) -> tuple[Answer, str]:
        """Whether a text at a path matches patterns, and not `outside`.

        NO is proved, else it is UNKNOWN. A text that may be one is returned, too, if
        the patterns and formats of the schema have it.
        """
        found = self._try(lambda one: [one.find_text(steps, matching, outside)])
        (text,) = found or ("",)
        return (NO, "") if text is None else (UNKNOWN, text)

    def text_patterns(self, steps: Steps) -> Sequence[str] | None:
        """Return patterns that each text at a path matches, as far as they are known.

        None if it is proved that there are no texts.
        """
        found = self._try(lambda one: [one.text_patterns(steps)])
        return found[0] if found else ()

    def most_bytes(self, steps: Steps, fixed: int = 0, kinds: Collection[str] = ALL_TYPES) -> float:
        """Return the most bytes of all values at a path that have some types.

        See `DepthwiseProver.most_bytes`.
        """
        return self._most(lambda one: one.most_bytes(steps, fixed, kinds))

    def most_items(self, steps: Steps) -> float:
        """Return the most elements of the list at a path; infinity if unknown."""
        return self._most(lambda one: one.most_items(steps))

    def _most(self, measure: Callable[[DepthwiseProver], float]) -> float:
        most = self._try(measure)
        return inf if most is None else most

    def find(self, paths: Sequence[Steps], wanted: Holds, *beside: Any) -> Any:
        """Return a message for which `wanted` is true; MISSING if none is found.

        See `ExampleSearch.find`.
        """
        found = self._seek(self._search, lambda one: [one.examples.find(paths, wanted, *beside)])
        return found[0] if found else MISSING

    def find_larger(self, steps: Steps, growth: Growth, *beside: Sequence[Steps]) -> Any:
        """Return a message that exceeds a limit with a larger value at a path.

        See `ExampleSearch.find_larger`.
        """
        # One path takes at most half of the time, so that others are tried.
        own = self._growing.share(0.5)
        found = self._seek(own, lambda one: [one.examples.find_larger(steps, growth, *beside)])
        self._growing.seconds += max(0.0, own.seconds)
        return found[0] if found else MISSING

    def longest(self, steps: Steps, limit: int) -> int | None:
        """Return the least bound, in characters, of the text at a path.

        None if no bound up to `limit` is proved.
        """
        most = self._most(lambda one: one.most_characters(steps))
        if most <= limit:
            return int(most)

        def is_bound(length: int) -> bool:
            answer = self._holds_at(steps, {"maxLength": length})
            return self._noted(steps[:1], answer) is YES

        if self._is_free(steps) or not is_bound(limit):
            return None
        return bisect_left(range(limit), True, key=is_bound)

    @property
    def impossible(self) -> bool:
        """Whether it is proved that no message satisfies the schema."""
        return self.satisfiability == "no"

    @cached_property
    def satisfiability(self) -> str | None:
        """What the library says of whether a message satisfies the schema.

        It says yes, no, unknown, or nothing.
        """
        return self._ask(self._schema.satisfiability)

    def is_contradictory(self, paths: Iterable[Steps] = ()) -> bool:
        """Whether it is proved that no message satisfies the schema.

        A value that must be there cannot be there. Where the library does not decide,
        that is looked at from the root on, and at paths outside of lists.
        """
        if self.impossible:
            return True
        if self.exact and self.satisfiability == "yes":
            return False
        if self._try(lambda one: one.is_contradictory):
            return True
        outside = [path for path in paths if EACH not in path]
        sure = [path for path in outside if self.present(path) is YES]
        return any(map(self.excludes, sure))

    def excludes(self, steps: Steps) -> bool:
        """Whether it is proved that no message has a value at a path."""
        around = [steps[:end] for end in range(len(steps), 0, -1)]
        return any(self.holds_at(path, NOTHING) is YES for path in around)

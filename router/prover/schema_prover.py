"""Proves or refutes predicates about all messages that satisfy a schema, by canonical schemas of jsonschema-rs."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import Enum
from functools import cached_property, partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from router.prover.budget import ProofBudget
from router.prover.canonical import parsed
from router.prover.depthwise_prover import DepthwiseProver
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
from router.prover.splitting import PropertySchema, SplitSchema, names_of
from router.prover.subschema_walker import ALL_TYPES
from router.prover.value_generation import MISSING

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_K = TypeVar("_K")
_T = TypeVar("_T")
_OF_EACH_TYPE: tuple[Any, ...] = ("x", 1, True, [], {})
MAX_SEARCH_SECONDS = 0.8
"""The time for the search of messages about one schema. Nearly all are found in a millisecond."""


class Answer(Enum):
    """The result of a proof; UNKNOWN is never a reason for an error."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    def opposite(self) -> "Answer":
        """Return the answer to the opposite question."""
        return (
            self
            if self is Answer.UNKNOWN
            else Answer.NO
            if self is Answer.YES
            else Answer.YES
        )


class SchemaProver:
    """What follows for every message that satisfies a schema, and the predicates by which it was narrowed.

    If not `exact`, the schema over-approximates: universal claims are sound, existential ones are not.
    `inferred` is a cache of what other modules infer about paths. `not_shared` are the properties about which an answer
    is of these messages alone: it is not decided, or the search for messages was given values to try.
    """

    def __init__(
        self,
        schema: "CanonicalSchema",
        exact: bool = True,
        budget: ProofBudget | None = None,
        parse: "Callable[[int, bytes], CanonicalSchema] | None" = None,
        depthwise: DepthwiseProver | None = None,
        search: ProofBudget | None = None,
        parts: SplitSchema | None = None,
    ) -> None:
        """`parse` makes the canonical schema of a predicate, as JSON, in a draft.

        `depthwise` decides what that does not; `search` is the time for messages that refute claims, not for proofs.
        `parts` are those of the schema by properties, if it has such.
        """
        self._schema = schema
        self._budget = budget or ProofBudget()
        self._parse = parse or parsed
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

    def narrow(
        self,
        predicate: Schema,
        exact: bool = True,
        holds: Callable[[Any], bool] | None = None,
    ) -> "SchemaProver":
        """Add a predicate; unless `exact`, fewer messages may remain than satisfy it.

        These are the messages of which `holds` is true; without it, only the library decides.
        """
        text = ENCODER.encode(predicate)
        both = self._budget.attempt(
            lambda: self._schema.intersect(self._parse(self._schema.draft, text))
        )
        depthwise = (
            None
            if self._depthwise is None or holds is None
            else self._depthwise.narrow(predicate, holds)
        )
        narrowed, exact = (
            (self._schema, False) if both is None else (both, self.exact and exact)
        )
        parts = (
            None
            if self.parts is None or depthwise is None
            else self.parts.narrow(predicate)
        )
        found = SchemaProver(
            narrowed, exact, self._budget, self._parse, depthwise, self._search, parts
        )
        found.not_shared = self.not_shared
        return found

    def about(self, steps: Steps) -> "SchemaProver":
        """Return what decides about the values at a path: a part of the schema, which others share, or all of it."""
        if not steps or self.parts is None:
            return self
        name = steps[0]
        found = self._about.get(name)
        if found is None:
            part = None if name is EACH else self.part(name)
            found = self._about[name] = (
                None if part is None else self.parts.find(part)
            ) or self
            found._is_part = found is not self
        if found is not self:  # what is not known yet is proved in the time of who asks
            found._budget, found._search, found._growing = (
                self._budget,
                self._search,
                self._growing,
            )
        return found

    def part(self, name: str) -> PropertySchema | None:
        """Return the part of the schema about a property; None without a message that has all the others."""
        if self.parts is None or not self.exact or self.satisfiability != "yes":
            return None
        return self.parts.part(name)

    @property
    def has_time(self) -> bool:
        """Whether there is time left: an answer for lack of time is one of this route only."""
        return self._budget.seconds > 0 and self._search.seconds > 0

    def keep(
        self, known: dict[_K, _T], key: _K, found: _T, *, decided: bool = False
    ) -> _T:
        """Keep an answer, and return it: unless it is decided, who has time left may have another one of a part."""
        if decided or not self._is_part or self.has_time:
            known[key] = found
        return found

    def again(self) -> "SchemaProver":
        """Return the same for another route: with all that is proved already, and time of its own to search."""
        same = SchemaProver(
            self._schema,
            self.exact,
            self._budget,
            self._parse,
            self._depthwise,
            parts=self.parts,
        )
        same._proved, same._free, same._types, same.inferred = (
            self._proved,
            self._free,
            self._types,
            self.inferred,
        )
        same.not_shared = self.not_shared
        return same

    def _decide(
        self,
        steps: Steps,
        answer: Answer,
        proved: Callable[[DepthwiseProver], bool],
        refuted: Callable[[DepthwiseProver], bool],
    ) -> Answer:
        """Return an answer of the library, or if that is unknown, the one that is found level by level."""
        one = self._depthwise
        if answer is Answer.UNKNOWN and one is not None:
            if self._budget.attempt(lambda: proved(one)):
                return Answer.YES
            answer = Answer.NO if self._seek(self._search, refuted) else Answer.UNKNOWN
        return self._noted(steps[:1], answer)

    def _noted(self, names: Iterable[str | None], answer: Answer) -> Answer:
        """Return an answer about properties; an unknown one is of these messages alone."""
        if answer is Answer.UNKNOWN:
            self.not_shared.update(names)
        return answer

    def _seek(
        self, budget: ProofBudget, search: Callable[[DepthwiseProver], _T]
    ) -> _T | None:
        """Return the result of a search for messages within a budget; None if there is none."""
        one = self._depthwise
        return None if one is None else one.seek(budget, search)

    def entails(self, predicate: Schema) -> Answer:
        """Whether every message satisfies the predicate."""
        text = ENCODER.encode(predicate)
        if text in self._proved:
            return self._proved[text]
        answer = self._budget.attempt(
            lambda: str(self._parse(self._schema.draft, text).covers(self._schema))
        )
        if answer == "no" and not self.exact:
            answer = "unknown"
        return self.keep(
            self._proved, text, Answer(answer or "unknown"), decided=answer is not None
        )

    def covers(self, other: "SchemaProver") -> Answer:
        """Whether every message of the other satisfies this; YES is sound only if this is exact."""
        return Answer(
            self._budget.attempt(lambda: str(self._schema.covers(other._schema)))
            or "unknown"
        )

    def as_schema(self) -> Any:
        """Return a JSON Schema of the messages; None if there is none."""
        return self._budget.attempt(self._schema.to_json_schema)

    def without(self, other: "SchemaProver") -> Any:
        """Return a JSON Schema of the messages that satisfy this and not the other; None if it cannot be computed."""
        return self._budget.attempt(
            lambda: self._schema.subtract(other._schema).to_json_schema()
        )

    def allows(self, predicate: Schema) -> Answer:
        """Whether a message can satisfy the predicate."""
        text = ENCODER.encode(predicate)
        answer = self._budget.attempt(
            lambda: str(
                self._schema.intersect(
                    self._parse(self._schema.draft, text)
                ).satisfiability()
            )
        )
        found = Answer(
            "unknown"
            if answer is None or (answer == "yes" and not self.exact)
            else answer
        )
        return self._noted(names_of(predicate) or (), found)

    def holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        """Whether each value at a path, if there is one, satisfies `leaf`."""
        if (part := self.about(steps)) is not self:
            return part.holds_at(steps, leaf)
        if self._is_free(steps) and self._seek(
            self._search, lambda each: each.refutes(steps, leaf)
        ):
            return Answer.NO
        answer = self._holds_at(steps, leaf)
        return self._decide(
            steps,
            answer,
            lambda one: one.entails(steps, leaf),
            lambda one: one.refutes(steps, leaf),
        )

    def _is_free(self, steps: Steps) -> bool:
        """Whether nothing is known about the values at a path, so that nothing can be proved of them."""
        one = self._depthwise
        if steps in self._free:
            return self._free[steps]
        found = (
            None if one is None else self._budget.attempt(lambda: one.is_free(steps))
        )
        return self.keep(self._free, steps, bool(found), decided=found is not None)

    def proves_at(self, steps: Steps, leaf: Schema) -> bool:
        """Whether it is proved that each value at a path satisfies `leaf`; no message is sought that does not."""
        if (part := self.about(steps)) is not self:
            return part.proves_at(steps, leaf)
        if self._is_free(steps):
            return False
        answer = self._holds_at(steps, leaf)
        return (
            self._decide(
                steps,
                answer,
                lambda each: each.entails(steps, leaf),
                lambda each: False,
            )
            is Answer.YES
        )

    def _holds_at(self, steps: Steps, leaf: Schema) -> Answer:
        answer = self.entails(wherever(steps, leaf))
        if answer is Answer.UNKNOWN and EACH in steps:
            # The library seldom refutes a claim about all elements of a list, but can construct a counterexample.
            counterexample = self.allows(somewhere(steps, {"not": leaf}))
            return Answer.NO if counterexample is Answer.YES else answer
        return answer

    def present(self, steps: Steps) -> Answer:
        """Whether there always is a value, not null, at a path; in a list, in each of its elements."""
        if (part := self.about(steps)) is not self:
            return part.present(steps)
        start = in_element(steps)
        answer = self._holds_at(steps[:start], there(steps[start:], SOME_VALUE))
        return self._decide(
            steps,
            answer,
            lambda each: each.always_present(steps),
            lambda each: each.may_lack(steps),
        )

    def absent(self, steps: Steps) -> Answer:
        """Whether there never is a value at a path."""
        return (
            Answer.NO
            if Answer.YES in self.types(steps).values()
            else self.holds_at(steps, NO_VALUE)
        )

    def types(self, steps: Steps) -> dict[str, Answer]:
        """Return for each of TYPES whether a value at a path can have it."""
        if (part := self.about(steps)) is not self:
            return part.types(steps)
        return self._types.get(steps) or self.keep(
            self._types, steps, self._types_at(steps)
        )

    def _types_at(self, steps: Steps) -> dict[str, Answer]:
        found = partial(DepthwiseProver.takes, steps=steps, values=_OF_EACH_TYPE)
        if self._is_free(steps) and self._seek(self._search, found):
            return dict.fromkeys(TYPES, Answer.YES)
        named = self._seek(self._budget, partial(DepthwiseProver.types, steps=steps))
        possible = [kind for kind in TYPES if named is None or kind in named]
        can_be = {
            kind: self.holds_at(steps, {"not": {"type": kind}}).opposite()
            for kind in possible
        }
        return dict.fromkeys(TYPES, Answer.NO) | can_be

    def can_be(self, steps: Steps, values: list[Any]) -> Answer:
        """Whether a message can have one of the values at a path."""
        answer = self.allows(somewhere(steps, {"enum": values})).opposite()
        excluded = {"not": {"enum": values}}
        answer = self._decide(
            steps,
            answer,
            lambda each: each.entails(steps, excluded),
            lambda each: each.can_be(steps, values),
        )
        if answer is Answer.NO and self._depthwise is not None:
            self._depthwise.examples.suggest(steps, values)
            self.not_shared.update(steps[:1])
        return answer.opposite()

    def find_text(
        self, steps: Steps, matching: Sequence[str], outside: str
    ) -> tuple[Answer, str]:
        """Whether a text at a path matches patterns, and not `outside`: NO is proved, else it is UNKNOWN.

        A text that may be one is returned, too, if the patterns and formats of the schema have it.
        """
        one = self._depthwise
        found = (
            None
            if one is None
            else self._budget.attempt(lambda: [one.find_text(steps, matching, outside)])
        )
        (text,) = found or ("",)
        return (Answer.NO, "") if text is None else (Answer.UNKNOWN, text)

    def most_bytes(
        self, steps: Steps, fixed: int = 0, kinds: Collection[str] = ALL_TYPES
    ) -> float:
        """Return the most bytes of all values at a path together that have some types; see there."""
        return self._most(lambda one: one.most_bytes(steps, fixed, kinds))

    def most_items(self, steps: Steps) -> float:
        """Return the most elements of the list at a path; infinity if there is no bound, or none is known."""
        return self._most(lambda one: one.most_items(steps))

    def _most(self, measure: Callable[[DepthwiseProver], float]) -> float:
        one = self._depthwise
        most = None if one is None else self._budget.attempt(lambda: measure(one))
        return inf if most is None else most

    def find(
        self, paths: Sequence[Steps], wanted: Callable[[Any], bool], *beside: Any
    ) -> Any:
        """Return a message for which `wanted` is true; MISSING if none is found: see `ExampleSearch.find`."""
        found = self._seek(
            self._search, lambda one: [one.examples.find(paths, wanted, *beside)]
        )
        return found[0] if found else MISSING

    def find_larger(
        self, steps: Steps, growth: Growth, *beside: Sequence[Steps]
    ) -> Any:
        """Return a message that exceeds a limit with a larger value at a path: see `ExampleSearch.find_larger`."""
        # One path takes at most half of the time, so that others are tried.
        own = self._growing.share(0.5)
        found = self._seek(
            own, lambda one: [one.examples.find_larger(steps, growth, *beside)]
        )
        self._growing.seconds += max(0.0, own.seconds)
        return found[0] if found else MISSING

    def longest(self, steps: Steps, limit: int) -> int | None:
        """Return the least bound, in characters, of the text at a path; None if no bound up to `limit` is proved."""
        most = self._most(lambda one: one.most_characters(steps))
        if most <= limit:
            return int(most)

        def is_bound(length: int) -> bool:
            return (
                self._noted(steps[:1], self._holds_at(steps, {"maxLength": length}))
                is Answer.YES
            )

        return (
            None
            if self._is_free(steps) or not is_bound(limit)
            else bisect_left(range(limit), True, key=is_bound)
        )

    @property
    def impossible(self) -> bool:
        """Whether it is proved that no message satisfies the schema."""
        return self.satisfiability == "no"

    @cached_property
    def satisfiability(self) -> str | None:
        """What the library says of whether a message satisfies the schema: yes, no, unknown, or nothing."""
        return self._budget.attempt(lambda: str(self._schema.satisfiability()))

    def is_contradictory(self, paths: Iterable[Steps] = ()) -> bool:
        """Whether it is proved that no message satisfies the schema, as a value that must be there cannot.

        Where the library does not decide, that is looked at from the root on, and at paths outside of lists.
        """
        if self.impossible or (self.exact and self.satisfiability == "yes"):
            return self.impossible
        one = self._depthwise
        if one is not None and self._budget.attempt(lambda: one.is_contradictory):
            return True
        sure = [
            each
            for each in paths
            if EACH not in each and self.present(each) is Answer.YES
        ]
        return any(self.excludes(each) for each in sure)

    def excludes(self, steps: Steps) -> bool:
        """Whether it is proved that no message has a value at a path, as there is none that its schema takes."""
        return any(
            self.holds_at(steps[:end], NOTHING) is Answer.YES
            for end in range(len(steps), 0, -1)
        )

"""Decides what the library leaves open about a whole schema.

Proofs look at one level after another. Refutations are messages.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeVar

from router.prover.budget import NotDecided, ProofBudget, SearchDeadline, attempt
from router.prover.canonical import parsed
from router.prover.example_search import ExampleSearch
from router.prover.patterns import find_outside
from router.prover.predicates import (
    EACH,
    ENCODER,
    SOME_VALUE,
    Schema,
    Steps,
    in_element,
    there,
)
from router.prover.scalars import validator_of
from router.prover.size_bounds import LIST_BYTES, SizeBounds, most_characters
from router.prover.subschema_walker import (
    ALL_TYPES,
    ANYTHING,
    Every,
    Level,
    LevelWriter,
    Some,
    SubschemaWalker,
    as_own,
    is_free,
    json_types,
    own_types,
)
from router.prover.text_patterns import one_of, patterns_in
from router.prover.value_generation import MISSING, Fault, JsonPath
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import (
    DEFAULT_DRAFT,
    SchemaDocument,
    subschemas,
)
from router.runtime.program.schemas.reasons import first_error
from router.runtime.program.schemas.references import Location

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_T = TypeVar("_T")
# Sets of keywords to leave out, one after another. The library decides little about
# some together.
_WEAKER = (
    frozenset(("pattern",)),
    frozenset(("format",)),
    frozenset(("pattern", "format")),
    frozenset(("pattern", "format", "uniqueItems", "multipleOf")),
)
# How many levels below a path are part of a question to the library. It answers up to
# five.
_DEPTH = 2
_MOST_BRANCHES = 16
# The most values that must be there and are looked at, from the root on.
_MOST_REQUIRED = 20
# The most branches of a choice for whose error there is memory. One of 8,000 takes
# 700 MB.
_MOST_EXPLAINED = 200
Holds = Callable[[Any], bool]


class DepthwiseProver:
    """The messages of a schema, narrowed by predicates.

    Conditions that are evaluated on messages narrow them, too.
    """

    def __init__(
        self,
        walker: SubschemaWalker,
        root: Level,
        accepts: Holds,
        fault: Fault,
        predicates: int = 0,
    ) -> None:
        """`accepts` tells whether a message is one, and `fault` what is rejected in it.

        `predicates` is the number of those that narrow the `root`.
        """
        self._walker = walker
        self._root = root
        self._accepts = accepts
        self._fault = fault
        self._predicates = predicates
        self._known: dict[Steps, Level] = {}
        self._written: dict[Steps, list[bytes]] = {}
        self.examples = ExampleSearch(walker, root, accepts, fault)

    def narrow(self, predicate: Schema, holds: Holds | None) -> "DepthwiseProver":
        """Add a predicate, and the condition on messages that it is necessary for."""
        uri = f"predicate:{self._predicates}"
        content = {"$schema": DEFAULT_DRAFT, **predicate}
        document = SchemaDocument("a predicate", uri, FilePath(), content, 2020)
        before = self._accepts
        return DepthwiseProver(
            self._walker,
            Every((self._root, Location.of(document))),
            before if holds is None else lambda each: before(each) and holds(each),
            self._fault,
            self._predicates + 1,
        )

    def seek(self, budget: ProofBudget, search: "Callable[[DepthwiseProver], _T]") -> _T | None:
        """Return the result of a search for messages.

        None if it takes more than the budget.
        """
        self.examples.deadline = SearchDeadline(budget.seconds)
        return budget.attempt(lambda: search(self))

    def level(self, steps: Steps) -> Level:
        """Return what is known of the values at a path."""
        known = self._known.get(steps)
        if known is None:
            found = self._root
            if steps:
                found = self._walker.below(self.level(steps[:-1]), steps[-1])
            known = self._known[steps] = self._prune(self._walker.parts(found))
        return known

    def is_free(self, steps: Steps) -> bool:
        """Whether nothing is said of the values at a path.

        Nothing can be proved of them then.
        """
        return is_free(self.level(steps))

    def _prune(self, level: Level) -> Level:
        """Leave out the branches of choices that contradict what is known besides."""
        if not isinstance(level, Every):
            return level
        parts = list(level.parts)
        for index, part in enumerate(parts):
            if not isinstance(part, Some) or len(part.parts) > _MOST_BRANCHES:
                continue
            if is_free(part):
                continue
            others = (*parts[:index], *parts[index + 1 :])
            possible = [
                branch
                for branch in part.parts
                if self._satisfiability(Every((*others, branch))) != "no"
            ]
            parts[index] = Some(tuple(possible))
        return Every(tuple(parts))

    def _satisfiability(self, level: Level) -> str | None:
        text = self._text(level)
        return attempt(lambda: str(parsed(20, text).satisfiability()))

    @cached_property
    def is_contradictory(self) -> bool:
        """Whether it is proved that no message satisfies the schema.

        A value that must be there cannot be there.
        """
        waiting: list[tuple[Steps, bool]] = [((), False)]
        for steps, is_covered in waiting:
            level = self.level(steps)
            answer = None if is_covered else self._satisfiability(level)
            if answer == "no":
                return True
            if _types_of(level) == {"object"}:
                # What is decided of a value covers those in it.
                inner = [((*steps, name), answer == "yes") for name in _required(level)]
                waiting += inner[: _MOST_REQUIRED - len(waiting)]
        return False

    def entails(self, steps: Steps, leaf: Schema) -> bool:
        """Whether it is proved that each value at a path satisfies `leaf`."""
        wanted = parsed(20, ENCODER.encode(leaf))
        texts = chain(self._texts(steps), self._narrow_texts(steps, leaf))
        return any(attempt(partial(_is_covered, wanted, text)) for text in texts)

    def _narrow_texts(self, steps: Steps, leaf: Schema) -> Iterator[bytes]:
        """Yield a schema that says nothing of properties that `leaf` does not name.

        These may be too much for the library.
        """
        names = leaf.get("properties")
        if names and not self.is_free(steps):
            yield self._text(self.level(steps), names=frozenset(names))

    def _texts(self, steps: Steps) -> list[bytes]:
        """Return the schemas of the values at a path as JSON.

        The whole comes first, then weaker ones.
        """
        known = self._written.get(steps)
        if known is not None:
            return known
        level = self.level(steps)
        texts: dict[bytes, None] = {}
        if not is_free(level):
            whole = self._text(level)
            texts[whole] = None
            for without in _WEAKER:
                if any(f'"{keyword}"'.encode() in whole for keyword in without):
                    texts[self._text(level, without)] = None
        self._written[steps] = list(texts)
        return self._written[steps]

    def _text(
        self,
        level: Level,
        without: frozenset[str] = frozenset(),
        names: frozenset[str] | None = None,
    ) -> bytes:
        written = LevelWriter(self._walker, _DEPTH, without, names).write(level, _DEPTH)
        return ENCODER.encode(written)

    def find_text(self, steps: Steps, matching: Sequence[str], outside: str) -> str | None:
        """Return a text that the patterns at a path allow; None if there is none.

        It matches others, and not `outside`.
        """
        patterns = self.text_patterns(steps)
        if patterns is None:
            return None
        if not patterns:
            raise NotDecided
        return find_outside([*patterns, *matching], outside)

    def text_patterns(self, steps: Steps) -> list[str] | None:
        """Return patterns that each text at a path matches; None if there are no texts."""
        return _patterns(self._taken_apart(steps))

    def _taken_apart(self, steps: Steps) -> Level:
        return self._walker.parts(self.level(steps))

    def refutes(self, steps: Steps, leaf: Schema) -> bool:
        """Whether a message was found whose value at a path does not satisfy `leaf`."""
        is_valid = validator_of(leaf)

        def is_wrong(value: Any) -> bool:
            return value is not MISSING and not is_valid(value)

        return self.examples.any_at(steps, is_wrong)

    def always_present(self, steps: Steps) -> bool:
        """Whether it is proved that there always is a value at a path.

        In a list, there is one in each of its elements.
        """
        start = in_element(steps)
        if start == len(steps):
            return self.entails(steps, SOME_VALUE)
        for end in range(start, len(steps)):
            if not self.entails(steps[:end], there(steps[end : end + 1], SOME_VALUE)):
                return False
        return True

    def may_lack(self, steps: Steps) -> bool:
        """Whether a message was found without a value at a path.

        In a list, one of its elements is without.
        """
        start = in_element(steps)
        around = [steps[:end] for end in range(len(steps), start - 1, -1)]
        for path in around:
            if self.can_be(path, (MISSING, None)):
                return True
        return any(self.examples.any_at(path, _is_no_object) for path in around[1:])

    def types(self, steps: Steps) -> Collection[str]:
        """Return the types that a value at a path can have by the keyword `type` alone.

        They are named as JSON Schema names them.
        """
        return _types_of(self.level(steps))

    def most_characters(self, steps: Steps) -> float:
        """Return the most characters of the text at a path.

        Infinity if there is no bound, or none is known.
        """
        return most_characters(self._taken_apart(steps))

    def most_bytes(self, steps: Steps, fixed: int, kinds: Collection[str]) -> float:
        """Return the most bytes of all values at a path together.

        The first `fixed` steps lead to one value. Only values of some types count.
        Infinity if no bound is known.
        """
        bounds = SizeBounds(self._walker)
        size = bounds.most_bytes(self.level(steps), kinds)
        for end in range(len(steps) - 1, fixed - 1, -1):
            if steps[end] is EACH:
                items = bounds.most_items(self.level(steps[:end]))
                size = LIST_BYTES + items * (size + 1)
        return size

    def most_items(self, steps: Steps) -> float:
        """Return the most elements of the list at a path; infinity if unknown."""
        return SizeBounds(self._walker).most_items(self.level(steps))

    def takes(self, steps: Steps, values: Sequence[Any]) -> bool:
        """Whether messages were found that have each of the values at a path."""
        return all(self.examples.accepts(steps, value) for value in values)

    def can_be(self, steps: Steps, values: Sequence[Any]) -> bool:
        """Whether a message was found that has one of the values at a path."""
        return any(self.examples.accepts(steps, value) for value in values)


def _is_covered(wanted: "CanonicalSchema", text: bytes) -> bool:
    return str(wanted.covers(parsed(20, text))) == "yes"


def _is_no_object(value: Any) -> bool:
    return not isinstance(value, dict)


def _patterns(level: Level) -> list[str] | None:
    """Return patterns that each text of a level matches; None if it has no texts."""
    match level:
        case Every(parts):
            found: dict[str, None] = {}
            for part in parts:
                patterns = _patterns(part)
                if patterns is None:
                    return None
                found |= dict.fromkeys(patterns)
            return list(found)
        case Some(parts):
            every = map(_patterns, parts)
            return _alternatives([each for each in every if each is not None])
    schema = as_own(level).place.content
    return patterns_in(schema) if "string" in own_types(schema) else None


def _alternatives(branches: list[list[str]]) -> list[str]:
    """Return patterns of which each has a pattern of each branch.

    Without a pattern in a branch, its texts can be any.
    """
    if not all(branches):
        return []
    alternatives: list[str] = []
    for number in range(max(map(len, branches), default=0)):
        # A branch with fewer patterns repeats its last one.
        each = [found[min(number, len(found) - 1)] for found in branches]
        alternatives.append(one_of(each))
    return alternatives


def _types_of(level: Level) -> frozenset[str]:
    """Return the types that the values of a level can have.

    The keyword `type` of its subschemas says so.
    """
    match level:
        case Every(parts):
            return frozenset(ALL_TYPES).intersection(*map(_types_of, parts))
        case Some(parts):
            return frozenset[str]().union(*map(_types_of, parts))
    schema = as_own(level).place.content
    return json_types(schema, schema.get("enum"))


def _required(level: Level) -> Iterable[str]:
    """Return the names of the properties that each object of a level has."""
    match level:
        case Every(parts):
            return dict.fromkeys(chain.from_iterable(map(_required, parts)))
        case Some(parts):
            first, *others = [_required(part) for part in parts] or [()]
            for other in others:
                first = [name for name in first if name in other]
            return first
    names: list[str] = as_own(level).place.content.get("required", [])
    return names


def depthwise_prover_of(validation: Validation, *, known: bool = True) -> DepthwiseProver:
    """Return the messages of a schema.

    Unless it is `known`, the schema is only what accepts them.
    """
    return DepthwiseProver(
        SubschemaWalker(validation.locations),
        Location.of(validation.root) if known else ANYTHING,
        validation.is_valid,
        _Faults(validation).first,
    )


class _Faults:
    """Where messages fail a schema."""

    def __init__(self, validation: Validation) -> None:
        self._validation = validation

    def first(self, message: Any) -> JsonPath | None:
        """Return the path of what fails first; None for a valid message.

        If errors are large, that is the root.
        """
        validation = self._validation
        if validation.is_valid(message):
            return None
        if not self._is_explained or validation.takes_long(message):
            return ()
        error = first_error(validation.validator, message)
        return () if error is None else error.instance_path

    @cached_property
    def _is_explained(self) -> bool:
        """Whether errors are small.

        An error has the errors of all branches of a choice.
        """
        for document in self._validation.documents.values():
            for _, part in subschemas(document.content):
                for key in ("anyOf", "oneOf"):
                    if len(part.get(key, ())) > _MOST_EXPLAINED:
                        return False
        return True

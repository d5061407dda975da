"""Decides what the library leaves open about a whole schema: proofs level by level, and refutations by a message."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import chain
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, TypeVar

from router.prover.budget import NotDecided, ProofBudget, SearchDeadline, attempt
from router.prover.example_search import ExampleSearch
from router.prover.patterns import find_outside
from router.prover.predicates import EACH, ENCODER, SOME_VALUE, Schema, Steps, in_element, there
from router.prover.scalars import validator_of
from router.prover.size_bounds import LIST_BYTES, SizeBounds, most_characters
from router.prover.subschema_walker import (
    ALL_TYPES,
    ANYTHING,
    Every,
    Level,
    Own,
    Some,
    SubschemaWalker,
    is_free,
    own_types,
)
from router.prover.text_patterns import one_of, patterns_in
from router.prover.value_generation import MISSING, Fault
from router.runtime.program.expressions import kind_of
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import DEFAULT_DRAFT, SchemaDocument, subschemas
from router.runtime.program.schemas.reasons import first_error
from router.runtime.program.schemas.references import Location

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

_T = TypeVar("_T")
_WEAKER = (
    frozenset(("pattern",)),
    frozenset(("format",)),
    frozenset(("pattern", "format")),
    frozenset(("pattern", "format", "uniqueItems", "multipleOf")),
)
"""Sets of keywords to leave out, one after another: the library decides little about some together."""
_DEPTH = 2
"""How many levels below a path are part of a question to the library, which answers up to five."""
_MOST_BRANCHES = 16
_MOST_REQUIRED = 20
"""The most values that must be there and are looked at, from the root on."""
_MOST_EXPLAINED = 200
"""The most branches of a choice for whose error there is memory: one of 8,000 takes 700 MB."""
Parse = Callable[[int, bytes], "CanonicalSchema"]
Holds = Callable[[Any], bool]


class DepthwiseProver:
    """The messages of a schema, narrowed by predicates and by conditions that are evaluated on messages."""

    def __init__(
        self, levels: SubschemaWalker, root: Level, accepts: Holds, fault: Fault, parse: Parse, predicates: int = 0
    ) -> None:
        """`accepts` tells whether a message is one, and `fault` what the schema rejects in it.

        `parse` makes a canonical schema; `predicates` is the number of those that narrow the `root`.
        """
        self._walker = levels
        self._root = root
        self._accepts = accepts
        self._fault = fault
        self._parse = parse
        self._predicates = predicates
        self._known: dict[Steps, Level] = {}
        self._written: dict[Steps, list[bytes]] = {}
        self.examples = ExampleSearch(levels, root, accepts, fault)

    def narrow(self, predicate: Schema, holds: Holds | None) -> "DepthwiseProver":
        """Add a predicate, and the condition on messages that it is necessary for."""
        uri = f"predicate:{self._predicates}"
        document = SchemaDocument("a predicate", uri, FilePath(), {"$schema": DEFAULT_DRAFT, **predicate}, 2020)
        root = Every((self._root, Location(document, (), document.content)))
        before = self._accepts
        accepts = before if holds is None else lambda message: before(message) and holds(message)
        return DepthwiseProver(self._walker, root, accepts, self._fault, self._parse, self._predicates + 1)

    def seek(self, budget: ProofBudget, search: "Callable[[DepthwiseProver], _T]") -> _T | None:
        """Return the result of a search for messages; None if it takes more than the budget."""
        self.examples.deadline = SearchDeadline(budget.seconds)
        return budget.attempt(lambda: search(self))

    def level(self, steps: Steps) -> Level:
        """Return what is known of the values at a path."""
        if steps not in self._known:
            found = self._walker.below(self.level(steps[:-1]), steps[-1]) if steps else self._root
            self._known[steps] = self._prune(self._walker.parts(found))
        return self._known[steps]

    def is_free(self, steps: Steps) -> bool:
        """Whether nothing is said of the values at a path, so that nothing can be proved of them."""
        return is_free(self.level(steps))

    def _prune(self, level: Level) -> Level:
        """Leave out the branches of choices that contradict what is known besides."""
        if not isinstance(level, Every):
            return level
        parts = list(level.parts)
        for index, part in enumerate(parts):
            if isinstance(part, Some) and len(part.parts) <= _MOST_BRANCHES and not is_free(part):
                others = (*parts[:index], *parts[index + 1 :])
                possible = [branch for branch in part.parts if self._satisfiability(Every((*others, branch))) != "no"]
                parts[index] = Some(tuple(possible))
        return Every(tuple(parts))

    def _satisfiability(self, level: Level) -> str | None:
        text = self._text(level, frozenset())
        return attempt(lambda: str(self._parse(20, text).satisfiability()))

    @cached_property
    def is_contradictory(self) -> bool:
        """Whether it is proved that no message satisfies the schema, as a value that must be there cannot."""
        waiting: list[tuple[Steps, bool]] = [((), False)]
        for steps, is_covered in waiting:
            level = self.level(steps)
            answer = None if is_covered else self._satisfiability(level)
            if answer == "no":
                return True
            # What is decided of a value covers those in it.
            names = _required(level) if _types_of(level) == {"object"} else ()
            waiting += [((*steps, name), answer == "yes") for name in names][: _MOST_REQUIRED - len(waiting)]
        return False

    def entails(self, steps: Steps, leaf: Schema) -> bool:
        """Whether it is proved that each value at a path satisfies `leaf`."""
        wanted = self._parse(20, ENCODER.encode(leaf))
        texts = chain(self._texts(steps), self._narrow_texts(steps, leaf))
        return any(attempt(partial(self._is_covered, wanted, text)) for text in texts)

    def _is_covered(self, wanted: "CanonicalSchema", text: bytes) -> bool:
        return str(wanted.covers(self._parse(20, text))) == "yes"

    def _narrow_texts(self, steps: Steps, leaf: Schema) -> Iterator[bytes]:
        """Yield a schema that says nothing of the properties that `leaf` does not name: others may be too much."""
        names = leaf.get("properties")
        if names and not self.is_free(steps):
            yield ENCODER.encode(self._walker.schema(self.level(steps), _DEPTH, names=frozenset(names)))

    def _texts(self, steps: Steps) -> list[bytes]:
        """Return the schemas of the values at a path as JSON: the whole, and weaker ones."""
        if steps not in self._written:
            level = self.level(steps)
            whole = self._text(level, frozenset())
            weaker = [each for each in _WEAKER if any(f'"{keyword}"'.encode() in whole for keyword in each)]
            texts = [whole, *(self._text(level, without) for without in weaker)]
            self._written[steps] = [] if is_free(level) else list(dict.fromkeys(texts))
        return self._written[steps]

    def _text(self, level: Level, without: frozenset[str]) -> bytes:
        return ENCODER.encode(self._walker.schema(level, _DEPTH, without))

    def find_text(self, steps: Steps, matching: Sequence[str], outside: str) -> str | None:
        """Return a text that the patterns at a path allow, and that matches others, and not `outside`; None if none."""
        patterns = _patterns(self._walker.parts(self.level(steps)))
        if patterns == []:
            raise NotDecided
        return None if patterns is None else find_outside([*patterns, *matching], outside)

    def refutes(self, steps: Steps, leaf: Schema) -> bool:
        """Whether a message was found whose value at a path does not satisfy `leaf`."""
        is_valid = validator_of(leaf)
        return self.examples.any_at(steps, lambda value: value is not MISSING and not is_valid(value))

    def always_present(self, steps: Steps) -> bool:
        """Whether it is proved that there always is a value at a path; in a list, in each of its elements."""
        start = in_element(steps)
        ends = range(start, len(steps))
        if start == len(steps):
            return self.entails(steps, SOME_VALUE)
        return all(self.entails(steps[:end], there(steps[end : end + 1], SOME_VALUE)) for end in ends)

    def may_lack(self, steps: Steps) -> bool:
        """Whether a message was found without a value at a path; in a list, in one of its elements."""
        ends = range(len(steps), in_element(steps) - 1, -1)
        return any(self.examples.accepts(steps[:end], value) for end in ends for value in (MISSING, None)) or any(
            self.examples.any_at(steps[:end], lambda value: not isinstance(value, dict)) for end in ends[1:]
        )

    def types(self, steps: Steps) -> Collection[str]:
        """Return the types, as JSON Schema names them, that a value at a path can have by the keyword `type` alone."""
        return _types_of(self.level(steps))

    def most_characters(self, steps: Steps) -> float:
        """Return the most characters of the text at a path; infinity if there is no bound, or none is known."""
        return most_characters(self._walker.parts(self.level(steps)))

    def most_bytes(self, steps: Steps, fixed: int, kinds: Collection[str]) -> float:
        """Return the most bytes of all values at a path together, past the first `fixed` steps; infinity if unknown.

        Only values of some types count.
        """
        bounds = SizeBounds(self._walker)
        size = bounds.most_bytes(self.level(steps), kinds)
        for end in range(len(steps) - 1, fixed - 1, -1):
            if steps[end] is EACH:
                size = LIST_BYTES + bounds.most_items(self.level(steps[:end])) * (size + 1)
        return size

    def most_items(self, steps: Steps) -> float:
        """Return the most elements of the list at a path; infinity if there is no bound, or none is known."""
        return SizeBounds(self._walker).most_items(self.level(steps))

    def takes(self, steps: Steps, values: Sequence[Any]) -> bool:
        """Whether messages were found that have each of the values at a path."""
        return all(self.examples.accepts(steps, value) for value in values)

    def can_be(self, steps: Steps, values: Sequence[Any]) -> bool:
        """Whether a message was found that has one of the values at a path."""
        return any(self.examples.accepts(steps, value) for value in values)


def _patterns(level: Level) -> list[str] | None:
    """Return patterns that each text of a level matches; None if it has no texts."""
    match level:
        case Every(parts):
            every = [_patterns(part) for part in parts]
            return None if None in every else [*dict.fromkeys(chain.from_iterable(filter(None, every)))]
        case Some(parts):
            some = [found for part in parts if (found := _patterns(part)) is not None]
            # A pattern of each branch: without one in a branch, its texts can be any.
            count = max(map(len, some), default=0) if all(some) else 0
            return [one_of([found[min(number, len(found) - 1)] for found in some]) for number in range(count)]
    assert isinstance(level, Own)
    schema = level.place.content
    return patterns_in(schema) if "string" in own_types(schema) else None


def _types_of(level: Level) -> frozenset[str]:
    """Return the types that the values of a level can have by the keyword `type` of its subschemas."""
    match level:
        case Every(parts):
            return frozenset(ALL_TYPES).intersection(*map(_types_of, parts))
        case Some(parts):
            return frozenset[str]().union(*map(_types_of, parts))
    assert isinstance(level, Own)
    schema = level.place.content
    types = frozenset("number" if each == "integer" else each for each in own_types(schema))
    return types.intersection(map(kind_of, schema["enum"])) if "enum" in schema else types


def _required(level: Level) -> Iterable[str]:
    """Return the names of the properties that each object of a level has."""
    match level:
        case Every(parts):
            return dict.fromkeys(chain.from_iterable(map(_required, parts)))
        case Some(parts):
            first, *others = [_required(part) for part in parts] or [()]
            return [name for name in first if all(name in each for each in others)]
    assert isinstance(level, Own)
    names: list[str] = level.place.content.get("required", [])
    return names


def depthwise_prover_of(validation: Validation, parse: Parse, *, known: bool = True) -> DepthwiseProver:
    """Return the messages of a schema; unless `known`, the schema is only what accepts them."""
    level = Location.of(validation.root) if known else ANYTHING
    accepts, fault = validation.validator.is_valid, _Faults(validation).first
    return DepthwiseProver(SubschemaWalker(validation.locations), level, accepts, fault, parse)


class _Faults:
    """Where messages fail a schema."""

    def __init__(self, validation: Validation) -> None:
        self._validation = validation

    def first(self, message: Any) -> Sequence[str | int] | None:
        """Return the path of what fails first, which is the root if errors are large; None for a valid message."""
        validator = self._validation.validator
        if validator.is_valid(message):
            return None
        error = first_error(validator, message) if self._is_explained else None
        return () if error is None else error.instance_path

    @cached_property
    def _is_explained(self) -> bool:
        """Whether errors are small: one has the errors of all branches of a choice."""
        documents = self._validation.documents.values()
        parts = [part for document in documents for _, part in subschemas(document.content)]
        return all(len(part.get(key, ())) <= _MOST_EXPLAINED for part in parts for key in ("anyOf", "oneOf"))

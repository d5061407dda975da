"""Whether a route takes every message that another version of it takes: a proof, an example, or why it is not known.

A proof is by stages: what the first version lets through must pass each stage of the second that is not the same. An
example is a message that was run through both.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from router.change.containment import Containment
from router.change.edits import edits, names_of, shorter, values_of
from router.change.generate import Sampler
from router.change.patterns import texts_outside
from router.change.refusals import may_refuse
from router.change.routes import ACCEPTING, MAPPING, RouteVersion, exact
from router.change.running import RouteResult, record_of, run
from router.change.targets import changed_places, leading_to
from router.check.analysis.budget import ProofBudget
from router.check.analysis.conditions import ALWAYS, ANYTHING, Condition, condition_of, opposite_of
from router.check.analysis.entailment import (
    Answer,
    Entailment,
    entailment_of,
    entailment_of_document,
    entailment_without_schema,
)
from router.program.schemas.compile import Validation
from router.program.schemas.documents import ASSERTED_SINCE, DRAFTS, SchemaDocument, draft_of, subschemas
from router.program.schemas.references import Location, Locations

SECONDS = 1.0
"""The time for proofs about one route; nearly all take milliseconds."""
_SAMPLES = 24
_EXAMPLES = 8
_AIMED = 48
_MOST_TEXTS = 8
_EDITED = 4
"""Samples of which edits are tried."""
_MOST_SUBTRACTED = 16 * 1024
"""Bytes of schemas that are subtracted from each other: of a few larger ones that takes the library minutes."""
_MOST_CANDIDATES = 6000
_MOST_RUNS = 400
_MOST_EARLIER = 16
"""Conditions of earlier routes that are taken into account, as by `router check`."""
NEVER = Condition({"not": {}}, True)
"""The condition of messages that an earlier route without `when` leaves."""
_SAME_SINCE = 7
_SAME_KEYWORDS = frozenset(
    (
        *("$schema", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "$ref"),
        *("type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "format", "pattern"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("items", "minItems", "maxItems", "uniqueItems", "contains", "properties", "required", "propertyNames"),
        *("patternProperties", "additionalProperties", "minProperties", "maxProperties"),
    )
)
"""The keywords with the same meaning in all drafts from _SAME_SINCE on, as long as `items` is one schema."""
_URIS = {draft: uri for uri, draft in DRAFTS.items()}


class Counterexample(Struct, frozen=True):
    """A message that one version takes and the other does not, with the result of each."""

    message: Any
    first: RouteResult
    second: RouteResult


class Taking(Struct, frozen=True):
    """Whether the second version takes all that the first takes: proved, refuted by an example, or neither.

    `unproved` are the stages without a proof, with the reason of each, in words.
    """

    unproved: tuple[tuple[str, str], ...] = ()
    example: Counterexample | None = None

    @property
    def proved(self) -> bool:
        """Whether there is a proof."""
        return not self.unproved and self.example is None


def compare_taking(first: RouteVersion, second: RouteVersion, messages: list[Any]) -> Taking:
    """Return whether `second` takes every message that `first` takes; `messages` are more candidates."""
    changed = [part for part in (*ACCEPTING, *MAPPING) if first.parts[part] != second.parts[part]]
    if not changed:
        return Taking()
    budget = ProofBudget(SECONDS)
    reached = _message_set(first, budget)
    if reached.impossible:
        return Taking()
    unproved = [(part, why) for part in changed for why in _unproved(part, first, second, reached, budget)]
    if not unproved:
        return Taking()
    found = _search(first, second, _candidates(first, second, reached, messages, budget))
    return Taking(tuple(unproved), found)


def search_in(taking: Taking, first: RouteVersion, second: RouteVersion, messages: Iterable[Any]) -> Taking:
    """Return what is known with more messages, if neither a proof nor an example was found."""
    if taking.proved or taking.example:
        return taking
    return Taking(taking.unproved, _search(first, second, iter(messages)))


def _message_set(route: RouteVersion, budget: ProofBudget) -> Entailment:
    """Return the messages that pass `when`, the earlier routes and the schema, or more than them."""
    found = entailment_without_schema() if route.schema is None else entailment_of(route.schema, budget)
    if found is None:
        return entailment_without_schema()
    conditions = [_when(route.settings.when)]
    if len(route.earlier) <= _MOST_EARLIER:
        conditions += [
            opposite_of(each) if isinstance(each, str) else Condition({"not": {}}, True) for each in route.earlier
        ]
    for condition in conditions:
        if condition is not ALWAYS and condition is not ANYTHING:
            found = found.narrow(condition.predicate, condition.exact)
    return found


def _when(text: Any) -> Condition:
    return condition_of(text) if isinstance(text, str) else ALWAYS


def _unproved(
    part: str, first: RouteVersion, second: RouteVersion, reached: Entailment, budget: ProofBudget
) -> Iterator[str]:
    """Yield why it is not proved that all messages that reached the mapping of `first` pass a stage of `second`."""
    match part:
        case "schema":
            if second.schema is not None and not _schema_takes(first.schema, second.schema, reached, budget):
                yield "the schema may refuse messages"
        case "when":
            condition = _when(second.settings.when)
            if not condition.exact or reached.entails(condition.predicate) is not Answer.YES:
                yield "'when' may not hold"
        case "earlier":
            for each in set(second.earlier) - set(first.earlier):
                condition = _when(each)
                if reached.entails({"not": condition.predicate}) is not Answer.YES:
                    yield "an earlier route may take messages"
        case "decode":
            yield "messages are unwrapped in another way"
        case _:
            yield from may_refuse(part, first, second)


def _schema_takes(old: Validation | None, new: Validation, reached: Entailment, budget: ProofBudget) -> bool:
    """Return whether it is proved that a schema takes every message of a set, which the old schema let through."""
    taken = entailment_of(new, budget)
    if taken is not None and _is_exact(new):
        answer = taken.covers(reached)
        if answer is not Answer.UNKNOWN:
            return answer is Answer.YES
    if old is None:
        return False
    if old.root.draft != new.root.draft:
        before = in_draft(old, new.root.draft)
        was = None if before is None else entailment_of_document(before, budget)
        return was is not None and taken is not None and _is_exact(new) and taken.covers(was) is Answer.YES

    def covers(before: Any, after: Any) -> bool:
        draft = _URIS[new.root.draft]
        one, two = (entailment_of_document(_with_draft(each, draft), budget) for each in (before, after))
        return (
            one is not None
            and two is not None
            and _formats_are_asserted(after, new.root.draft)
            and two.covers(one) is Answer.YES
        )

    comparison = Containment(old.locations, new.locations, covers)
    try:
        return comparison.implies(_root(old), _root(new))
    except RecursionError:
        return False


def in_draft(schema: Validation, draft: int) -> Any:
    """Return the content of a schema in another draft; None if a keyword may mean something else there."""
    content = schema.root.content
    if len(schema.documents) > 1 or min(draft, schema.root.draft) < _SAME_SINCE:
        return None
    for _, part in subschemas(content):
        listed = isinstance(part.get("items"), list)
        beside = "$ref" in part and part.keys() - {"$ref", "$schema", "definitions", "$defs"}
        if listed or beside or not part.keys() <= _SAME_KEYWORDS:
            return None
    return _with_draft(content, _URIS[draft])


def _with_draft(content: Any, draft: str) -> Any:
    return {**content, "$schema": draft} if isinstance(content, dict) else content


def _is_exact(schema: Validation) -> bool:
    """Return whether the library asserts all formats that the router asserts, so that it knows the exact set."""
    return all(_formats_are_asserted(each.content, each.draft) for each in schema.documents.values())


def _formats_are_asserted(content: Any, draft: int) -> bool:
    formats = (each.get("format") for _, each in subschemas(content))
    return all(ASSERTED_SINCE.get(name, 0) <= draft for name in formats if isinstance(name, str))


def _root(schema: Validation) -> Location:
    return Location(schema.root, (), schema.root.content)


def _candidates(
    first: RouteVersion, second: RouteVersion, reached: Entailment, messages: list[Any], budget: ProofBudget
) -> Iterator[Any]:
    """Yield messages that `first` may take and `second` may refuse, the most likely first."""
    yield from messages
    aimed, changed, texts = _aimed(first.schema, second.schema)
    bases: list[Any] = []
    for message in aimed:
        yield message
        bases.append(message)
    if max(map(_size, (first.schema, second.schema))) <= _MOST_SUBTRACTED:
        yield from _samples(reached.without(_message_set(second, budget)), _SAMPLES)
    bases += _samples(reached.as_schema(), _SAMPLES)
    if first.schema is not None:
        bases += Sampler(first.schema.locations).values(_root(first.schema), _SAMPLES)
    yield from bases
    schemas = (first.schema, second.schema)
    values, names = [*texts, *values_of(schemas, changed)], names_of(schemas)
    taken = (message for message in [*messages, *bases] if _passes(first, message))
    for message in islice(taken, _EDITED):
        yield from edits(message, values, names)


def _size(schema: Validation | None) -> int:
    return sum(len(exact(each.content)) for each in schema.documents.values()) if schema else 0


def _aimed(first: Validation | None, second: Validation | None) -> tuple[Iterator[Any], list[Any], list[str]]:
    """Return messages of the first schema with what the second describes in another way, and what differs in both.

    Then come texts for such a place that a pattern of the second does not match.
    """
    if first is None or second is None:
        return iter(()), [], []
    changed, others = changed_places(first, second), list(changed_places(second, first).values())
    texts = list(islice(texts_outside(changed.values(), others), _MOST_TEXTS))
    leading, root = leading_to(first, changed), _root(first)
    aimed = [Sampler(first.locations, 0, leading, changed, found).values(root, _AIMED) for found in (texts, [])]
    return chain(*(aimed if texts else aimed[1:])), [*changed.values(), *others], texts


def samples_of(*routes: RouteVersion) -> Iterator[Any]:
    """Yield messages that the routes may take, of each the same ones every time."""
    for route in routes:
        yield from _samples(_message_set(route, ProofBudget(SECONDS)).as_schema(), _EXAMPLES)


def _samples(schema: Any, count: int) -> Iterator[Any]:
    """Yield values of a schema that the library computed; none for None."""
    if not isinstance(schema, dict | bool):
        return
    draft = draft_of(schema) or 2020
    document = SchemaDocument("computed", "https://config.invalid/computed", Path(), schema, draft)
    yield from Sampler(Locations([document])).values(Location(document, (), schema), count)


def _passes(route: RouteVersion, message: Any) -> bool:
    """Return whether a message passes `when` and the schema."""
    compiled = route.compiled
    if compiled.when is not None and not compiled.when(message):
        return False
    return compiled.validate is None or compiled.validate(message) is None


def _search(first: RouteVersion, second: RouteVersion, candidates: Iterator[Any]) -> Counterexample | None:
    """Return the first message that `first` takes and `second` does not, made as short as possible."""
    runs = 0
    for message in islice(candidates, _MOST_CANDIDATES):
        if not _passes(first, message) or (runs >= _MOST_RUNS and _passes(second, message)):
            continue
        runs += 1
        found = _try(first, second, message)
        if found is not None:
            return _shortened(first, second, found)
    return None


def _try(first: RouteVersion, second: RouteVersion, message: Any) -> Counterexample | None:
    record = record_of(first, message)
    if record is None:
        return None
    one = run(first, record)
    if not one.taken:
        return None
    two = run(second, record)
    return None if two.taken else Counterexample(message, one, two)


def _shortened(first: RouteVersion, second: RouteVersion, example: Counterexample) -> Counterexample:
    for _ in range(100):
        smaller = (_try(first, second, message) for message in shorter(example.message))
        found = next((each for each in smaller if each and each.second.outcome == example.second.outcome), None)
        if found is None:
            return example
        example = found
    return example

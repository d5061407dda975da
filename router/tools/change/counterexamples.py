"""Searches messages that one version of a route takes and another refuses; each was run through both."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import chain, islice
from math import inf
from operator import getitem
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from router import codes
from router.prover.changed_keywords import Spot, changed_keywords, changed_places, leading_to
from router.prover.predicates import exact
from router.prover.sampling import Sampler
from router.prover.text_patterns import texts_outside
from router.prover.value_generation import replaced
from router.runtime.program.schemas.compile import Validation
from router.runtime.program.schemas.documents import SchemaDocument, draft_of, list_of
from router.runtime.program.schemas.references import Location, Locations
from router.tools.change.edits import edits, names_of, shorter, values_of
from router.tools.change.routes import ACCEPTING, RouteVersion, when_of
from router.tools.change.running import WHEN_FAILS, RouteResult, record_of, run

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
_MOST_ROUNDS = 100
_MOST_KEYWORDS = 16
"""Changed keywords of a schema for each of which a message is looked for, once one was found for any."""
_SEEDS = 6
_MOST_EDITS = 300
_DECIDING = {
    codes.INVALID.id: "schema",
    codes.NO_ROUTE.id: "when",
    codes.NOT_JSON.id: "decode",
    codes.BAD_ENVELOPE.id: "decode",
}
"""The stages that refuse a message by the code of its outcome; any other is of the mapping."""
MAPPED = "item"


class Counterexample(Struct, frozen=True):
    """A message that one version takes and the other does not, with the result of each."""

    message: Any
    first: RouteResult
    second: RouteResult

    @property
    def reason(self) -> tuple[str, str]:
        """What tells the refusals of a version apart."""
        return self.second.outcome.code, self.second.refusal


def stage_of(example: Counterexample) -> str:
    """Return the stage that refuses the message: `decode`, `when`, `earlier` or `schema`; `item` for the mapping."""
    outcome = example.second.outcome
    return "earlier" if outcome.kind == "written" else _DECIDING.get(outcome.code, MAPPED)


def stage_of_part(part: str) -> str:
    """Return the stage, as of `stage_of`, of a part of a route."""
    return part if part in ACCEPTING else MAPPED


def search(
    first: RouteVersion, second: RouteVersion, candidates: Iterable[Any]
) -> Counterexample | None:
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


def find_others(
    first: RouteVersion,
    second: RouteVersion,
    found: Counterexample,
    unproved: Sequence[str],
    messages: Sequence[Any],
) -> Iterator[Counterexample]:
    """Yield messages that are refused for other reasons than the one that was found.

    `unproved` are the parts of the route of which it is not proved that they refuse nothing. The `messages` are tried
    first.
    """
    known = {found.reason}
    by_reason = _by_reason(first, second, stage_of(found), unproved)
    for most, candidates in ((len(messages), messages), *by_reason):
        left, runs = most, _MOST_RUNS
        for message in candidates:
            # Most messages end as one that is known: they need not run.
            if not left or not runs:
                break
            if not _passes(first, message) or _early_reason(second, message) in known:
                continue
            runs -= 1
            other = _try(first, second, message)
            if other is not None and other.reason not in known:
                known.add(other.reason)
                left -= 1
                yield _shortened(first, second, other)


def _by_reason(
    first: RouteVersion, second: RouteVersion, known: str, unproved: Sequence[str]
) -> Iterator[tuple[int, Iterable[Any]]]:
    """Yield messages that may be refused for other reasons, with the most reasons that they may show."""
    stages = set(map(stage_of_part, unproved))
    if "schema" in stages and first.schema is not None and second.schema is not None:
        changed = list(islice(changed_keywords(first.schema, second.schema), _MOST_KEYWORDS))
        if len(changed) > 1 or known != "schema":
            when = first.settings.when if second.settings.when is None else second.settings.when
            for spot, before in changed:
                yield 1, _with_before(first.schema, second.schema, when, spot, before)
    others = len(stages - {known, "schema", MAPPED})
    if others:
        yield others, _taken(first, first)
    mapped = sum(part not in ACCEPTING for part in unproved) - (known == MAPPED)
    if mapped:
        yield mapped, _taken(first, second)


def _taken(first: RouteVersion, second: RouteVersion) -> Iterator[Any]:
    """Yield messages that the schemas and conditions of both versions take, and edits of one.

    It is one that the mapping of the first takes, too, if there is such.
    """
    made = chain(samples(second, _SAMPLES), samples(first, _SAMPLES))
    taken = [message for message in made if _passes(first, message) and _passes(second, message)]
    yield from taken
    schemas = (first.schema, second.schema)
    for message in sorted(taken, key=lambda each: not _takes(first, each))[:1]:
        edited = islice(edits(message, values_of(schemas), names_of(schemas)), _MOST_EDITS)
        yield from (each for each in edited if _passes(second, each))


def _with_before(
    old: Validation, new: Validation, when: str | None, spot: Spot, before: dict[str, Any]
) -> Iterator[Any]:
    """Yield messages of both schemas, the new with a subschema as `before`, for which the condition holds."""
    uri, path = spot
    contents: dict[str, Any] = {name: each.content for name, each in new.documents.items()}
    after: Any = reduce(getitem, path, contents[uri])
    outside = chain(texts_outside([before], [after]), _longer_texts(before, after))
    texts = list(islice(outside, _MOST_TEXTS))
    contents[uri] = replaced(contents[uri], path, before)
    root = contents[new.root.uri]
    if isinstance(root, dict):
        more = (when_of(when).predicate, old.root.content)
        contents[new.root.uri] = {**root, "allOf": [*list_of(root, "allOf"), *more]}
    documents = {
        name: structs.replace(each, content=contents[name]) for name, each in new.documents.items()
    }
    wider = Validation(new.validator, documents)
    leading = leading_to(wider, [spot])
    for seed in range(_SEEDS):
        # With few optional parts, and with all: the fewer there are, the fewer have something else that is refused.
        made = [
            *Sampler(wider.locations, seed, leading, [spot], texts).values(
                Location.of(wider.root), 2
            )
        ]
        yield from made
        if after.get("propertyNames") != before.get("propertyNames"):
            for message in made:
                yield from islice(edits(message, (), names_of((new,))), _MOST_EDITS)


def _longer_texts(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield texts at the bounds of a schema that are longer than another takes.

    Texts that are shorter need no search: the shortest that a schema takes are made first.
    """
    most = after.get("maxLength", inf)
    for value in values_of((), (before,)):
        if isinstance(value, str) and len(value) > most:
            yield value


def _early_reason(route: RouteVersion, message: Any) -> tuple[str, str] | None:
    """Return the reason for which a condition or schema refuses a message, as a counterexample has it."""
    compiled = route.compiled
    if compiled.when is not None and not compiled.when(message):
        return codes.NO_ROUTE.id, WHEN_FAILS
    invalid = compiled.validate and compiled.validate(message)
    return None if invalid is None else (codes.INVALID.id, invalid.reason)


def make_candidates(
    first: RouteVersion, second: RouteVersion, messages: Sequence[Any]
) -> Iterator[Any]:
    """Yield messages that `first` may take and `second` may refuse, the most likely first."""
    yield from messages
    schemas = (first.schema, second.schema)
    aimed, changed, texts = _aimed(*schemas)
    bases: list[Any] = []
    for message in aimed:
        yield message
        bases.append(message)
    if max(map(_size, schemas)) <= _MOST_SUBTRACTED:
        yield from _values(first.messages.without(second.messages), _SAMPLES)
    bases += samples(first, _SAMPLES)
    if first.schema is not None:
        bases += Sampler(first.schema.locations).values(Location.of(first.schema.root), _SAMPLES)
    yield from bases
    values, names = [*texts, *values_of(schemas, changed)], names_of(schemas)
    taken = (message for message in [*messages, *bases] if _passes(first, message))
    for message in islice(taken, _EDITED):
        yield from edits(message, values, names)


def _size(schema: Validation | None) -> int:
    return sum(len(exact(each.content)) for each in schema.documents.values()) if schema else 0


def _aimed(
    first: Validation | None, second: Validation | None
) -> tuple[Iterator[Any], list[Any], list[str]]:
    """Return messages of the first schema with what the second describes in another way, and what differs in both.

    Then come texts for such a place that a pattern of the second does not match.
    """
    if first is None or second is None:
        return iter(()), [], []
    changed, others = changed_places(first, second), changed_places(second, first).values()
    texts = list(islice(texts_outside(changed.values(), others), _MOST_TEXTS))
    leading = leading_to(first, changed)

    def aim(texts: list[str]) -> Iterator[Any]:
        sampler = Sampler(first.locations, 0, leading, changed, texts)
        return sampler.values(Location.of(first.root), _AIMED)

    aimed = chain(aim(texts), aim([])) if texts else aim([])
    return aimed, [*changed.values(), *others], texts


def samples(route: RouteVersion, count: int = _EXAMPLES) -> Iterator[Any]:
    """Yield messages that a route may take, the same ones every time."""
    return _values(route.messages.as_schema(), count)


def _values(schema: Any, count: int) -> Iterator[Any]:
    """Yield values of a schema that the library computed; none for None."""
    if not isinstance(schema, dict | bool):
        return
    draft = draft_of(schema) or 2020
    document = SchemaDocument("computed", "https://config.invalid/computed", Path(), schema, draft)
    yield from Sampler(Locations([document])).values(Location.of(document), count)


def _passes(route: RouteVersion, message: Any) -> bool:
    """Return whether a message passes `when` and the schema."""
    when = route.compiled.when
    if when is not None and not when(message):
        return False
    try:
        # The check of the route itself finds the reason, too, which takes longer.
        return route.schema is None or route.schema.is_valid(message)
    except ValueError:  # half of a surrogate pair
        return False


def _takes(route: RouteVersion, message: Any) -> bool:
    record = record_of(route, message)
    return record is not None and run(route, record).taken


def _try(first: RouteVersion, second: RouteVersion, message: Any) -> Counterexample | None:
    record = record_of(first, message)
    if record is None:
        return None
    one = run(first, record)
    two = run(second, record) if one.taken else one
    return None if one.taken == two.taken else Counterexample(message, one, two)


def _shortened(
    first: RouteVersion, second: RouteVersion, example: Counterexample
) -> Counterexample:
    """Return an example for the same reason that is as short as possible."""
    early = stage_of(example) in ("when", "schema")

    def is_similar(message: Any) -> bool:
        return _passes(first, message) and (
            not early or _early_reason(second, message) == example.reason
        )

    for _ in range(_MOST_ROUNDS):
        for message in filter(is_similar, shorter(example.message)):
            found = _try(first, second, message)
            if found and found.second.outcome == example.second.outcome:
                example = found
                break
        else:
            break
    return example

"""Reports key attributes that the schema of a route does not guarantee, and partition keys that have few values."""

from collections.abc import Iterator

from msgspec import structs

from router.codes import declare
from router.model import KeyType, Path
from router.prover.inference import NO, UNKNOWN, YES, Value
from router.prover.predicates import in_words
from router.prover.size_bounds import BYTES_OF_A_CHARACTER
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_PARTITION_KEY_BYTES, MAX_SORT_KEY_BYTES
from router.runtime.engine.convert import CONVERTERS, TEXT_FORMATS
from router.tools.check.analysis.attributes import (
    InferredAttribute,
    count_of_attribute,
    place_of,
    stored,
)
from router.tools.check.analysis.claims import KINDS_OF_KEYS
from router.tools.check.analysis.routes import (
    AnalyzedRoute,
    MessageSets,
    is_set,
    named,
    why_missing,
)
from router.tools.check.analysis.text_formats import refusal_of
from router.tools.check.analysis.verdicts import Claim
from router.tools.check.rule import Found, Subject, rule

KEY_MISSING = declare(
    "RT610",
    "a key attribute that may be missing",
    "A message without the key is rejected, although it satisfies the schema, so that its sender cannot know why. A "
    "schema that requires the key makes it a part of the contract.",
)
KEY_OF_OTHER_TYPE = declare(
    "RT611",
    "a key attribute whose value may have another type",
    "DynamoDB accepts only keys of the table's types; messages with other types satisfy the schema, and are rejected "
    "later.",
)
KEY_EMPTY = declare(
    "RT612",
    "a key attribute that may be empty",
    "DynamoDB does not accept empty text as a key, so that such a message is rejected.",
)
KEY_TOO_LONG = declare(
    "RT613",
    "a key attribute whose length is not bounded",
    "A partition key has at most 2048 bytes, a sort key 1024; a longer one is rejected. A character has up to 4 bytes "
    "in UTF-8.",
    "info",
)
KEY_UNSURE = declare(
    "RT616",
    "a key attribute that only `when` may guarantee",
    "The schema alone does not guarantee that it is there, not empty and of the type of the key, and the conditions "
    "cannot be analyzed completely. If they do not guarantee it either, such messages are rejected.",
    "info",
)


@rule(KEY_MISSING, KEY_OF_OTHER_TYPE, KEY_EMPTY, KEY_TOO_LONG, KEY_UNSURE)
def check_keys(subject: Subject) -> Iterator[Found]:
    """Report key attributes that the schema does not guarantee."""
    for route in subject.routes:
        if route.table is None:
            continue
        limit = MAX_PARTITION_KEY_BYTES
        for name, kind in route.table.key.items():
            yield from _check_key(route, name, kind, limit)
            limit = MAX_SORT_KEY_BYTES


def _check_key(route: AnalyzedRoute, name: str, kind: KeyType, limit: int) -> Iterator[Found]:
    if name in route.attributes or (not is_set(route.route.item) and route.mapped is not None):
        yield from _judge(route, name, kind, limit, stored(route, name), place_of(route, name))


def _judge(
    route: AnalyzedRoute,
    name: str,
    kind: KeyType,
    limit: int,
    inferred: InferredAttribute,
    path: Path,
) -> Iterator[Found]:
    """Report the first property of a key attribute that is not guaranteed."""
    value, claim = inferred.value, route.claim("key", name)
    if value.missing is YES:
        sentence = f"key attribute '{name}' may be missing: {why_missing(value)}"
        if value.lacking is None and not value.gap:
            sentence = f"key attribute '{name}' is missing in every message: it has no such value"
        default = (
            "add a 'default', or take the key from a value that the schema requires"
            if value.gap
            else ""
        )
        advice = route.require(value.lacking, claim) or default
        yield Found(KEY_MISSING, sentence, path, advice, refutes=claim)
        return
    if route.messages.by_schema is not None:
        by_schema = structs.replace(route, messages=MessageSets(mapped=route.messages.by_schema))
        unsure = next(_check_by_schema(by_schema, name, kind, inferred, path), None)
        if unsure is not None:
            yield unsure
    others, advice = _others(route, kind, inferred)
    if others:
        sentence = f"key attribute '{name}' may be {others}, the key of table '{route.route.table}' is {kind}"
        yield Found(KEY_OF_OTHER_TYPE, sentence, path, advice, refutes=claim)
        return
    if not route.final:
        return
    if value.empty is YES:
        advice = route.constrain(inferred.steps[0].before, "pattern") if inferred.steps else ""
        advice = route.constrain(value, "minLength: 1") or advice
        yield Found(KEY_EMPTY, f"key attribute '{name}' may be empty", path, advice, refutes=claim)
    elif kind == "S" and route.mapped is not None and value.can_be(["string"]) is YES:
        certain = value.missing is value.empty is NO and not _may_be_unfit(inferred, kind)
        yield from _check_length(
            route, name, limit, value, path, route.claim("key", name) if certain else None
        )


def _check_by_schema(
    route: AnalyzedRoute, name: str, kind: KeyType, narrowed: InferredAttribute, path: Path
) -> Iterator[Found]:
    """Report what the schema alone does not guarantee, and only conditions that are not exact may."""
    inferred = stored(route, name)
    value = inferred.value
    if narrowed.value.missing is UNKNOWN and value.missing is YES and value.lacking is not None:
        sentence = f"key attribute '{name}' may be missing, unless 'when' guarantees {named(value)}"
        yield Found(
            KEY_UNSURE, sentence, path, route.require(value.lacking, route.claim("key", name))
        )
    others, advice = _others(route, kind, inferred)
    if others and not value.untyped and not _excludes(narrowed, inferred, kind):
        sentence = (
            f"key attribute '{name}' may be {others}, unless 'when' excludes it: the key is {kind}"
        )
        yield Found(KEY_UNSURE, sentence, path, advice)
    if narrowed.value.empty is UNKNOWN and value.empty is YES and route.final:
        sentence = f"key attribute '{name}' may be empty, unless 'when' excludes it"
        yield Found(KEY_UNSURE, sentence, path, route.constrain(value, "minLength: 1"))


def _excludes(narrowed: InferredAttribute, inferred: InferredAttribute, kind: KeyType) -> bool:
    """Whether conditions, as far as they are understood, exclude types that the schema allows and the key does not."""
    fitting = inferred.accepts or (KINDS_OF_KEYS[kind],)
    before, after = (
        (inferred.raw, narrowed.raw) if inferred.accepts else (inferred.value, narrowed.value)
    )
    unfit = before.other_than(fitting)
    return bool(unfit) and all(after.types.get(other, NO) is NO for other in unfit)


def _others(route: AnalyzedRoute, kind: KeyType, inferred: InferredAttribute) -> tuple[str, str]:
    """Return in words which values are no valid key, and a suggestion; both are "" if all values are valid."""
    raw = inferred.raw
    if inferred.accepts is None:
        unfit = inferred.value.other_than([KINDS_OF_KEYS[kind]]) if route.final else []
    else:
        unfit = raw.other_than(inferred.accepts)
        form = TEXT_FORMATS.get(kind)
        if (
            not unfit
            and form
            and (refusal := refusal_of(route, raw, form, CONVERTERS[kind])).possible is YES
        ):
            keyword = "type: number" if kind == "N" else form.keyword
            return f"text that is not {form.name}{refusal.shown}", route.constrain(raw, keyword)
    return (in_words(unfit), _retype(route, inferred, kind)) if unfit else ("", "")


def _retype(route: AnalyzedRoute, inferred: InferredAttribute, kind: KeyType) -> str:
    if inferred.raw.origin is None:
        return (
            "write 'type: N', if it is the text of a number"
            if kind == "N" and inferred.accepts is None
            else ""
        )
    return route.constrain(inferred.raw, f"type: {'number' if kind == 'N' else 'string'}")


def _may_be_unfit(inferred: InferredAttribute, kind: KeyType) -> bool:
    """Whether it is not proved that the value has a type that the key takes."""
    value, fitting = (
        (inferred.raw, inferred.accepts)
        if inferred.accepts
        else (inferred.value, (KINDS_OF_KEYS[kind],))
    )
    return any(answer is not NO and each not in fitting for each, answer in value.types.items())


def _check_length(
    route: AnalyzedRoute, name: str, limit: int, value: Value, path: Path, claim: Claim | None
) -> Iterator[Found]:
    """Report a length that is not bounded; it refutes the claim about the key, if nothing else is doubtful."""
    most = limit // BYTES_OF_A_CHARACTER
    advice = route.constrain(value, f"maxLength: {most}")
    if value.longest is None:
        sentence = f"key attribute '{name}' may have more than {limit} bytes: the schema does not bound its length"
        yield Found(KEY_TOO_LONG, sentence, path, advice, refutes=claim)
    elif value.longest > most:
        sentence = f"key attribute '{name}' may have {value.longest} characters, which can be more than {limit} bytes"
        yield Found(KEY_TOO_LONG, sentence, path, advice, refutes=claim)


HOT_PARTITION = declare(
    "RT621",
    "a partition key that has few values",
    "DynamoDB writes at most 1,000 units a second to one partition, so that few keys limit the rate of the table. A "
    "higher rate is throttled.",
    "info",
)


@rule(HOT_PARTITION)
def check_partition_keys(subject: Subject) -> Iterator[Found]:
    """Report partition keys that are a constant, true or false, or of an enumeration."""
    for route in subject.routes:
        if route.table is None or not route.final:
            continue
        name = next(iter(route.table.key))
        attribute = route.attributes.get(name)
        if attribute is None and is_set(route.route.item):
            continue
        text = f'element."{name}"' if route.scope.each else f'"{name}"'
        whole = spec.Attribute(from_=text)
        count = count_of_attribute(route, attribute or whole)
        if count is not None:
            values = "one value" if count == 1 else f"{count} values"
            sentence = f"partition key '{name}' has only {values}: one partition takes 1,000 writes of 1 KB a second"
            path = place_of(route, name)
            yield Found(
                HOT_PARTITION,
                sentence,
                path,
                "add a part that differs, as a date or an id, with 'template'",
            )

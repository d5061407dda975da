"""Reports modes and settings of `write` that lose or misorder writes, or reject messages that the
schema accepts.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from msgspec import UNSET, structs

from router.codes import declare
from router.prover.expressions import Scope, tree_of
from router.prover.inference import Value
from router.prover.predicates import Steps, in_words
from router.prover.schema_prover import NO, YES, SchemaProver
from router.runtime.config import spec
from router.runtime.modes import MODES
from router.runtime.sources import Evaluated, Joined, source_of
from router.runtime.transforms.values import TO_TEXT
from router.tools.check.analysis.attributes import count_of_expression, infer, values_of
from router.tools.check.analysis.claims import longest_idempotency_key
from router.tools.check.analysis.numbers import has_one_length
from router.tools.check.analysis.proof_cache import prover_without_schema
from router.tools.check.analysis.routes import (
    MAX_CONDITIONS,
    AnalyzedRoute,
    why_missing,
)
from router.tools.check.analysis.values import ORDERED, possible
from router.tools.check.rule import Found, PlacedClaim, Subject, place_claim, rule
from router.tools.check.rules.keys import KEY_TOO_LONG

if TYPE_CHECKING:
    from router.tools.check.analysis.version_scales import ScaleConflict

SAME_TABLE = declare(
    "RT217",
    "one table under two names",
    "Writes of one item are put in order by table: under two names, a later write can overtake an earlier one.",
    "warning",
)
SAME_KEY = declare(
    "RT218",
    "one message that puts two items of one key",
    "The later route replaces the item that the earlier one has put. With one version for both, the later one is "
    "`stale`, and what both set has the value of the earlier one.",
    "info",
)


@rule(SAME_KEY)
def check_puts(subject: Subject) -> Iterator[Found]:
    """Report routes that write the same attributes for one message, and lose nothing else of each
    other.
    """
    if all(len(routes) == 1 for routes in subject.by_queue.values()):
        return
    known = {each.claim for each in subject.meetings if each.example is not None}
    for routes in _by_key(subject):
        writing = [
            route
            for route in routes
            if route.queue.match == "all" and (_replaces(route.route.write) or _version_of(route))
        ]
        for one, other in combinations(writing, 2) if len(writing) <= MAX_CONDITIONS else ():
            if one.route.queue != other.route.queue or one.route.for_each is not None:
                continue
            found = _both_write(one, other)
            if found is None or other.claim("pair", one.name) in known:
                continue
            messages = prover_without_schema().narrow(one.when.predicate, one.when.exact)
            if messages.narrow(other.when.predicate, other.when.exact).allows({}) is YES:
                sentence, advice = found
                yield Found(SAME_KEY, sentence, other.path, advice)


def _both_write(one: AnalyzedRoute, other: AnalyzedRoute) -> tuple[str, str] | None:
    """Return what two routes do to one item for one message, and what to do about it."""
    names = f"routes '{one.name}' and '{other.name}'"
    version = _version_of(one)
    if version and version == _version_of(other):
        common = [
            name
            for name, attribute in one.attributes.items()
            if name in other.attributes
            and _identity(attribute) != _identity(other.attributes[name])
        ]
        # A version of another source is another one for the same message.
        if not common or version in common:
            return None
        sentence = f"{names} set '{common[0]}' of one item for one message, with one version"
        return sentence, f"set '{common[0]}' in one of them"
    if _replaces(one.route.write) and _replaces(other.route.write):
        return (
            f"{names} put the same key for one message",
            "map both to one item, or use 'mode: update'",
        )
    return None


def _version_of(route: AnalyzedRoute) -> str:
    """Return the version of a route that stores one, or ""."""
    return "" if route.deletes else route.route.write.version or ""


@rule(SAME_TABLE)
def check_tables(subject: Subject) -> Iterator[Found]:
    """Report tables that are declared twice."""
    seen: dict[str, str] = {}
    for name, table in subject.config.tables.items():
        other = seen.setdefault(table.name or name, name)
        if other != name:
            yield Found(
                SAME_TABLE,
                f"'{name}' is the same table as '{other}'",
                ("tables", name),
                f"use '{other}'",
            )


def _by_key(subject: Subject) -> list[list[AnalyzedRoute]]:
    """Return the routes whose keys are mapped, in groups that write the same key of the same table."""
    groups: dict[object, list[AnalyzedRoute]] = {}
    for route in subject.routes:
        key = _key_of(route)
        if key is not None:
            groups.setdefault((route.route.table, route.route.for_each, key), []).append(route)
    return list(groups.values())


def _replaces(write: spec.WriteSettings) -> bool:
    """Return whether a write replaces the whole item, whatever is stored."""
    mode = MODES[write.mode]
    return mode.stores == "item" and "content" in mode.destroys


def _key_of(route: AnalyzedRoute) -> str | None:
    """Return how the key of a route's items is mapped, as normalized text.

    None if it is not mapped.
    """
    if route.table is None:
        return None
    key = route.table.key
    if not route.is_whole and not key.keys() <= route.attributes.keys():
        return None
    return repr([_identity(route.attribute_of(name)) for name in key])


def _identity(attribute: spec.Attribute) -> object:
    """Return what is equal for attributes that are mapped alike: `id`, `"id"` and `@.id` are one
    path.
    """
    values = values_of(attribute)
    if not isinstance(values, Evaluated):
        return None, attribute
    tree = tree_of(values.text)
    names = Scope().path(tree)
    others = structs.replace(attribute, **{source_of(attribute)[0].field: UNSET})
    return tree if names is None else names, others


REPEATED_EFFECT = declare(
    "RT606",
    "`add` or `append` without `once`",
    "SQS delivers a message at least once; a redelivered message is added or appended again, unless `once` stores an "
    "idempotency key for each applied update.",
    severity="warning",
)


@rule(REPEATED_EFFECT)
def check_repeated_effects(subject: Subject) -> Iterator[Found]:
    """Report settings whose effect a redelivered message repeats."""
    for name, route in subject.config.routes.items():
        write = route.write
        repeated = [each for each in sorted(MODES[write.mode].repeats) if getattr(write, each)]
        # With a version a redelivered message is stale: RT629 says what else is.
        if repeated and write.once is None and write.version is None:
            first = repeated[0]
            yield Found(
                REPEATED_EFFECT,
                f"'{first}' is applied again each time a message is redelivered",
                ("routes", name, "write", first),
                "name a table of idempotency keys with 'once:'",
                key=True,
            )


NEVER_ADDED = declare(
    "RT617",
    "an attribute of `add` that is never a number or a set",
    "DynamoDB adds numbers, and adds elements to sets. Every message would be rejected.",
)
NOT_ALWAYS_ADDED = declare(
    "RT618",
    "an attribute of `add` that may be neither a number nor a set",
    "A message that satisfies its schema can be rejected nevertheless.",
    "warning",
)
_ADDABLE = ("number", "set")


@rule(NEVER_ADDED, NOT_ALWAYS_ADDED)
def check_added_values(subject: Subject) -> Iterator[Found]:
    """Report attributes of `add` that can have another type."""
    for route in subject.routes:
        for name in route.route.write.add:
            attribute = route.attributes.get(name)
            if attribute is None or not route.final:
                continue
            value = infer(route, attribute).value
            placed = place_claim(route, "mapping", name)
            unfit = value.other_than(_ADDABLE)
            advice = f"add 'type: N' to attribute '{name}', or a type of set"
            if value.types and value.can_be(_ADDABLE) is NO:
                kinds = in_words(possible(value))
                yield placed.refuted(
                    NEVER_ADDED,
                    f"'add' takes a number or a set, and attribute '{name}' is {kinds}",
                    advice,
                )
            elif unfit and not value.untyped:
                yield placed.refuted(
                    NOT_ALWAYS_ADDED,
                    f"'add' takes a number or a set, and attribute '{name}' may be {in_words(unfit)}",
                    advice,
                )


NO_IDEMPOTENCY_KEY = declare(
    "RT619",
    "an idempotency key that may be missing, empty, or no text",
    "A message without an idempotency key is rejected, although it satisfies the schema, so that its sender cannot "
    "know why.",
)
SHARED_IDEMPOTENCY_KEY = declare(
    "RT620",
    "an idempotency key that many messages share",
    "Of all messages with one idempotency key, only the first is written; the others count as duplicates.",
)


@rule(NO_IDEMPOTENCY_KEY, SHARED_IDEMPOTENCY_KEY)
def check_idempotency_keys(subject: Subject) -> Iterator[Found]:
    """Report a `once_key` that the schema does not guarantee, or that has few values."""
    for route in subject.routes:
        text = route.route.write.once_key
        if text is None:
            continue
        placed = place_claim(route, "once_key")
        value = route.value_in_message(text)
        fault, advice = _fault(placed, value)
        if fault:
            yield placed.refuted(NO_IDEMPOTENCY_KEY, f"the idempotency key {fault}", advice)
            continue
        count = count_of_expression(route, Scope(), text)
        if count is not None:
            values = "is the same for all messages" if count == 1 else f"has only {count} values"
            yield placed.refuted(
                SHARED_IDEMPOTENCY_KEY,
                f"the idempotency key '{text}' {values}",
                "use an id of the message, or remove 'once_key'",
            )
        elif (
            route.messages.taken is not None
            and value.missing is value.empty is NO
            and value.types.keys() == {"string"}
        ):
            yield from _check_length(placed, value)


def _check_length(placed: PlacedClaim, value: Value) -> Iterator[Found]:
    """Report the length of an idempotency key that is a text in each message, if it is not bounded."""
    most = longest_idempotency_key(placed.route.name)
    if value.longest is None or value.longest > most:
        yield placed.refuted(
            KEY_TOO_LONG,
            f"the idempotency key may have more than {most} characters, and with its route over 2048 bytes",
            placed.route.constrain(value, f"maxLength: {most}"),
        )


def _fault(placed: PlacedClaim, value: Value) -> tuple[str, str]:
    """Return why a value may be no idempotency key, and a suggestion; both are "" if nothing is
    known.
    """
    route = placed.route
    unfit = value.other_than(("string",))
    if value.missing is YES:
        return f"may be missing: {why_missing(value)}", route.require(value.lacking, placed.claim)
    if value.types and not value.may_be("string"):
        return f"is {in_words(possible(value))}, not text", "convert it with to_string()"
    if unfit and not value.untyped:
        return f"may be {in_words(unfit)}, not text", route.constrain(value, "type: string")
    if value.empty is YES:
        return "may be empty", route.constrain(value, "minLength: 1")
    return "", ""


VERSION_MISSING = declare(
    "RT417",
    "a version that may be missing",
    "A message without it cannot be ordered, and is rejected.",
    "warning",
)
VERSION_UNORDERED = declare(
    "RT418",
    "a version that is not ordered as it looks",
    "DynamoDB compares text by its bytes, and does not order values of different types. Times with different offsets "
    "or fractions, and numbers as text, sort in another order than their own, so that an older message can win.",
    "warning",
)
_TIMES = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+05:30")


@rule(VERSION_MISSING, VERSION_UNORDERED)
def check_versions(subject: Subject) -> Iterator[Found]:
    """Report versions that may be missing, or whose order differs from the order of their values."""
    for route in subject.routes:
        version = route.route.write.version
        attribute = None if version is None else route.attributes.get(version)
        if attribute is None or version is None:
            continue
        value = infer(route, attribute).value
        placed = place_claim(route, "version", version)
        if value.missing is YES:
            yield placed.refuted(
                VERSION_MISSING,
                f"version '{version}' may be missing: {why_missing(value)}",
                route.require(value.lacking, placed.claim),
            )
        else:
            yield from _check_order(placed, value)
    names = [
        (route.table.name or route.route.table, route.route.write.version)
        for route in subject.routes
        if route.table is not None and route.route.write.version is not None
    ]
    if len({*names}) == len(names):
        return
    # Most configs have nothing to compare, and do without the module.
    from router.tools.check.analysis.version_scales import scale_conflicts

    for conflict in scale_conflicts(subject.routes):
        yield _without_order(conflict)


def _without_order(conflict: "ScaleConflict") -> Found:
    """Return the finding about two routes of a table whose versions are named alike."""
    from router.tools.check.analysis.version_scales import is_always_less

    one, route = conflict.one, conflict.other
    version = route.route.write.version
    scale, own = conflict.scales
    if "text" in conflict.scales:
        mine, theirs = ("text" if each == "text" else "a number" for each in (own, scale))
        sentence = (
            f"version '{version}' is {mine}, and that of route '{one.name}' is {theirs}: a message "
            "of one is rejected after one of the other"
        )
        advice = "map both to one type, times with 'transform: to_epoch_ns'"
    else:
        sentence = (
            f"version '{version}' is in {own}, and that of route '{one.name}' in {scale}, which is "
            f"always {'less' if is_always_less(conflict.scales) else 'greater'}"
        )
        advice = "map both to one scale"
    return Found(
        VERSION_UNORDERED, sentence, (*route.path, "write", "version"), advice, beside=one.path
    )


def _check_order(placed: PlacedClaim, value: Value) -> Iterator[Found]:
    route = placed.route
    version = placed.claim.subject
    unordered = [] if value.untyped else value.other_than(ORDERED)
    ordered = [kind for kind in ORDERED if value.types.get(kind) is YES]
    if unordered:
        yield placed.refuted(
            VERSION_UNORDERED,
            f"version '{version}' may be {in_words(unordered)}, which has no order",
            route.constrain(value, "type: integer"),
        )
    elif len(ordered) > 1 and not value.untyped:
        yield placed.refuted(
            VERSION_UNORDERED,
            f"version '{version}' may be {in_words(ordered)}, which are not ordered among each other",
            route.constrain(value, f"type: {ordered[0]}"),
        )
    elif value.origin is not None and value.may_be("string") and route.mapped:
        yield from _check_texts(
            placed, route.mapped, value.origin, route.constrain(value, "pattern")
        )


def _check_texts(
    placed: PlacedClaim, messages: SchemaProver, steps: Steps, pattern: str
) -> Iterator[Found]:
    """Report texts that no word can be; `pattern` is the advice to bound them by one."""
    version = placed.claim.subject
    if messages.can_be(steps, ["A", "a", "x", "abc"]) is not NO:
        return
    if sum(messages.can_be(steps, [time]) is YES for time in _TIMES) > 1:
        yield placed.refuted(
            VERSION_UNORDERED,
            f"version '{version}' may be times in several formats, which do not sort as text in order of time",
            f"{pattern} for one format, or map it with 'transform: to_epoch_ns'",
        )
    elif all(messages.can_be(steps, [number]) is YES for number in ("9", "10")):
        yield placed.refuted(
            VERSION_UNORDERED,
            f"version '{version}' may be numbers as text, where '9' sorts after '10'",
            "add 'type: N' to the attribute",
        )


NUMBER_AS_TEXT = declare(
    "RT632",
    "a version that is the text of a number",
    "DynamoDB compares texts by their characters: '10' is less than '9', so that a newer message can be `stale`.",
    "warning",
)


@rule(NUMBER_AS_TEXT)
def check_numbers_as_text(subject: Subject) -> Iterator[Found]:
    """Report versions that are made of numbers and stored as text."""
    for route in subject.routes:
        name = route.route.write.version
        attribute = None if name is None else route.attributes.get(name)
        if name is None or attribute is None:
            continue
        numbers = [
            value for value in _made_text(route, attribute) if value.can_be(["number"]) is YES
        ]
        if any(not value.untyped and not has_one_length(route.mapped, value) for value in numbers):
            yield Found(
                NUMBER_AS_TEXT,
                f"the version '{name}' is the text of a number: as text 10 is less than 9",
                route.path_of(route.claim("version", name)),
                "store it as a number",
            )


def _made_text(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterator[Value]:
    """Yield the values that an attribute makes a text of."""
    inferred = infer(route, attribute)
    if isinstance(inferred.source, Joined):
        for text in inferred.source.expressions:
            yield route.value_of(text)
    for step in inferred.steps:
        if step.transform is TO_TEXT:
            yield step.before
    if attribute.type == "S":
        yield inferred.raw

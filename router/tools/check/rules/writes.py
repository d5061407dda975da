"""Reports modes and settings of `write` that lose or misorder writes, or reject messages that the schema accepts."""

from collections.abc import Iterator
from itertools import combinations

from msgspec import UNSET, structs

from router.codes import declare
from router.model import Path
from router.prover.expressions import Scope, tree_of
from router.prover.inference import NO, YES, Value, of_tree
from router.prover.predicates import in_words
from router.prover.schema_prover import Answer, SchemaProver
from router.runtime.config import spec
from router.runtime.modes import MODES, names_where
from router.runtime.program.expressions import path_of
from router.runtime.sources import Evaluated, source_of, values_of
from router.tools.check.analysis.attributes import count_of_expression, infer
from router.tools.check.analysis.claims import longest_idempotency_key
from router.tools.check.analysis.proof_cache import prover_without_schema
from router.tools.check.analysis.routes import (
    MAX_CONDITIONS,
    AnalyzedRoute,
    is_set,
    undo,
    why_missing,
)
from router.tools.check.analysis.verdicts import Claim
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.rules.keys import KEY_TOO_LONG

MIXED_MODES = declare(
    "RT213",
    "two routes that write one key in modes that undo each other",
    f"Without a `version`, writes by {names_where(lambda mode: mode.destroys)} ignore what is stored, and undo what "
    f"writes by {names_where(lambda mode: mode.relies_on)} rely on.",
    "warning",
)
SAME_TABLE = declare(
    "RT217",
    "one table under two names",
    "Writes of one item are put in order by table: under two names, a later write can overtake an earlier one.",
    "warning",
)
SAME_KEY = declare(
    "RT218",
    "one message that puts two items of one key",
    "The later route replaces the item that the earlier one has put.",
    "info",
)


@rule(MIXED_MODES)
def check_modes(subject: Subject) -> Iterator[Found]:
    """Report routes that undo what another route writes under the same key."""
    for routes in _by_key(subject):
        first: dict[tuple[str, bool], AnalyzedRoute] = {}
        for route in routes:
            other = next(
                (each for each in first.values() if undo(each.route.write, route.route.write)), None
            )
            if other is not None:
                modes = f"by '{route.route.write.mode}' what '{other.name}' writes by '{other.route.write.mode}'"
                sentence = f"route '{route.name}' writes {modes}"
                where: Path = (*route.path, "write", "mode")
                yield Found(
                    MIXED_MODES,
                    sentence,
                    where,
                    "use a mode in both that depends on the stored item",
                )
            first.setdefault((route.route.write.mode, is_set(route.route.write.version)), route)


@rule(SAME_KEY)
def check_puts(subject: Subject) -> Iterator[Found]:
    """Report routes that put the same key for one message."""
    if all(len(routes) == 1 for routes in subject.by_queue.values()):
        return
    for routes in _by_key(subject):
        puts = [
            route for route in routes if _replaces(route.route.write) and route.queue.match == "all"
        ]
        for one, other in combinations(puts, 2) if len(puts) <= MAX_CONDITIONS else ():
            if one.route.queue != other.route.queue or is_set(one.route.for_each):
                continue
            messages = prover_without_schema().narrow(one.when.predicate, one.when.exact)
            if messages.narrow(other.when.predicate, other.when.exact).allows({}) is Answer.YES:
                sentence = (
                    f"routes '{one.name}' and '{other.name}' put the same key for one message"
                )
                yield Found(
                    SAME_KEY, sentence, other.path, "map both to one item, or use 'mode: update'"
                )


@rule(SAME_TABLE)
def check_tables(subject: Subject) -> Iterator[Found]:
    """Report tables that are declared twice."""
    seen: dict[str, str] = {}
    for name, table in subject.config.tables.items():
        other = seen.setdefault(table.name or name, name)
        if other != name:
            sentence = f"'{name}' is the same table as '{other}'"
            yield Found(SAME_TABLE, sentence, ("tables", name), f"use '{other}'")


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
    """Return how the key of a route's items is mapped, as normalized text; None if it is not mapped."""
    if route.table is None:
        return None
    if not is_set(route.route.item):
        element = ("element",) if route.scope.each else ()
        return repr([((*element, name), spec.Attribute()) for name in route.table.key])
    attributes = route.attributes
    if not set(route.table.key) <= set(attributes):
        return None
    mapped = [attributes[name] for name in route.table.key]
    return repr([_identity(each) for each in mapped])


def _identity(attribute: spec.Attribute) -> object:
    """Return what is equal for attributes that are mapped alike: `id`, `"id"` and `@.id` are one path."""
    values = values_of(attribute)
    if not isinstance(values, Evaluated):
        return None, attribute
    tree = tree_of(values.text)
    names = None if tree is None else path_of(tree)
    return tree if names is None else names, structs.replace(
        attribute, **{source_of(attribute)[0].field: UNSET}
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
            value, claim = infer(route, attribute).value, route.claim("mapping", name)
            unfit, where = value.other_than(_ADDABLE), route.place(name)
            advice = f"add 'type: N' to attribute '{name}', or a type of set"
            if value.types and value.can_be(_ADDABLE) is NO:
                possible = [kind for kind, answer in value.types.items() if answer is not NO]
                sentence = (
                    f"'add' takes a number or a set, and attribute '{name}' is {in_words(possible)}"
                )
                yield Found(NEVER_ADDED, sentence, where, advice, refutes=claim)
            elif unfit and not value.untyped:
                sentence = f"'add' takes a number or a set, and attribute '{name}' may be {in_words(unfit)}"
                yield Found(NOT_ALWAYS_ADDED, sentence, where, advice, refutes=claim)


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
        where: Path = (*route.path, "write", "once_key")
        claim = route.claim("once_key")
        value = of_tree(route.messages_of(claim), Scope(), tree_of(text))
        fault, advice = _fault(route, value, claim)
        if fault:
            yield Found(
                NO_IDEMPOTENCY_KEY, f"the idempotency key {fault}", where, advice, refutes=claim
            )
            continue
        count = count_of_expression(route, Scope(), text)
        if count is not None:
            values = "is the same for all messages" if count == 1 else f"has only {count} values"
            advice = "use an id of the message, or remove 'once_key'"
            sentence = f"the idempotency key '{text}' {values}"
            yield Found(SHARED_IDEMPOTENCY_KEY, sentence, where, advice, refutes=claim)
        elif (
            route.messages.taken is not None
            and value.missing is value.empty is NO
            and value.types.keys() == {"string"}
        ):
            yield from _check_length(route, value, where)


def _check_length(route: AnalyzedRoute, value: Value, where: Path) -> Iterator[Found]:
    """Report the length of an idempotency key that is a text in each message, if it is not bounded."""
    most = longest_idempotency_key(route.name)
    if value.longest is not None and value.longest <= most:
        return
    advice, claim = route.constrain(value, f"maxLength: {most}"), route.claim("once_key")
    sentence = f"the idempotency key may have more than {most} characters, and with its route over 2048 bytes"
    yield Found(KEY_TOO_LONG, sentence, where, advice, refutes=claim)


def _fault(route: AnalyzedRoute, value: Value, claim: Claim) -> tuple[str, str]:
    """Return why a value may be no idempotency key, and a suggestion; both are "" if nothing is known."""
    unfit = value.other_than(("string",))
    if value.missing is YES:
        return f"may be missing: {why_missing(value)}", route.require(value.lacking, claim)
    if value.types and value.can_be(["string"]) is NO:
        possible = [kind for kind, answer in value.types.items() if answer is not NO]
        return f"is {in_words(possible)}, not text", "convert it with to_string()"
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
_ORDERED = ("string", "number", "binary")
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
        where, claim = route.place(version), route.claim("version", version)
        if value.missing is YES:
            sentence = f"version '{version}' may be missing: {why_missing(value)}"
            yield Found(
                VERSION_MISSING, sentence, where, route.require(value.lacking, claim), refutes=claim
            )
        else:
            yield from _check_order(route, version, value, where)


def _check_order(route: AnalyzedRoute, version: str, value: Value, where: Path) -> Iterator[Found]:
    claim = route.claim("version", version)
    unordered = [] if value.untyped else value.other_than(_ORDERED)
    possible = [kind for kind in _ORDERED if value.types.get(kind) is YES]
    if unordered:
        sentence = f"version '{version}' may be {in_words(unordered)}, which has no order"
        advice = route.constrain(value, "type: integer")
        yield Found(VERSION_UNORDERED, sentence, where, advice, refutes=claim)
    elif len(possible) > 1 and not value.untyped:
        sentence = f"version '{version}' may be {in_words(possible)}, which are not ordered among each other"
        advice = route.constrain(value, f"type: {possible[0]}")
        yield Found(VERSION_UNORDERED, sentence, where, advice, refutes=claim)
    elif (
        route.mapped is not None and value.origin is not None and value.can_be(["string"]) is not NO
    ):
        yield from _check_texts(route, route.mapped, version, value, where)


def _check_texts(
    route: AnalyzedRoute, messages: SchemaProver, version: str, value: Value, where: Path
) -> Iterator[Found]:
    steps, claim = value.origin or (), route.claim("version", version)
    words = messages.can_be(steps, ["A", "a", "x", "abc"])
    if words is NO and sum(messages.can_be(steps, [time]) is YES for time in _TIMES) > 1:
        sentence = f"version '{version}' may be times in several formats, which do not sort as text in order of time"
        advice = f"{route.constrain(value, 'pattern')} for one format, or map it with 'transform: to_epoch'"
        yield Found(VERSION_UNORDERED, sentence, where, advice, refutes=claim)
    elif (
        words is NO
        and messages.can_be(steps, ["9"]) is YES
        and messages.can_be(steps, ["10"]) is YES
    ):
        sentence = f"version '{version}' may be numbers as text, where '9' sorts after '10'"
        yield Found(
            VERSION_UNORDERED, sentence, where, "add 'type: N' to the attribute", refutes=claim
        )

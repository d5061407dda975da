"""Proves that `version` and times to live are what they have to be."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import UnsetType

from router.check.advice import constrain, named, require
from router.check.attributes import Made, made
from router.check.entailment import Facts
from router.check.expressions import tree_of
from router.check.flows import Flow
from router.check.inference import NO, YES, Value, of_tree
from router.check.mapping_types import kinds_of
from router.check.rule import Found, Subject
from router.config import spec
from router.model import Code, Path
from router.sources import Computed, Constant, expressions_of

VERSION_MISSING = Code(
    "RT417",
    "a version that may be missing",
    "A message without it cannot be ordered, and is rejected.",
    "warning",
)
VERSION_UNORDERED = Code(
    "RT418",
    "a version that is not ordered as it looks",
    "DynamoDB compares text by its bytes and values of different types not at all: times with different offsets or "
    "fractions, and numbers as text, come out in another order than their own, and the older message wins.",
    "warning",
)
NEVER_A_TIME = Code(
    "RT419",
    "a time to live from what is never a time",
    "`ttl` counts from ISO 8601 text with an offset, or from seconds since 1970; anything else is rejected.",
)
NOT_ALWAYS_A_TIME = Code(
    "RT420",
    "a time to live from what need not be a time",
    "A message that passes its schema is rejected nevertheless.",
    "warning",
)
TTL_NO_NUMBER = Code(
    "RT421",
    "a time-to-live attribute that is no number of seconds",
    "DynamoDB's time to live reads seconds since 1970 from a number; it never deletes an item where it finds anything "
    "else, and milliseconds are tens of thousands of years away.",
)

TTL_NOT_ALWAYS = Code(
    "RT423",
    "a time-to-live attribute that need not be a number",
    "DynamoDB never deletes an item where it finds anything else than a number, and says nothing.",
    "warning",
)

_ORDERED = ("string", "number", "binary")
_TIMES = ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05+05:30")
_NO_TIMES = ["", "x", "abc", "A", "a-1", "2026-01-02", "1767323045"]
_FIRST_MS = 100_000_000_000
"""From here on, a number of seconds would be after the year 5138: it is milliseconds."""
_MILLISECONDS = {"type": "number", "minimum": _FIRST_MS}


def check_versions(subject: Subject) -> Iterator[Found]:
    """Find versions that may be missing, or whose order is not what it seems."""
    for flow in subject.flows:
        version = flow.route.write.version
        attribute = None if isinstance(version, UnsetType) else flow.attributes.get(version)
        if attribute is None or isinstance(version, UnsetType):
            continue
        how = made(flow, attribute)
        where = flow.place(version)
        if how.value.missing is YES:
            sentence = f"version '{version}' may be missing: the schema does not guarantee {named(how.value)}"
            yield Found(VERSION_MISSING, sentence, where, require(flow, how.value.lacking))
        else:
            yield from _check_order(flow, version, how, where)


def _check_order(flow: Flow, version: str, how: Made, where: Path) -> Iterator[Found]:
    value = how.value
    unordered = [] if value.untyped else value.other_than(_ORDERED)
    possible = [kind for kind in _ORDERED if value.types.get(kind) is YES]
    if unordered:
        sentence = f"version '{version}' may be {kinds_of(unordered)}, which has no order"
        yield Found(VERSION_UNORDERED, sentence, where, constrain(flow, value, "type: integer"))
    elif len(possible) > 1 and not value.untyped:
        sentence = f"version '{version}' may be {kinds_of(possible)}, which are not ordered among each other"
        yield Found(VERSION_UNORDERED, sentence, where, constrain(flow, value, f"type: {possible[0]}"))
    elif flow.mapped is not None and value.origin is not None and value.can_be(["string"]) is not NO:
        yield from _check_texts(flow, flow.mapped, version, value, where)


def _check_texts(flow: Flow, facts: Facts, version: str, value: Value, where: Path) -> Iterator[Found]:
    steps = value.origin or ()
    words = facts.can_be(steps, ["A", "a", "x", "abc"])
    if words is NO and sum(facts.can_be(steps, [time]) is YES for time in _TIMES) > 1:
        sentence = f"version '{version}' may be times in several forms, whose order as text is another"
        advice = constrain(flow, value, "pattern")
        yield Found(VERSION_UNORDERED, sentence, where, f"{advice} for one form, or map it with 'transform: to_epoch'")
    elif words is NO and facts.can_be(steps, ["9"]) is YES and facts.can_be(steps, ["10"]) is YES:
        sentence = f"version '{version}' may be numbers as text, where '9' comes after '10'"
        yield Found(VERSION_UNORDERED, sentence, where, "add 'type: N' to the attribute")


def check_ttl(subject: Subject) -> Iterator[Found]:
    """Find times to live that are no times, or no numbers."""
    for flow in subject.flows:
        for name, attribute in flow.attributes.items():
            for use in expressions_of(attribute):
                if use.takes == "time":
                    value = of_tree(flow.mapped, flow.scope, tree_of(use.text))
                    yield from _check_time(flow, name, str(use.place[0]), value, flow.place(name, *use.place))
        expiry = flow.attributes.get(flow.table.ttl) if flow.table is not None else None
        if flow.table is not None and expiry is not None and flow.finished:
            yield from _check_expiry(flow, flow.table.ttl, expiry)


def _check_time(flow: Flow, name: str, key: str, value: Value, where: Path) -> Iterator[Found]:
    unfit = value.other_than(("string", "number"))
    facts, steps = flow.mapped, value.origin
    if value.can_be(["string", "number"]) is NO:
        if unfit:
            yield Found(NEVER_A_TIME, f"'{key}' of '{name}' counts from {kinds_of(unfit)}, which is no time", where)
        return
    if facts is None or steps is None or value.untyped:
        return
    if facts.holds_at(steps, _MILLISECONDS) is YES:
        sentence = f"'{key}' of '{name}' counts from milliseconds, and takes seconds"
        yield Found(NEVER_A_TIME, sentence, where, "send seconds, or ISO 8601 text")
    elif unfit:
        sentence = f"'{key}' of '{name}' may count from {kinds_of(unfit)}, which is no time"
        yield Found(NOT_ALWAYS_A_TIME, sentence, where, constrain(flow, value, "type: integer"))
    elif value.can_be(["string"]) is YES and facts.can_be(steps, _NO_TIMES) is YES:
        sentence = f"'{key}' of '{name}' may count from text that is no time with an offset"
        yield Found(NOT_ALWAYS_A_TIME, sentence, where, constrain(flow, value, "format: date-time"))


def _check_expiry(flow: Flow, name: str, attribute: spec.Attribute) -> Iterator[Found]:
    """What the table's time to live reads is a number of seconds; without the attribute, an item does not expire."""
    how = made(flow, attribute)
    value = how.value
    table, where = f"the time to live of table '{flow.route.table}'", flow.place(name)
    advice = f"map it with 'ttl:', as '{name}: {{ttl: 90d}}'"
    others = value.other_than(("number",))
    if value.can_be(["number"]) is NO and others:
        sentence = f"attribute '{name}' is {kinds_of(others)}, and {table} is a number"
        yield Found(TTL_NO_NUMBER, sentence, where, advice)
    elif _is_in_ms(flow, attribute, how):
        yield Found(TTL_NO_NUMBER, f"attribute '{name}' is milliseconds, and {table} counts seconds", where, advice)
    elif others and not value.untyped:
        sentence = f"attribute '{name}' may be {kinds_of(others)}, and {table} is a number"
        yield Found(TTL_NOT_ALWAYS, sentence, where, constrain(flow, value, "type: integer"))


def _is_in_ms(flow: Flow, attribute: spec.Attribute, how: Made) -> bool:
    """Whether an attribute that is a number is surely one of milliseconds."""
    if attribute.transform:
        return False
    if isinstance(how.origin, Constant):
        return isinstance(how.origin.value, int | Decimal) and how.origin.value >= _FIRST_MS
    if isinstance(how.origin, Computed):
        return how.origin.milliseconds
    facts, steps = flow.mapped, how.value.origin
    return facts is not None and steps is not None and facts.holds_at(steps, _MILLISECONDS) is YES

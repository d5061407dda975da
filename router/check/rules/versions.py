"""Reports values of `version` that may be missing, or are not ordered as they look."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.analysis.attributes import infer
from router.check.analysis.entailment import Entailment
from router.check.analysis.inference import NO, YES, Value
from router.check.analysis.predicates import in_words
from router.check.analysis.routes import AnalyzedRoute, why_missing
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.model import Path

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
        attribute = None if isinstance(version, UnsetType) else route.attributes.get(version)
        if attribute is None or isinstance(version, UnsetType):
            continue
        value = infer(route, attribute).value
        where, claim = route.place(version), route.claim("version", version)
        if value.missing is YES:
            sentence = f"version '{version}' may be missing: {why_missing(value)}"
            yield Found(VERSION_MISSING, sentence, where, route.require(value.lacking, claim), refutes=claim)
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
    elif route.mapped is not None and value.origin is not None and value.can_be(["string"]) is not NO:
        yield from _check_texts(route, route.mapped, version, value, where)


def _check_texts(
    route: AnalyzedRoute, messages: Entailment, version: str, value: Value, where: Path
) -> Iterator[Found]:
    steps, claim = value.origin or (), route.claim("version", version)
    words = messages.can_be(steps, ["A", "a", "x", "abc"])
    if words is NO and sum(messages.can_be(steps, [time]) is YES for time in _TIMES) > 1:
        sentence = f"version '{version}' may be times in several formats, which do not sort as text in order of time"
        advice = f"{route.constrain(value, 'pattern')} for one format, or map it with 'transform: to_epoch'"
        yield Found(VERSION_UNORDERED, sentence, where, advice, refutes=claim)
    elif words is NO and messages.can_be(steps, ["9"]) is YES and messages.can_be(steps, ["10"]) is YES:
        sentence = f"version '{version}' may be numbers as text, where '9' sorts after '10'"
        yield Found(VERSION_UNORDERED, sentence, where, "add 'type: N' to the attribute", refutes=claim)

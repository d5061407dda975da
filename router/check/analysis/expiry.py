"""Decides whether a number that a time to live reads counts seconds, or milliseconds."""

from decimal import Decimal
from typing import Any

from router.check.analysis.attributes import InferredAttribute
from router.check.analysis.entailment import Answer
from router.check.analysis.predicates import Schema
from router.check.analysis.routes import AnalyzedRoute
from router.check.analysis.text_formats import always_matches
from router.sources import Computed, Constant

FIRST_MILLISECONDS = 100_000_000_000
"""Greater numbers of seconds are after the year 5138: they are milliseconds."""
MILLISECONDS: Schema = {"type": "number", "minimum": FIRST_MILLISECONDS}
_SECONDS: Schema = {"anyOf": [{"not": {"type": "number"}}, {"maximum": FIRST_MILLISECONDS - 1}]}
_MILLISECONDS_AS_TEXT = "1767323045678"
_SECONDS_AS_TEXT = r"^[+-]?[0-9]{1,11}(\.[0-9]*)?$"


def counts_seconds(route: AnalyzedRoute, inferred: InferredAttribute, default: Any) -> Answer:
    """Return whether an attribute that is a number counts seconds: NO if it does not in some message."""
    known = [_of_source(route, inferred)]
    if isinstance(default, int | Decimal):
        known.append(_of_number(default))
    return Answer.NO if Answer.NO in known else Answer.UNKNOWN if Answer.UNKNOWN in known else Answer.YES


def counts_milliseconds(route: AnalyzedRoute, inferred: InferredAttribute) -> bool:
    """Whether it is proved that an attribute counts milliseconds in each message that has it, and that some may."""
    messages, steps, source = route.mapped, inferred.value.origin, inferred.source
    if inferred.steps:
        return False
    if isinstance(source, Constant):
        return _of_number(source.value) is Answer.NO
    if isinstance(source, Computed):
        return source.milliseconds
    if messages is None or steps is None or inferred.raw.can_be(["number"]) is Answer.NO:
        return False
    return messages.holds_at(steps, MILLISECONDS) is Answer.YES


def _of_source(route: AnalyzedRoute, inferred: InferredAttribute) -> Answer:
    source, steps, messages = inferred.source, inferred.raw.origin, route.mapped
    if inferred.steps:
        known = inferred.steps[-1].name == "to_epoch" and inferred.steps[-1].takes is not None
        return Answer.YES if known else Answer.UNKNOWN
    if isinstance(source, Constant):
        return _of_number(source.value)
    if isinstance(source, Computed):
        return Answer.NO if source.milliseconds else Answer.YES
    if messages is None or steps is None:
        return Answer.UNKNOWN
    number = messages.holds_at(steps, _SECONDS)
    if number is not Answer.YES or inferred.raw.can_be(["string"]) is Answer.NO or route.index is None:
        return number
    # With `type: N` it may be text.
    if messages.can_be(steps, [_MILLISECONDS_AS_TEXT]) is Answer.YES:
        return Answer.NO
    return always_matches(messages, steps, _SECONDS_AS_TEXT)


def _of_number(value: Any) -> Answer:
    return Answer.NO if isinstance(value, int | Decimal) and value >= FIRST_MILLISECONDS else Answer.YES

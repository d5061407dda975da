"""Finds out what `merge` of a route brings into its items, by the schema."""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from router.check.analysis import failures
from router.check.analysis.attributes import InferredAttribute, infer
from router.check.analysis.entailment import Answer, Entailment
from router.check.analysis.predicates import Schema, Steps, in_words
from router.check.analysis.routes import AnalyzedRoute
from router.config import spec
from router.program.mapping import reserved_names

_KEEPS_NAMES = ("dynamodb_item",)
"""Transforms of a map whose result has the same names."""


class MergedName(Struct, frozen=True):
    """An attribute that is the route's own, and the path of the map's entry that would be that attribute, too.

    Whether each message has a value at that path, or none, is proved.
    """

    attribute: str
    steps: Steps
    always: bool
    never: bool


def inferred_map(route: AnalyzedRoute, merge: spec.MergeSettings) -> InferredAttribute:
    """Return what `merge` of a route finds, through its transforms."""
    return infer(route, _as_attribute(merge))


def _as_attribute(merge: spec.MergeSettings) -> spec.Attribute:
    return msgspec.convert({"from": merge.from_, "transform": merge.transform}, spec.Attribute)


def map_steps(inferred: InferredAttribute) -> Steps | None:
    """Return the path of the map whose names are those of the result; None if it is unknown."""
    if all(step.name in _KEEPS_NAMES for step in inferred.steps):
        return inferred.steps[0].before.origin if inferred.steps else inferred.raw.origin
    return None


def merged_names(
    route: AnalyzedRoute, merge: spec.MergeSettings, messages: Entailment, steps: Steps
) -> Iterator[MergedName]:
    """Yield the route's own attributes that a map at a path could bring."""
    ttl = "" if route.table is None else route.table.ttl
    for attribute in sorted(reserved_names(route.route, ttl)):
        if attribute.startswith(merge.prefix):
            at = (*steps, attribute.removeprefix(merge.prefix))
            always, never = (answer is Answer.YES for answer in (messages.present(at), messages.absent(at)))
            yield MergedName(attribute, at, always, never)


def doubts(route: AnalyzedRoute, merge: spec.MergeSettings) -> Iterator[str]:
    """Yield why `merge` is not proved to succeed."""
    inferred = inferred_map(route, merge)
    yield from failures.of_source(route, _as_attribute(merge))
    yield from failures.of_steps(route, inferred)
    if unfit := failures.possible(inferred.raw, ("object",)):
        yield f"it may find {in_words(unfit)}"
    steps = map_steps(inferred)
    if steps is None or route.mapped is None:
        yield "the names that it finds are not known"
        return
    few: Schema = {"anyOf": [{"not": {"type": "object"}}, {"maxProperties": merge.max}]}
    if route.mapped.holds_at(steps, few) is not Answer.YES:
        yield f"it may find more than {merge.max} entries"
    for each in merged_names(route, merge, route.mapped, steps):
        if not each.never:
            yield f"it may find the attribute '{each.attribute}', which is the route's own"

"""Counts the different values that an attribute or expression can have, where a schema or constants limit them."""

from itertools import chain
from math import prod

from router.check.analysis.attributes import InferredAttribute, infer
from router.check.analysis.entailment import Entailment
from router.check.analysis.expressions import Scope, tree_of
from router.check.analysis.inference import NO, YES, of_path
from router.check.analysis.predicates import NO_VALUE, Schema, Steps, any_of
from router.check.analysis.routes import AnalyzedRoute
from router.check.analysis.schema_index import SchemaIndex
from router.config import spec
from router.program.expressions import path_of
from router.sources import Computed, Constant, Evaluated, Joined
from router.transforms import TRANSFORMS

MAX_VALUES = 100
"""More values are not counted."""


def count_of_attribute(route: AnalyzedRoute, attribute: spec.Attribute) -> int | None:
    """Return the most different values of an attribute, besides a default; None if they are not limited."""
    inferred = infer(route, attribute)
    if any(route.transforms.get(step.name) is not TRANSFORMS.get(step.name) for step in inferred.steps):
        return None  # a plugin's transform may return anything
    return _count(route, inferred)


def _count(route: AnalyzedRoute, inferred: InferredAttribute) -> int | None:
    match inferred.source:
        case Constant():
            return 1
        case Computed(fixed=True):
            return 1
        case Evaluated(text):
            return count_of_expression(route, route.scope, text)
        case Joined(_, texts):
            counts = [count_of_expression(route, route.scope, text) for text in texts]
            total = prod(count for count in counts if count is not None)
            return None if None in counts or total > MAX_VALUES else total
    return None


def count_of_expression(route: AnalyzedRoute, scope: Scope, text: str) -> int | None:
    """Return the most different values of a path or constant; None if they are not limited, or for others."""
    tree = tree_of(text)
    if tree is None:
        return None
    if tree["type"] == "literal":
        return 1
    names = path_of(tree)
    steps = None if names is None else scope.steps(names)
    if route.mapped is None or route.index is None or not steps:
        return None
    return _count_at(route.mapped, route.index, steps)


def _count_at(messages: Entailment, index: SchemaIndex, steps: Steps) -> int | None:
    kinds = {kind for kind, answer in of_path(messages, steps).types.items() if answer is not NO}
    if kinds == {"boolean"}:
        return 2
    lists = [place.content["enum"] for place in index.at(steps) if isinstance(place.content.get("enum"), list)]
    lists += [[place.content["const"]] for place in index.at(steps) if "const" in place.content]
    both: list[object] = [*chain.from_iterable(lists)]
    for values in sorted([*lists, both], key=len):
        leaf: Schema = any_of([{"enum": values}, NO_VALUE])
        if 0 < len(values) <= MAX_VALUES and messages.holds_at(steps, leaf) is YES:
            return len({repr(value) for value in values})
    return None

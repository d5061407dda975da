"""Reports attributes that reject a message without a value that the schema does not require."""

from collections.abc import Iterator

from msgspec import UNSET

from router.check.analysis.attributes import infer
from router.check.analysis.entailment import Answer
from router.check.analysis.expressions import tree_of
from router.check.analysis.inference import YES, Value, of_tree
from router.check.analysis.predicates import NO_VALUE, there
from router.check.analysis.routes import AnalyzedRoute, why_missing
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.program.expressions import path_of
from router.sources import Computed, Evaluated

REQUIRED = declare(
    "RT431",
    "an attribute that requires a value that the schema does not",
    "A message without the value is rejected, although it satisfies the schema, so that its sender cannot know why.",
    "warning",
)


@rule(REQUIRED)
def check_required_values(subject: Subject) -> Iterator[Found]:
    """Report `hash`, `missing: error` and `null: error` of values that may be missing."""
    for route in subject.routes:
        keys = () if route.table is None else route.table.key
        version = route.route.write.version
        for name, attribute in route.attributes.items():
            if name in keys or name == version:  # other rules report these
                continue
            (value, key), claim = _required(route, attribute), route.claim("mapping", name)
            if value is not None and value.missing is YES:
                sentence = f"'{key}' of attribute '{name}' rejects messages without the value: {why_missing(value)}"
                yield Found(REQUIRED, sentence, route.place(name, key), route.require(value.lacking), refutes=claim)
            elif attribute.null == "error" and _can_be_null(route, attribute):
                sentence = f"'null' of attribute '{name}' rejects messages in which the schema allows a null"
                advice = "remove null from the types in the schema"
                yield Found(REQUIRED, sentence, route.place(name, "null"), advice, refutes=claim)


def _required(route: AnalyzedRoute, attribute: spec.Attribute) -> tuple[Value | None, str]:
    """Return the value whose absence rejects a message, and the key that says so; None if there is none."""
    inferred = infer(route, attribute)
    if isinstance(inferred.source, Computed) and inferred.source.required:
        return inferred.value, "hash"
    if attribute.missing != "error" or attribute.default not in (UNSET, None):
        return None, ""
    return inferred.value, "missing"


def _can_be_null(route: AnalyzedRoute, attribute: spec.Attribute) -> bool:
    source = infer(route, attribute).source
    tree = tree_of(source.text) if isinstance(source, Evaluated) else None
    names = None if tree is None else path_of(tree)
    steps = None if names is None else route.scope.steps(names)
    if route.mapped is None or not steps or None in steps or of_tree(route.mapped, route.scope, tree).untyped:
        return False
    return route.mapped.allows(there(steps, NO_VALUE)) is Answer.YES

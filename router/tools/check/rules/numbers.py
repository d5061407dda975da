"""Reports numbers that an attribute can make too long for DynamoDB, because the schema does not bound them."""

from collections.abc import Iterator
from math import inf

from router.codes import declare
from router.prover.expressions import tree_of
from router.prover.inference import Value, of_path, of_tree
from router.prover.predicates import text_of
from router.prover.schema_prover import NO
from router.runtime.config import spec
from router.runtime.program.expressions import Tree
from router.tools.check.analysis.attributes import infer
from router.tools.check.analysis.claims import mapping_doubts
from router.tools.check.analysis.failures import TOO_LONG
from router.tools.check.analysis.numbers import digits_of
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.rule import Found, Subject, place_claim, rule

UNBOUNDED_NUMBER = declare(
    "RT440",
    "a number that may become too long, because the schema does not bound it",
    "DynamoDB stores numbers of at most 38 digits, from 1E-130 to 9.99…E+125. A message is rejected of which `scale`, "
    "`round` or `sum()` makes another. Few schemas bound each number: `--strict` does not fail.",
    "info",
)


@rule(UNBOUNDED_NUMBER)
def check_numbers(subject: Subject) -> Iterator[Found]:
    """Report them where nothing else is in doubt, which this finding would hide."""
    for route in subject.routes:
        for name, attribute, facts in route.with_facts:
            doubts = mapping_doubts(route, name, attribute, facts)
            if doubts and all(doubt.endswith(TOO_LONG) for doubt in doubts):
                values = [*_numbers(route, attribute)]
                if all(_is_unbounded(route, value) for value in values):
                    yield _found(route, name, values[0])


def _found(route: AnalyzedRoute, name: str, value: Value) -> Found:
    what = f"'{text_of(value.origin)}'" if value.origin else "it"
    sentence = (
        f"attribute '{name}' may be a number of over 38 digits, or out of range: "
        f"the schema does not bound {what}"
    )
    advice = route.constrain(value, "minimum, maximum and multipleOf")
    return place_claim(route, "mapping", name).refuted(UNBOUNDED_NUMBER, sentence, advice)


def _is_unbounded(route: AnalyzedRoute, value: Value) -> bool:
    """Whether a value is a number of the message of which no most digits are proved."""
    if value.can_be(["string"]) is not NO or not value.given:
        return False
    digits = digits_of(route.mapped, value)
    return digits is None or digits.decimals == inf


def _numbers(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterator[Value]:
    """Yield the values of which the transforms of an attribute, or `sum()`, make numbers."""
    if attribute.transform:
        yield infer(route, attribute).steps[0].before
    for tree in filter(None, (tree_of(use.text) for use in route.uses(attribute))):
        for call in _calls(tree):
            numbers = of_tree(route.mapped, route.scope, call["children"][0])
            yield of_path(route.mapped, numbers.elements)


def _calls(tree: Tree) -> Iterator[Tree]:
    """Yield the calls of `sum()` in an expression."""
    if tree["type"] == "function_expression" and tree["value"] == "sum":
        yield tree
    for child in tree["children"]:
        if isinstance(child, dict):
            yield from _calls(child)

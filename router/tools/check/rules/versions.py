"""Reports versions that are compared as text though they are numbers."""

from collections.abc import Iterator

from router.codes import declare
from router.prover.expressions import tree_of
from router.prover.inference import Value, of_tree
from router.prover.schema_prover import YES
from router.runtime.config import spec
from router.runtime.sources import Joined
from router.runtime.transforms.values import TO_TEXT
from router.tools.check.analysis.attributes import infer
from router.tools.check.analysis.numbers import has_one_length
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.rule import Found, Subject, rule

NUMBER_AS_TEXT = declare(
    "RT632",
    "a version that is the text of a number",
    "DynamoDB compares texts by their characters: '10' is less than '9', so that a newer message can be `stale`.",
    "warning",
)


@rule(NUMBER_AS_TEXT)
def check_versions(subject: Subject) -> Iterator[Found]:
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
            sentence = f"the version '{name}' is the text of a number: as text 10 is less than 9"
            path = route.path_of(route.claim("version", name))
            yield Found(NUMBER_AS_TEXT, sentence, path, "store it as a number")


def _made_text(route: AnalyzedRoute, attribute: spec.Attribute) -> Iterator[Value]:
    """Yield the values that an attribute makes a text of."""
    inferred = infer(route, attribute)
    if isinstance(inferred.source, Joined):
        for text in inferred.source.expressions:
            yield of_tree(route.mapped, route.scope, tree_of(text))
    for step in inferred.steps:
        if step.transform is TO_TEXT:
            yield step.before
    if attribute.type == "S":
        yield inferred.raw

"""Reports `merge` of a map that cannot be added to the attributes of an item."""

from collections.abc import Iterator

from router.check.analysis.entailment import Answer, Entailment
from router.check.analysis.failures import inferred_map, map_steps, merged_names
from router.check.analysis.inference import NO
from router.check.analysis.predicates import in_words, text_of
from router.check.analysis.routes import AnalyzedRoute
from router.check.analysis.schema_index import SchemaIndex
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.program.mapping import merge_of

NEVER_MERGED = declare(
    "RT436",
    "a `merge` that no message can have",
    "By the schema the value is never a map, or it always has the name of an attribute that `item` maps or that is the "
    "time to live, so that every message with it is rejected.",
)
NOT_ALWAYS_MERGED = declare(
    "RT437",
    "a `merge` that some messages cannot have",
    "A message that satisfies its schema can be rejected nevertheless: an entry of the map never replaces an attribute "
    "that `item` maps, and never sets the time to live.",
    "warning",
)
_MAP = ("object",)


@rule(NEVER_MERGED, NOT_ALWAYS_MERGED)
def check_merges(subject: Subject) -> Iterator[Found]:
    """Report maps that are none, or that bring attributes of their own name."""
    for route in subject.routes:
        merge = merge_of(route.route)
        if merge is not None and route.mapped is not None and route.index is not None:
            yield from _check(route, merge, route.mapped, route.index)


def _check(
    route: AnalyzedRoute, merge: spec.MergeSettings, messages: Entailment, index: SchemaIndex
) -> Iterator[Found]:
    inferred, claim, path = inferred_map(route, merge), route.claim("merge"), (*route.path, "merge")
    value = inferred.raw
    unfit = value.other_than(_MAP)
    if value.can_be(_MAP) is NO and unfit:
        yield Found(NEVER_MERGED, f"'merge' never finds a map: its value is {in_words(unfit)}", path, refutes=claim)
        return
    if unfit and not value.untyped:
        advice = route.constrain(value, "type: object")
        yield Found(NOT_ALWAYS_MERGED, f"'merge' may find {in_words(unfit)}", path, advice, refutes=claim)
    steps = map_steps(inferred)
    if steps is None:
        return
    if messages.absent(steps) is Answer.YES:
        sentence = f"no message that satisfies the schema has '{text_of(steps)}'"
        yield Found(NEVER_MERGED, sentence, path, "remove it")
        return
    advice = "write a 'prefix' for its names, or map fewer attributes"
    for each in merged_names(route, merge, messages, steps):
        what = f"'{text_of(each.steps)}', but the attribute '{each.attribute}' is the route's own"
        if each.always:
            yield Found(NEVER_MERGED, f"each message has {what}", path, advice, refutes=claim)
        elif not each.never and each.steps[-1] in index.names(steps):
            yield Found(NOT_ALWAYS_MERGED, f"a message may have {what}", path, advice, refutes=claim)

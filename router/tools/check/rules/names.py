"""Reports properties that cannot be attributes, where their names become those of attributes."""

import re
from collections.abc import Iterator

from router.codes import declare
from router.model import Path
from router.prover.predicates import Steps, text_of
from router.prover.schema_index import SchemaIndex
from router.prover.schema_prover import YES
from router.runtime.modes import MODES
from router.runtime.program.schemas.documents import map_of
from router.tools.check.analysis.failures import inferred_map, map_steps
from router.tools.check.analysis.routes import AnalyzedRoute, is_set
from router.tools.check.rule import Found, Subject, rule

EMPTY_NAME = declare(
    "RT439",
    "a property without a name that would be an attribute",
    "DynamoDB has no attribute with an empty name. Where a whole message is stored, or a map is merged, a message with "
    'the property `""` is rejected. Of a schema that allows it only by allowing any name, nothing is said.',
    "info",
)


@rule(EMPTY_NAME)
def check_names(subject: Subject) -> Iterator[Found]:
    """Report properties with an empty name, where the schema allows them by name or by pattern."""
    for route in subject.routes:
        if route.mapped is None or route.index is None:
            continue
        for steps, path in _whole_maps(route):
            if _allows_by_name(route.index, steps) and route.mapped.absent((*steps, "")) is not YES:
                what = f"'{text_of(steps)}'" if steps else "the message"
                sentence = f"{what} may have a property with an empty name, which no attribute has"
                advice = "add 'propertyNames: {minLength: 1}' " + route.index.where(steps)
                yield Found(EMPTY_NAME, sentence, path, advice, key=True)


def _whole_maps(route: AnalyzedRoute) -> Iterator[tuple[Steps, Path]]:
    """Yield the maps whose names become those of attributes, and where the config says so."""
    settings = route.route
    if settings.merge is not None:
        merged = map_steps(inferred_map(route, settings.merge))
        if merged is not None and not settings.merge.prefix:
            yield merged, (*route.path, "merge")
    elif not is_set(settings.item) and MODES[settings.write.mode].stores != "nothing":
        whole = route.scope.steps(("element",)) if route.scope.each else ()
        if whole is not None:
            yield whole, (*route.path, "schema")


def _allows_by_name(index: SchemaIndex, steps: Steps) -> bool:
    patterns = {
        name for place in index.at(steps) for name in map_of(place.content, "patternProperties")
    }
    return "" in index.names(steps) or any(_takes_empty(pattern) for pattern in patterns)


def _takes_empty(pattern: str) -> bool:
    try:
        return re.search(pattern, "") is not None
    except re.error:  # of another dialect
        return False

"""Reports routes whose elements of one message have one key, so that one of them is left."""

from collections.abc import Iterator

from router.codes import declare
from router.prover.schema_prover import YES
from router.runtime.modes import MODES
from router.tools.check.analysis.pair_writes import writes_of
from router.tools.check.analysis.routes import AnalyzedRoute, at_most, is_set
from router.tools.check.rule import Found, Subject, rule

ONE_KEY = declare(
    "RT635",
    "elements of one message with one key",
    "No key attribute is of the element, so that all elements of a message write one item: it has what one of them "
    "has. Which one depends on the mode of the route.",
    "warning",
)


@rule(ONE_KEY)
def check_elements(subject: Subject) -> Iterator[Found]:
    """Report the key of a route with `for_each` that is the same for all elements of a message."""
    for route in subject.routes:
        if route.table is None or not is_set(route.route.for_each) or route.route.item is None:
            continue
        writes = writes_of(route.name, route.route, route.table.key)
        # Sums and lists have what all elements add.
        sets = (writes.sets | writes.keeps) - {writes.version}
        if MODES[writes.mode].stores == "nothing" or not sets or not _has_one_key(route):
            continue
        names = " and ".join(f"'{name}'" for name in route.table.key)
        yield Found(
            ONE_KEY,
            f"the key {names} is the same for all elements of a message: they write one item",
            ("routes", route.name, "item"),
            "map a key attribute from 'element', or the list to an attribute without 'for_each'",
        )


def _has_one_key(route: AnalyzedRoute) -> bool:
    """Whether all elements of a message have one key, and there may be several of them."""
    assert route.table is not None
    mapped = [route.attributes.get(name) for name in route.table.key]
    uses = [use for each in mapped if each is not None for use in route.uses(each)]
    if None in mapped or any("element" in use.text for use in uses):
        return False
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return True
    return route.mapped.holds_at(steps[:-1], at_most(1)) is not YES

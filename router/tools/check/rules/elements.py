"""Reports elements of one message that write one item."""

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
MAY_HAVE_ONE_KEY = declare(
    "RT641",
    "elements of one message that may have the same key",
    "A schema bounds the elements of a list one by one: two of them may have the same values in what the key is of. "
    "They write one item, so that one of the two is lost. That is intended where the sender sends none twice.",
    "info",
)
_LOST = {
    "insert": "the later one is a duplicate, and is not stored",
    "put": "the later one replaces the earlier one",
    "newest": "the later one is stale, and is not stored",
    "update": "the later one sets the attributes of the earlier one again",
}


@rule(ONE_KEY, MAY_HAVE_ONE_KEY)
def check_elements(subject: Subject) -> Iterator[Found]:
    """Report the key of a route with `for_each` that is or may be the same for elements of a message."""
    for route in subject.routes:
        if route.table is None or not is_set(route.route.for_each) or route.route.item is None:
            continue
        writes = writes_of(route.name, route.route, route.table.key)
        # Sums and lists have what all elements add.
        sets = (writes.sets | writes.keeps) - {writes.version}
        mapped = [route.attributes.get(name) for name in route.table.key]
        if MODES[writes.mode].stores == "nothing" or not sets or None in mapped:
            continue
        if not _may_be_several(route):
            continue
        place = ("routes", route.name, "item")
        names = " and ".join(f"'{name}'" for name in route.table.key)
        if not any(_is_of_element(route, name) for name in route.table.key):
            yield Found(
                ONE_KEY,
                f"the key {names} is the same for all elements of a message: they write one item",
                place,
                "map a key attribute from 'element', or the list to an attribute without 'for_each'",
            )
        elif not _is_of_element(route, writes.version) and not _are_unique(route):
            yield Found(
                MAY_HAVE_ONE_KEY,
                f"two elements of a message may have the same key {names}: {_lost(subject, route, writes.version)}",
                place,
                "add to the key what no two elements have in common",
            )


def _lost(subject: Subject, route: AnalyzedRoute, version: str | None) -> str:
    """Return what becomes of the later one of two elements with one key."""
    queue = subject.config.queues.get(route.route.queue)
    if queue is not None and queue.atomic:
        return "the message is rejected"
    mode = route.route.write.mode
    return _LOST["newest" if version else mode]


def _may_be_several(route: AnalyzedRoute) -> bool:
    """Whether a message may have several elements."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return True
    return route.mapped.holds_at(steps[:-1], at_most(1)) is not YES


def _is_of_element(route: AnalyzedRoute, name: str | None) -> bool:
    """Whether an attribute is made of the element."""
    return any("element" in text for text in _texts(route, name))


def _texts(route: AnalyzedRoute, name: str | None) -> list[str]:
    """Return the expressions of an attribute."""
    mapped = route.attributes.get(name) if name else None
    return [use.text for use in route.uses(mapped)] if mapped is not None else []


def _are_unique(route: AnalyzedRoute) -> bool:
    """Whether the schema proves that no two elements have one key: it is the whole element."""
    steps = route.scope.element
    if steps is None or route.mapped is None:
        return False
    assert route.table is not None
    texts = [text for name in route.table.key for text in _texts(route, name)]
    return "element" in texts and route.mapped.holds_at(steps[:-1], {"uniqueItems": True}) is YES

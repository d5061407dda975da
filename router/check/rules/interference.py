"""Reports writes that undo, replace or overtake each other."""

from collections.abc import Iterator
from itertools import combinations

from msgspec import UNSET, structs

from router.check.analysis.entailment import Answer, entailment_without_schema
from router.check.analysis.expressions import tree_of
from router.check.analysis.routes import MAX_CONDITIONS, AnalyzedRoute, is_set
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.model import Path
from router.modes import MODES, names_where
from router.program.expressions import path_of
from router.sources import Evaluated, source_of, values_of

MIXED_MODES = declare(
    "RT213",
    "two routes that write one key in modes that undo each other",
    f"Without a `version`, writes by {names_where(lambda mode: mode.destroys)} ignore what is stored, and undo what "
    f"writes by {names_where(lambda mode: mode.relies_on)} rely on.",
    "warning",
)
SAME_TABLE = declare(
    "RT217",
    "one table under two names",
    "Writes of one item are put in order by table: under two names, a later write can overtake an earlier one.",
    "warning",
)
SAME_KEY = declare(
    "RT218",
    "one message that puts two items of one key",
    "The later route replaces the item that the earlier one has put.",
    "info",
)


@rule(MIXED_MODES)
def check_modes(subject: Subject) -> Iterator[Found]:
    """Report routes that undo what another route writes under the same key."""
    for routes in _by_key(subject):
        first: dict[tuple[str, bool], AnalyzedRoute] = {}
        for route in routes:
            other = next((each for each in first.values() if _undo(each.route.write, route.route.write)), None)
            if other is not None:
                modes = f"by '{route.route.write.mode}' what '{other.name}' writes by '{other.route.write.mode}'"
                sentence = f"route '{route.name}' writes {modes}"
                where: Path = (*route.path, "write", "mode")
                yield Found(MIXED_MODES, sentence, where, "use a mode in both that depends on the stored item")
            first.setdefault((route.route.write.mode, is_set(route.route.write.version)), route)


@rule(SAME_KEY)
def check_puts(subject: Subject) -> Iterator[Found]:
    """Report routes that put the same key for one message."""
    for routes in _by_key(subject):
        puts = [route for route in routes if _replaces(route.route.write) and route.queue.match == "all"]
        for one, other in combinations(puts, 2) if len(puts) <= MAX_CONDITIONS else ():
            if one.route.queue != other.route.queue or is_set(one.route.for_each):
                continue
            messages = entailment_without_schema().narrow(one.when.predicate, one.when.exact)
            if messages.narrow(other.when.predicate, other.when.exact).allows({}) is Answer.YES:
                sentence = f"routes '{one.name}' and '{other.name}' put the same key for one message"
                yield Found(SAME_KEY, sentence, other.path, "map both to one item, or use 'mode: update'")


@rule(SAME_TABLE)
def check_tables(subject: Subject) -> Iterator[Found]:
    """Report tables that are declared twice."""
    seen: dict[str, str] = {}
    for name, table in subject.config.tables.items():
        other = seen.setdefault(table.name or name, name)
        if other != name:
            sentence = f"'{name}' is the same table as '{other}'"
            yield Found(SAME_TABLE, sentence, ("tables", name), f"use '{other}'")


def _by_key(subject: Subject) -> list[list[AnalyzedRoute]]:
    """Return the routes whose keys are mapped, in groups that write the same key of the same table."""
    groups: dict[object, list[AnalyzedRoute]] = {}
    for route in subject.routes:
        key = _key_of(route)
        if key is not None:
            groups.setdefault((route.route.table, route.route.for_each, key), []).append(route)
    return list(groups.values())


def _undo(one: spec.WriteSettings, other: spec.WriteSettings) -> bool:
    """Return whether one of two writes destroys what the other relies on."""
    return any(
        not is_set(first.version) and MODES[first.mode].destroys & MODES[second.mode].relies_on
        for first, second in ((one, other), (other, one))
    )


def _replaces(write: spec.WriteSettings) -> bool:
    """Return whether a write replaces the whole item, whatever is stored."""
    mode = MODES[write.mode]
    return mode.stores == "item" and "content" in mode.destroys


def _key_of(route: AnalyzedRoute) -> str | None:
    """Return how the key of a route's items is mapped, as normalized text; None if it is not mapped."""
    if route.table is None:
        return None
    if not is_set(route.route.item):
        element = ("element",) if route.scope.each else ()
        return repr([((*element, name), spec.Attribute()) for name in route.table.key])
    attributes = route.attributes
    if not set(route.table.key) <= set(attributes):
        return None
    mapped = [attributes[name] for name in route.table.key]
    return repr([_identity(each) for each in mapped])


def _identity(attribute: spec.Attribute) -> object:
    """Return what is equal for attributes that are mapped alike: `id`, `"id"` and `@.id` are one path."""
    values = values_of(attribute)
    if not isinstance(values, Evaluated):
        return None, attribute
    tree = tree_of(values.text)
    names = None if tree is None else path_of(tree)
    return tree if names is None else names, structs.replace(attribute, **{source_of(attribute)[0].field: UNSET})

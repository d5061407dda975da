"""Finds what a queue redacts that no schema declares, and what a route needs of it."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from router.model import Path
from router.prover import predicates
from router.prover.schema_index import SchemaIndex
from router.runtime.config import spec
from router.runtime.program.expressions.compile import NO_TREES
from router.runtime.program.redact_settings import read_redact
from router.runtime.program.redacted_routes import find_needs
from router.runtime.program.redaction import EACH, EVERY, Redacted, RedactedPath, Steps
from router.tools.check.analysis.routes import AnalyzedRoute

# Keywords that what replaces a value satisfies or not as the value did, and those that constrain
# nothing.
_TELLING_TYPE = frozenset(
    (
        "type",
        "title",
        "description",
        "examples",
        "default",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
        "$ref",
    )
)


class Need(Struct, frozen=True):
    """A part of a route that needs a redacted value, as a finding says it."""

    sentence: str
    path: Path
    advice: str
    key: bool = False


def undeclared_paths(
    queue: spec.Queue, indexes: Sequence[SchemaIndex | None]
) -> Iterator[tuple[int, str]]:
    """Yield the paths of `redact` that none of some schemas declares, with their positions."""
    paths = {each.text: each for each in read_redact(queue).paths}
    for position, given in enumerate(queue.redact):
        path = paths.get(given) if isinstance(given, str) else None
        if path is None or any(index and _is_declared(index, (), path.steps) for index in indexes):
            continue
        yield position, path.text


def _is_declared(index: SchemaIndex, before: predicates.Steps, steps: Steps) -> bool:
    """Return whether a schema describes the value at a path."""
    if not steps:
        return bool(index.at(before))
    if steps[0] == EVERY:
        # A name that no schema can have declared is described by `additionalProperties` and
        # patterns.
        return any(
            _is_declared(index, (*before, each), steps[1:]) for each in (*index.names(before), "\0")
        )
    step = predicates.EACH if steps[0] == EACH else str(steps[0])
    return _is_declared(index, (*before, step), steps[1:])


def needs_of(route: AnalyzedRoute, redacted: Redacted, *, plugins: bool) -> Iterator[Need]:
    """Yield what one route needs: in its condition, by a plugin, in its mapping, and by constraints
    of its schema.
    """
    settings = route.route
    keys = set(route.table.key) if route.table else set[str]()
    needs = find_needs(settings, redacted, NO_TREES, plugins=plugins)
    advice = "map something else, or do without redacting it"
    if plugins or settings.item is None:
        for name in sorted(needs.mapping):
            what = "has a plugin that may read it" if plugins else "stores the whole message"
            yield Need(f"'{name}' is redacted, and the route {what}", route.path, advice, key=True)
        return
    for each in route.settings:
        where = (*route.path, *each.path)
        for name in sorted(needs.paths[each.setting]):
            yield Need(f"'{name}' is redacted, and '{each.setting}' needs it", where, advice)
    for name in sorted(needs.mapped or ()):
        what = "key attribute" if name in keys else "attribute"
        yield Need(f"{what} '{name}' needs a redacted value", route.place(name), advice)
    yield from _constrained(route, redacted.paths)


def _constrained(route: AnalyzedRoute, paths: Sequence[RedactedPath]) -> Iterator[Need]:
    """Yield the paths whose values the schema constrains by more than their type."""
    index = route.index
    for path in paths if index else ():
        if index is None or EVERY in path.steps:
            continue
        steps = tuple(predicates.EACH if step == EACH else str(step) for step in path.steps)
        more = sorted(
            {key for place in index.at(steps) for key in place.content if key not in _TELLING_TYPE}
        )
        if more:
            yield Need(
                f"'{path.text}' is redacted, and '{more[0]}' {index.where(steps)} needs its value",
                (*route.path, "schema"),
                "let the schema ask for its type only",
            )

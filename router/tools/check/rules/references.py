"""Reports names that lead nowhere: owners, message files, redacted paths; and redacted values that
a route needs.
"""

from collections.abc import Iterator, Sequence

from router.codes import declare
from router.model import Path
from router.prover import predicates
from router.prover.schema_index import SchemaIndex
from router.runtime.config import spec
from router.runtime.config.findings import did_you_mean
from router.runtime.config.merge import SECTIONS, resolve_inside
from router.runtime.program.expressions.compile import NO_TREES
from router.runtime.program.redact_settings import read_redact
from router.runtime.program.redacted_routes import find_needs
from router.runtime.program.redaction import EACH, EVERY, Redacted, RedactedPath, Steps
from router.tools.check.analysis.routes import AnalyzedRoute
from router.tools.check.rule import Found, Subject, rule

UNKNOWN_OWNER = declare(
    "RT243",
    "an owner that is not in `owners`",
    "Often the name is misspelt, and then its alarms go to the topic of the parameter `AlarmTopic`. An owner without "
    "an `alarm_topic` is declared as `NAME: {}`.",
    "warning",
)


@rule(UNKNOWN_OWNER)
def check_owners(subject: Subject) -> Iterator[Found]:
    """Report owners that `owners` does not have, if it has any."""
    config = subject.config
    for section in SECTIONS if config.owners else ():
        for name, entry in getattr(config, section).items():
            if entry.owner and entry.owner not in config.owners:
                otherwise = f"add '{entry.owner}' to 'owners'"
                advice = did_you_mean(entry.owner, config.owners, otherwise)
                sentence = f"the owner '{entry.owner}' is not in 'owners'"
                yield Found(UNKNOWN_OWNER, sentence, (section, name, "owner"), advice)


OUTSIDE = declare(
    "RT112",
    "a message file outside of the config's folder",
    "A config names files of its folder only, links included: `router test` and `router demo` would read, send and "
    "show any other file of the machine, and elsewhere the file is missing.",
)


@rule(OUTSIDE)
def check_message_files(subject: Subject) -> Iterator[Found]:
    """Report each `file` of a test that leads out of the config's folder."""
    for name, route in subject.config.routes.items():
        for index, test in enumerate(route.tests):
            parts: list[tuple[Path, spec.ReceivedMessage]] = [((), test)]
            parts += [
                (("messages", number), message) for number, message in enumerate(test.messages)
            ]
            for part, message in parts:
                if (
                    message.file is None
                    or resolve_inside(subject.schemas.folder, message.file) is not None
                ):
                    continue
                sentence = (
                    f"the message file '{message.file}' is outside of the folder of the config"
                )
                where = ("routes", name, "tests", index, *part, "file")
                yield Found(OUTSIDE, sentence, where, "put it into that folder")


UNDECLARED = declare(
    "RT237",
    "a redacted path that no schema declares",
    "A path with a typo redacts nothing: the value gets into dead letters as it is.",
)
NOT_DECIDED = declare(
    "RT238",
    "a redacted path that cannot be checked",
    "Without a schema, or behind a reference that is not resolved, nothing tells whether messages have the path.",
    "warning",
)
NEEDED = declare(
    "RT239",
    "a redacted value that a route needs",
    "It is redacted in dead letters for ever, so that `router dlq redrive` refuses them; they can only be dropped, or "
    "sent again by their sender.",
    "warning",
)
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
"""Keywords that what replaces a value satisfies or not as the value did, and those that constrain nothing."""


@rule(UNDECLARED, NOT_DECIDED)
def check_declared(subject: Subject) -> Iterator[Found]:
    """Report paths of `redact` that none of the schemas of its routes declares."""
    routes = subject.by_queue
    for name, queue in subject.config.queues.items():
        indexes = [route.index for route in routes.get(name, ())]
        for position, given in enumerate(queue.redact):
            path = next((each for each in read_redact(queue).paths if each.text == given), None)
            if path is None or any(
                index and _is_declared(index, (), path.steps) for index in indexes
            ):
                continue
            where = ("queues", name, "redact", position)
            if all(index is not None and index.complete for index in indexes):
                advice = "correct the path, or declare it in the schema"
                yield Found(
                    UNDECLARED, f"no schema of queue '{name}' declares '{path.text}'", where, advice
                )
            else:
                sentence = f"nothing tells whether messages of queue '{name}' have '{path.text}'"
                yield Found(NOT_DECIDED, sentence, where, "declare it in a schema of its routes")


@rule(NEEDED)
def check_needed(subject: Subject) -> Iterator[Found]:
    """Report where a route reads a value that its queue redacts."""
    for name, routes in subject.by_queue.items():
        redacted = read_redact(subject.config.queues.get(name, spec.Queue()))
        for route in routes if redacted.paths or redacted.attributes else ():
            named = None if route.route.plugins is None else route.route.plugins
            plugins = subject.plugins.message_pipeline(named) or subject.plugins.item_pipeline(
                named
            )
            yield from _needed(route, redacted, plugins=bool(plugins))


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


def _needed(route: AnalyzedRoute, redacted: Redacted, *, plugins: bool) -> Iterator[Found]:
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
            yield Found(
                NEEDED, f"'{name}' is redacted, and the route {what}", route.path, advice, key=True
            )
        return
    for each in route.expressions:
        where = (*route.path, *each.path)
        for name in sorted(needs.paths[each.setting]) if each.setting != "item" else ():
            sentence = f"'{name}' is redacted, and '{each.setting}' needs it"
            yield Found(NEEDED, sentence, where, advice)
    for name in sorted(needs.mapped or ()):
        what = "key attribute" if name in keys else "attribute"
        yield Found(NEEDED, f"{what} '{name}' needs a redacted value", route.place(name), advice)
    yield from _constrained(route, redacted.paths)


def _constrained(route: AnalyzedRoute, paths: Sequence[RedactedPath]) -> Iterator[Found]:
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
            sentence = (
                f"'{path.text}' is redacted, and '{more[0]}' {index.where(steps)} needs its value"
            )
            yield Found(
                NEEDED, sentence, (*route.path, "schema"), "let the schema ask for its type only"
            )

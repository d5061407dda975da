"""Reports names that lead nowhere: owners, message files, redacted paths; and redacted values that
a route needs.
"""

from collections.abc import Iterator

from router.codes import declare
from router.model import Path
from router.runtime.config import spec
from router.runtime.config.findings import did_you_mean
from router.runtime.config.merge import SECTIONS, resolve_inside
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
                yield Found(
                    UNKNOWN_OWNER,
                    f"the owner '{entry.owner}' is not in 'owners'",
                    (section, name, "owner"),
                    did_you_mean(entry.owner, config.owners, otherwise),
                )


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
                yield Found(
                    OUTSIDE,
                    f"the message file '{message.file}' is outside of the folder of the config",
                    ("routes", name, "tests", index, *part, "file"),
                    "put it into that folder",
                )


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


@rule(UNDECLARED, NOT_DECIDED)
def check_declared(subject: Subject) -> Iterator[Found]:
    """Report paths of `redact` that none of the schemas of its routes declares."""
    routes = subject.by_queue
    for name, queue in _redacting(subject):
        from router.tools.check.analysis.redacted_values import undeclared_paths

        indexes = [route.index for route in routes.get(name, ())]
        for position, text in undeclared_paths(queue, indexes):
            where = ("queues", name, "redact", position)
            if all(index is not None and index.complete for index in indexes):
                yield Found(
                    UNDECLARED,
                    f"no schema of queue '{name}' declares '{text}'",
                    where,
                    "correct the path, or declare it in the schema",
                )
            else:
                yield Found(
                    NOT_DECIDED,
                    f"nothing tells whether messages of queue '{name}' have '{text}'",
                    where,
                    "declare it in a schema of its routes",
                )


@rule(NEEDED)
def check_needed(subject: Subject) -> Iterator[Found]:
    """Report where a route reads a value that its queue redacts."""
    redacting = dict(_redacting(subject))
    for name, routes in subject.by_queue.items():
        if name not in redacting:
            continue
        from router.runtime.program.redact_settings import read_redact
        from router.tools.check.analysis.redacted_values import needs_of

        redacted = read_redact(redacting[name])
        for route in routes if redacted.paths or redacted.attributes else ():
            names = route.route.plugins
            plugins = subject.plugins.message_pipeline(names) or subject.plugins.item_pipeline(
                names
            )
            for need in needs_of(route, redacted, plugins=bool(plugins)):
                yield Found(NEEDED, need.sentence, need.path, need.advice, key=need.key)


def _redacting(subject: Subject) -> list[tuple[str, spec.Queue]]:
    """Return the queues that redact values, by name: without any, a check does without the modules."""
    return [(name, queue) for name, queue in subject.config.queues.items() if queue.redact]

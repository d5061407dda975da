"""Reports what the config names and cannot use: owners without settings, and message files outside of its folder."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.config.findings import closest
from router.config.merge import SECTIONS, resolve_inside
from router.model import Path

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
                near = closest(entry.owner, list(config.owners))
                advice = f"did you mean '{near}'?" if near else f"add '{entry.owner}' to 'owners'"
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
            parts += [(("messages", number), message) for number, message in enumerate(test.messages)]
            for part, message in parts:
                if (
                    isinstance(message.file, UnsetType)
                    or resolve_inside(subject.schemas.folder, message.file) is not None
                ):
                    continue
                sentence = f"the message file '{message.file}' is outside of the folder of the config"
                where = ("routes", name, "tests", index, *part, "file")
                yield Found(OUTSIDE, sentence, where, "put it into that folder")

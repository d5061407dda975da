"""Reports message files of tests that are outside of the config's folder."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.config.merge import resolve_inside
from router.model import Path

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

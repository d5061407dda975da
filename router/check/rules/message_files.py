"""Reports message files of tests that are outside of the config's folder."""

from collections.abc import Iterator

from msgspec import UnsetType

from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config.merge import resolve_inside

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
            if not isinstance(test.file, UnsetType) and resolve_inside(subject.schemas.folder, test.file) is None:
                sentence = f"the message file '{test.file}' is outside of the folder of the config"
                yield Found(OUTSIDE, sentence, ("routes", name, "tests", index, "file"), "put it into that folder")

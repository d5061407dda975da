"""Reports routes of one table that lose what each other stores, and what a version makes of sums."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import yaml

from router.codes import declare
from router.model import Code, Severity
from router.runtime.modes import MODES
from router.tools.check.rule import Found, Subject, rule

ERASES = declare(
    "RT626",
    "two routes that lose data of one item",
    "Both write one item of a table, and what one stores, the other erases, overtakes or never lets in. `router "
    "check` shows two messages that it has run through both routes. An `update` keeps what other routes store.",
    "warning",
)
BRINGS_BACK = declare(
    "RT627",
    "two routes that lose data of one item in a known case",
    "A delete leaves nothing that a late message could be compared with. That is often accepted: `--strict` does not "
    "fail. A closing `update` with a time to live keeps the version for as long as messages can be late.",
    "info",
)
NEVER_COMPARED = declare(
    "RT628",
    "a delete whose version no item has",
    "The other route does not store the version, so that the condition of the delete always holds: a late delete "
    "removes newer items.",
)
if TYPE_CHECKING:
    from router.tools.check.analysis.key_meetings import Meeting, MeetingExample

_CODES: Mapping[Severity, Code] = {
    "error": NEVER_COMPARED,
    "warning": ERASES,
    "info": BRINGS_BACK,
}


def code_of(example: "MeetingExample") -> Code:
    """Return the code of the finding about two routes of which two messages are known."""
    return _CODES[example.severity]


@rule(ERASES, BRINGS_BACK, NEVER_COMPARED)
def check_shared_tables(subject: Subject) -> Iterator[Found]:
    """Report pairs of routes of which two messages show that they lose something."""
    for meeting in subject.meetings:
        if meeting.one is not None and meeting.example is not None:
            yield _found(meeting, meeting.example)


def _found(meeting: "Meeting", example: "MeetingExample") -> Found:
    assert meeting.one is not None
    route = meeting.other
    sentence = (
        f"routes '{meeting.one.name}' and '{route.name}' write one item for {example.first} and "
        f"then {example.second}: {'; '.join(example.lost)}"
    )
    return Found(
        code_of(example),
        sentence,
        (*route.path, "write"),
        _advice(example.edit),
        beside=meeting.one.path,
        refutes=meeting.claim,
    )


def _advice(edit: str) -> str:
    """Return the edit as YAML in one line."""
    comments = [line.strip("# ") for line in edit.splitlines() if line.startswith("#")]
    sections = yaml.safe_load(edit)
    text = yaml.safe_dump(
        sections, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True
    ).strip()
    return f"{', '.join([*comments, 'write'])} {text if len(sections) > 1 else text[1:-1]}"


ADDS_NOTHING = declare(
    "RT629",
    "`add` or `append` with a version",
    "The version makes the whole update conditional: a message that is received after a greater version, or with an "
    "equal one, adds nothing. With `once` each message is added once, in any order.",
    "warning",
)


@rule(ADDS_NOTHING)
def check_added_by_version(subject: Subject) -> Iterator[Found]:
    """Report sums and lists that leave out messages which are received late."""
    for name, route in subject.config.routes.items():
        write = route.write
        repeated = [each for each in sorted(MODES[write.mode].repeats) if getattr(write, each)]
        if repeated and write.version is not None:
            yield Found(
                ADDS_NOTHING,
                f"with 'version', a message that is received late does not '{repeated[0]}' anything",
                ("routes", name, "write", "version"),
                "remove 'version', and name a table of idempotency keys with 'once:'",
                key=True,
            )

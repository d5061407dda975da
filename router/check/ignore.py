"""Suppresses findings as `ignore` in the config says, and reports entries of `ignore` that are wrong or unused."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from router.check.change_codes import CHANGE
from router.check.rule import LIVE, code_of
from router.codes import RETIRED, declare
from router.config import spec
from router.config.findings import Findings, describe
from router.model import Code, Finding, Path
from router.program.load import Loaded

CANNOT_IGNORE = declare(
    "RT109",
    "an `ignore` of a code that cannot be ignored",
    "With a file that cannot be read, or a route that cannot be compiled, the router does not start. A code that does "
    "not exist is a typo.",
)
NOTHING_TO_IGNORE = declare(
    "RT110",
    "an `ignore` that matches no finding",
    "The fault was fixed, or never existed. An entry that stays would hide the same fault if it is introduced again.",
    "warning",
)
OUTCOME = "RT8"
"""The prefix of the codes of outcomes of messages."""
_OF_THE_FILE = ("RT0", "RT1")


class Ignored(Struct, frozen=True):
    """A suppressed finding, and the reason that the config gives."""

    finding: Finding
    reason: str


def ignore_findings(loaded: Loaded, stopping: Collection[Finding], live: bool) -> list[Ignored]:
    """Return the findings that the config suppresses, and add findings about the entries of `ignore` themselves.

    `stopping` are the errors of loading, which cannot be ignored. `live` is true if AWS was compared.
    """
    settings = loaded.config.ignore if loaded.config else ()
    ignored: dict[Finding, str] = {}
    for index, each in enumerate(settings):
        where: Path = ("ignore", index)
        matched = _matched(each, where, loaded.findings)
        refused = [finding for finding in matched if finding in stopping]
        fault = _fault(each.code, code_of(each.code), bool(refused))
        if fault:
            sentence, advice = fault
            loaded.findings.add(CANNOT_IGNORE, sentence, (*where, "code"), suggestion=advice)
        elif not matched and not stopping and each.code[: len(LIVE)] not in ((CHANGE,) if live else (CHANGE, LIVE)):
            sentence = f"no finding matches {describe(where)}: {each.code}{f' at {each.at}' if each.at else ''}"
            loaded.findings.add(NOTHING_TO_IGNORE, sentence, where, suggestion="remove it")
        for finding in matched:
            if finding not in refused:
                ignored.setdefault(finding, each.reason)
    return [Ignored(finding, ignored[finding]) for finding in loaded.findings if finding in ignored]


def ignore_changes(settings: Sequence[spec.Ignore], findings: Findings) -> Mapping[Finding, str]:
    """Return the findings of `router diff` that the new config suppresses, with the reasons that it gives."""
    ignored: dict[Finding, str] = {}
    for index, each in enumerate(settings):
        for finding in _matched(each, ("ignore", index), findings):
            ignored.setdefault(finding, each.reason)
    return ignored


def _matched(ignore: spec.Ignore, where: Path, findings: Findings) -> list[Finding]:
    return [finding for finding in findings if _matches(ignore, where, finding, findings)]


def _matches(ignore: spec.Ignore, where: Path, finding: Finding, findings: Findings) -> bool:
    if finding.code.id != ignore.code:
        return False
    paths = findings.paths(finding)
    own_file, root_file = findings.locate(where).file, findings.locate(()).file
    if own_file != root_file and all(findings.locate(path).file != own_file for path in paths):
        # An entry in an included file applies to this file only, so that a team cannot hide findings of another.
        return False
    names = [".".join(map(str, path)) for path in paths]
    return not ignore.at or any(f"{name}.".startswith(f"{ignore.at}.") for name in names)


def _fault(name: str, code: Code | None, refused: bool) -> tuple[str, str] | None:
    """Return why a code cannot be ignored and what to do instead; None if it can."""
    if name in RETIRED:
        return None  # it matches no finding, which is reported
    if code is None:
        # A code without the prefix may be a plugin's; these are not known.
        return (f"there is no code {name}", "docs/checks.md lists all codes") if name.startswith("RT") else None
    if name.startswith(OUTCOME):
        return f"{name} is the outcome of a message, and is never found in a config", "remove it"
    if refused or (name.startswith(_OF_THE_FILE) and code.severity == "error"):
        return f"{name} cannot be ignored: it stops the router from starting", "fix what it reports"
    return None

"""Passes over findings where the config says so, and finds what is wrong with what it says."""

from collections.abc import Callable, Collection

from msgspec import Struct

from router.config import spec
from router.config.findings import describe
from router.model import Code, Finding, Path
from router.program.load import Loaded

CANNOT_IGNORE = Code(
    "RT109",
    "an `ignore` of what cannot be ignored",
    "With a file that cannot be read, or a flow that cannot be compiled, the router does not start, whatever anybody "
    "thinks of it; and a code that there is not was meant to be another one.",
)
NOTHING_TO_IGNORE = Code(
    "RT110",
    "an `ignore` that no finding needs",
    "What was accepted is mended, or was never there. If it stays, it hides the same fault when somebody makes it "
    "again.",
    "warning",
)

LIVE, OUTCOME = "RT7", "RT8"
"""How codes begin that are found in AWS only, and those of how a message ended."""
_OF_THE_FILE = ("RT0", "RT1")


class Ignored(Struct, frozen=True):
    """A finding that is passed over, and why."""

    finding: Finding
    reason: str


def ignore_findings(
    loaded: Loaded, stopping: Collection[Finding], code_of: Callable[[str], Code | None], live: bool
) -> list[Ignored]:
    """What is passed over, of the findings of a config; the findings themselves stay as they are, and get more.

    `stopping` are those that stop the router from starting. `code_of` gives the code of an id. `live` tells
    whether AWS was looked at.
    """
    settings = loaded.config.ignore if loaded.config else ()
    ignored: dict[Finding, str] = {}
    for index, each in enumerate(settings):
        where: Path = ("ignore", index)
        matched = [finding for finding in loaded.findings if _matches(each, where, finding, loaded)]
        held = [finding for finding in matched if finding in stopping]
        fault = _fault(each.code, code_of(each.code), bool(held))
        if fault:
            sentence, advice = fault
            loaded.findings.add(CANNOT_IGNORE, sentence, (*where, "code"), suggestion=advice)
        elif not matched and not stopping and (live or not each.code.startswith(LIVE)):
            sentence = f"no finding needs {describe(where)}: {each.code}{f' at {each.at}' if each.at else ''}"
            loaded.findings.add(NOTHING_TO_IGNORE, sentence, where, suggestion="take it out")
        for finding in matched:
            if finding not in held:
                ignored.setdefault(finding, each.reason)
    return [Ignored(finding, ignored[finding]) for finding in loaded.findings if finding in ignored]


def _matches(ignore: spec.Ignore, where: Path, finding: Finding, loaded: Loaded) -> bool:
    if finding.code.id != ignore.code:
        return False
    paths = loaded.findings.paths(finding)
    own_file, root_file = loaded.findings.locate(where).file, loaded.findings.locate(()).file
    if own_file != root_file and all(loaded.findings.locate(path).file != own_file for path in paths):
        # A team accepts what is in its own file.
        return False
    names = [".".join(map(str, path)) for path in paths]
    return not ignore.at or any(f"{name}.".startswith(f"{ignore.at}.") for name in names)


def _fault(name: str, code: Code | None, held: bool) -> tuple[str, str] | None:
    """Why a code cannot be ignored, and what to do instead."""
    if code is None:
        # Others are those of plugins' checks, which are not known.
        return (f"there is no code {name}", "docs/checks.md lists them all") if name.startswith("RT") else None
    if name.startswith(OUTCOME):
        return f"{name} says how a message ended, and is never found in a config", "take it out"
    if held or (name.startswith(_OF_THE_FILE) and code.severity == "error"):
        return f"{name} cannot be ignored: it stops the router from starting", "mend what it finds"
    return None

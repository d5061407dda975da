"""The calls of the view Change: `router diff` of two versions of a config, with the lines that differ side by side."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.change.compare import compare_versions
from router.change.report import ChangeFinding, RouteReport, grouped, summary
from router.change.versions import STACK, ConfigVersion, open_versions
from router.console.api import Call
from router.console.drafts import draft_of, prefix_of
from router.console.workspace import Workspace, require_aws
from router.dev.compare import to_json
from router.program.schemas.links import uri_of

AROUND = 4
"""Lines that are shown before and after those that differ."""
EDITED = "edited, not saved"
"""The name of the config with texts that are not saved."""
MOST_LINES = 400
"""Of one place."""
Lines = Sequence[tuple[int, str]]
"""Lines with their numbers; 0 is a line that is not there."""


class CompareVersions(Struct, frozen=True):
    """The body of `change/compare`: two versions as `router diff` names them; an empty `new` is the config as edited.

    `unsaved` are the texts of files that are edited and not saved, by name.
    """

    old: str = "git:HEAD"
    new: str = ""
    unsaved: dict[str, str] = {}
    config: str = ""


def compare_for_page(given: Any) -> dict[str, Any]:
    """Return the report of a comparison for the page; a job. Raises RouterError."""
    asked = msgspec.convert(given, CompareVersions)
    config = Path(asked.config)
    with ExitStack() as stack:
        draft = stack.enter_context(draft_of(config, asked.unsaved))
        is_draft = draft != config and not asked.new
        before, after = open_versions(asked.old, str(draft) if is_draft else asked.new, config, os.environ, stack)
        if is_draft:
            after = structs.replace(after, label=EDITED, root=f"{draft.parent}{os.sep}", shown=prefix_of(config))
        report = compare_versions(before, after)
        return {
            "old": report.old,
            "new": report.new,
            "summary": summary(report),
            "breaks": report.breaks,
            "conflicts": report.conflicts,
            "groups": [
                {**_route(route), "findings": [_finding(each, before, after) for each in findings]}
                for route, findings in grouped(report, show_ignored=True)
            ],
        }


def _route(route: RouteReport | None) -> dict[str, Any]:
    if route is None:
        return {"route": "", "verdict": "", "was": "", "unknown": []}
    return {"route": route.route, "verdict": route.verdict, "was": route.was, "unknown": route.unproved}


def _finding(found: ChangeFinding, before: ConfigVersion, after: ConfigVersion) -> dict[str, Any]:
    change = found.change
    example = [to_json(change.example, indent=2), change.before, change.after] if change.has_example else None
    return {
        "code": change.code.id,
        "risk": found.risk,
        "sentence": change.sentence,
        "suggestion": change.suggestion,
        "ignored": found.ignored.strip(),
        "hunks": list(_hunks(found, before, after)),
        # Texts: a number of JavaScript has 53 bits.
        "example": example and dict(zip(("message", "before", "after"), example, strict=True)),
    }


def _hunks(found: ChangeFinding, before: ConfigVersion, after: ConfigVersion) -> Iterator[dict[str, Any]]:
    """Yield the lines that differ at the places of a change; if it is one of schemas, those of their files."""
    if found.change.path[-1:] == ("schema",) and found.change.old_path[-1:] == ("schema",):
        old, new = _schemas(before, str(found.change.old_path[1])), _schemas(after, str(found.change.path[1]))
        names = dict.fromkeys([*old, *new])
        hunks = [hunk for name in names for hunk in _compare_lines(name, old.get(name, ()), name, new.get(name, ()))]
        yield from hunks
        if hunks:
            return
    lines = _read(before.file(found.old_place)), _read(after.file(found.place))
    pieces = [_around(each, place.line) for each, place in zip(lines, (found.old_place, found.place), strict=True)]
    yield from _compare_lines(str(found.old_place), pieces[0], str(found.place), pieces[1])


def _schemas(version: ConfigVersion, route: str) -> dict[str, Lines]:
    """Return the lines of the files of a route's schema, by name."""
    validation = version.loaded.validation(route)
    root = version.schemas.folder.resolve()
    files = {name: root / name for name in version.schemas.documents}
    used = validation.documents if validation else {}
    return {name: _numbered(_read(file), 1) for name, file in files.items() if uri_of(file) in used}


def _read(file: Path) -> list[str]:
    """Return the lines of a file; none if it is no text."""
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def _around(lines: list[str], line: int) -> Lines:
    first = max(line - 1 - AROUND, 0)
    return _numbered(lines[first : line + AROUND], first + 1)


def _numbered(lines: list[str], first: int) -> Lines:
    return tuple(enumerate(lines, first))


def _compare_lines(old_place: str, old: Lines, new_place: str, new: Lines) -> Iterator[dict[str, Any]]:
    """Yield the parts that differ, with lines around them; both columns have as many lines, some of them empty."""
    matcher = SequenceMatcher(None, [text for _, text in old], [text for _, text in new], autojunk=False)
    for group in matcher.get_grouped_opcodes(AROUND):
        rows = [
            (tag != "equal", left, right)
            for tag, i1, i2, j1, j2 in group
            for left, right in zip_longest(old[i1:i2], new[j1:j2], fillvalue=(0, ""))
        ]
        yield {
            "places": [old_place, new_place],
            "old": [[*left, differs] for differs, left, _ in rows[:MOST_LINES]],
            "new": [[*right, differs] for differs, _, right in rows[:MOST_LINES]],
        }


def compare(workspace: Workspace, given: CompareVersions) -> bytes:
    """Return the report of a comparison for the page, as JSON; raises ConsoleError."""
    if given.old.startswith(STACK) or given.new.startswith(STACK):
        require_aws(workspace)
    return workspace.checks.run(compare_for_page, structs.replace(given, config=str(workspace.config)))


CALLS: tuple[Call, ...] = (Call("change/compare", CompareVersions, compare),)

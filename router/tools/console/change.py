"""The calls of the view Change: `router diff` of two versions of a config, with the lines that differ side by side."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby, takewhile, zip_longest
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from router.model import Place
from router.runtime.filesystem import read_regular
from router.runtime.program.schemas.links import uri_of
from router.tools.change.compare import compare_versions
from router.tools.change.report import ChangeFinding, RouteReport, grouped, summary
from router.tools.change.versions import STACK, ConfigVersion, open_versions
from router.tools.console.api import Call
from router.tools.console.files import draft_of, prefix_of, require_editable
from router.tools.console.workspace import ConsoleError, Workspace, require_aws
from router.tools.dev.compare import to_json

AROUND = 4
"""Lines that are shown before and after those that differ."""
EDITED = "edited, not saved"
"""The name of the config with texts that are not saved."""
MOST_LINES = 400
"""The most lines that are shown of one place."""
EXACT_LINES = 2000
"""Longer parts that differ are compared by their rare lines only, which takes less time."""
LONG = 160
"""Characters of a line: a schema with a longer one is shown formatted."""
Lines = tuple[str, ...]
Row = tuple[bool, tuple[int, str], tuple[int, str]]
"""Whether it differs, and the line of each version with its number; 0 is a line that is not there."""
Rows = tuple[Row, ...]


class CompareVersions(Struct, frozen=True):
    """The body of `change/compare`: two versions as `router diff` names them; an empty `new` is the config as edited.

    `unsaved` are the texts of files that are edited and not saved, by name.
    """

    old: str = "git:HEAD"
    new: str = ""
    unsaved: dict[str, str] = {}
    config: str = ""


def compare_for_page(given: CompareVersions) -> dict[str, Any]:
    """Return the report of a comparison for the page; a job. Raises RouterError."""
    config = Path(given.config)
    with ExitStack() as stack:
        draft = stack.enter_context(draft_of(config, given.unsaved))
        is_draft = draft != config and not given.new
        before, after = open_versions(
            given.old, str(draft) if is_draft else given.new, config, os.environ, stack
        )
        if is_draft:
            after = structs.replace(
                after, label=EDITED, root=f"{draft.parent}{os.sep}", shown=prefix_of(config)
            )
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
    return {
        "route": route.route,
        "verdict": route.verdict,
        "was": route.was,
        "unknown": route.unproved,
    }


def _finding(found: ChangeFinding, before: ConfigVersion, after: ConfigVersion) -> dict[str, Any]:
    change = found.change
    example = (
        [to_json(change.example, indent=2), change.before, change.after]
        if change.has_example
        else None
    )
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


def _hunks(
    found: ChangeFinding, before: ConfigVersion, after: ConfigVersion
) -> Iterator[dict[str, Any]]:
    """Yield the differing lines at the places of a change; for a change of schemas, those of the schema files."""
    if found.change.path[-1:] == ("schema",) and found.change.old_path[-1:] == ("schema",):
        hunks = list(
            _schema_hunks(before, str(found.change.old_path[1]), after, str(found.change.path[1]))
        )
        yield from hunks
        if hunks:
            return
    places = found.old_place, found.place
    # The whole files: lines that only moved do not differ.
    rows = _compare_lines(_read(before.file(places[0])), _read(after.file(places[1])))
    yield from _cut(rows, [str(place) for place in places], [_is_near(row, places) for row in rows])


def _schema_hunks(
    before: ConfigVersion, old_route: str, after: ConfigVersion, route: str
) -> Iterator[dict[str, Any]]:
    old, new = _schemas(before, old_route), _schemas(after, route)
    for name in dict.fromkeys([*old, *new]):
        pair, shown = (old.get(name, ()), new.get(name, ())), name
        if any(len(line) > LONG for lines in pair for line in lines):
            pair, shown = (_formatted(pair[0]), _formatted(pair[1])), f"{name}, formatted"
        rows = _compare_lines(*pair)
        differing = {
            near
            for at, row in enumerate(rows)
            if row[0]
            for near in range(at - AROUND, at + AROUND + 1)
        }
        yield from _cut(rows, [shown, shown], [at in differing for at in range(len(rows))])


def _schemas(version: ConfigVersion, route: str) -> dict[str, Lines]:
    """Return the lines of the files of a route's schema, by name."""
    validation = version.loaded.validation(route)
    root = version.schemas.folder.resolve()
    files = {name: root / name for name in version.schemas.documents}
    used = validation.documents if validation else {}
    return {name: _read(file) for name, file in files.items() if uri_of(file) in used}


def _read(file: Path) -> Lines:
    """Return the lines of a file; none if it is no text."""
    try:
        return tuple(read_regular(file).decode().splitlines())
    except (OSError, ValueError):
        return ()


def _formatted(lines: Lines) -> Lines:
    """Return the lines of JSON, indented."""
    return tuple(msgspec.json.format("\n".join(lines), indent=2).splitlines()) if lines else ()


@lru_cache(maxsize=4)
def _compare_lines(old: Lines, new: Lines) -> Rows:
    """Return the lines of both versions side by side; a change in one file has many findings."""
    start = _same_at_start(old, new)
    end = _same_at_start(old[start:][::-1], new[start:][::-1])
    middle = old[start : len(old) - end], new[start : len(new) - end]
    matcher = SequenceMatcher(None, *middle, autojunk=max(map(len, middle)) > EXACT_LINES)
    opcodes = [
        ("equal", 0, start, 0, start),
        *(
            (tag, i1 + start, i2 + start, j1 + start, j2 + start)
            for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        ),
        ("equal", len(old) - end, len(old), len(new) - end, len(new)),
    ]
    numbered = tuple(enumerate(old, 1)), tuple(enumerate(new, 1))
    return tuple(
        (tag != "equal", left, right)
        for tag, i1, i2, j1, j2 in opcodes
        for left, right in zip_longest(numbered[0][i1:i2], numbered[1][j1:j2], fillvalue=(0, ""))
    )


def _same_at_start(old: Lines, new: Lines) -> int:
    """Return how many lines are the same, from the first one on."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _is_near(row: Row, places: tuple[Place, Place]) -> bool:
    return any(
        number and abs(number - place.line) <= AROUND
        for (number, _), place in zip(row[1:], places, strict=True)
    )


def _cut(rows: Rows, places: list[str], shown: list[bool]) -> Iterator[dict[str, Any]]:
    """Yield the parts that are shown and differ; both columns have as many lines, some of them empty."""
    for is_shown, group in groupby(zip(shown, rows, strict=True), itemgetter(0)):
        part = [row for _, row in group]
        if is_shown and any(differs for differs, _, _ in part):
            yield {
                "places": places,
                "old": [[*left, differs] for differs, left, _ in part[:MOST_LINES]],
                "new": [[*right, differs] for differs, _, right in part[:MOST_LINES]],
            }


def compare(workspace: Workspace, given: CompareVersions) -> bytes:
    """Return the report of a comparison for the page, as JSON; raises ConsoleError."""
    if given.old.startswith(STACK) or given.new.startswith(STACK):
        require_aws(workspace)
    require_editable(workspace, given.unsaved)
    if "\0" in given.old + given.new:
        raise ConsoleError("usage", "the name of a version has no null character")
    return workspace.checks.run(
        compare_for_page, structs.replace(given, config=str(workspace.config))
    )


CALLS: tuple[Call, ...] = (Call("change/compare", CompareVersions, compare),)

"""The calls of the view Change: `router diff` of two versions of a config, with the lines that
differ side by side.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby, zip_longest
from operator import itemgetter
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from router.model import JsonObject, Place
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
MOST_LINES = 400
"""The most lines that are shown of one place."""
EXACT_LINES = 2000
"""Longer parts that differ are compared by their rare lines only, which takes less time."""
LONG = 160
"""Characters of a line: a schema with a longer one is shown formatted."""
Lines = tuple[str, ...]
Numbered = tuple[int, str]
"""A line with its number; 0 is a line that is not there."""
Row = tuple[bool, Numbered, Numbered]
"""Whether it differs, and the line of each version."""
Rows = tuple[Row, ...]


class CompareVersions(Struct, frozen=True):
    """The body of `change/compare`: two versions as `router diff` names them; an empty `new` is the
    config as edited.

    `unsaved` are the texts of files that are edited and not saved, by name.
    """

    old: str = "git:HEAD"
    new: str = ""
    unsaved: dict[str, str] = {}
    config: str = ""


def compare_for_page(given: CompareVersions) -> JsonObject:
    """Return the report of a comparison for the page; a job. Raises RouterError."""
    config = Path(given.config)
    with ExitStack() as stack:
        draft = stack.enter_context(draft_of(config, given.unsaved))
        # The files of a draft are copies: the report names the originals.
        is_draft = draft != config and not given.new
        new = str(draft) if is_draft else given.new
        before, after = open_versions(given.old, new, config, os.environ, stack)
        if is_draft:
            root = f"{draft.parent}{os.sep}"
            shown = prefix_of(config)
            after = structs.replace(after, label="edited, not saved", root=root, shown=shown)
        report = compare_versions(before, after)
        groups = []
        for route, findings in grouped(report, show_ignored=True):
            listed = [_finding(each, before, after) for each in findings]
            groups.append({**_route(route), "findings": listed})
        return {
            "old": report.old,
            "new": report.new,
            "summary": summary(report),
            "breaks": report.breaks,
            "conflicts": report.conflicts,
            "groups": groups,
        }


def _route(route: RouteReport | None) -> JsonObject:
    if route is None:
        return {"route": "", "verdict": "", "was": "", "unknown": []}
    return {
        "route": route.route,
        "verdict": route.verdict,
        "was": route.was,
        "unknown": route.unproved,
    }


def _finding(found: ChangeFinding, before: ConfigVersion, after: ConfigVersion) -> JsonObject:
    change = found.change
    example = None
    if change.has_example:
        # Texts: a number of JavaScript has 53 bits.
        example = {
            "message": to_json(change.example, indent=2),
            "before": change.before,
            "after": change.after,
        }
    return {
        "code": change.code.id,
        "risk": found.risk,
        "sentence": change.sentence,
        "suggestion": change.suggestion,
        "ignored": found.ignored.strip(),
        "hunks": _hunks(found, before, after),
        "example": example,
    }


def _hunks(
    found: ChangeFinding,
    before: ConfigVersion,
    after: ConfigVersion,
) -> list[JsonObject]:
    """Return the differing lines at the places of a change; for a change of schemas, those of the
    schema files.
    """
    change = found.change
    if change.path[-1:] == ("schema",) and change.old_path[-1:] == ("schema",):
        old = _schemas(before, str(change.old_path[1]))
        hunks = _schema_hunks(old, _schemas(after, str(change.path[1])))
        if hunks:
            return hunks
    places = found.old_place, found.place
    # The whole files: lines that only moved do not differ.
    rows = _compare_lines(_read(before.file(places[0])), _read(after.file(places[1])))
    shown = [_is_near(row, places) for row in rows]
    return list(_cut(rows, [str(place) for place in places], shown))


def _schema_hunks(old: Mapping[str, Lines], new: Mapping[str, Lines]) -> list[JsonObject]:
    hunks: list[JsonObject] = []
    for name in {**old, **new}:
        before = old.get(name, ())
        after = new.get(name, ())
        shown = name
        if any(len(line) > LONG for line in (*before, *after)):
            before = _formatted(before)
            after = _formatted(after)
            shown = f"{name}, formatted"
        rows = _compare_lines(before, after)
        near: set[int] = set()
        for at, (differs, _, _) in enumerate(rows):
            if differs:
                near.update(range(at - AROUND, at + AROUND + 1))
        hunks += _cut(rows, [shown, shown], [at in near for at in range(len(rows))])
    return hunks


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
    if not lines:
        return ()
    return tuple(msgspec.json.format("\n".join(lines), indent=2).splitlines())


@lru_cache(maxsize=4)
def _compare_lines(old: Lines, new: Lines) -> Rows:
    """Return the lines of both versions side by side; a change in one file has many findings."""
    # The matcher is slow: it gets only what is between the same lines at both ends.
    start = _same_at_start(old, new)
    end = _same_at_start(old[start:][::-1], new[start:][::-1])
    old_end = len(old) - end
    new_end = len(new) - end
    middle = old[start:old_end], new[start:new_end]
    is_long = max(map(len, middle)) > EXACT_LINES
    left = list(enumerate(old, 1))
    right = list(enumerate(new, 1))
    rows = _side_by_side("equal", left[:start], right[:start])
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *middle, autojunk=is_long).get_opcodes():
        rows += _side_by_side(tag, left[start + i1 : start + i2], right[start + j1 : start + j2])
    rows += _side_by_side("equal", left[old_end:], right[new_end:])
    return tuple(rows)


def _side_by_side(tag: str, left: Sequence[Numbered], right: Sequence[Numbered]) -> list[Row]:
    differs = tag != "equal"
    return [(differs, *pair) for pair in zip_longest(left, right, fillvalue=(0, ""))]


def _same_at_start(old: Lines, new: Lines) -> int:
    """Return how many lines are the same, from the first one on."""
    same = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        same += 1
    return same


def _is_near(row: Row, places: tuple[Place, Place]) -> bool:
    """Return whether a row is near one of the places; 0 is a line that is not there."""
    _, (old, _), (new, _) = row
    for number, place in ((old, places[0]), (new, places[1])):
        if number and abs(number - place.line) <= AROUND:
            return True
    return False


def _cut(rows: Rows, places: list[str], shown: list[bool]) -> Iterator[JsonObject]:
    """Yield the parts that are shown and differ; both columns have as many lines, some of them
    empty.
    """
    for is_shown, group in groupby(zip(shown, rows, strict=True), itemgetter(0)):
        part = [row for _, row in group]
        if not is_shown or not any(differs for differs, _, _ in part):
            continue
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
    asked = structs.replace(given, config=str(workspace.config))
    return workspace.checks.run(compare_for_page, asked)


CALLS = (Call("change/compare", CompareVersions, compare),)

"""`router test --update`: writes what was observed into the files that the tests stand in."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from router.dev.changes import Change, Kept, changes_of
from router.dev.edit import YamlFile
from router.dev.run_tests import Rehearsal, Verdict
from router.model import Path as ConfigPath


class Updated(Struct, frozen=True):
    """What became of a test: the changes in its file, or why it was left as it is."""

    verdict: Verdict
    place: str
    changes: tuple[Change, ...] = ()
    kept: str = ""


def update(rehearsal: Rehearsal, verdicts: Iterable[Verdict], outcomes: bool = False) -> list[Updated]:
    """Change the tests that fail, and fill in those that expect nothing; raises UsageError, MissingExtra."""
    files: dict[str, YamlFile] = {}
    changed: set[str] = set()
    done = []
    for verdict in verdicts:
        path: ConfigPath = ("routes", verdict.route, "tests", verdict.index)
        place = rehearsal.loaded.findings.locate(path)
        file = files.setdefault(place.file, YamlFile(Path(place.file)))
        try:
            changes = _changes(rehearsal, verdict, file, path, outcomes)
            if changes:
                file.change(path, changes)
                changed.add(place.file)
                done.append(Updated(verdict, str(place), tuple(changes)))
        except Kept as kept:
            done.append(Updated(verdict, str(place), kept=str(kept)))
    for name in changed:
        files[name].save()
    return done


def _changes(rehearsal: Rehearsal, verdict: Verdict, file: YamlFile, path: ConfigPath, outcomes: bool) -> list[Change]:
    if verdict.observed is None:
        raise Kept("it could not run")
    settings = rehearsal.program.config.routes[verdict.route].tests[verdict.index]
    # The same test as it is with its own variables.
    test = rehearsal.program_of(settings.env).config.routes[verdict.route].tests[verdict.index]
    return changes_of(test, file.data(path), verdict.observed, outcomes)

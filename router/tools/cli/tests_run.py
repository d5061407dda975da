"""Runs the tests of routes, or a recording, for `router test`, and shows the results."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from msgspec import UNSET, Struct, structs

from router.errors import UsageError
from router.model import JsonObject
from router.runtime.printable import printable, printable_lines
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.options import write_text_file
from router.tools.dev.compare import cell, table, to_json
from router.tools.dev.junit import Described, as_junit
from router.tools.dev.run_tests import Suite, Verdict
from router.tools.dev.schema_coverage import SchemaCoverage
from router.tools.dev.selection import select_tests
from router.tools.dev.update import DELETE, Updated, update

TestPlace = tuple[str, int]
"""The route of a test, and its number there."""
_FAIL = click.style("FAIL", fg="red", bold=True)


def show_verdict(verdict: Verdict) -> None:
    """Print a line for the test, and a row for each difference."""
    mark = click.style("pass", fg="green") if verdict.passed else _FAIL
    click.echo(f"{mark}  {verdict.route}: {printable(verdict.name)}")
    if verdict.passed:
        return
    head, *rows = table(verdict.differences)
    click.echo(click.style(f"      {head}", dim=True))
    for each, row in zip(verdict.differences, rows, strict=True):
        found = cell(each.found)
        start = head.index("expected")
        end = len(row) - len(found)
        expected = click.style(row[start:end], fg="green")
        click.echo(f"      {row[:start]}{expected}{click.style(found, fg='red')}")
    for line in printable_lines(f"{verdict.undecoded}\n{verdict.traceback}".strip()).splitlines():
        click.echo(f"      {line}")


def show_update(updated: Updated) -> None:
    """Print the changes of the file, or why there are none."""
    if updated.kept:
        show_verdict(updated.verdict)
        click.echo(f"      {click.style('not updated', fg='yellow')}: {printable(updated.kept)}")
        return
    mark = click.style("edit", fg="yellow", bold=True)
    name = printable(updated.verdict.name)
    click.echo(f"{mark}  {updated.verdict.route}: {name}  ({printable(str(updated.place))})")
    for change in updated.changes:
        key = printable(change.key)
        if change.old is not UNSET:
            click.echo(click.style(f"      - {key}: {to_json(change.old)}", fg="red"))
        if change.new is not DELETE:
            click.echo(click.style(f"      + {key}: {to_json(change.new)}", fg="green"))


def show_coverage(suite: Suite, reached: SchemaCoverage, whole: bool) -> None:
    """Print the routes without tests and how many places of the schemas no test reaches; with `whole`, each place."""
    notes = list(map(str, reached.unreached(suite.loaded)))
    if notes and not whole:
        places = "1 place" if len(notes) == 1 else f"{len(notes)} places"
        notes = [f"no test reaches {places} in the schemas; --coverage lists them"]
    if untested := _untested(suite):
        notes.insert(0, f"without a test: {', '.join(untested)}")
    for note in notes:
        click.echo(f"{click.style('note', fg='cyan')}  {printable(note)}")


def _place(verdict: Verdict) -> TestPlace:
    return verdict.route, verdict.index


def _untested(suite: Suite) -> list[str]:
    return [name for name, route in suite.program.config.routes.items() if not route.tests]


def as_record(
    described: Sequence[Described],
    updates: Mapping[TestPlace, Updated],
    suite: Suite,
    reached: SchemaCoverage,
) -> JsonObject:
    """Return all of it for JSON; only tests that were to be updated have `changes` and `kept`."""
    return {
        "tests": [
            _test_record(verdict, seconds, updates.get(_place(verdict)))
            for verdict, seconds, _ in described
        ],
        "untested_routes": _untested(suite),
        "unreached": reached.unreached(suite.loaded),
    }


def _test_record(verdict: Verdict, seconds: float, updated: Updated | None) -> JsonObject:
    test = {
        "route": verdict.route,
        "name": verdict.name,
        "passed": verdict.passed,
        "seconds": round(seconds, 6),
        "differences": list(map(structs.asdict, verdict.differences)),
    }
    if verdict.undecoded:
        test["undecoded"] = verdict.undecoded
    if verdict.traceback:
        test["traceback"] = verdict.traceback
    if updated:
        test["changes"] = {
            change.key: None if change.new is DELETE else change.new for change in updated.changes
        }
        test["kept"] = updated.kept
    return test


class TestOptions(Struct, frozen=True):
    """The options of the command, but the config and those of recordings."""

    expression: str
    quiet: bool
    coverage: bool
    update: bool
    update_outcomes: bool
    junit: Path | None
    as_json: bool


def run_recorded(config: Path, file: Path, against: str | None, *, as_json: bool) -> int:
    """Run a recording; return whether something differs."""
    # What compares versions is not needed for the tests of routes.
    from router.tools.change.recording import read_recording
    from router.tools.change.running import run_recording

    recording = read_recording(file)
    if not recording.messages:
        raise UsageError(
            f"{file} has no messages: nothing was compared; record again with router record"
        )
    found = run_recording(recording, config, against)
    if as_json:
        print_json({"messages": len(recording.messages), "differences": found})
        return int(bool(found))
    for each in found:
        where = f"route {each['route']}: " if each.get("route") else ""
        click.echo(f"{_FAIL}  {printable(where + each['what'])} ({each['count']})")
        click.echo(f"      message  {to_json(each['message'])}")
        click.echo(f"      before   {printable(each['before'])}")
        click.echo(f"      after    {printable(each['after'])}")
    failed = sum(each["count"] for each in found)
    click.echo(f"{len(recording.messages)} recorded messages, {failed or 'no'} differences")
    return int(bool(found))


def run_tests(config: Path, options: TestOptions) -> int:
    """Run the tests of the routes; return whether some failed, or there are none."""
    matches = select_tests(options.expression)
    suite = Suite(config, os.environ)
    reached = SchemaCoverage()
    described = []
    for route, name, index in suite.names():
        if matches(route, name):
            started = time.perf_counter()
            verdict = suite.run_one(route, index, reached)
            described.append((verdict, time.perf_counter() - started, verdict.text))
    verdicts = [verdict for verdict, _, _ in described]
    if options.junit:
        write_text_file(options.junit, as_junit(described).decode())
    updating = options.update or options.update_outcomes
    updated = update(suite, verdicts, options.update_outcomes) if updating else []
    updates = {_place(each.verdict): each for each in updated}
    fixed = {place for place, each in updates.items() if each.changes}
    failed = [each for each in verdicts if not each.passed and _place(each) not in fixed]
    if options.as_json:
        print_json(as_record(described, updates, suite, reached))
    else:
        _show(verdicts, updates, options.quiet)
        if options.coverage or not (options.quiet or options.expression):
            show_coverage(suite, reached, options.coverage)
        passed = len(verdicts) - len(failed) - len(fixed)
        edited = f", {len(fixed)} updated" if updated else ""
        click.echo(f"{passed} passed, {len(failed)} failed{edited}")
    if not verdicts:
        text = "no route has tests; add some under 'tests:'"
        if options.expression:
            text = f"no test matches '{options.expression}'"
        tell(text)
    return int(bool(failed) or not verdicts)


def _show(verdicts: Sequence[Verdict], updates: Mapping[TestPlace, Updated], quiet: bool) -> None:
    for verdict in verdicts:
        change = updates.get(_place(verdict))
        if change:
            show_update(change)
        elif not (quiet and verdict.passed):
            show_verdict(verdict)

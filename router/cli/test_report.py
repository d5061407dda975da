"""The output of `router test`: verdicts with their differences, updates, and schema coverage."""

from collections.abc import Sequence
from typing import Any

import click
from msgspec import UNSET

from router.dev.compare import cell, table
from router.dev.display import to_json
from router.dev.junit import Described
from router.dev.run_tests import Suite, Verdict
from router.dev.schema_coverage import SchemaCoverage
from router.dev.update import DELETE, Updated

_SHOWN = 10
"""The number of unreached schema locations that are listed without --coverage."""


def show_verdict(verdict: Verdict) -> None:
    """Prints a line for the test, and a row for each difference."""
    mark = click.style("pass", fg="green") if verdict.passed else click.style("FAIL", fg="red", bold=True)
    click.echo(f"{mark}  {verdict.route}: {verdict.name}")
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


def describe(verdict: Verdict) -> str:
    """Returns the differences as text without colours."""
    return "" if verdict.passed else "\n".join(table(verdict.differences))


def show_update(updated: Updated) -> None:
    """Prints the changes of the file, or why there are none."""
    if updated.kept:
        show_verdict(updated.verdict)
        click.echo(f"      {click.style('not updated', fg='yellow')}: {updated.kept}")
        return
    mark = click.style("edit", fg="yellow", bold=True)
    click.echo(f"{mark}  {updated.verdict.route}: {updated.verdict.name}  ({updated.place})")
    for change in updated.changes:
        if change.old is not UNSET:
            click.echo(click.style(f"      - {change.key}: {to_json(change.old)}", fg="red"))
        if change.new is not DELETE:
            click.echo(click.style(f"      + {change.key}: {to_json(change.new)}", fg="green"))


def show_coverage(suite: Suite, reached: SchemaCoverage, whole: bool) -> None:
    """Prints the routes without tests and the schema locations that no test reaches: all with `whole`, or the first."""
    for name in _untested(suite):
        click.echo(f"{click.style('note', fg='cyan')}  route '{name}' has no test")
    unreached = reached.unreached(suite.loaded)
    shown = unreached if whole else unreached[:_SHOWN]
    for each in shown:
        click.echo(f"{click.style('note', fg='cyan')}  {each}")
    more = len(unreached) - len(shown)
    if more:
        what = "1 more place" if more == 1 else f"{more} more places"
        click.echo(f"{click.style('note', fg='cyan')}  no test reaches {what} in the schemas; --coverage lists them")


def _untested(suite: Suite) -> list[str]:
    return [name for name, route in suite.program.config.routes.items() if not route.tests]


def as_record(
    described: Sequence[Described], updated: Sequence[Updated], suite: Suite, reached: SchemaCoverage
) -> dict[str, Any]:
    """Returns all of it for JSON; only tests that were to be updated have `changes` and `kept`."""
    updates = {(each.verdict.route, each.verdict.index): each for each in updated}
    return {
        "tests": [
            _test_record(verdict, seconds, updates.get((verdict.route, verdict.index)))
            for verdict, seconds, _ in described
        ],
        "untested_routes": _untested(suite),
        "unreached": [
            {"schema": each.schema, "pointer": each.pointer, "what": each.what}
            for each in reached.unreached(suite.loaded)
        ],
    }


def _test_record(verdict: Verdict, seconds: float, updated: Updated | None) -> dict[str, Any]:
    test: dict[str, Any] = {
        "route": verdict.route,
        "name": verdict.name,
        "passed": verdict.passed,
        "seconds": round(seconds, 6),
        "differences": [
            {"what": each.what, "expected": each.expected, "found": each.found} for each in verdict.differences
        ],
    }
    if updated:
        test["changes"] = {change.key: None if change.new is DELETE else change.new for change in updated.changes}
        test["kept"] = updated.kept
    return test

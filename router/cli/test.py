"""`router test`: run the tests of the routes, offline."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from router.cli.options import choose_config, config_argument, write_file
from router.cli.test_report import as_record, describe, show_coverage, show_update, show_verdict
from router.dev.display import to_json
from router.dev.junit import Described, as_junit
from router.dev.run_tests import Suite, Verdict, select_tests
from router.dev.schema_coverage import SchemaCoverage
from router.dev.update import Updated, update


class _Options(Struct, frozen=True):
    expression: str
    quiet: bool
    coverage: bool
    update: bool
    update_outcomes: bool
    junit: Path | None
    as_json: bool


@click.command("test")
@config_argument
@click.option(
    "-k", "expression", metavar="EXPR", default="", help="Run the tests whose route and name match, as in pytest."
)
@click.option("-q", "--quiet", is_flag=True, help="Show failing tests only.")
@click.option(
    "--coverage", is_flag=True, help="List all schema locations that no test reaches, not only the first ten."
)
@click.option("--update", is_flag=True, help="Write the results of the routes into the tests.")
@click.option("--update-outcomes", is_flag=True, help="As --update, also where the outcome differs.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path | None, config: Path | None, **options: Any) -> None:
    """Run the `tests:` of the routes: each message passes the whole path, without AWS.

    The values that SQS would add to a message are fixed: sent_at is 2026-01-02T03:04:05.678Z; docs/testing.md has all.
    Exit code 0: all passed (with --update: or were updated); 1: some failed, or there are none; 2: could not run.

    \b
    Examples:
      router test
      router test flows/routes.yaml --quiet -k 'orders and not cancelled'
      router test --update
      router test --junit results.xml
    """
    sys.exit(_run(choose_config(file, config), _Options(**options)))


def _run(config: Path, options: _Options) -> int:
    matches = select_tests(options.expression)
    suite, reached = Suite(config, os.environ), SchemaCoverage()
    described: list[Described] = []
    for route, name, index in suite.names():
        if matches(route, name):
            started = time.perf_counter()
            verdict = suite.run_one(route, index, reached)
            described.append((verdict, time.perf_counter() - started, describe(verdict)))
    verdicts = [verdict for verdict, _, _ in described]
    if options.junit:
        write_file(options.junit, as_junit(described))
    updating = options.update or options.update_outcomes
    updated = update(suite, verdicts, options.update_outcomes) if updating else []
    fixed = {(each.verdict.route, each.verdict.index) for each in updated if each.changes}
    failed = [each for each in verdicts if not each.passed and (each.route, each.index) not in fixed]
    if options.as_json:
        click.echo(to_json(as_record(described, updated, suite, reached), indent=2))
    else:
        _show(verdicts, updated, options.quiet)
        if not options.expression:
            show_coverage(suite, reached, options.coverage)
        passed = len(verdicts) - len(failed) - len(fixed)
        click.echo(f"{passed} passed, {len(failed)} failed" + (f", {len(fixed)} updated" if updated else ""))
    if not verdicts:
        none = "no route has tests; add some under 'tests:'"
        click.echo(f"no test matches '{options.expression}'" if options.expression else none, err=True)
    return int(bool(failed) or not verdicts)


def _show(verdicts: Sequence[Verdict], updated: Sequence[Updated], quiet: bool) -> None:
    by_test = {(each.verdict.route, each.verdict.index): each for each in updated}
    for verdict in verdicts:
        change = by_test.get((verdict.route, verdict.index))
        if change:
            show_update(change)
        elif not (quiet and verdict.passed):
            show_verdict(verdict)

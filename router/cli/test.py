"""`router test`: the tests of the routes, offline."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from router.cli.options import choose_config, config_argument
from router.cli.test_report import describe, show_coverage, show_update, show_verdict, told
from router.dev.display import to_json
from router.dev.junit import Described, as_junit
from router.dev.run_tests import Suite, Verdict, select_tests
from router.dev.schema_coverage import SchemaCoverage
from router.dev.update import Updated, update
from router.errors import UsageError


@click.command("test")
@config_argument
@click.option(
    "-k", "expression", metavar="EXPR", default="", help="Run tests whose route and name match, as in pytest."
)
@click.option("-q", "--quiet", is_flag=True, help="Show failing tests only.")
@click.option("--coverage", is_flag=True, help="List all that no test reaches in the schemas; else the first ten.")
@click.option("--update", "updating", is_flag=True, help="Write what the routes make of the messages into the tests.")
@click.option("--update-outcomes", is_flag=True, help="As --update, and where the outcome differs too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to a file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(
    file: Path | None,
    config: Path | None,
    expression: str,
    quiet: bool,
    coverage: bool,
    updating: bool,
    update_outcomes: bool,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Run the `tests:` of the routes: the whole path of each message, without AWS.

    What SQS would say about a message has fixed values: sent_at is 2026-01-02T03:04:05.678Z; docs/testing.md has all.
    Exit code 0: all passed (with --update: or were changed so that they do); 1: some failed, or there are none;
    2: could not run.

    \b
    Examples:
      router test
      router test flows/routes.yaml --quiet -k 'orders and not cancelled'
      router test --update
      router test --junit results.xml
    """
    chosen = select_tests(expression)
    suite = Suite(choose_config(file, config), os.environ)
    reached = SchemaCoverage()
    described = _run(suite, reached, [(r, i) for r, name, i in suite.names() if chosen(r, name)])
    verdicts = [verdict for verdict, _, _ in described]
    if junit:
        _write(junit, as_junit(described))
    updated = update(suite, verdicts, update_outcomes) if updating or update_outcomes else []
    mended = {(each.verdict.route, each.verdict.index) for each in updated if each.changes}
    failed = [each for each in verdicts if not each.passed and (each.route, each.index) not in mended]
    if as_json:
        click.echo(to_json(told(described, updated, suite, reached), indent=2))
    else:
        _show(verdicts, updated, quiet)
        if not expression:
            show_coverage(suite, reached, coverage)
        passed = len(verdicts) - len(failed) - len(mended)
        click.echo(f"{passed} passed, {len(failed)} failed" + (f", {len(mended)} updated" if updated else ""))
    if not verdicts:
        click.echo(_nothing(expression), err=True)
    sys.exit(bool(failed) or not verdicts)


def _run(suite: Suite, reached: SchemaCoverage, tests: Sequence[tuple[str, int]]) -> list[Described]:
    described = []
    for route, index in tests:
        started = time.perf_counter()
        verdict = suite.run_one(route, index, reached)
        described.append((verdict, time.perf_counter() - started, describe(verdict)))
    return described


def _show(verdicts: Sequence[Verdict], updated: Sequence[Updated], quiet: bool) -> None:
    changed: dict[Any, Updated] = {(each.verdict.route, each.verdict.index): each for each in updated}
    for verdict in verdicts:
        update_ = changed.get((verdict.route, verdict.index))
        if update_:
            show_update(update_)
        elif not (quiet and verdict.passed):
            show_verdict(verdict)


def _nothing(expression: str) -> str:
    return f"no test matches '{expression}'" if expression else "no route has tests; add some under 'tests:'"


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write '{file}': {(error.strerror or '').lower()}") from None

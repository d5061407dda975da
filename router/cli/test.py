"""`router test`: the tests of the routes, offline."""

import os
import sys
from pathlib import Path

import click

from router.cli.options import choose_config, config_argument
from router.compile.load import load_program
from router.display import to_json
from router.rehearsal import Verdict, rehearse


@click.command("test")
@config_argument
@click.option("-q", "--quiet", is_flag=True, help="Show failing tests only.")
def command(file: Path | None, config: Path | None, quiet: bool) -> None:
    """Run the `tests:` of the routes: the whole path of each message, without AWS.

    What SQS would say about a message has fixed values: sent_at is 2026-01-02T03:04:05.678Z; docs/testing.md has all.
    Exit code 0: all passed; 1: some failed, or there are none; 2: could not run.

    \b
    Examples:
      router test
      router test flows/routes.yaml --quiet
    """
    verdicts = rehearse(load_program(choose_config(file, config), os.environ))
    for verdict in verdicts:
        if not (quiet and verdict.passed):
            _show(verdict)
    failed = sum(not verdict.passed for verdict in verdicts)
    click.echo(f"{len(verdicts) - failed} passed, {failed} failed")
    if not verdicts:
        click.echo("no route has tests; add some under 'tests:'", err=True)
    sys.exit(bool(failed) or not verdicts)


def _show(verdict: Verdict) -> None:
    mark = click.style("pass", fg="green") if verdict.passed else click.style("FAIL", fg="red", bold=True)
    click.echo(f"{mark}  {verdict.route}: {verdict.name}")
    for each in verdict.differences:
        click.echo(f"      {each.what}: expected {to_json(each.expected)}, found {to_json(each.found)}")

"""`router test`: run the tests of the routes, offline."""

import sys
from pathlib import Path
from typing import Any

import click

from router.tools.cli.options import (
    FILE,
    NEW_FILE,
    choose_config,
    config_argument,
    json_option,
)


@click.command("test")
@config_argument
@click.option(
    "-k",
    "expression",
    metavar="EXPR",
    default="",
    help="Run the tests whose route and name match, as in pytest.",
)
@click.option("-q", "--quiet", is_flag=True, help="Show only failing tests, and how many passed.")
@click.option(
    "--coverage",
    is_flag=True,
    help="List the places in the schemas that no test reaches, not only their number.",
)
@click.option("--update", is_flag=True, help="Write the results of the routes into the tests.")
@click.option(
    "--update-outcomes", is_flag=True, help="As --update, also where the outcome differs."
)
@click.option("--junit", type=NEW_FILE, help="Write JUnit XML to a file.")
@click.option("--recorded", type=FILE, help="Run a recording of router record.")
@click.option(
    "--against",
    metavar="OLD",
    help="With --recorded: compare with another version: git:HEAD, stack:NAME.",
)
@json_option
def command(
    file: Path | None,
    config: Path | None,
    recorded: Path | None,
    against: str | None,
    **options: Any,
) -> None:
    """Run the `tests:` of the routes: each message passes the whole path, without AWS.

    The values that SQS would add to a message are fixed: sent_at is 2026-01-02T03:04:05.678Z.
    Exit code 0: all passed (with --update: or were updated); 1: some failed, or there are none; 2: could not run.

    \b
    Examples:
      router test
      router test flows/routes.yaml --quiet -k 'orders and not cancelled'
      router test --update
      router test --junit results.xml
      router test --recorded orders.jsonl --against git:origin/main
    """
    if against and not recorded:
        raise click.UsageError("--against needs --recorded")
    from router.tools.cli.tests_run import TestOptions, run_recorded, run_tests

    path = choose_config(file, config)
    if recorded:
        sys.exit(run_recorded(path, recorded, against, as_json=options["as_json"]))
    sys.exit(run_tests(path, TestOptions(**options)))

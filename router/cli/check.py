"""`router check`: every fault of a config at once."""

import os
import sys
from pathlib import Path

import click

from router.checks.codes import CODES
from router.checks.run import check
from router.cli.options import choose_config, config_argument
from router.live.compare import Comparison
from router.live.show import show_seen, with_seen
from router.report import as_json, as_text, count_findings


@click.command("check")
@config_argument
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--live", is_flag=True, help="Compare with what is deployed, too, by calls to AWS that only read.")
@click.option("--function", default="", metavar="NAME", help="With --live: the Lambda function that runs the router.")
@click.option("--explain", metavar="RTnnn", help="Say what a code means, and why it matters.")
def command(file: Path | None, config: Path | None, form: str, live: bool, function: str, explain: str | None) -> None:
    """Prove a config: every fault at once, each with its place and what to do.

    Exit code 0: no error; 1: errors; 2: could not run.

    \b
    Examples:
      router check
      router check flows/routes.yaml --format json
      router check --live --function message-router
      router check --explain RT101
    """
    if explain:
        _explain(explain)
        return
    if function and not live:
        raise click.UsageError("--function needs --live")
    comparison = Comparison(function) if live else None
    findings = check(choose_config(file, config), os.environ, comparison)
    if comparison and form == "text":
        show_seen(comparison.seen)
    if form == "json":
        text = as_json(findings)
        click.echo(with_seen(text, comparison.seen) if comparison else text)
    elif findings:
        click.echo(as_text(findings))
    click.echo(count_findings(findings), err=True)
    sys.exit(any(finding.code.severity == "error" for finding in findings))


def _explain(name: str) -> None:
    code = CODES.get(name.upper())
    if code is None:
        raise click.UsageError(f"there is no code {name}; see docs/checks.md")
    click.echo(f"{code.id} ({code.severity}): {code.title}\n\n{code.why}")

"""`router check`: every fault of a config at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.check.ignore import Ignored
from router.check.run import examine
from router.cli.options import choose_config, config_argument
from router.cli.report.text import as_text, count_findings
from router.model import Finding

if TYPE_CHECKING:
    from router.ops.live_compare import Comparison

FORMATS = ("text", "json", "sarif", "github")


@click.command("check")
@config_argument
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--strict", is_flag=True, help="Fail on warnings, too.")
@click.option("--show-ignored", is_flag=True, help="Show what `ignore` in the config passes over, too.")
@click.option("--no-env", is_flag=True, help="A variable of the environment that is not set is only a warning.")
@click.option("--live", is_flag=True, help="Compare with what is deployed, too, by calls to AWS that only read.")
@click.option("--function", default="", metavar="NAME", help="With --live: the Lambda function that runs the router.")
@click.option("--explain", "code", metavar="RTnnn", help="Say what a code means, and why it matters.")
def command(
    file: Path | None,
    config: Path | None,
    form: str,
    strict: bool,
    show_ignored: bool,
    no_env: bool,
    live: bool,
    function: str,
    code: str | None,
) -> None:
    """Validate a config: report every fault at once, with its place and what to do.

    Exit code 0: no error; 1: errors, or with --strict warnings; 2: could not run.

    \b
    Examples:
      router check
      router check flows/routes.yaml --format json
      router check --strict --format github
      router check --live --function message-router
      router check --explain RT101
    """
    if code:
        _explain(code)
        return
    if function and not live:
        raise click.UsageError("--function needs --live")
    if live and no_env:
        raise click.UsageError("--live asks for what the variables name: set them, and leave out --no-env")
    comparison = _comparison(function) if live else None
    report = examine(choose_config(file, config), os.environ, comparison, "warning" if no_env else "error")
    _show(form, report.findings, report.ignored if show_ignored else (), comparison)
    click.echo(count_findings(report.findings, report.ignored), err=True)
    failing = ("error", "warning") if strict else ("error",)
    sys.exit(any(finding.code.severity in failing for finding in report.findings))


def _comparison(function: str) -> "Comparison":
    # For start-up time: most checks look at nothing but the config.
    from router.ops.live_compare import Comparison

    return Comparison(function)


def _show(form: str, findings: Sequence[Finding], ignored: Sequence[Ignored], comparison: "Comparison | None") -> None:
    # Each form is imported where it is asked for, for start-up time.
    match form:
        case "text":
            if comparison:
                from router.ops.live_report import show_seen

                show_seen(comparison.seen)
            text = as_text(findings, ignored, excerpts=sys.stdout.isatty())
        case "json":
            from router.cli.report.records import as_json

            text = as_json(findings, ignored)
            if comparison:
                from router.ops.live_report import with_seen

                text = with_seen(text, comparison.seen)
        case "sarif":
            from router.cli.report.sarif import as_sarif

            text = as_sarif(findings, ignored)
        case _:
            from router.cli.report.github import as_github

            text = as_github(findings, ignored)
    if text:
        click.echo(text)


def _explain(name: str) -> None:
    from router.check.examples import shipped_examples
    from router.check.rule import known_codes
    from router.codes import RETIRED

    code = known_codes().get(name.upper())
    if name.upper() in RETIRED:
        click.echo(f"{name.upper()} is retired: {RETIRED[name.upper()]}")
        return
    if code is None:
        raise click.UsageError(f"there is no code {name}; see docs/checks.md")
    click.echo(f"{code.id} ({code.severity}): {code.title}\n\n{code.why}")
    example = shipped_examples().get(code.id)
    if example is None:
        return
    for title, text in (("bad", example.bad), ("found", example.found), ("good", example.good)):
        if text:
            shown = "".join(f"  {line}".rstrip() + "\n" for line in text.splitlines())
            click.echo(f"\n{click.style(title, bold=True)}\n{shown}", nl=False)

"""`router check`: validate a config: every error at once, with its place and a suggestion."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from router.runtime.printable import printable
from router.tools.cli import Finished
from router.tools.cli.masked_output import tell
from router.tools.cli.options import choose_config, config_argument

if TYPE_CHECKING:
    from router.tools.check.run import Ignored, Report
    from router.tools.deploy.live import LiveComparison

FORMATS = ("text", "json", "sarif", "github")


@click.command("check")
@config_argument
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--strict", is_flag=True, help="Fail on warnings and on claims that are not proved, too."
)
@click.option(
    "--show-ignored", is_flag=True, help="Also show findings that `ignore` in the config silences."
)
@click.option(
    "--unproved",
    is_flag=True,
    help="Also list the claims about routes that are not proved, with reasons.",
)
@click.option(
    "--no-env", is_flag=True, help="Only warn about environment variables that are not set."
)
@click.option(
    "--no-plugins",
    is_flag=True,
    help="Do not run the code of plugins: nothing is decided about what they change.",
)
@click.option(
    "--live", is_flag=True, help="Also compare with the deployed resources, by read-only AWS calls."
)
@click.option(
    "--function",
    default="",
    metavar="NAME",
    help="With --live: the Lambda function that runs the router; that of a stack has its name.",
)
@click.option("--explain", "code", metavar="RTnnn", help="Explain a code.")
def command(
    file: Path | None,
    config: Path | None,
    form: str,
    strict: bool,
    show_ignored: bool,
    unproved: bool,
    no_env: bool,
    no_plugins: bool,
    live: bool,
    function: str,
    code: str | None,
) -> None:
    """Validate a config: every error at once, each with its place and a suggestion.

    Exit code 0: no error; 1: errors, or with --strict warnings or claims that are not proved; 2: could not run.

    \b
    Examples:
      router check
      router check flows/routes.yaml --format json
      router check --strict --format github
      router check --unproved
      router check --format github --no-env --no-plugins
      router check --live --function message-router
      router check --explain RT101
    """
    if code:
        _explain(code)
        return
    from router.tools.check.run import examine  # `--help` and completion do without the rules

    if live and no_plugins:
        raise click.UsageError("--live compares what runs with its plugins: leave out --no-plugins")
    comparison = _comparison(live, function, no_env)
    report = examine(
        choose_config(file, config),
        os.environ,
        comparison,
        "warning" if no_env else "error",
        with_plugins=not no_plugins,
    )
    _show(form, report, report.ignored if show_ignored else (), comparison, unproved)
    if no_plugins and report.left_out:
        tell(_without(report.left_out))
    raise Finished(_fails(report, strict))


def _show(
    form: str,
    report: "Report",
    ignored: Sequence["Ignored"],
    comparison: "LiveComparison | None",
    unproved: bool,
) -> None:
    from router.tools.cli.report import count_findings

    if text := _format(form, report, ignored, comparison):
        click.echo(text)
    if unproved and form == "text":
        from router.tools.cli.check_report import show_claims

        show_claims([entry for entry in report.ledger.entries if entry.verdict != "proved"])
    tell(count_findings(report.findings, report.ignored, report.ledger))


def _without(plugins: Sequence[str]) -> str:
    """Return what is not decided without plugins."""
    return (
        f"not loaded, as of --no-plugins: {printable(', '.join(plugins))}; not decided: their faults, what their "
        "checks find, what only they register, and each claim about a route that they may change"
    )


def _fails(report: "Report", strict: bool) -> bool:
    failing = ("error", "warning") if strict else ("error",)
    failed = any(finding.code.severity in failing for finding in report.findings)
    return failed or (strict and not report.ledger.complete)


def _comparison(live: bool, function: str, no_env: bool) -> "LiveComparison | None":
    """Return what compares the config with AWS, None without --live; raises click.UsageError."""
    if not live:
        if function:
            raise click.UsageError("--function needs --live")
        return None
    if no_env:
        raise click.UsageError(
            "--live needs the values of all variables: set them, and leave out --no-env"
        )
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.deploy.live import LiveComparison

    return LiveComparison(function)


def _format(
    form: str, report: "Report", ignored: Sequence["Ignored"], comparison: "LiveComparison | None"
) -> str:
    from router.tools.cli.report import as_github, as_json, as_sarif, as_text

    findings = report.findings
    match form:
        case "text":
            if comparison:
                from router.tools.cli.check_report import show_seen

                show_seen(comparison.seen, comparison.survivals)
            return as_text(findings, ignored, excerpts=sys.stdout.isatty())
        case "json":
            more = {}
            if comparison:
                more = {"live": comparison.seen, "outages": comparison.survivals}
            return as_json(findings, ignored, report.ledger, more)
        case "sarif":
            return as_sarif(findings, ignored, report.ledger)
        case _:
            return as_github(findings, ignored)


def _explain(name: str) -> None:
    from router.codes import RETIRED
    from router.tools.check.rule import Example, known_codes, shipped_examples, shipped_runbooks
    from router.tools.cli.code_pages import page_of

    id_ = name.upper()
    if id_ in RETIRED:
        click.echo(f"{id_} is retired: {RETIRED[id_]}")
        return
    code = known_codes().get(id_)
    if code is None:
        raise click.UsageError(f"there is no code {name}")
    click.echo(f"{code.id} ({code.severity}): {code.title}\n\n{code.why}")
    runbook = shipped_runbooks().get(code.id)
    if runbook:
        click.echo(f"\n{runbook}")
    example = shipped_examples().get(code.id, Example(""))
    for title, text in (("bad", example.bad), ("found", example.found), ("good", example.good)):
        if text:
            indented = "".join(f"  {line}".rstrip() + "\n" for line in text.splitlines())
            click.echo(f"\n{click.style(title, bold=True)}\n{indented}", nl=False)
    if page := page_of(code):
        click.echo(f"\nsee {page}")

"""`router diff`: say what a change of the config breaks: a verdict for each route, with an example."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from router.tools.cli.options import DEFAULT_CONFIG, FILE, NEW_FILE, env_file_option

FORMATS = ("text", "json", "markdown", "github", "sarif")


@click.command("diff")
@click.argument("old", default="git:HEAD")
@click.argument("new", default="")
@click.option(
    "-c",
    "--config",
    type=NEW_FILE,
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The config that git: and a missing NEW refer to.",
)
@env_file_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--worker",
    is_flag=True,
    help="Compare the stacks of the worker, instead of those of the function.",
)
@click.option(
    "--recorded",
    type=FILE,
    multiple=True,
    help="Run the messages of this recording of router record through both; may be repeated.",
)
@click.option(
    "--values",
    is_flag=True,
    help="Show recorded messages as examples, where made ones show nothing.",
)
@click.option("--strict", is_flag=True, help="Fail on risky changes and unknown verdicts, too.")
@click.option(
    "--show-ignored",
    is_flag=True,
    help="Also show findings that `ignore` in the new config silences.",
)
def command(
    old: str, new: str, config: Path, recorded: tuple[Path, ...], values: bool, **options: Any
) -> None:
    """Compare two versions of a config: what each route no longer takes, and how its items change.

    OLD and NEW are a file, a compiled config, a commit, or stack:NAME for what the function of a stack runs. A commit
    is git:REF, or git:REF:PATH with the path of the config from the top of the repository; it is read, nothing is
    checked out. By default the last commit, git:HEAD, is compared with the file itself.

    A route is compatible if it is proved that it takes every message that it took, breaking if a message was found
    that the old config writes and the new one refuses, and unknown otherwise.

    Exit code 0: nothing breaks; 1: something does, or with --strict is risky; 2: could not run.

    \b
    Examples:
      router diff
      router diff git:origin/main
      router diff stack:flows-prod
      router diff git:v1.4.0 git:v1.5.0 --format json
      router diff deployed/routes.compiled.json routes.yaml
      router diff git:origin/main --format markdown > comment.md
      router diff git:origin/main --recorded tests/orders.jsonl
    """
    from router.tools.change.compare import compare_versions
    from router.tools.change.recording import Recordings, read_recording
    from router.tools.change.versions import open_versions
    from router.tools.cli.diff_report import render

    recordings = Recordings(tuple(map(read_recording, recorded)), values)
    with ExitStack() as stack:
        before, after = open_versions(old, new, config, os.environ, stack)
        report = compare_versions(before, after, options["worker"], recordings)
    text = render(report, options["form"], options["show_ignored"])
    if text:
        click.echo(text)
    failing = report.breaks or (
        options["strict"] and any(each.risk == "risky" for each in report.findings)
    )
    sys.exit(failing)

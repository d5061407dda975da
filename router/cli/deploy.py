"""`router deploy`: from the config to what runs."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from router.cli.options import config_option
from router.cli.report.text import as_text, count_findings
from router.cli.stack_events import diagnostics
from router.errors import ConfigError, MissingExtra
from router.ops.parameters import read_assignments, with_given
from router.ops.template.document import Config, read_for_deployment

if TYPE_CHECKING:
    from router.aws.control_plane import ServiceClient


class Options(Struct, frozen=True):
    """What a deployment was asked to do."""

    config: Path
    stack: str
    bucket: str
    package: Path | None
    given: tuple[str, ...]
    worker: bool
    dry_run: bool
    allow_destructive: bool
    yes: bool
    as_json: bool


@click.command("deploy")
@config_option
@click.option("--stack", required=True, metavar="NAME", help="The stack to make or update; the function has its name.")
@click.option("--bucket", default="", metavar="NAME", help="Put the package there.  [default: a bucket made for it]")
@click.option(
    "--package",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Deploy this package, as router build made it, instead of building one.",
)
@click.option(
    "--parameter",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the config, or a parameter of the template; may be repeated.  [default: the environment]",
)
@click.option("--worker", is_flag=True, help="The worker as a service of ECS, instead of the function.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--allow-destructive", is_flag=True, help="Delete or replace queues and tables, where that is the change."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(**options: Any) -> None:
    """Check and build the config, show what would change in AWS, and change it.

    What CloudFormation would do is shown before it is done, and has to be confirmed: on a terminal, or by --yes. If
    queues or tables would be deleted or replaced, nothing is done without --allow-destructive. If it fails, the stack
    is as it was before. Exit code 0: it is deployed, or nothing is to change; 1: findings, refused, or failed; 2:
    could not run.

    \b
    Examples:
      router deploy --stack flows --dry-run
      STAGE=prod router deploy --stack flows-prod
      router deploy --stack flows-prod --parameter STAGE=prod --package dist/lambda.zip --yes
    """
    chosen = Options(**options)
    if chosen.package and chosen.worker:
        raise click.UsageError("--package is for the function, and --worker goes without it")
    given = read_assignments(chosen.given)
    env = with_given(os.environ, given)
    read = _read(chosen.config, env)
    services = _connect()
    # boto3 is there.
    from router.cli.deploying import Deploying

    sys.exit(Deploying(chosen, services, diagnostics(), read, given, env).run())


def _read(config: Path, env: Mapping[str, str]) -> Config:
    """The config; if it has errors, they are shown, and that is the end."""
    try:
        return read_for_deployment(config, env)
    except ConfigError as error:
        click.echo(as_text(error.findings, excerpts=sys.stdout.isatty()))
        click.echo(count_findings(error.findings), err=True)
        sys.exit(1)


def _connect() -> "Mapping[str, ServiceClient]":
    try:
        # boto3 is optional, and takes 0.2 s to import.
        from router.aws.control_plane import connect_services
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise MissingExtra("router deploy", "worker") from None
    return connect_services(("cloudformation", "s3", "sts"))

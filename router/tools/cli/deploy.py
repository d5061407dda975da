"""`router deploy`: show what would change in AWS, and change it."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from router.tools.cli.options import (
    FILE,
    allow_destructive_option,
    allow_file_option,
    config_option,
    confirm_option,
    json_option,
    template_options,
    yes_option,
)


@click.command("deploy")
@config_option
@click.option(
    "--stack",
    required=True,
    metavar="NAME",
    help="The stack to create or update; the function has its name.",
)
@click.option(
    "--bucket",
    default="",
    metavar="NAME",
    help="The bucket for the package.  [default: one is created]",
)
@click.option(
    "--package",
    type=FILE,
    help="Deploy this package, as router build made it, instead of building one.",
)
@click.option(
    "--parameter",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the config, or a parameter of the template; may be repeated.  [default: the environment]",
)
@click.option(
    "--worker", is_flag=True, help="Deploy the worker as an ECS service, instead of the function."
)
@template_options
@click.option(
    "--role-arn",
    "role",
    default="",
    metavar="ARN",
    help="The role by which CloudFormation changes the stack.  [default: that of the last change]",
)
@allow_file_option
@click.option(
    "--canary",
    metavar="PERCENT[/MINUTES]",
    help="Experimental, not tried on AWS: let the new version have so many of the messages first, for so long.  "
    "[default: 10 minutes]",
)
@click.option(
    "--revert-drift",
    is_flag=True,
    help="Not tried on AWS: return what was changed by hand to the template, by a drift-aware change set.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@allow_destructive_option
@confirm_option
@click.option(
    "--allow-breaking",
    is_flag=True,
    help="With --yes, deploy a change that breaks something for messages.",
)
@click.option(
    "--allow-failing",
    multiple=True,
    metavar="'ROUTE: TEST'",
    help="Deploy although this test of a route fails; may be repeated.",
)
@yes_option
@json_option
def command(config: Path, **options: Any) -> None:
    """Check, test and build the config, show what would change in AWS, and change it.

    The account, the region and the stack are printed first. If the stack was deployed from this folder to another
    account or region before, that has to be confirmed by typing ACCOUNT/REGION, or by --confirm; a stack that is new in
    the folder by yes. The tests of the routes run next, as by router test, and a test that fails stops the deployment.

    The changes that CloudFormation would make, and the verdict about each route that changes, are shown then and have
    to be confirmed: on a terminal, or by --yes. If queues or tables would lose what they store, nothing is changed
    without --allow-destructive, and their names have to be typed, or given by --confirm. A new version of the function
    is invoked once without records before it gets messages. If it cannot start (RT794), or the deployment fails, the
    stack is rolled back. At the end, what is deployed is compared with the config, as by check --live.

    Exit code 0: deployed, or nothing to change; 1: errors in the config or in what is deployed, refused, not confirmed,
    or failed; 2: could not run, as with RT792 or RT793, or could not ask.

    \b
    Examples:
      router deploy --stack flows --dry-run
      STAGE=prod router deploy --stack flows-prod
      router deploy --stack flows-prod --parameter STAGE=prod --package dist/lambda.zip --yes
      router deploy --stack flows-prod --yes --allow-destructive --confirm orders --confirm orders-dlq
      router deploy --stack flows-prod --canary 10%/15
    """
    if options["package"] and options["worker"]:
        raise click.UsageError("--package is for the function and cannot be combined with --worker")
    if options["canary"] and options["worker"]:
        raise click.UsageError(
            "--canary is for the function: ECS replaces the tasks of a worker one by one"
        )
    sys.exit(_run(config, **options))


def _run(
    config: Path,
    given: Sequence[str],
    canary: str | None,
    tag: Sequence[str],
    boundary: str,
    patch: Sequence[Path],
    **options: Any,
) -> int:
    """Deploy, and return the exit code."""
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.cli.deploy_run import DeployOptions, DeployRun
    from router.tools.cli.report import exit_on_findings
    from router.tools.control_plane.clients import connect_services
    from router.tools.deploy.template.canary import read_canary
    from router.tools.deploy.template.options import BOUNDARY, read_assignments, read_options

    parameters = read_assignments(given)
    # As a parameter it stays when the stack is changed again.
    parameters |= {BOUNDARY: boundary} if boundary else {}
    asked = read_options(read_assignments(tag), "", patch)
    services = connect_services(
        ("cloudformation", "codedeploy", "dynamodb", "ecs", "lambda", "s3", "sqs", "sts")
    )
    run = DeployRun(
        DeployOptions(canary=read_canary(canary) if canary else None, template=asked, **options),
        services,
        config,
        parameters,
        {**os.environ, **parameters},
    )
    with exit_on_findings(err=False):
        return run.run()

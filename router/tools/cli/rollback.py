"""`router rollback`: return a stack to the package and the template before, showing what that changes first."""

import sys
from typing import Any

import click

from router.tools.cli.options import (
    allow_destructive_option,
    confirm_option,
    json_option,
    yes_option,
)


@click.command("rollback")
@click.option("--stack", required=True, metavar="NAME", help="The stack to change.")
@click.option(
    "--bucket",
    default="",
    metavar="NAME",
    help="The bucket that its deployments named with --bucket.",
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@allow_destructive_option
@confirm_option
@yes_option
@json_option
def command(**options: Any) -> None:
    """Return a stack to what it was before its last change: its package, template and parameters.

    The comparison of both configs is shown first, as by router diff, then the changes that CloudFormation would make,
    and they have to be confirmed: on a terminal, or by --yes. What would lose messages or items is refused without
    --allow-destructive, and confirmed by its name, as by router deploy. The version of before is invoked once without
    records; if it cannot start any more (RT794), the stack stays as it is. At the end, what is deployed is compared
    with the config that runs again. A second rollback returns to where the first one began.

    Exit code 0: rolled back; 1: refused, not confirmed, failed, or errors in what is deployed; 2: could not run,
    as with RT792, or could not ask.

    \b
    Examples:
      router rollback --stack flows-prod --dry-run
      router rollback --stack flows-prod
      router rollback --stack flows-prod --yes --json
    """
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.cli.deploy_run import RollbackRun
    from router.tools.cli.stack_run import ChangeOptions
    from router.tools.control_plane.clients import connect_services

    services = connect_services(("cloudformation", "dynamodb", "ecs", "lambda", "s3", "sqs", "sts"))
    sys.exit(RollbackRun(ChangeOptions(**options), services).run())

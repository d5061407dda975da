"""`router undeploy`: delete a deployment, but keep its tables."""

import sys

import click

from router.tools.cli.options import json_option, yes_option


@click.command("undeploy")
@click.option(
    "--stack",
    "name",
    required=True,
    metavar="NAME",
    help="The stack, as it was named when deployed.",
)
@click.option("--delete-tables", is_flag=True, help="Delete the tables too, with all their items.")
@click.option(
    "--confirm",
    "typed",
    default="",
    metavar="NAME",
    help="The name of the stack again, with --delete-tables and --yes.",
)
@yes_option
@json_option
def command(name: str, delete_tables: bool, typed: str, yes: bool, as_json: bool) -> None:
    """Delete a deployment: the function or worker, its role, alarms and queues. Tables are kept.

    Queues whose deletion_policy is retain are kept, too.

    The resources that are deleted and kept are shown, with the number of messages on the queues, and the deletion has
    to be confirmed. With --delete-tables, the name of the stack has to be typed, or given by --confirm. Exit code 0:
    deleted, or there was no such stack; 1: AWS could not delete it, or you did not confirm; 2: could not run.

    \b
    Examples:
      router undeploy --stack flows
      router undeploy --stack flows --delete-tables
      router undeploy --stack flows-test --delete-tables --yes --confirm flows-test
      router undeploy --stack flows --yes --json
    """
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.cli.undeploy_run import run_undeploy

    sys.exit(run_undeploy(name, delete_tables, typed, yes, as_json))

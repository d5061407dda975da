"""`router undeploy`: delete a deployment, but keep its tables."""

import sys

import click

from router.tools.cli.options import Repeated, json_option, yes_option


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
    "confirmed",
    multiple=True,
    metavar="NAME",
    help="A queue that has messages, or with --delete-tables the stack, instead of typing its name; queue:NAME of a "
    "queue with the name of the stack. May be repeated.",
)
@yes_option
@json_option
def command(name: str, delete_tables: bool, confirmed: Repeated, yes: bool, as_json: bool) -> None:
    """Delete a deployment: the function or worker, its role, alarms and queues. Tables are kept.

    Queues whose deletion_policy is retain are kept, too.

    The account, the region and the stack are printed first, then the resources that are deleted and kept, with the
    number of messages on the queues. The deletion has to be confirmed. Of a queue that has messages, such as dead
    letters, the name has to be typed, or given by --confirm; with --delete-tables, that of the stack, too. Exit code 0:
    deleted, or there was no such stack; 1: AWS could not delete it, or you did not confirm; 2: could not run.

    \b
    Examples:
      router undeploy --stack flows
      router undeploy --stack flows --delete-tables
      router undeploy --stack flows-test --delete-tables --yes --confirm flows-test
      router undeploy --stack flows --yes --confirm orders-dlq --json
    """
    # boto3 is optional and takes 0.2 s to import.
    from router.tools.cli.terminal import Answers
    from router.tools.cli.undeploy_run import run_undeploy

    sys.exit(run_undeploy(name, delete_tables, Answers(yes, confirmed), as_json))

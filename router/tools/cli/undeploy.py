"""`router undeploy`: delete a deployment, but keep its tables."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct
from rich.console import Console

from router.errors import UsageError
from router.tools.cli.options import json_option, yes_option
from router.tools.cli.terminal import confirm, confirm_by_typing, literal, output, print_table
from router.tools.dev.compare import to_json

if TYPE_CHECKING:
    from router.tools.control_plane.clients import ServiceClient
    from router.tools.control_plane.stacks import Stack, Stacks
    from router.tools.deploy.stack import PlannedRemoval


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
def command(
    name: str, delete_tables: bool, confirmed: tuple[str, ...], yes: bool, as_json: bool
) -> None:
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
    from router.tools.control_plane.clients import caller_account, connect_services
    from router.tools.control_plane.stacks import Stacks
    from router.tools.deploy.stack import is_absent, require_own

    services = connect_services(("cloudformation", "sqs", "dynamodb", "sts"))
    stacks = Stacks(services["cloudformation"])
    account, _ = caller_account(services["sts"])
    click.echo(f"account {account}, region {stacks.region}, stack '{name}'", err=True)
    stack = stacks.find(name)
    record = {
        "stack": name,
        "deleted": False,
        "tables_kept": [],
        "tables_deleted": [],
        "queues_kept": [],
    }
    code = 0
    if stack is None or is_absent(stack):
        click.echo(f"there is no stack '{name}' in {stacks.region}: nothing to do", err=True)
    else:
        require_own(stacks, stack)
        answers = _Answers(yes, confirmed)
        record |= _undeploy(stacks, services, stack, delete_tables, answers, as_json)
        code = int(not record["deleted"])
    if as_json:
        click.echo(to_json(record, indent=2))
    sys.exit(code)


class _Answers(Struct, frozen=True):
    """What the options answer: whether there is a question at all, and the words that need not be typed."""

    yes: bool
    confirmed: tuple[str, ...]

    def are_yes(self, question: str, words: Mapping[str, str]) -> bool:
        """Ask, unless the options say yes; each word has to be typed, since something is lost that it names."""
        missing = [word for word in words if word not in self.confirmed]
        instead = " ".join(["--yes", *(f"--confirm {word}" for word in words)])
        if not self.yes and not missing and not confirm(question, instead):
            return False
        return all(confirm_by_typing(word, words[word], instead) for word in missing)


def _undeploy(
    stacks: "Stacks",
    services: "Mapping[str, ServiceClient]",
    stack: "Stack",
    delete_tables: bool,
    answers: _Answers,
    as_json: bool,
) -> Mapping[str, Any]:
    """Delete a stack; return whether it is deleted, and which tables are kept and deleted."""
    from router.tools.cli.deploy_report import watch
    from router.tools.deploy.changes import QUEUE, TABLE
    from router.tools.deploy.stack import delete_stack, first_failure, plan_removal

    name, console = stack.name, output(stderr=True)
    planned = plan_removal(stacks, services["sqs"], stack)
    tables = [each.name for each in planned if each.kept and each.type == TABLE]
    queues = [each.name for each in planned if each.kept and each.type == QUEUE]
    if not as_json:
        _show(planned, delete_tables)
    words = _words(name, planned, bool(tables) and delete_tables)
    if not answers.are_yes(f"Delete the stack '{name}'?", words):
        click.echo("nothing was deleted", err=True)
        sys.exit(1)
    events = watch(console, delete_stack(stacks, stack), stack.id, f"deleting {name}")
    deleted = events[-1].status == "DELETE_COMPLETE"
    if not deleted:
        cause = first_failure(events, stack.id)
        why = f": {cause.logical_id} ({cause.type}): {cause.reason}" if cause else ""
        click.echo(f"the stack '{name}' could not be deleted{why}", err=True)
        return {"deleted": False, "tables_kept": tables, "queues_kept": queues}
    if queues:
        click.echo(
            f"kept: {', '.join(queues)} (the next deployment needs 'managed: false' for queues)",
            err=True,
        )
    if delete_tables:
        _delete_tables(services["dynamodb"], tables, console)
        return {"deleted": True, "tables_deleted": tables, "queues_kept": queues}
    if tables:
        click.echo(f"kept: {', '.join(tables)} (the next deployment imports them)", err=True)
    return {"deleted": True, "tables_kept": tables, "queues_kept": queues}


def _show(planned: "Sequence[PlannedRemoval]", delete_tables: bool) -> None:
    rows = []
    for each in planned:
        kept = each.kept and not (delete_tables and each.kind == "table")
        mark = "[green]kept[/]" if kept else "[red]DELETED[/]"
        rows.append((mark, each.kind, literal(each.name), "" if kept else _loss(each)))
    print_table(("", "resource", "name", "what is lost"), rows)


def _loss(planned: "PlannedRemoval") -> str:
    if planned.kind == "table":
        return "[bold red]all its items[/]"
    if planned.kind != "queue" or planned.messages == 0:
        return ""
    if planned.messages is None:
        return "[yellow]messages, if there are any[/]"
    return f"[bold red]{planned.messages} message{'' if planned.messages == 1 else 's'}[/]"


def _words(stack: str, planned: "Sequence[PlannedRemoval]", with_tables: bool) -> dict[str, str]:
    """Return what is lost, in words, by the word that confirms it: the queues with messages, and the tables."""
    from router.tools.deploy.changes import count_sentence

    found = {}
    for each in planned:
        if each.kept or each.kind != "queue" or each.messages == 0:
            continue
        count = (
            "its messages" if each.messages is None else count_sentence(each.messages, "messages")
        )
        word = f"queue:{each.name}" if each.name == stack else each.name
        found[word] = f"This deletes the queue '{each.name}' ({count})."
    if with_tables:
        # They may have been imported, and hold what nothing else does: --yes alone says too little.
        found[stack] = "This deletes tables with all their items."
    return found


def _delete_tables(dynamodb: "ServiceClient", tables: Sequence[str], console: Console) -> None:
    from router.tools.control_plane.clients import delete_table

    for done, table in enumerate(tables):
        with console.status(f"deleting table {table}"):
            try:
                delete_table(dynamodb, table)
            except UsageError:
                click.echo(f"not deleted: {', '.join(tables[done:])}", err=True)
                raise
        console.print(f"deleted table {literal(table)}")

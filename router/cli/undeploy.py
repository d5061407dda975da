"""`router undeploy`: takes a deployment away."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.cli.prompt import confirmed, typed
from router.cli.stack_events import WIDE, diagnostics, watch
from router.dev.display import to_json
from router.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from router.aws.control_plane import ServiceClient
    from router.aws.stacks import Stack, StackEvent
    from router.ops.removal import Fate


@click.command("undeploy")
@click.option("--stack", "name", required=True, metavar="NAME", help="The stack, as it was named at its deployment.")
@click.option("--delete-tables", is_flag=True, help="Delete the tables too, and all that is in them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def command(name: str, delete_tables: bool, yes: bool, as_json: bool) -> None:
    """Delete a deployment: the function or worker, its role, alarms and queues. Tables stay.

    What goes and what stays is shown, with the messages that are still on queues, and has to be confirmed. With
    --delete-tables the name of the stack has to be typed. Exit code 0: it is gone, or was not there; 1: AWS could not
    delete it, or you said no; 2: could not run.

    \b
    Examples:
      router undeploy --stack flows
      router undeploy --stack flows --delete-tables
      router undeploy --stack flows --yes --json
    """
    services = _connect()
    from router.aws.stacks import Stacks
    from router.ops.ownership import refuse_foreign
    from router.ops.removal import foresee, tables_that_stay
    from router.ops.stack_status import is_absent

    stacks = Stacks(services["cloudformation"])
    console = diagnostics()
    stack = stacks.find(name)
    if stack is None or is_absent(stack):
        click.echo(f"there is no stack '{name}' in {stacks.region}: nothing to do", err=True)
        _print(as_json, name, False, [], [])
        return
    refuse_foreign(stacks, stack)
    fates = foresee(stacks, services["sqs"], stack)
    tables = tables_that_stay(fates)
    if not as_json:
        _show(fates, delete_tables)
    _confirm(name, yes, bool(tables) and delete_tables)
    events = _delete(stacks, stack, console, sum(not fate.stays for fate in fates))
    failed = events[-1].status != "DELETE_COMPLETE"
    if failed:
        _explain(stack.id, name, events)
    gone = [] if failed or not delete_tables else _delete_tables(services["dynamodb"], tables, console)
    kept = [table for table in tables if table not in gone]
    if kept and not failed:
        click.echo(f"kept: {', '.join(kept)} (the next deployment takes them over)", err=True)
    _print(as_json, name, not failed, kept, gone)
    sys.exit(failed)


def _connect() -> "Mapping[str, ServiceClient]":
    try:
        # boto3 is optional, and takes 0.2 s to import.
        from router.aws.control_plane import connect_services
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        raise MissingExtra("router undeploy", "worker") from None
    return connect_services(("cloudformation", "sqs", "dynamodb"))


def _show(fates: "Sequence[Fate]", delete_tables: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    table = Table("", "resource", "name", "what is lost")
    for fate in fates:
        stays = fate.stays and not (delete_tables and fate.kind == "table")
        mark = "[green]stays[/]" if stays else "[red]DELETED[/]"
        table.add_row(mark, fate.kind, escape(fate.name), "" if stays else _loss(fate))
    console.print(table)


def _loss(fate: "Fate") -> str:
    if fate.kind == "table":
        return "[bold red]all its items[/]"
    if fate.kind != "queue" or fate.messages == 0:
        return ""
    return "[yellow]messages, if there are any[/]" if fate.messages is None else _messages(fate.messages)


def _messages(count: int) -> str:
    return f"[bold red]{count} message{'' if count == 1 else 's'}[/]"


def _confirm(name: str, yes: bool, types_name: bool) -> None:
    """Return if it is to be done; else end with exit code 1, or raise UsageError where nobody can be asked."""
    if yes:
        return
    if types_name:
        agreed = typed(name, "This deletes tables and all that is in them.")
    else:
        agreed = confirmed(f"Delete the stack '{name}'?")
    if not agreed:
        click.echo("nothing was done", err=True)
        sys.exit(1)


def _delete(stacks: Any, stack: "Stack", console: Console, total: int) -> "list[StackEvent]":
    from router.ops.removal import remove

    return watch(console, remove(stacks, stack), stack.id, f"deleting {stack.name}", total)


def _explain(stack_id: str, name: str, events: "Sequence[StackEvent]") -> None:
    from router.ops.stack_events import first_cause

    cause = first_cause(events, stack_id)
    why = f": {cause.logical_id} ({cause.type}): {cause.reason}" if cause else ""
    click.echo(f"the stack '{name}' could not be deleted{why}", err=True)


def _delete_tables(dynamodb: "ServiceClient", tables: Sequence[str], console: Console) -> list[str]:
    from router.aws.control_plane import delete_table

    for done, table in enumerate(tables):
        with console.status(f"deleting table {table}"):
            try:
                delete_table(dynamodb, table)
            except UsageError:
                click.echo(f"not deleted: {', '.join(tables[done:])}", err=True)
                raise
        console.print(f"deleted table {escape(table)}")
    return list(tables)


def _print(as_json: bool, name: str, deleted: bool, kept: Sequence[str], gone: Sequence[str]) -> None:
    if as_json:
        told = {"stack": name, "deleted": deleted, "tables_kept": list(kept), "tables_deleted": list(gone)}
        click.echo(to_json(told, indent=2))

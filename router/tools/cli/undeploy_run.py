"""Deletes a stack, for `router undeploy`, and shows what is kept and lost."""

import sys
from collections.abc import Mapping, Sequence

from rich.console import Console

from router.errors import UsageError
from router.model import JsonObject
from router.tools.cli.deploy_report import watch
from router.tools.cli.json_output import print_json
from router.tools.cli.masked_output import tell
from router.tools.cli.terminal import Answers, literal, output, print_table
from router.tools.control_plane.clients import (
    ServiceClient,
    caller_account,
    connect_services,
    delete_table,
)
from router.tools.control_plane.stacks import Stack, Stacks
from router.tools.deploy.changes import QUEUE, TABLE, count_sentence
from router.tools.deploy.stack import (
    PlannedRemoval,
    delete_stack,
    first_failure,
    is_absent,
    left_by,
    plan_removal,
    require_own,
)


def run_undeploy(name: str, delete_tables: bool, answers: Answers, as_json: bool) -> int:
    """Delete a stack, if it is confirmed; return the exit code."""
    services = connect_services(("cloudformation", "sqs", "dynamodb", "sts"))
    stacks = Stacks(services["cloudformation"])
    account, _ = caller_account(services["sts"])
    tell(f"account {account}, region {stacks.region}, stack '{name}'")
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
        tell(f"there is no stack '{name}' in {stacks.region}: nothing to do")
    else:
        require_own(stacks, stack)
        record |= _undeploy(stacks, services, stack, delete_tables, answers, as_json)
        code = int(not record["deleted"])
    if as_json:
        print_json(record)
    return code


def _undeploy(
    stacks: Stacks,
    services: Mapping[str, ServiceClient],
    stack: Stack,
    delete_tables: bool,
    answers: Answers,
    as_json: bool,
) -> JsonObject:
    """Delete a stack; return whether it is deleted, and which tables are kept and deleted."""
    name = stack.name
    console = output(stderr=True)
    planned = plan_removal(stacks, services["sqs"], stack)
    tables = left_by(planned, TABLE)
    queues = left_by(planned, QUEUE)
    if not as_json:
        _show(planned, delete_tables)
    words = _words(name, planned, bool(tables) and delete_tables)
    if not answers.are_yes(f"Delete the stack '{name}'?", words):
        tell("nothing was deleted")
        sys.exit(1)
    events = watch(console, delete_stack(stacks, stack), stack.id, f"deleting {name}")
    record = {"deleted": False, "tables_kept": tables, "queues_kept": queues}
    if events[-1].status != "DELETE_COMPLETE":
        cause = first_failure(events, stack.id)
        why = f": {cause.logical_id} ({cause.type}): {cause.reason}" if cause else ""
        tell(f"the stack '{name}' could not be deleted{why}")
        return record
    if queues:
        tell(f"kept: {', '.join(queues)} (the next deployment needs 'managed: false' for queues)")
    if delete_tables:
        _delete_tables(services["dynamodb"], tables, console)
        record |= {"tables_kept": [], "tables_deleted": tables}
    elif tables:
        tell(f"kept: {', '.join(tables)} (the next deployment imports them)")
    return record | {"deleted": True}


def _show(planned: Sequence[PlannedRemoval], delete_tables: bool) -> None:
    rows = []
    for each in planned:
        kept = each.kept and not (delete_tables and each.kind == "table" and not each.owner)
        mark = "[green]kept[/]" if kept else "[red]DELETED[/]"
        owner = f"nothing: the stack '{literal(each.owner)}' has it now" if each.owner else ""
        rows.append((mark, each.kind, literal(each.name), owner if kept else _loss(each)))
    print_table(("", "resource", "name", "what is lost"), rows)


def _loss(planned: PlannedRemoval) -> str:
    if planned.kind == "table":
        return "[bold red]all its items[/]"
    if planned.kind != "queue" or planned.messages == 0:
        return ""
    if planned.messages is None:
        return "[yellow]messages, if there are any[/]"
    return f"[bold red]{planned.messages} message{'' if planned.messages == 1 else 's'}[/]"


def _words(stack: str, planned: Sequence[PlannedRemoval], with_tables: bool) -> dict[str, str]:
    """Return what is lost, in words, by the word that confirms it: the queues with messages, and the tables."""
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


def _delete_tables(dynamodb: ServiceClient, tables: Sequence[str], console: Console) -> None:
    for done, table in enumerate(tables):
        with console.status(f"deleting table {table}"):
            try:
                delete_table(dynamodb, table)
            except UsageError:
                tell(f"not deleted: {', '.join(tables[done:])}")
                raise
        console.print(f"deleted table {literal(table)}")

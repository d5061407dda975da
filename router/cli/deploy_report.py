"""What `router deploy` prints: what would change, what was made, and all of it for machines."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router.aws.stacks import StackResource
from router.cli.stack_events import WIDE
from router.ops.changes import Planned, kind_of, short_name
from router.ops.execution import Ended

_COLOURS = {
    "add": "green",
    "take over": "cyan",
    "modify": "yellow",
    "may modify": "dim",
    "let go": "yellow",
    "remove": "yellow",
    "replace": "yellow",
    "may replace": "yellow",
    "unknown": "yellow",
}
_LOST = "bold red"


def results() -> Console:
    """Standard output, for results."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


def show_changes(planned: Sequence[Planned]) -> None:
    """A table of what would change; what loses messages or items is red, and says so in words."""
    table = Table("", "resource", "name", "flow", "what changes")
    for each in planned:
        colour = _LOST if each.loses else _COLOURS[each.verb]
        word = each.verb.upper() if each.loses else each.verb
        what = f"[{_LOST}]{each.warning}[/]" if each.loses else ""
        details = escape(", ".join(each.details))
        shown = ": ".join(part for part in (what, details) if part)
        table.add_row(f"[{colour}]{word}[/]", each.kind, escape(each.name), escape(each.flows), shown)
    results().print(table)


def show_made(ended: Ended, resources: Sequence[StackResource], stack: str, region: str, partition: str) -> None:
    """What there is now: queues, tables, what runs the router, what the template puts out, and where to look at it."""
    table = Table("resource", "name", "where")
    for each in sorted(resources, key=lambda each: (_rank(each.type), each.logical_id)):
        if _rank(each.type) < len(_SHOWN):
            where = each.physical_id if "/" in each.physical_id else ""
            table.add_row(kind_of(each.type), escape(short_name(each.physical_id)), escape(where))
    console = results()
    console.print(table)
    for name, value in ended.outputs.items():
        console.print(f"{escape(name)}: {escape(value)}", soft_wrap=True)
    for name in [each.physical_id for each in resources if each.type == _DASHBOARD]:
        console.print(f"dashboard: {dashboard_link(name, region, partition)}", soft_wrap=True)
    console.print(f"the stack '{escape(stack)}' is {ended.status}")


_DASHBOARD = "AWS::CloudWatch::Dashboard"
_SHOWN = (
    "AWS::Lambda::Function",
    "AWS::ECS::Service",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
)
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def _rank(type_: str) -> int:
    return _SHOWN.index(type_) if type_ in _SHOWN else len(_SHOWN)


def dashboard_link(name: str, region: str, partition: str) -> str:
    """Where a dashboard is looked at."""
    host = _CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def explain_failure(ended: Ended, stack: str, creates: bool) -> str:
    """Why it failed, and how things stand now."""
    cause = ended.cause
    why = f": {cause.resource} ({cause.type}): {cause.reason}" if cause else ""
    return f"the stack '{stack}' could not be {'created' if creates else 'updated'}{why}\n{_standing(ended, stack)}"


def _standing(ended: Ended, stack: str) -> str:
    kept = (
        f"; the tables {', '.join(ended.kept)} are kept, and the next deployment takes them over" if ended.kept else ""
    )
    match ended.status:
        case "DELETE_COMPLETE":
            return f"what had been made is removed again{kept}"
        case "UPDATE_ROLLBACK_COMPLETE":
            return f"the stack is as it was before{kept}"
        case _:
            return f"the stack is {ended.status}{kept}; 'router deploy --stack {stack}' says what can be done"


def told(stack: str, region: str, planned: Sequence[Planned], executed: bool, ended: Ended | None) -> Mapping[str, Any]:
    """All of it, for machines."""
    cause = ended.cause if ended else None
    return {
        "stack": stack,
        "region": region,
        "changes": [
            {
                "verb": each.verb,
                "logical_id": each.logical_id,
                "name": each.name,
                "resource": each.kind,
                "flows": each.flows,
                "loses": each.loses,
                "details": list(each.details),
            }
            for each in planned
        ],
        "destructive": any(each.loses for each in planned),
        "executed": executed,
        "status": ended.status if ended else "",
        "outputs": dict(ended.outputs) if ended else {},
        "cause": {"resource": cause.resource, "type": cause.type, "reason": cause.reason} if cause else None,
        "tables_kept": list(ended.kept) if ended else [],
    }

"""The output of `router deploy`: the planned changes, the result, and both as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from router.aws.stacks import StackResource
from router.cli.terminal import output
from router.ops.change_set import DeploymentResult
from router.ops.changes import PlannedChange, kind_of, short_name

_COLOURS = {"add": "green", "import": "cyan", "may modify": "dim"}
_COLOUR, _LOSS_COLOUR = "yellow", "bold red"
_DASHBOARD = "AWS::CloudWatch::Dashboard"
_SHOWN = (
    "AWS::Lambda::Function",
    "AWS::ECS::Service",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
)
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def show_changes(planned: Sequence[PlannedChange]) -> None:
    """Prints a table of the changes; those that lose messages or items are red and have a warning."""
    table = Table("", "resource", "name", "routes", "what changes")
    for each in planned:
        colour = _LOSS_COLOUR if each.loses else _COLOURS.get(each.verb, _COLOUR)
        verb = each.verb.upper() if each.loses else each.verb
        warning = f"[{_LOSS_COLOUR}]{each.warning}[/]" if each.loses else ""
        what = ": ".join(filter(None, (warning, escape(", ".join(each.details)))))
        table.add_row(f"[{colour}]{verb}[/]", each.kind, escape(each.name), escape(each.routes), what)
    output().print(table)


def show_result(
    result: DeploymentResult, resources: Sequence[StackResource], stack: str, region: str, partition: str
) -> None:
    """Prints the main resources of the stack, its outputs, and the links of its dashboards."""
    table = Table("resource", "name", "where")
    shown = [each for each in resources if each.type in _SHOWN]
    for each in sorted(shown, key=lambda each: (_SHOWN.index(each.type), each.logical_id)):
        where = each.physical_id if "/" in each.physical_id else ""
        table.add_row(kind_of(each.type), escape(short_name(each.physical_id)), escape(where))
    console = output()
    console.print(table)
    for name, value in result.outputs.items():
        console.print(f"{escape(name)}: {escape(value)}", soft_wrap=True)
    for name in [each.physical_id for each in resources if each.type == _DASHBOARD]:
        console.print(f"dashboard: {dashboard_link(name, region, partition)}", soft_wrap=True)
    console.print(f"the stack '{escape(stack)}' is {result.status}")


def dashboard_link(name: str, region: str, partition: str) -> str:
    """Returns the address of a dashboard in the AWS console."""
    host = _CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def explain_failure(result: DeploymentResult, stack: str, creates: bool) -> str:
    """Returns why a deployment failed, and the state of the stack after it."""
    cause = result.cause
    why = f": {cause.logical_id} ({cause.type}): {cause.reason}" if cause else ""
    kept = (
        f"; the tables {', '.join(result.kept)} are kept, and the next deployment imports them" if result.kept else ""
    )
    match result.status:
        case "DELETE_COMPLETE":
            state = f"the resources that were created are deleted again{kept}"
        case "UPDATE_ROLLBACK_COMPLETE":
            state = f"the stack is rolled back to its previous state{kept}"
        case _:
            state = f"the stack is {result.status}{kept}; 'router deploy --stack {stack}' says what can be done"
    return f"the stack '{stack}' could not be {'created' if creates else 'updated'}{why}\n{state}"


def as_record(
    stack: str, region: str, planned: Sequence[PlannedChange], result: DeploymentResult | None
) -> Mapping[str, Any]:
    """Returns all of it for JSON; without a result, nothing was executed."""
    executed = result is not None
    result = result or DeploymentResult("")
    cause = result.cause
    return {
        "stack": stack,
        "region": region,
        "changes": [
            {
                "verb": each.verb,
                "logical_id": each.logical_id,
                "name": each.name,
                "resource": each.kind,
                "routes": each.routes,
                "loses": each.loses,
                "details": list(each.details),
            }
            for each in planned
        ],
        "destructive": any(each.loses for each in planned),
        "executed": executed,
        "status": result.status,
        "outputs": dict(result.outputs),
        "cause": {"resource": cause.logical_id, "type": cause.type, "reason": cause.reason} if cause else None,
        "tables_kept": list(result.kept),
    }

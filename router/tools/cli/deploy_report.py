"""What the commands that change a stack print: the changes, the events, the result, a failure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC

import msgspec
from rich.console import Console

from router.model import JsonObject
from router.tools.change.change_codes import (
    KEY_LOST,
    SHORTER_RETENTION,
    STORAGE_REPLACED,
)
from router.tools.change.properties import (
    ANOTHER_NOT_SHOWN,
    NOT_SHOWN,
    PropertyDifference,
    differences,
)
from router.tools.change.report import ConfigChange, DiffReport, Risk, grouped, summary
from router.tools.cli.diff_report import COLOURS as VERDICT_COLOURS
from router.tools.cli.terminal import literal, output, print_line, print_table
from router.tools.control_plane.stacks import Stack, StackEvent, StackResource
from router.tools.deploy.changes import (
    ANOTHER,
    HIDDEN,
    QUEUE,
    TABLE,
    PlannedChange,
    PropertyChange,
    kind_of,
    resource_name,
    short_name,
)
from router.tools.deploy.deleted_queues import is_deleted_lately
from router.tools.deploy.stack import DeploymentResult, is_about_stack, is_in_progress

_COLOURS = {"add": "green", "import": "cyan", "may modify": "dim"}
_COLOUR = "yellow"
_LOSS_COLOUR = "bold red"
_LONGEST = 250
"""Characters of what is shown of the changes of a property."""
_LOSSES = (KEY_LOST, SHORTER_RETENTION, STORAGE_REPLACED)
"""The changes of a comparison that the change set shows as losses."""
_NOT_COMPARED = "(not compared)"
_SHOWN = (
    "AWS::Lambda::Function",
    "AWS::ECS::Service",
    "AWS::SQS::Queue",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
)
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


ChangedParameters = Mapping[str, tuple[str, str]]
"""The values of parameters before and after, by their names."""


def show_changes(planned: Sequence[PlannedChange]) -> None:
    """Print a table of the changes; those that lose messages or items are red and have a warning."""
    rows = []
    for each in planned:
        colour = _LOSS_COLOUR if each.loses else _COLOURS.get(each.verb, _COLOUR)
        verb = each.verb.upper() if each.loses else each.verb
        warning = f"[{_LOSS_COLOUR}]{literal(each.warning)}[/]" if each.loses else each.remark
        known = {value.name: _short(value) for value in each.values}
        details = ", ".join(known.get(name, name) for name in each.details)
        what = ": ".join(filter(None, (warning, literal(details))))
        rows.append(
            (f"[{colour}]{verb}[/]", each.kind, literal(each.name), literal(each.routes), what)
        )
    print_table(("", "resource", "name", "routes", "what changes"), rows)


def _short(changed: PropertyChange) -> str:
    """Return what differs of a property, or its name if that is long."""
    text = ", ".join(map(str, differences(changed.before, changed.after, changed.name)))
    return text if len(text) <= _LONGEST else changed.name


def show_parameters(parameters: ChangedParameters) -> Iterator[str]:
    """Yield a line for each parameter that changes."""
    for name, (before, after) in _known_parameters(parameters).items():
        if after == _NOT_COMPARED:
            yield f"parameter {name}: given, and CloudFormation does not tell whether it is another value"
        else:
            yield f"parameter {name}: {before or 'empty'} → {after or 'empty'}"


def _known_parameters(parameters: ChangedParameters) -> dict[str, tuple[str, str]]:
    """Return the values of parameters, but for those that may be secrets, or that CloudFormation hides."""
    known = {}
    for name, (before, after) in parameters.items():
        if before == HIDDEN:
            known[name] = NOT_SHOWN, ANOTHER_NOT_SHOWN if after == ANOTHER else _NOT_COMPARED
        else:
            difference = PropertyDifference(f"Environment.{name}", before, after)
            known[name] = difference.without_secrets.values
    return known


def breaking_changes(report: DiffReport) -> list[ConfigChange]:
    """Return the changes that break something, but for what the change set says of queues and tables."""
    return _changes(report, "breaking")


def _changes(report: DiffReport, risk: Risk) -> list[ConfigChange]:
    return [
        each.change
        for each in report.findings
        if each.risk == risk and each.change.code not in _LOSSES
    ]


def breaking_sentence(change: ConfigChange) -> str:
    """Return a change in words, with its route."""
    where = f"route '{change.route}': " if change.route else ""
    return f"{where}{change.code.id} {change.sentence}"


def show_routes(report: DiffReport, stack: str) -> None:
    """Print the verdict about each route that changes, with what breaks or is risky, and where all is shown.

    The verdict is about the messages that a route takes: one that takes all of them can still break something. The way
    out is beside a risk: it breaks nothing, but what may happen then is better known before.
    """
    console = output()
    breaking = breaking_changes(report)
    shown = breaking + _changes(report, "risky")
    for route, _ in grouped(report, show_ignored=False):
        lines = []
        about = [each for each in shown if each.route == (route.route if route else "")]
        for each in about:
            risk = "breaking" if each in breaking else "risky"
            way_out = f"; {each.suggestion}" if each.suggestion and each not in breaking else ""
            lines.append(f"{risk} {each.code.id} {each.sentence}{way_out}")
        if route:
            colour = VERDICT_COLOURS[route.verdict]
            console.print(f"[{colour}]{route.verdict}[/]  {literal(route.route)}", soft_wrap=True)
        elif lines:
            console.print("[bold]other changes[/]")
        for line in lines:
            print_line(f"  {line}", soft_wrap=True)
    print_line(f"{summary(report)}; 'router diff stack:{stack}' shows all", soft_wrap=True)


def show_result(
    result: DeploymentResult,
    resources: Sequence[StackResource],
    stack: str,
    region: str,
    partition: str,
) -> None:
    """Print the main resources of the stack, its outputs, and the links of its dashboards.

    The ARNs of queues and tables are for other tools: their names are shown as resources.
    """
    shown = sorted(
        (each for each in resources if each.type in _SHOWN),
        key=lambda each: (_SHOWN.index(each.type), each.logical_id),
    )
    rows = []
    for each in shown:
        place = each.physical_id
        where = place if "/" in place else ""
        rows.append((kind_of(each.type), literal(short_name(place)), literal(where)))
    print_table(("resource", "name", "where"), rows)
    stores = {f"{each.logical_id}Arn" for each in resources if each.type in (QUEUE, TABLE)}
    for name, value in result.outputs.items():
        if name not in stores:
            print_line(f"{name}: {value}", soft_wrap=True)
    for each in resources:
        if each.type == "AWS::CloudWatch::Dashboard":
            link = dashboard_link(each.physical_id, region, partition)
            print_line(f"dashboard: {link}", soft_wrap=True)
    print_line(f"the stack '{stack}' is {result.status}")


def dashboard_link(name: str, region: str, partition: str) -> str:
    """Return the address of a dashboard in the AWS console."""
    host = _CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/cloudwatch/home?region={region}#dashboards/dashboard/{name}"


def explain_failure(result: DeploymentResult, stack: str, creates: bool) -> str:
    """Return why a deployment failed, and the state of the stack after it."""
    cause = result.cause
    where = f"{cause.logical_id} ({cause.type}): " if cause and not result.is_about_probe else ""
    why = f": {where}{cause.reason}" if cause else ""
    kept = (
        f"; the tables {', '.join(result.kept)} are kept, and the next deployment imports them"
        if result.kept
        else ""
    )
    match result.status:
        case "DELETE_COMPLETE":
            state = f"the resources that were created are deleted again{kept}"
        case "UPDATE_ROLLBACK_COMPLETE":
            state = f"the stack is rolled back to its previous state{kept}"
        case _:
            state = f"the stack is {result.status}{kept}; 'router deploy --stack {stack}' says what can be done"
    if cause and is_deleted_lately(cause.reason):
        state = (
            f"{state}\ndeploy again in a minute: a queue of that name was deleted shortly before"
        )
    return f"the stack '{stack}' could not be {'created' if creates else 'updated'}{why}\n{state}"


def as_record(
    stack: str,
    region: str,
    planned: Sequence[PlannedChange],
    parameters: ChangedParameters,
    result: DeploymentResult | None,
    now: Stack | None,
) -> JsonObject:
    """Return all of it for JSON: `parameters` are those that change; without a result, nothing was executed.

    `now` is the stack as it is, None if there is none: then its status is None.
    """
    executed = result is not None
    result = result or (DeploymentResult(now.status, now.outputs) if now else DeploymentResult(""))
    cause = result.cause
    return {
        "stack": stack,
        "region": region,
        "changes": [_change_record(each) for each in planned],
        "parameters": {
            name: {"before": old, "after": new}
            for name, (old, new) in _known_parameters(parameters).items()
        },
        "destructive": any(each.loses for each in planned),
        "executed": executed,
        "status": result.status or None,
        "outputs": dict(result.outputs),
        "cause": {"resource": cause.logical_id, "type": cause.type, "reason": cause.reason}
        if cause
        else None,
        "tables_kept": list(result.kept),
    }


def _change_record(planned: PlannedChange) -> JsonObject:
    values = []
    for value in planned.values:
        for each in differences(value.before, value.after, value.name):
            shown = each.without_secrets
            values.append({"name": shown.path, "before": shown.before, "after": shown.after})
    return {**msgspec.to_builtins(planned), "values": values}


def watch(
    console: Console, events: Iterator[StackEvent], stack_id: str, what: str
) -> list[StackEvent]:
    """Print a line for each event; return the events."""
    seen = []
    latest: dict[str, tuple[str, str]] = {}
    with console.status(what):
        for event in events:
            seen.append(event)
            # AWS reports the start of an operation twice.
            if latest.get(event.logical_id) != (event.status, event.type):
                console.print(_line(event, stack_id))
            latest[event.logical_id] = (event.status, event.type)
    return seen


def _line(event: StackEvent, stack_id: str) -> str:
    whole = is_about_stack(event, stack_id)
    name = (
        event.logical_id
        if whole
        else resource_name(event.type, event.logical_id, event.physical_id)
    )
    reason = (
        f"  {literal(event.reason)}" if event.reason and event.status.endswith("_FAILED") else ""
    )
    status = f"[{_colour(event.status)}]{event.status:<20}[/]"
    time = f"{event.at.astimezone(UTC):%H:%M:%SZ}"
    return f"{time}  {status}  {kind_of(event.type):<20}  {literal(name)}{reason}"


def _colour(status: str) -> str:
    if "FAILED" in status:
        return "bold red"
    if "ROLLBACK" in status:
        return "yellow"
    return "dim" if is_in_progress(status) else "green"

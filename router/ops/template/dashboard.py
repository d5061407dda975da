"""Dashboards as resources: a row for the function or worker, and one for each route.

What stands in a dashboard: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
Widgets have no place of their own: four of them fill a row, and a route that comes or goes moves no other.
"""

import json
from collections.abc import Iterator

from router.deliver.telemetry import DIMENSION, METRICS, NAMESPACE
from router.ops.template.expressions import REGION, STACK, Json, sub
from router.ops.template.plan import Plan, Queue, Table

ROUTES_OF_A_DASHBOARD = 120
"""With four widgets each, and the first row; a dashboard has 500 widgets at most:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_WIDTH, _HEIGHT, _SECONDS = 6, 6, 60
_COUNTED = [name for name in METRICS if name.startswith(("router_messages_", "router_setup_"))]

_Line = list[str | Json]


def dashboard_resources(plan: Plan) -> dict[str, Json]:
    """The dashboards; more than one where there are many routes."""
    rows = [_row(plan, name) for name in plan.config.routes]
    found: dict[str, Json] = {}
    for start in range(0, len(rows), ROUTES_OF_A_DASHBOARD):
        number = start // ROUTES_OF_A_DASHBOARD + 1
        end = "" if number == 1 else f"-{number}"
        first = [] if start else [_first_row(plan)]
        widgets = [widget for row in (*first, *rows[start : start + ROUTES_OF_A_DASHBOARD]) for widget in row]
        found[f"Dashboard{end.removeprefix('-')}"] = {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": sub(f"{STACK}{end}"), "DashboardBody": _body(widgets)},
        }
    return found


def _body(widgets: list[Json]) -> Json:
    """The text of the dashboard, made of one text a widget."""
    texts = [sub(json.dumps(widget, separators=(",", ":"))) for widget in widgets]
    return {"Fn::Sub": ['{"widgets":[${Widgets}]}', {"Widgets": {"Fn::Join": [",", texts]}}]}


def _first_row(plan: Plan) -> list[Json]:
    if plan.worker:
        place = ["ClusterName", STACK, "ServiceName", STACK]
        return [
            _widget("tasks", [["ECS/ContainerInsights", "RunningTaskCount", *place]], "Average"),
            _widget("processor, %", [["AWS/ECS", "CPUUtilization", *place]], "Average"),
            _widget("memory, %", [["AWS/ECS", "MemoryUtilization", *place]], "Average"),
            _widget("restarts", [["ECS/ContainerInsights", "RestartCount", *place]], "Sum"),
        ]
    place = ["FunctionName", STACK]
    return [
        _widget("invocations", [["AWS/Lambda", "Invocations", *place]], "Sum"),
        _widget("errors and throttles", [["AWS/Lambda", name, *place] for name in ("Errors", "Throttles")], "Sum"),
        _widget("duration, ms", [["AWS/Lambda", "Duration", *place]], "p99"),
        _widget("at a time", [["AWS/Lambda", "ConcurrentExecutions", *place]], "Maximum"),
    ]


def _row(plan: Plan, name: str) -> list[Json]:
    route = plan.config.routes[name]
    queue = next(each for each in plan.read if each.name_in_config == route.queue)
    letters = plan.letters_of(queue)
    return [
        _widget(f"{name}: waiting", list(_waiting(queue)), "Maximum"),
        _widget(f"{name}: outcomes", list(_outcomes(plan, queue)), "Sum"),
        _widget(f"{name}: dead letters", list(_letters(letters)), "Maximum") if letters else _no_letters(name),
        _widget(f"{name}: table", list(_writes(plan.table_of(route.table))), "Sum"),
    ]


def _waiting(queue: Queue) -> Iterator[_Line]:
    yield ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, {"label": "messages"}]
    older: Json = {"label": "age of the oldest, s", "yAxis": "right"}
    yield ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name, older]


def _outcomes(plan: Plan, queue: Queue) -> Iterator[_Line]:
    """What became of the messages of a queue; of a worker, which tells Prometheus, what SQS knows."""
    if plan.worker:
        for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
            yield ["AWS/SQS", name, "QueueName", queue.name]
        return
    # What the function calls the queue: its name in the config.
    known = plan.texts.at(("routes", queue.flows[0], "queue"), queue.name_in_config)
    for name in _COUNTED:
        label = name.removeprefix("router_").removeprefix("messages_").removesuffix("_total").replace("_", " ")
        yield [NAMESPACE, name, DIMENSION, known, {"label": label}]


def _letters(queue: Queue) -> Iterator[_Line]:
    yield ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, {"label": "dead letters"}]


def _no_letters(name: str) -> Json:
    words = f"**{name}**: the config names no dead-letter queue"
    return {"type": "text", "width": _WIDTH, "height": _HEIGHT, "properties": {"markdown": words}}


def _writes(table: Table) -> Iterator[_Line]:
    yield ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table.name, {"label": "write units"}]
    yield ["AWS/DynamoDB", "WriteThrottleEvents", "TableName", table.name, {"label": "throttled", "yAxis": "right"}]


def _widget(title: str, metrics: list[_Line], stat: str) -> Json:
    return {
        "type": "metric",
        "width": _WIDTH,
        "height": _HEIGHT,
        "properties": {
            "title": title,
            "region": REGION,
            "view": "timeSeries",
            "stat": stat,
            "period": _SECONDS,
            "metrics": metrics,
        },
    }

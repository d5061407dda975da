"""Dashboards as resources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""

from collections.abc import Iterator

from router.runtime.deliver.metrics import (
    CLOUDWATCH,
    CONFIGURATION_ERRORS,
    KINDS,
    METRICS_VARIABLE,
    NAMESPACE,
    POSTPONED,
    QUEUE,
    ROUTE,
    SERVICE,
    TABLE,
    of_kind,
    of_route,
)
from router.tools.deploy.template.alarms import MINUTE, is_in, known_to_function, service
from router.tools.deploy.template.expressions import (
    ACCOUNT,
    REGION,
    STACK,
    Expression,
    Json,
    Resources,
    compact_json,
    resource,
    sub,
)
from router.tools.deploy.template.plan import PlannedQueue, StackPlan
from router.tools.deploy.template.resources import environment

QUEUES_OF_A_DASHBOARD = 80
"""Each has six widgets at most, and the first row has four; the maximum of a dashboard is 500:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_WIDTH, _HEIGHT = 6, 6
_COUNTED = [
    *map(of_kind, KINDS),
    CONFIGURATION_ERRORS,
]
_Line = list[str | Json]


def dashboard_resources(plan: StackPlan) -> Resources:
    """Return the dashboards: a row for the function or worker, and one for each queue.

    Widgets have no positions: four of them fill a row, so that a queue that is added or removed moves no other. A
    route is a line, so that their number does not matter. The dashboards of an account have their names in all of its
    regions.
    """
    found: Resources = {}
    for start in range(0, len(plan.read), QUEUES_OF_A_DASHBOARD):
        number = start // QUEUES_OF_A_DASHBOARD + 1
        end = "" if number == 1 else f"-{number}"
        widgets = [] if start else _first_row(plan)
        for queue in plan.read[start : start + QUEUES_OF_A_DASHBOARD]:
            widgets += _row(plan, queue)
        properties = {
            "DashboardName": sub(f"{STACK}-{REGION}{end}"),
            "DashboardBody": _body(widgets),
        }
        found[f"Dashboard{end.removeprefix('-')}"] = resource("CloudWatch::Dashboard", properties)
    return found


def _body(widgets: list[Expression]) -> Json:
    """Return the body of a dashboard, joined from one text for each widget."""
    return {"Fn::Sub": ['{"widgets":[${Widgets}]}', {"Widgets": {"Fn::Join": [",", widgets]}}]}


def _text_of(widget: Json) -> Expression:
    return sub(compact_json(widget))


def _widget_of(queue: PlannedQueue, title: str, metrics: list[_Line], stat: str) -> Expression:
    """Return a widget with metrics of a queue; in another account it says that there are none."""
    shown = _widget(title, metrics, stat)
    if queue.account == ACCOUNT:
        return shown
    words = f"**{title}**: CloudWatch has the metrics of {queue.name} in its account {queue.account} only"
    return {"Fn::If": [is_in(queue.account), shown, _note(words)]}


def _first_row(plan: StackPlan) -> list[Expression]:
    configuration: _Line = [
        NAMESPACE,
        CONFIGURATION_ERRORS,
        SERVICE,
        service(plan),
        {"label": "configuration errors"},
    ]
    if plan.worker:
        place = ["ClusterName", STACK, "ServiceName", STACK]
        return [
            _widget("tasks", [["ECS/ContainerInsights", "RunningTaskCount", *place]], "Average"),
            _widget("processor, %", [["AWS/ECS", "CPUUtilization", *place]], "Average"),
            _widget("memory, %", [["AWS/ECS", "MemoryUtilization", *place]], "Average"),
            _widget(
                "restarts and configuration errors",
                [["ECS/ContainerInsights", "RestartCount", *place], configuration],
                "Sum",
            ),
        ]
    place = ["FunctionName", STACK]
    faults: list[_Line] = [["AWS/Lambda", name, *place] for name in ("Errors", "Throttles")]
    return [
        _widget("invocations", [["AWS/Lambda", "Invocations", *place]], "Sum"),
        _widget("errors, configuration errors and throttles", [*faults, configuration], "Sum"),
        _widget("duration, ms", [["AWS/Lambda", "Duration", *place]], "p99"),
        _widget("concurrency", [["AWS/Lambda", "ConcurrentExecutions", *place]], "Maximum"),
    ]


def _row(plan: StackPlan, queue: PlannedQueue) -> list[Expression]:
    """Return the widgets of a queue: what waits, the outcomes, the dead letters, its tables, and its routes."""
    name = queue.name_in_config
    dead_letters = plan.dead_letter_queue_of(queue)
    own = ["QueueName", queue.name]
    waiting: list[_Line] = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *own, {"label": "waiting"}],
        ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", *own, {"label": "in flight"}],
        [
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            *own,
            {"label": "age of the oldest, s", "yAxis": "right"},
        ],
    ]
    counted = f"{name}: outcomes", list(_outcomes(plan, queue)), "Sum"
    # The router counts in the account of the stack.
    outcomes = _widget(*counted) if _counts_there(plan) else _widget_of(queue, *counted)
    widgets = [
        _widget_of(queue, f"{name}: waiting", waiting, "Maximum"),
        outcomes,
        _dead_letters(name, dead_letters),
        _widget(f"{name}: tables", list(_tables(plan, queue)), "Sum"),
    ]
    if plan.program.counts_routes and _counts_there(plan):
        widgets += _routes(plan, queue)
    return widgets


def _tables(plan: StackPlan, queue: PlannedQueue) -> Iterator[_Line]:
    """Yield the metrics of the tables that the routes of a queue write."""
    routes = plan.config.routes
    for name in dict.fromkeys(routes[route].table for route in queue.routes):
        table = ["TableName", plan.table_of(name).name]
        yield from _writes(name, table)
        # What an index takes is not counted for its table.
        for index in plan.config.tables[name].indexes:
            yield from _writes(f"{name}, {index}", [*table, "GlobalSecondaryIndexName", index])


def _writes(name: str, dimensions: list[str]) -> Iterator[_Line]:
    """Yield the metrics of the writes of a table or an index."""
    units = {"label": f"{name}: units"}
    yield ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", *dimensions, units]
    throttled = {"label": f"{name}: throttled", "yAxis": "right"}
    yield ["AWS/DynamoDB", "WriteThrottleEvents", *dimensions, throttled]


def _routes(plan: StackPlan, queue: PlannedQueue) -> Iterator[Expression]:
    """Yield a widget with a line for each route and outcome, which CloudWatch finds by their dimensions."""
    known = known_to_function(plan, queue)
    schema = ",".join((NAMESPACE, QUEUE, ROUTE, SERVICE, TABLE))
    for title, kinds in (("written", ("written",)), ("not written", ("retry", "rejected"))):
        lines: list[_Line] = []
        for kind in kinds:
            where = f'{{{schema}}} {SERVICE}="{service(plan)}" {QUEUE}="{known}"'
            search = f"SEARCH('{where} MetricName=\"{of_route(kind)}\"', 'Sum', {MINUTE})"
            label = f"${{!PROP('Dim.{ROUTE}')}} {kind}"
            lines.append([{"expression": search, "label": label, "id": kind}])
        yield _widget(f"{queue.name_in_config}: routes, {title}", lines, "Sum", 2 * _WIDTH)


def _outcomes(plan: StackPlan, queue: PlannedQueue) -> Iterator[_Line]:
    """Yield the outcomes of messages; for a worker whose metrics are only in Prometheus, the metrics of SQS."""
    if not _counts_there(plan):
        for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
            yield ["AWS/SQS", name, "QueueName", queue.name]
        return
    # The router uses the name in the config.
    known = known_to_function(plan, queue)
    # A worker postpones nothing.
    counted = _COUNTED if plan.worker else [*_COUNTED, POSTPONED]
    for name in counted:
        label = (
            name.removeprefix("router_")
            .removeprefix("messages_")
            .removesuffix("_total")
            .replace("_", " ")
        )
        yield [NAMESPACE, name, SERVICE, service(plan), QUEUE, known, {"label": label}]


def _counts_there(plan: StackPlan) -> bool:
    """Return whether the metrics of the router are in CloudWatch."""
    return not plan.worker or environment(plan).get(METRICS_VARIABLE, CLOUDWATCH) == CLOUDWATCH


def _dead_letters(name: str, queue: PlannedQueue | None) -> Expression:
    if queue is None:
        return _note(f"**{name}**: the config has no dead-letter queue")
    visible = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name]
    shown: list[_Line] = [[*visible, {"label": "dead letters"}]]
    return _widget_of(queue, f"{name}: dead letters", shown, "Maximum")


def _note(words: str) -> Expression:
    return _text_of(
        {"type": "text", "width": _WIDTH, "height": _HEIGHT, "properties": {"markdown": words}}
    )


def _widget(title: str, metrics: list[_Line], stat: str, width: int = _WIDTH) -> Expression:
    return _text_of(
        {
            "type": "metric",
            "width": width,
            "height": _HEIGHT,
            "properties": {
                "title": title,
                "region": REGION,
                "view": "timeSeries",
                "stat": stat,
                "period": MINUTE,
                "metrics": metrics,
            },
        }
    )

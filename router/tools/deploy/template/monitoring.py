"""Alarms and dashboards as resources.

Metrics of SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Metrics of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Dashboards: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
from collections.abc import Iterator, Sequence

from router.runtime.deliver.telemetry import (
    CONFIGURATION_ERRORS,
    METRICS,
    NAMESPACE,
    QUEUE,
    SERVICE,
    SERVICE_VARIABLE,
)
from router.tools.deploy.template.expressions import (
    REGION,
    STACK,
    Expression,
    Json,
    ref,
    resource,
    sub,
)
from router.tools.deploy.template.plan import PlannedQueue, StackPlan
from router.tools.deploy.template.resources import FUNCTION, environment

ACTIONS: list[Json] = [
    {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]}
]
_SECONDS, _PERIODS = 60, 5
_OF_FUNCTION = (
    ("ErrorsAlarm", "Errors", "The function fails, times out or runs out of memory", 1),
    ("ThrottlesAlarm", "Throttles", "The function is throttled", _PERIODS),
)
ROUTES_OF_A_DASHBOARD = 120
"""Each route has four widgets, as the first row has; the maximum of a dashboard is 500:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_WIDTH, _HEIGHT = 6, 6
_COUNTED = [
    *(name for name in METRICS if name.startswith("router_messages_")),
    CONFIGURATION_ERRORS,
]
_Line = list[str | Json]


def alarm_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the alarms of queues, of dead-letter queues, of the function if there is one, and of the configuration."""
    alarms: dict[str, Json] = {}
    dead_letters: dict[str, PlannedQueue] = {}
    for queue in plan.read:
        alarms[f"AgeAlarm{queue.id.removeprefix('Queue')}"] = alarm(
            f"The oldest message of queue {queue.name} is too old: the backlog grows faster than the router works"
            f"{_named(queue)}",
            _measured(
                "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", sub(queue.name), "Maximum"
            ),
            ref("OldestMessageSeconds"),
            _PERIODS,
            _actions(plan, queue),
        )
        found = plan.dead_letter_queue_of(queue)
        dead_letters |= {found.id: found} if found else {}
    for queue in dead_letters.values():
        alarms[f"LettersAlarm{queue.id.removeprefix('Queue')}"] = alarm(
            f"There are dead letters on queue {queue.name}{_named(queue)}",
            _measured(
                "AWS/SQS",
                "ApproximateNumberOfMessagesVisible",
                "QueueName",
                sub(queue.name),
                "Maximum",
            ),
            actions=_actions(plan, queue),
        )
    if not plan.worker:
        for id_, metric, why, periods in _OF_FUNCTION:
            measured = _measured("AWS/Lambda", metric, "FunctionName", ref(FUNCTION), "Sum")
            alarms[id_] = alarm(why, measured, periods=periods)
    alarms["ConfigurationAlarm"] = alarm(
        "Messages meet a configuration error: a table, queue or permission is missing, or the config does not know a "
        "queue; the log has the reason",
        _measured(NAMESPACE, CONFIGURATION_ERRORS, SERVICE, sub(_service(plan)), "Sum"),
    )
    return alarms


def _service(plan: StackPlan) -> str:
    return environment(plan)[SERVICE_VARIABLE]


def _named(queue: PlannedQueue) -> str:
    """Return the owner and the description of a queue, as a text for the description of an alarm."""
    about = [f"owner: {queue.owner}" if queue.owner else "", queue.description]
    text = "; ".join(filter(None, about))
    return f" ({text})" if text else ""


def _actions(plan: StackPlan, queue: PlannedQueue) -> Sequence[Expression]:
    """Return the topic of the owner of a queue, or that of the parameter."""
    settings = plan.config.owners.get(queue.owner)
    topic = settings.alarm_topic if settings else ""
    if not topic:
        return ACTIONS
    return [sub(plan.substitutions.at(("owners", queue.owner, "alarm_topic"), topic))]


def _measured(
    namespace: str, metric: str, dimension: str, value: Expression, statistic: str
) -> Json:
    """Return what an alarm for a metric measures in each minute."""
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": value}],
        "Statistic": statistic,
        "Period": _SECONDS,
    }


def alarm(
    why: str,
    measured: Json,
    threshold: int | Json = 0,
    periods: int = 1,
    actions: Sequence[Expression] = ACTIONS,
) -> Json:
    """Return an alarm for what is `measured`, if it exceeds the threshold in so many periods."""
    properties = {
        "AlarmDescription": sub(why),
        **measured,
        "EvaluationPeriods": periods,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": actions,
        "OKActions": actions,
    }
    return resource("CloudWatch::Alarm", properties)


def dashboard_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the dashboards: a row for the function or worker and one for each route.

    Widgets have no positions: four of them fill a row, so that a route that is added or removed moves no other.
    """
    rows = [_row(plan, name) for name in plan.config.routes]
    found: dict[str, Json] = {}
    for start in range(0, len(rows), ROUTES_OF_A_DASHBOARD):
        number = start // ROUTES_OF_A_DASHBOARD + 1
        end = "" if number == 1 else f"-{number}"
        first = [] if start else [_first_row(plan)]
        widgets = [
            widget
            for row in (*first, *rows[start : start + ROUTES_OF_A_DASHBOARD])
            for widget in row
        ]
        properties = {"DashboardName": sub(f"{STACK}{end}"), "DashboardBody": _body(widgets)}
        found[f"Dashboard{end.removeprefix('-')}"] = resource("CloudWatch::Dashboard", properties)
    return found


def _body(widgets: list[Json]) -> Json:
    """Return the body of a dashboard, joined from one text for each widget."""
    texts = [sub(json.dumps(widget, separators=(",", ":"))) for widget in widgets]
    return {"Fn::Sub": ['{"widgets":[${Widgets}]}', {"Widgets": {"Fn::Join": [",", texts]}}]}


def _first_row(plan: StackPlan) -> list[Json]:
    configuration: _Line = [
        NAMESPACE,
        CONFIGURATION_ERRORS,
        SERVICE,
        _service(plan),
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


def _row(plan: StackPlan, name: str) -> list[Json]:
    route = plan.config.routes[name]
    queue = next(each for each in plan.read if each.name_in_config == route.queue)
    dead_letters = plan.dead_letter_queue_of(queue)
    own = ["QueueName", queue.name]
    table = ["TableName", plan.table_of(route.table).name]
    waiting: list[_Line] = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", *own, {"label": "messages"}],
        [
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            *own,
            {"label": "age of the oldest, s", "yAxis": "right"},
        ],
    ]
    writes: list[_Line] = [
        ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", *table, {"label": "write units"}],
        ["AWS/DynamoDB", "WriteThrottleEvents", *table, {"label": "throttled", "yAxis": "right"}],
    ]
    return [
        _widget(f"{name}: waiting", waiting, "Maximum"),
        _widget(f"{name}: outcomes", list(_outcomes(plan, queue)), "Sum"),
        _dead_letters(name, dead_letters),
        _widget(f"{name}: table", writes, "Sum"),
    ]


def _outcomes(plan: StackPlan, queue: PlannedQueue) -> Iterator[_Line]:
    """Yield the outcomes of messages; for a worker, whose metrics are in Prometheus, the metrics of SQS."""
    if plan.worker:
        for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
            yield ["AWS/SQS", name, "QueueName", queue.name]
        return
    # The function uses the name in the config.
    known = plan.substitutions.at(("routes", queue.routes[0], "queue"), queue.name_in_config)
    for name in _COUNTED:
        label = (
            name.removeprefix("router_")
            .removeprefix("messages_")
            .removesuffix("_total")
            .replace("_", " ")
        )
        yield [NAMESPACE, name, SERVICE, _service(plan), QUEUE, known, {"label": label}]


def _dead_letters(name: str, queue: PlannedQueue | None) -> Json:
    if queue is None:
        words = f"**{name}**: the config has no dead-letter queue"
        return {
            "type": "text",
            "width": _WIDTH,
            "height": _HEIGHT,
            "properties": {"markdown": words},
        }
    visible = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name]
    return _widget(f"{name}: dead letters", [[*visible, {"label": "dead letters"}]], "Maximum")


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

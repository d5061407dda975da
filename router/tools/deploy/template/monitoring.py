"""Alarms and dashboards as resources.

Metrics of SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Metrics of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Dashboards: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import re
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
    ACCOUNT,
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
ROWS_OF_A_DASHBOARD = 120
"""Each row has four widgets, as the first one has; the maximum of a dashboard is 500:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_WIDTH, _HEIGHT = 6, 6
_COUNTED = [
    *(name for name in METRICS if name.startswith("router_messages_")),
    CONFIGURATION_ERRORS,
]
_Line = list[str | Json]


def conditions(plan: StackPlan) -> dict[str, Json]:
    """Return the conditions that the stack is in the account of a queue that the config gives with its account.

    CloudWatch has the metrics of a queue in the account of the queue only.
    """
    others = {queue.account for queue in plan.queues.values()} - {ACCOUNT}
    return {
        _is_in(account): {"Fn::Equals": [ref("AWS::AccountId"), sub(account)]}
        for account in sorted(others)
    }


def _is_in(account: str) -> str:
    return "InAccount" + re.sub(r"[^A-Za-z0-9]", "", account)


def in_account(queue: PlannedQueue, made: Json) -> Json:
    """Return a resource that needs the metrics of a queue: a stack has it in the account of the queue only."""
    return made if queue.account == ACCOUNT else {**made, "Condition": _is_in(queue.account)}


def alarm_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the alarms of queues, of dead-letter queues, of the function if there is one, and of the configuration."""
    alarms: dict[str, Json] = {}
    dead_letters: dict[str, PlannedQueue] = {}
    for queue in plan.read:
        made = alarm(
            f"The oldest message of queue {queue.name} is too old: the backlog grows faster than the router works"
            f"{_named(queue)}",
            _measured(
                "AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", sub(queue.name), "Maximum"
            ),
            ref("OldestMessageSeconds"),
            _PERIODS,
            _actions(plan, queue),
        )
        alarms[f"AgeAlarm{queue.id.removeprefix('Queue')}"] = in_account(queue, made)
        found = plan.dead_letter_queue_of(queue)
        dead_letters |= {found.id: found} if found else {}
    for queue in dead_letters.values():
        made = alarm(
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
        alarms[f"LettersAlarm{queue.id.removeprefix('Queue')}"] = in_account(queue, made)
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
    """Return the dashboards: a row for the function or worker, and one for the routes of each queue and table.

    Widgets have no positions: four of them fill a row, so that a route that is added or removed moves no other. The
    dashboards of an account have their names in all of its regions.
    """
    sharing: dict[tuple[str, str], list[str]] = {}
    for name, route in plan.config.routes.items():
        sharing.setdefault((route.queue, route.table), []).append(name)
    rows = [_row(plan, *pair, names) for pair, names in sharing.items()]
    found: dict[str, Json] = {}
    for start in range(0, len(rows), ROWS_OF_A_DASHBOARD):
        number = start // ROWS_OF_A_DASHBOARD + 1
        end = "" if number == 1 else f"-{number}"
        first = [] if start else [_first_row(plan)]
        widgets = [
            widget for row in (*first, *rows[start : start + ROWS_OF_A_DASHBOARD]) for widget in row
        ]
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
    return sub(json.dumps(widget, separators=(",", ":")))


def _widget_of(queue: PlannedQueue, title: str, metrics: list[_Line], stat: str) -> Expression:
    """Return a widget with metrics of a queue; in another account it says that there are none."""
    shown = _widget(title, metrics, stat)
    if queue.account == ACCOUNT:
        return shown
    words = f"**{title}**: CloudWatch has the metrics of {queue.name} in its account {queue.account} only"
    return {"Fn::If": [_is_in(queue.account), shown, _note(words)]}


def _first_row(plan: StackPlan) -> list[Expression]:
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


def _row(
    plan: StackPlan, queue_name: str, table_name: str, routes: Sequence[str]
) -> list[Expression]:
    """Return the row of the routes from a queue to a table: its title is the route, if there is only one."""
    name = routes[0] if len(routes) == 1 else f"{queue_name} → {table_name}"
    queue = next(each for each in plan.read if each.name_in_config == queue_name)
    dead_letters = plan.dead_letter_queue_of(queue)
    own = ["QueueName", queue.name]
    table = ["TableName", plan.table_of(table_name).name]
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
    counted = f"{name}: outcomes", list(_outcomes(plan, queue)), "Sum"
    # The function counts in the account of the stack.
    outcomes = _widget_of(queue, *counted) if plan.worker else _widget(*counted)
    return [
        _widget_of(queue, f"{name}: waiting", waiting, "Maximum"),
        outcomes,
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


def _widget(title: str, metrics: list[_Line], stat: str) -> Expression:
    return _text_of(
        {
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
    )

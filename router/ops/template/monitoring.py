"""Alarms and dashboards as resources.

Metrics of SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Metrics of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Dashboards: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
from collections.abc import Iterator

from router.deliver.telemetry import DIMENSION, METRICS, NAMESPACE
from router.ops.template.expressions import REGION, STACK, Expression, Json, is_given, ref, sub, text_parameter, when
from router.ops.template.plan import PlannedQueue, PlannedTable, StackPlan
from router.ops.template.resources import FUNCTION

TOPIC, OLDEST = "AlarmTopic", "OldestMessageSeconds"
_HAS_TOPIC = "HasAlarmTopic"
_SECONDS, _PERIODS = 60, 5
ROUTES_OF_A_DASHBOARD = 120
"""Each route has four widgets, as the first row has; the maximum of a dashboard is 500:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_WIDTH, _HEIGHT = 6, 6
_COUNTED = [name for name in METRICS if name.startswith(("router_messages_", "router_setup_"))]
_Line = list[str | Json]


def alarm_parameters() -> dict[str, Json]:
    """Returns the parameters of alarms: the SNS topic and the age of a message."""
    return {
        TOPIC: text_parameter("The ARN of the SNS topic that alarms notify, if any", Default=""),
        OLDEST: {
            "Type": "Number",
            "Description": "The age in seconds of the oldest message of a queue that causes an alarm",
            "Default": 900,
            "MinValue": 60,
        },
    }


def alarm_conditions() -> dict[str, Json]:
    """Returns the condition that alarms have a topic."""
    return {_HAS_TOPIC: is_given(TOPIC)}


def alarm_resources(plan: StackPlan) -> dict[str, Json]:
    """Returns the alarms of queues, of dead-letter queues, and of the function if there is one."""
    alarms: dict[str, Json] = {}
    dead_letters: dict[str, PlannedQueue] = {}
    for queue in plan.read:
        alarms[f"AgeAlarm{_end(queue)}"] = _alarm(
            f"The oldest message of queue {queue.name} is too old: the backlog grows faster than the router works",
            _of_queue(queue, "ApproximateAgeOfOldestMessage"),
            ref(OLDEST),
            _PERIODS,
        )
        found = plan.dead_letter_queue_of(queue)
        dead_letters |= {found.id: found} if found else {}
    for queue in dead_letters.values():
        alarms[f"LettersAlarm{_end(queue)}"] = _alarm(
            f"There are dead letters on queue {queue.name}",
            _of_queue(queue, "ApproximateNumberOfMessagesVisible"),
            0,
            1,
        )
    if not plan.worker:
        alarms["ErrorsAlarm"] = _of_function("Errors", "The function fails, times out or runs out of memory", 1)
        alarms["ThrottlesAlarm"] = _of_function("Throttles", "The function is throttled", _PERIODS)
    return alarms


def _end(queue: PlannedQueue) -> str:
    return queue.id.removeprefix("Queue")


def _of_queue(queue: PlannedQueue, metric: str) -> Json:
    return {
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [{"Name": "QueueName", "Value": sub(queue.name)}],
        "Statistic": "Maximum",
    }


def _of_function(metric: str, why: str, periods: int) -> Json:
    source = {
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": [{"Name": "FunctionName", "Value": ref(FUNCTION)}],
        "Statistic": "Sum",
    }
    return _alarm(why, source, 0, periods)


def _alarm(why: str, source: Json, threshold: int | Json, periods: int) -> Json:
    """Returns an alarm for a metric that exceeds the threshold for a number of minutes."""
    actions = [when(_HAS_TOPIC, ref(TOPIC))]
    described: Expression = sub(why)
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": described,
            **source,
            "Period": _SECONDS,
            "EvaluationPeriods": periods,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": actions,
            "OKActions": actions,
        },
    }


def dashboard_resources(plan: StackPlan) -> dict[str, Json]:
    """Returns the dashboards: a row for the function or worker and one for each route.

    Widgets have no positions: four of them fill a row, so that a route that is added or removed moves no other.
    """
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
    """Returns the body of a dashboard, joined from one text for each widget."""
    texts = [sub(json.dumps(widget, separators=(",", ":"))) for widget in widgets]
    return {"Fn::Sub": ['{"widgets":[${Widgets}]}', {"Widgets": {"Fn::Join": [",", texts]}}]}


def _first_row(plan: StackPlan) -> list[Json]:
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
        _widget("concurrency", [["AWS/Lambda", "ConcurrentExecutions", *place]], "Maximum"),
    ]


def _row(plan: StackPlan, name: str) -> list[Json]:
    route = plan.config.routes[name]
    queue = next(each for each in plan.read if each.name_in_config == route.queue)
    dead_letters = plan.dead_letter_queue_of(queue)
    return [
        _widget(f"{name}: waiting", list(_waiting(queue)), "Maximum"),
        _widget(f"{name}: outcomes", list(_outcomes(plan, queue)), "Sum"),
        _widget(f"{name}: dead letters", list(_dead_letter_lines(dead_letters)), "Maximum")
        if dead_letters
        else _no_dead_letter_queue(name),
        _widget(f"{name}: table", list(_writes(plan.table_of(route.table))), "Sum"),
    ]


def _waiting(queue: PlannedQueue) -> Iterator[_Line]:
    yield ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, {"label": "messages"}]
    older: Json = {"label": "age of the oldest, s", "yAxis": "right"}
    yield ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue.name, older]


def _outcomes(plan: StackPlan, queue: PlannedQueue) -> Iterator[_Line]:
    """Yields the outcomes of messages; for a worker, whose metrics are in Prometheus, the metrics of SQS."""
    if plan.worker:
        for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
            yield ["AWS/SQS", name, "QueueName", queue.name]
        return
    # The function uses the name in the config.
    known = plan.substitutions.at(("routes", queue.routes[0], "queue"), queue.name_in_config)
    for name in _COUNTED:
        label = name.removeprefix("router_").removeprefix("messages_").removesuffix("_total").replace("_", " ")
        yield [NAMESPACE, name, DIMENSION, known, {"label": label}]


def _dead_letter_lines(queue: PlannedQueue) -> Iterator[_Line]:
    yield ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, {"label": "dead letters"}]


def _no_dead_letter_queue(name: str) -> Json:
    words = f"**{name}**: the config has no dead-letter queue"
    return {"type": "text", "width": _WIDTH, "height": _HEIGHT, "properties": {"markdown": words}}


def _writes(table: PlannedTable) -> Iterator[_Line]:
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

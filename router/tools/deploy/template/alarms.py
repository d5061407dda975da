"""Alarms as resources, with all their thresholds and the reasons for these.

Metrics of SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Metrics of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
Metric math: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import re
from collections.abc import Mapping, Sequence

from router.runtime.config_types import parse_duration
from router.runtime.deliver.metrics import (
    CONFIGURATION_ERRORS,
    NAMESPACE,
    QUEUE,
    SERVICE,
    of_kind,
)
from router.runtime.deliver.telemetry import SERVICE_VARIABLE
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.table_definitions import Template, Values
from router.tools.deploy.template.expressions import (
    ACCOUNT,
    REGION,
    STACK,
    Expression,
    Json,
    Resources,
    ref,
    resource,
    sub,
)
from router.tools.deploy.template.plan import PlannedQueue, StackPlan
from router.tools.deploy.template.resources import FUNCTION, environment

TOPIC = "AlarmTopic"
"""The parameter with the topic of the alarms of queues whose owner has none."""
ACTIONS: list[Json] = [{"Fn::If": ["HasAlarmTopic", {"Ref": TOPIC}, {"Ref": "AWS::NoValue"}]}]
MINUTE = 60
LASTING = 5
"""Minutes for which a backlog or throttling lasts before it is an alarm: bursts are shorter."""
SLOW_PERIOD, SLOW_PERIODS = 300, 3
"""Retries, and messages of which none is done, are an alarm after three periods of five minutes.

A batching window and the timeout of a function end within one; a table that adapts its capacity, or a
deployment, ends within two. An outage of a quarter of an hour uses up some four of ten receives.
"""
RETRIED_PERCENT = 1
"""The share of retries in what a function delivers. Below, a few hot keys are throttled."""
_RETRIED_SHARE = "100 * retried / (retried + written)"
UNDELETED_PERCENT = 5
"""The share of received messages that a worker does not delete.

Its metrics are in Prometheus, so that this is counted by SQS: messages of a period that are deleted in
the next one make it less exact.
"""
IN_FLIGHT_QUOTA = 120_000
IN_FLIGHT_MOST = IN_FLIGHT_QUOTA * 8 // 10
"""Of the messages in flight that SQS allows for a queue. At the quota it delivers no more, of no route."""
SPARE_RESOURCES = 10
"""Resources of a stack that are left for a canary deployment."""
_RETRY_RUNBOOKS = "it names the cause: router check --explain RT813 for 'plugin', else RT814"
_OF_FUNCTION = (
    ("ErrorsAlarm", "Errors", "The function fails, times out or runs out of memory", 1),
    ("ThrottlesAlarm", "Throttles", "The function is throttled", LASTING),
)


def silent_alarms(template: Template, values: Values) -> list[str]:
    """Return the logical ids of the alarms that notify nobody, with these values of the parameters."""
    if values.get(TOPIC):
        return []
    return [
        id_
        for id_, each in template["Resources"].items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
        and each["Properties"].get("AlarmActions", ACTIONS) == ACTIONS
    ]


def conditions(plan: StackPlan) -> Json:
    """Return the conditions that the stack is in the account of a queue that the config gives with its account.

    CloudWatch has the metrics of a queue in the account of the queue only.
    """
    others = {queue.account for queue in plan.queues.values()} - {ACCOUNT}
    return {
        is_in(account): {"Fn::Equals": [ref("AWS::AccountId"), sub(account)]}
        for account in sorted(others)
    }


def is_in(account: str) -> str:
    """Return the name of the condition that the stack is in an account."""
    return "InAccount" + re.sub(r"[^A-Za-z0-9]", "", account)


def in_account(queue: PlannedQueue, made: Json) -> Json:
    """Return a resource that needs the metrics of a queue: a stack has it in the account of the queue only."""
    return made if queue.account == ACCOUNT else {**made, "Condition": is_in(queue.account)}


def alarm_resources(plan: StackPlan, room: int) -> Resources:
    """Return the alarms of queues, of dead-letter queues, of the function if there is one, and of the configuration.

    A stack has `room` for so many resources. With more queues, one alarm watches the retries of all.
    """
    alarms: Resources = {}
    of_each: Resources = {}
    sources_of: dict[str, list[PlannedQueue]] = {}
    for queue in plan.read:
        alarms[QueuePart.AGE_ALARM.of(queue.id)] = _age(plan, queue)
        of_each[QueuePart.RETRIES_ALARM.of(queue.id)] = _retries(plan, queue)
        of_each[QueuePart.STALLED_ALARM.of(queue.id)] = _stalled(plan, queue)
        of_each[QueuePart.IN_FLIGHT_ALARM.of(queue.id)] = _in_flight(plan, queue)
        if queue.settings.silent_after:
            seconds = parse_duration(queue.settings.silent_after)
            alarms[QueuePart.SILENT_ALARM.of(queue.id)] = _silent(plan, queue, seconds)
        if queue.dead_letter:
            sources_of.setdefault(queue.dead_letter, []).append(queue)
    for id_, sources in sources_of.items():
        queue = plan.queues[id_]
        about = _named(queue)
        if len(sources) == 1 and not queue.description:
            # Several would not fit into the description.
            about = f" of queue {sources[0].name}{_named(sources[0])}"
        made = alarm(
            f"There are dead letters on queue {queue.name}{about}. {_status(plan)}; in the folder of the config: "
            f"AWS_REGION={REGION} router dlq list; router check --explain CODE tells what to do",
            _of_queue("ApproximateNumberOfMessagesVisible", queue, "Maximum"),
            actions=_actions(plan, queue),
        )
        alarms[QueuePart.LETTERS_ALARM.of(queue.id)] = in_account(queue, made)
    if not plan.worker:
        for id_, metric, why, periods in _OF_FUNCTION:
            measured = _measured("AWS/Lambda", metric, "FunctionName", ref(FUNCTION), "Sum")
            alarms[id_] = alarm(f"{why}. {_status(plan)} --probe", measured, periods=periods)
    alarms["ConfigurationAlarm"] = alarm(
        "Messages meet a configuration error: a table, queue or permission is missing, or the config does not know a "
        f"queue; the log has the reason. {_status(plan)}",
        _measured(NAMESPACE, CONFIGURATION_ERRORS, SERVICE, sub(service(plan)), "Sum"),
    )
    if len(alarms) + len(of_each) + SPARE_RESOURCES <= room:
        return alarms | of_each
    return alarms if plan.worker else alarms | {QueuePart.RETRIES_ALARM.value: _all_retries(plan)}


def _age(plan: StackPlan, queue: PlannedQueue) -> Json:
    return _alarm_of(
        plan,
        queue,
        f"The oldest message of queue {queue.name} is too old: the backlog grows faster than the router works",
        _of_queue("ApproximateAgeOfOldestMessage", queue, "Maximum"),
        ref("OldestMessageSeconds"),
        LASTING,
    )


def _retries(plan: StackPlan, queue: PlannedQueue) -> Json:
    why = (
        f"Messages of queue {queue.name} are received again and again: a table is throttled or fails, or a plugin fails"
        f"{_named(queue)}. {_status(plan)}; {_RETRY_RUNBOOKS}"
    )
    if plan.worker:
        measured = _math(
            "IF(received > deleted, 100 * (received - deleted) / received, 0)",
            {
                "received": _stat_of_queue("NumberOfMessagesReceived", queue, "Sum"),
                "deleted": _stat_of_queue("NumberOfMessagesDeleted", queue, "Sum"),
            },
        )
        made = alarm(why, measured, UNDELETED_PERCENT, SLOW_PERIODS, _actions(plan, queue))
        return in_account(queue, made)
    # The function counts in the account of the stack, and counts 0 written where it counts retries.
    measured = _math(
        _RETRIED_SHARE,
        {
            "retried": _stat_of_router(plan, queue, of_kind("retry")),
            "written": _stat_of_router(plan, queue, of_kind("written")),
        },
    )
    return alarm(why, measured, RETRIED_PERCENT, SLOW_PERIODS, _actions(plan, queue))


def _all_retries(plan: StackPlan) -> Json:
    """Return the alarm for retries of all queues: queries, since an expression has ten metrics at most."""
    source = f"SCHEMA({NAMESPACE}, {QUEUE}, {SERVICE})"
    measured = _math(_RETRIED_SHARE, {})
    for id_, metric in (("retried", of_kind("retry")), ("written", of_kind("written"))):
        query = f"SELECT SUM({metric}) FROM {source} WHERE {SERVICE} = '{service(plan)}'"  # noqa: S608 — of CloudWatch
        of_query = {"Id": id_, "Expression": sub(query), "Period": SLOW_PERIOD, "ReturnData": False}
        measured["Metrics"].append(of_query)
    return alarm(
        "Messages are received again and again: a table is throttled or fails, or a plugin fails. "
        f"{_status(plan)}; {_RETRY_RUNBOOKS}",
        measured,
        RETRIED_PERCENT,
        SLOW_PERIODS,
    )


def _stalled(plan: StackPlan, queue: PlannedQueue) -> Json:
    measured = _math(
        "IF(waiting + flying > 0 AND deleted == 0, 1, 0)",
        {
            "waiting": _stat_of_queue("ApproximateNumberOfMessagesVisible", queue, "Maximum"),
            "flying": _stat_of_queue("ApproximateNumberOfMessagesNotVisible", queue, "Maximum"),
            "deleted": _stat_of_queue("NumberOfMessagesDeleted", queue, "Sum"),
        },
    )
    return _alarm_of(
        plan,
        queue,
        f"There are messages of queue {queue.name}, received or waiting, and none is done: nothing receives them, or "
        "none can be written",
        measured,
        0,
        SLOW_PERIODS,
    )


def _in_flight(plan: StackPlan, queue: PlannedQueue) -> Json:
    return _alarm_of(
        plan,
        queue,
        f"Queue {queue.name} has nearly as many messages in flight as SQS allows ({IN_FLIGHT_QUOTA:,}); it delivers "
        "none beyond",
        _of_queue("ApproximateNumberOfMessagesNotVisible", queue, "Maximum"),
        IN_FLIGHT_MOST,
        LASTING,
    )


def _silent(plan: StackPlan, queue: PlannedQueue, seconds: int) -> Json:
    """Return the alarm for a queue from which nothing is received; SQS measures no queue that is idle for long."""
    measured = _of_queue("NumberOfMessagesReceived", queue, "Sum")
    # A period is a multiple of a minute.
    measured["Period"] = -(-seconds // MINUTE) * MINUTE
    made = _alarm_of(
        plan,
        queue,
        f"Nothing was received from queue {queue.name} for {queue.settings.silent_after}: a sender may have stopped, "
        "or has no permission any more",
        measured,
        1,
        1,
    )
    made["Properties"] |= {
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    }
    return made


def _alarm_of(
    plan: StackPlan,
    queue: PlannedQueue,
    why: str,
    measured: Json,
    threshold: int | Json,
    periods: int,
) -> Json:
    """Return an alarm that needs the metrics of a queue, and says whose queue it is."""
    text = f"{why}{_named(queue)}. {_status(plan)}"
    return in_account(queue, alarm(text, measured, threshold, periods, _actions(plan, queue)))


def service(plan: StackPlan) -> str:
    """Return the service of the metrics, as a text."""
    return environment(plan)[SERVICE_VARIABLE]


def known_to_function(plan: StackPlan, queue: PlannedQueue) -> str:
    """Return the name by which the function measures a queue: that in the config, as a text."""
    return plan.substitutions.at(("routes", queue.routes[0], "queue"), queue.name_in_config)


def _status(plan: StackPlan) -> str:
    """Return the command that says more, for an engineer who has no more than the alarm."""
    what = "-c routes.yaml" if plan.worker else f"--stack {STACK}"
    return f"Run: AWS_REGION={REGION} router status {what}"


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


def _of_queue(metric: str, queue: PlannedQueue, statistic: str) -> Json:
    """Return what an alarm for a metric of SQS measures in each minute."""
    return _measured("AWS/SQS", metric, "QueueName", sub(queue.name), statistic)


def _measured(
    namespace: str, metric: str, dimension: str, value: Expression, statistic: str
) -> Json:
    """Return what an alarm for a metric measures in each minute."""
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": value}],
        "Statistic": statistic,
        "Period": MINUTE,
    }


def _stat_of_queue(metric: str, queue: PlannedQueue, statistic: str) -> Json:
    return _stat("AWS/SQS", metric, {"QueueName": sub(queue.name)}, statistic)


def _stat_of_router(plan: StackPlan, queue: PlannedQueue, metric: str) -> Json:
    dimensions = {SERVICE: sub(service(plan)), QUEUE: sub(known_to_function(plan, queue))}
    return _stat(NAMESPACE, metric, dimensions, "Sum")


def _stat(namespace: str, metric: str, dimensions: dict[str, Expression], statistic: str) -> Json:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {
        "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
        "Period": SLOW_PERIOD,
        "Stat": statistic,
    }


def _math(expression: str, stats: Mapping[str, Json]) -> Json:
    """Return what an alarm measures by an expression of metrics, by their names in it."""
    metrics = [{"Id": id_, "MetricStat": stat, "ReturnData": False} for id_, stat in stats.items()]
    return {"Metrics": [{"Id": "result", "Expression": expression, "ReturnData": True}, *metrics]}


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

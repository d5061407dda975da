"""Alarms as resources: for what a person has to look at.

Metrics of SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
Metrics of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from router.ops.template.expressions import Expression, Json, is_given, ref, sub, text_parameter, when
from router.ops.template.function import FUNCTION
from router.ops.template.plan import Plan, Queue

TOPIC, OLDEST = "AlarmTopic", "OldestMessageSeconds"
_HAS_TOPIC = "HasAlarmTopic"
_SECONDS, _PERIODS = 60, 5


def alarm_parameters() -> dict[str, Json]:
    """Who is told, and when."""
    return {
        TOPIC: text_parameter("The ARN of the SNS topic that alarms tell, if any", Default=""),
        OLDEST: {
            "Type": "Number",
            "Description": "How many seconds the oldest message of a queue may wait before there is an alarm",
            "Default": 900,
            "MinValue": 60,
        },
    }


def alarm_conditions() -> dict[str, Json]:
    """Whether anybody is told."""
    return {_HAS_TOPIC: is_given(TOPIC)}


def alarm_resources(plan: Plan) -> dict[str, Json]:
    """The alarms of queues, of dead-letter queues, and of the function if there is one."""
    alarms: dict[str, Json] = {}
    letters: dict[str, Queue] = {}
    for queue in plan.read:
        alarms[f"AgeAlarm{_end(queue)}"] = _alarm(
            f"The oldest message of queue {queue.name} waits for too long: the router does not keep up",
            _of_queue(queue, "ApproximateAgeOfOldestMessage"),
            ref(OLDEST),
            _PERIODS,
        )
        found = plan.letters_of(queue)
        letters |= {found.id: found} if found else {}
    for queue in letters.values():
        alarms[f"LettersAlarm{_end(queue)}"] = _alarm(
            f"There are dead letters on queue {queue.name}",
            _of_queue(queue, "ApproximateNumberOfMessagesVisible"),
            0,
            1,
        )
    if not plan.worker:
        alarms["ErrorsAlarm"] = _of_function("Errors", "The function fails, or runs out of time or memory", 1)
        alarms["ThrottlesAlarm"] = _of_function("Throttles", "The function is throttled", _PERIODS)
    return alarms


def _end(queue: Queue) -> str:
    return queue.id.removeprefix("Queue")


def _of_queue(queue: Queue, metric: str) -> Json:
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
    """An alarm for more than the threshold, a minute each for a number of minutes."""
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

"""Tests of the queues of a template, and of their mappings and alarms."""

from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.template.expressions import sub

THINGS = "tables: {things: {key: {id: S}}}\n"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARN = "arn:aws:sqs:eu-west-1:123456789012:"


def flows(*queues: Any) -> Any:
    """The routes of queues."""
    routes = ", ".join(f"r{number}: {{queue: {queue}, table: things}}" for number, queue in enumerate(queues))
    return f"{THINGS}routes: {{{routes}}}\n"


def test_a_queue_and_its_dead_letter_queue(make: Any, resolve: Any) -> None:
    """Both are encrypted, the one moves to the other, which lets nobody else do so and keeps messages longer."""
    document = make("queues: {q: {dead_letter: letters}}\n" + flows("q"))

    assert resolve(document).resources("SQS::Queue") == {
        "QueueQ": {
            "QueueName": "q",
            "MessageRetentionPeriod": 345_600,
            "VisibilityTimeout": 361,
            "RedrivePolicy": {"deadLetterTargetArn": f"{ARN}letters", "maxReceiveCount": 10},
            "SqsManagedSseEnabled": True,
        },
        "QueueLetters": {
            "QueueName": "letters",
            "MessageRetentionPeriod": 1_209_600,
            "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}q"]},
            "SqsManagedSseEnabled": True,
        },
    }


def test_a_fifo_queue(make: Any, resolve: Any) -> None:
    """Its dead-letter queue is FIFO too; Lambda reads ten at a time, without a window."""
    document = make("queues: {q: {name: q.fifo, dead_letter: letters.fifo}}\n" + flows("q"))

    made = resolve(document)
    queue, letters = made.resources("SQS::Queue").values()
    assert [queue["FifoQueue"], queue["ContentBasedDeduplication"], letters["FifoQueue"]] == [True, True, True]
    assert (queue["VisibilityTimeout"], "ContentBasedDeduplication" in letters) == (360, False)
    assert made.resources("Lambda::EventSourceMapping") == {
        "MappingQFifo": {
            "EventSourceArn": f"{ARN}q.fifo",
            "FunctionName": "arn-of:Function",
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }
    }


def test_what_the_config_says_of_a_queue(make: Any, resolve: Any) -> None:
    """Its retention, receives, key and mapping; a dead-letter queue without settings has the same key."""
    settings = f"retention: 7d, max_receive_count: 9, kms_key: '{KEY}', dead_letter: letters"
    mapping = "lambda: {batch_size: 500, window: 1m, maximum_concurrency: 7}"
    document = make(f"function: {{timeout: 90s}}\nqueues: {{q: {{{settings}, {mapping}}}}}\n" + flows("q"))

    made = resolve(document)
    queue, letters = made.resources("SQS::Queue").values()
    assert (queue, letters["KmsMasterKeyId"]) == (
        {
            "QueueName": "q",
            "MessageRetentionPeriod": 604_800,
            "VisibilityTimeout": 600,
            "RedrivePolicy": {"deadLetterTargetArn": f"{ARN}letters", "maxReceiveCount": 9},
            "KmsMasterKeyId": KEY,
        },
        KEY,
    )
    (mapped,) = made.resources("Lambda::EventSourceMapping").values()
    assert (mapped["BatchSize"], mapped["MaximumBatchingWindowInSeconds"], mapped["ScalingConfig"]) == (
        500,
        60,
        {"MaximumConcurrency": 7},
    )


@pytest.mark.parametrize(
    ("lambda_", "batch"),
    [("{}", (100, 1)), ("{batch_size: 10}", (10, None)), ("{window: 5s}", (100, 5)), ("{batch_size: 11}", (11, 1))],
)
def test_batches(make: Any, resolve: Any, lambda_: Any, batch: Any) -> None:
    """A window is there where one is needed, or wanted."""
    document = make(f"queues: {{q: {{dead_letter: l, lambda: {lambda_}}}}}\n" + flows("q"))

    (mapped,) = resolve(document).resources("Lambda::EventSourceMapping").values()
    assert (mapped["BatchSize"], mapped.get("MaximumBatchingWindowInSeconds")) == batch


@pytest.mark.parametrize(
    ("queue", "letters"),
    [("q", "q-dlq"), ("q.fifo", "q-dlq.fifo"), ("${STAGE:-dev}-q", "dev-q-dlq")],
)
def test_a_dead_letter_queue_that_nobody_names(make: Any, resolve: Any, queue: Any, letters: Any) -> None:
    """It is made all the same, for SQS to move messages to; the router sends nothing there."""
    document = make(f"queues: {{q: {{name: '{queue}'}}}}\n" + flows("q"))

    made = resolve(document)
    assert [each["QueueName"] for each in made.resources("SQS::Queue").values()][1] == letters
    assert [resource for resource in made.allowed() if resource.endswith(letters)] == []


@pytest.mark.parametrize("name", ["q" * 77, "${QUEUE}"])
def test_no_name_for_a_dead_letter_queue(make: Any, name: Any) -> None:
    """Where none can be made up, somebody has to name it."""
    with pytest.raises(UsageError, match="there is no valid name for a dead-letter queue of 'q'; add 'dead_letter:'"):
        make(f"queues: {{q: {{name: '{name}'}}}}\n" + flows("q"), env={"QUEUE": "q.fifo"})


def test_a_name_that_another_queue_has(make: Any) -> None:
    """Nobody asked for that one to get dead letters."""
    with pytest.raises(UsageError, match="there is no valid name for a dead-letter queue of 'q'; add 'dead_letter:'"):
        make(flows("q", "q-dlq"))


@pytest.mark.parametrize(
    ("queues", "made", "arns"),
    [
        ("q: {managed: false, dead_letter: l}", [], ["q", "l"]),
        (f"q: {{name: '{ARN}x', dead_letter: l}}", [], ["x", "l"]),
        (f"q: {{name: 'https://sqs.eu-west-1.amazonaws.com/123456789012/x', dead_letter: '{ARN}l'}}", [], ["x", "l"]),
        ("q: {name: 'http://localhost:4566/123456789012/x', dead_letter: l}", [], ["x", "l"]),
        ("q: {managed: false, dead_letter: l}\n  l: {}", ["l"], ["q", "l"]),
        ("q: {dead_letter: l}\n  l: {managed: false}", ["q"], ["q", "l"]),
        (f"q: {{dead_letter: '{ARN}l'}}", ["q"], ["q", "l"]),
        ("q: {managed: false}", [], ["q"]),
    ],
)
def test_queues_that_are_only_referred_to(make: Any, resolve: Any, queues: Any, made: Any, arns: Any) -> None:
    """They are read and sent to, and not made."""
    template = resolve(make(f"queues:\n  {queues}\n" + flows("q")))

    (mapping,) = template.resources("Lambda::EventSourceMapping").values()
    assert [each["QueueName"] for each in template.resources("SQS::Queue").values()] == made
    assert [resource for resource in template.allowed() if ":sqs:" in resource] == [f"{ARN}{name}" for name in arns]
    assert mapping["EventSourceArn"] == f"{ARN}{arns[0]}"


def test_existing_dead_letter_queues_are_moved_to(make: Any, resolve: Any) -> None:
    """The redrive policy names them by their ARN."""
    template = resolve(make(f"queues: {{q: {{dead_letter: '{ARN}l'}}}}\n" + flows("q")))

    assert template.resources("SQS::Queue")["QueueQ"]["RedrivePolicy"]["deadLetterTargetArn"] == f"{ARN}l"


def test_a_dead_letter_queue_that_is_read(make: Any, resolve: Any) -> None:
    """It is both: it takes letters, and has a dead-letter queue itself."""
    config = "queues:\n  q: {dead_letter: again}\n  again: {dead_letter: lost, retention: 7d}\n  lost: {kms_key: KEY}\n"
    template = resolve(make(config.replace("KEY", f"'{KEY}'") + flows("again", "q")))

    queues = template.resources("SQS::Queue")
    assert {
        name: (each.get("RedrivePolicy", {}).get("deadLetterTargetArn"), "RedriveAllowPolicy" in each)
        for name, each in queues.items()
    } == {"QueueQ": (f"{ARN}again", False), "QueueAgain": (f"{ARN}lost", True), "QueueLost": (None, True)}
    assert (queues["QueueLost"]["KmsMasterKeyId"], len(template.resources("Lambda::EventSourceMapping"))) == (KEY, 2)


@pytest.mark.parametrize(("count", "permission"), [(10, "byQueue"), (11, "allowAll")])
def test_many_queues_with_one_dead_letter_queue(make: Any, resolve: Any, count: Any, permission: Any) -> None:
    """A redrive allow policy names ten queues at most."""
    names = [f"q{number}" for number in range(count)]
    queues = "".join(f"  {name}: {{dead_letter: letters}}\n" for name in names)
    template = resolve(make(f"queues:\n{queues}" + flows(*names)))

    letters = template.resources("SQS::Queue")["QueueLetters"]
    assert letters["RedriveAllowPolicy"]["redrivePermission"] == permission


def test_one_queue_under_two_names(make: Any) -> None:
    """What is one in this environment, and may be two in another, cannot be made."""
    config = "queues: {q: {dead_letter: l}, p: {dead_letter: '${LETTERS:-l}'}}\n" + flows("q", "p")

    with pytest.raises(UsageError) as raised:
        make(config)

    assert str(raised.value) == (
        "the queue 'l' has two names in the config: 'l' and '${VariableLetters}'; write both the same way"
    )


def test_letters_of_different_keys(make: Any, resolve: Any) -> None:
    """A dead-letter queue that two queues share has one key: which, the config must say."""
    key = "arn:aws:kms:eu-west-1:123456789012:key/"
    queues = f"q: {{dead_letter: l}}, p: {{dead_letter: l, kms_key: '{key}1'}}"

    with pytest.raises(UsageError, match="different KMS keys share the dead-letter queue 'l'; add an entry"):
        make(f"queues: {{{queues}}}\n" + flows("q", "p"))

    template = resolve(make(f"queues: {{{queues}, l: {{kms_key: '{key}2'}}}}\n" + flows("q", "p")))
    assert template.resources("SQS::Queue")["QueueL"]["KmsMasterKeyId"] == f"{key}2"


def test_text_that_is_no_reference(make: Any) -> None:
    """A dollar and a brace that stand for themselves need no function of CloudFormation."""
    assert (sub("a${!x}"), sub("a${!x}${y}")) == ("a${x}", {"Fn::Sub": "a${!x}${y}"})


def test_alarms(make: Any, resolve: Any) -> None:
    """On each queue's age, on its dead-letter queue, and on the function; someone is reported if there is a topic."""
    template = make("queues: {q: {dead_letter: letters}, p: {dead_letter: letters}}\n" + flows("q", "p"))

    quiet = resolve(template).resources("CloudWatch::Alarm")
    reported = resolve(template, AlarmTopic="topic", OldestMessageSeconds="60").resources("CloudWatch::Alarm")
    seen = {
        name: (each["MetricName"], each["Dimensions"][0]["Value"], each["Threshold"], each["AlarmActions"])
        for name, each in reported.items()
        if "MetricName" in each
    }
    assert {name for name in reported if name not in seen} == {
        f"{kind}Alarm{queue}" for kind in ("Retries", "Stalled") for queue in "QP"
    }
    assert seen == {
        "AgeAlarmQ": ("ApproximateAgeOfOldestMessage", "q", "60", ["topic"]),
        "AgeAlarmP": ("ApproximateAgeOfOldestMessage", "p", "60", ["topic"]),
        "InFlightAlarmQ": ("ApproximateNumberOfMessagesNotVisible", "q", 96_000, ["topic"]),
        "InFlightAlarmP": ("ApproximateNumberOfMessagesNotVisible", "p", 96_000, ["topic"]),
        "LettersAlarmLetters": ("ApproximateNumberOfMessagesVisible", "letters", 0, ["topic"]),
        "ErrorsAlarm": ("Errors", "Function", 0, ["topic"]),
        "ThrottlesAlarm": ("Throttles", "Function", 0, ["topic"]),
        "ConfigurationAlarm": ("router_configuration_errors_total", "flows", 0, ["topic"]),
    }
    assert {(each["TreatMissingData"], str(each["AlarmActions"])) for each in quiet.values()} == {
        ("notBreaching", "[]")
    }


def test_alarms_that_compute(make: Any, resolve: Any) -> None:
    """The share of retries is of the function's own metrics, for a worker of those of SQS; each says what to run."""
    config = "queues: {q: {dead_letter: letters, silent_after: 90s}}\n".replace("90s", "1h") + flows("q")

    function, worker = (resolve(make(config, worker=each)).resources("CloudWatch::Alarm") for each in (False, True))

    def computed(alarm: Any) -> Any:
        expression, *stats = alarm["Metrics"]
        named = {each["Id"]: each["MetricStat"]["Metric"] for each in stats}
        dimensions = {
            id_: {each["Name"]: each["Value"] for each in metric["Dimensions"]} for id_, metric in named.items()
        }
        return expression["Expression"], {id_: (named[id_]["MetricName"], dimensions[id_]) for id_ in named}

    own = {"service": "flows", "queue": "q"}
    assert computed(function["RetriesAlarmQ"]) == (
        "100 * retried / (retried + written)",
        {"retried": ("router_messages_retry_total", own), "written": ("router_messages_written_total", own)},
    )
    assert computed(worker["RetriesAlarmQ"]) == (
        "IF(received > deleted, 100 * (received - deleted) / received, 0)",
        {
            "received": ("NumberOfMessagesReceived", {"QueueName": "q"}),
            "deleted": ("NumberOfMessagesDeleted", {"QueueName": "q"}),
        },
    )
    assert [each["RetriesAlarmQ"]["Threshold"] for each in (function, worker)] == [1, 5]
    silent = function["SilentAlarmQ"]
    assert (silent["Period"], silent["ComparisonOperator"], silent["Threshold"], silent["TreatMissingData"]) == (
        3600,
        "LessThanThreshold",
        1,
        "breaching",
    )
    commands = {each["AlarmDescription"].partition("Run: ")[2].partition(";")[0] for each in function.values()}
    assert commands == {
        "AWS_REGION=eu-west-1 router status --stack flows",
        "AWS_REGION=eu-west-1 router status --stack flows --probe",
    }
    of_letters = function["LettersAlarmLetters"]["AlarmDescription"]
    assert of_letters.startswith("There are dead letters on queue letters of queue q. Run: ")
    assert "; in the folder of the config: AWS_REGION=eu-west-1 router dlq list; " in of_letters
    causes = "it names the cause: router check --explain RT813 for 'plugin', else RT814"
    assert function["RetriesAlarmQ"]["AlarmDescription"].endswith(causes)

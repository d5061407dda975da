"""Tests of tables, the function, the worker and the dashboard of a template."""

from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.template.worker import worker_command

LETTERS = "queues: {q: {dead_letter: letters}}\n"
FLOW = LETTERS + "tables: {things: {key: {id: S}}}\nroutes: {r: {queue: q, table: things}}\n"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_a_table(make: Any, resolve: Any) -> None:
    """It is billed by request, can be restored, deletes what is old, and is not deleted itself."""
    table = f"{{key: {{id: S, at: N}}, ttl: gone, kms_key: '{KEY}'}}"
    document = make(f"{LETTERS}tables: {{things: {table}}}\nroutes: {{r: {{queue: q, table: things}}}}\n")

    whole = document.body["Resources"]["TableThings"]
    assert (whole["DeletionPolicy"], whole["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert resolve(document).resources("DynamoDB::Table")["TableThings"] == {
        "TableName": "things",
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
        "TimeToLiveSpecification": {"AttributeName": "gone", "Enabled": True},
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
    }


CAPACITY = "capacity: {write: {min: 10, max: 500, target: 80}, read: {min: 5}}"


def test_provisioned_capacity(make: Any, resolve: Any) -> None:
    """A table begins with the least units; those with a greatest number are scaled by what is consumed."""
    template = resolve(make(FLOW.replace("key: {id: S}", f"key: {{id: S}}, {CAPACITY}")))

    table = template.resources("DynamoDB::Table")["TableThings"]
    assert (table["BillingMode"], table["ProvisionedThroughput"]) == (
        "PROVISIONED",
        {"ReadCapacityUnits": 5, "WriteCapacityUnits": 10},
    )
    assert template.resources("ApplicationAutoScaling::ScalableTarget") == {
        "WriteUnitsThings": {
            "ServiceNamespace": "dynamodb",
            "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
            "ResourceId": "table/TableThings",
            "MinCapacity": 10,
            "MaxCapacity": 500,
        }
    }
    assert template.resources("ApplicationAutoScaling::ScalingPolicy") == {
        "WriteScalingThings": {
            "PolicyName": "DynamoDBWriteCapacityUtilization",
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": "WriteUnitsThings",
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": 80,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"},
            },
        }
    }


def test_tables_of_markers_are_made(make: Any, resolve: Any) -> None:
    """They are tables like others, and there for the routes that use them."""
    config = FLOW.replace("key: {id: S}}}", "key: {id: S}}, markers: {key: {id: S}, ttl: gone}}")
    write = "item: {id: id, v: {from: v, type: N}}, write: {mode: update, add: [v], once: markers}"
    document = make(config.replace("table: things", f"table: things, {write}"))

    (policy,) = resolve(document).resources("IAM::ManagedPolicy")
    assert (list(resolve(document).resources("DynamoDB::Table")), document.routes) == (
        ["TableThings", "TableMarkers"],
        {"QueueQ": ("r",), "QueueLetters": ("r",), "TableThings": ("r",), "TableMarkers": ("r",), policy: ("r",)},
    )


@pytest.mark.parametrize(
    "table",
    [
        f"{{managed: false, key: {{id: S}}, {CAPACITY}}}",
        "{name: 'arn:aws:dynamodb:eu-west-1:123456789012:table/things', key: {id: S}}",
    ],
)
def test_tables_that_are_only_referred_to(make: Any, resolve: Any, table: Any) -> None:
    """They are written to and not made."""
    template = resolve(make(FLOW.replace("{key: {id: S}}", table)))

    assert (template.resources("DynamoDB::Table"), "things" in str(template.widgets())) == ({}, True)
    assert template.allowed()["arn:aws:dynamodb:eu-west-1:123456789012:table/things"] == {
        "dynamodb:BatchWriteItem",
        "dynamodb:DescribeTable",
    }


def test_one_table_under_two_names(make: Any) -> None:
    """It cannot be made twice."""
    config = FLOW.replace("key: {id: S}}}", "key: {id: S}}, same: {name: things, key: {id: S}}}")

    with pytest.raises(UsageError, match="'same' and 'things' are the same table; use one name for both"):
        make(config)


def test_the_function(make: Any, resolve: Any) -> None:
    """Its code comes from a bucket; its log is its own, in JSON, and not kept for ever."""
    settings = "{memory: 1769, timeout: 2m, architecture: x86_64, python: '3.12', log_retention: 2w}"
    document = make(f"function: {settings}\n{FLOW}")

    template = resolve(document, CodeBucket="bucket", CodeKey="key")
    assert template.resources("Lambda::Function")["Function"] == {
        "FunctionName": "flows",
        "Description": "Routes messages from queues into tables",
        "Runtime": "python3.12",
        "Architectures": ["x86_64"],
        "Handler": "router.lambda_handler.handler",
        "Code": {"S3Bucket": "bucket", "S3Key": "key"},
        "MemorySize": 1769,
        "Timeout": 120,
        "Role": "arn-of:Role",
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "LogGroup"},
        "Environment": {"Variables": {"ROUTER_SERVICE": "flows"}},
    }
    assert template.resources("Logs::LogGroup")["LogGroup"] == {
        "LogGroupName": "/aws/lambda/flows",
        "RetentionInDays": 14,
    }
    assert template.resources("IAM::Role")["Role"]["Policies"][-1] == {
        "PolicyName": "Log",
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Log",
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": ["arn-of:LogGroup"],
                }
            ],
        },
    }


def test_a_version_of_the_code(make: Any, resolve: Any) -> None:
    """In a bucket that keeps versions, one is named."""
    template = resolve(make(FLOW), CodeVersion="7")

    assert template.resources("Lambda::Function")["Function"]["Code"]["S3ObjectVersion"] == "7"


def test_the_worker(make: Any, resolve: Any) -> None:
    """Tasks that can do what the function could, but postpone a message; whoever starts them can write their log."""
    settings = "{cpu: 1024, memory: 4096, architecture: x86_64, min_tasks: 2, max_tasks: 7, backlog_per_task: 50}"
    config = f"worker: {settings}\n{FLOW}"
    template = resolve(make(config, worker=True), Image="image:1")

    task = template.resources("ECS::TaskDefinition")["TaskDefinition"]
    container = task["ContainerDefinitions"][0]
    target = template.resources("ApplicationAutoScaling::ScalableTarget")["ScalableTarget"]
    assert [task["Cpu"], task["Memory"], task["RuntimePlatform"]["CpuArchitecture"]] == ["1024", "4096", "X86_64"]
    assert [container["Image"], container["StopTimeout"], container["ReadonlyRootFilesystem"]] == ["image:1", 30, True]
    assert [target["MinCapacity"], target["MaxCapacity"], target["ResourceId"]] == [
        2,
        7,
        "service/Cluster/Service.Name",
    ]
    allowed = resolve(make(config)).allowed()
    (queue,) = (arn for arn in allowed if arn.endswith(":q"))
    allowed[queue].remove("sqs:SendMessage")
    assert template.allowed("TaskRole") == allowed
    assert [each["Sid"] for each in _statements(template)] == ["Log"]


@pytest.mark.parametrize(("cpu", "memory", "more"), [(1024, 2048, None), (2048, 4096, ["--processes", "2"])])
def test_a_process_for_each_core(make: Any, resolve: Any, cpu: Any, memory: Any, more: Any) -> None:
    """The command is that of the image, unless there is more than one core."""
    template = resolve(make(f"worker: {{cpu: {cpu}, memory: {memory}}}\n{FLOW}", worker=True))

    command = template.resources("ECS::TaskDefinition")["TaskDefinition"]["ContainerDefinitions"][0].get("Command")
    assert command == (more and [*worker_command("/srv/router/routes.yaml", "0.0.0.0:9090"), *more])


def test_an_image_in_ecr(make: Any, resolve: Any) -> None:
    """Then the one that starts tasks may fetch it, and no other."""
    template = resolve(make(FLOW, worker=True), ImageRepository="arn:of:repository")

    assert [(each["Sid"], each["Resource"]) for each in _statements(template)] == [
        ("Log", ["arn-of:LogGroup"]),
        ("LogIn", ["*"]),
        ("Pull", ["arn:of:repository"]),
    ]


def _statements(template: Any) -> Any:
    role = template.resources("IAM::Role")["ExecutionRole"]
    return role["Policies"][0]["PolicyDocument"]["Statement"]


def test_how_tasks_scale(make: Any, resolve: Any) -> None:
    """By the messages of a queue for each task that runs, for each queue."""
    template = resolve(make(FLOW, worker=True))

    (policy,) = template.resources("ApplicationAutoScaling::ScalingPolicy").values()
    tracked = policy["TargetTrackingScalingPolicyConfiguration"]
    metrics = tracked["CustomizedMetricSpecification"]["Metrics"]
    assert (policy["PolicyName"], tracked["TargetValue"]) == ("flows-q", 1000)
    assert [each["MetricStat"]["Metric"] for each in metrics[:2]] == [
        {
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": "q"}],
        },
        {
            "Namespace": "ECS/ContainerInsights",
            "MetricName": "RunningTaskCount",
            "Dimensions": [{"Name": "ClusterName", "Value": "flows"}, {"Name": "ServiceName", "Value": "flows"}],
        },
    ]
    assert metrics[2]["Expression"] == "visible / IF(tasks < 1, 1, tasks)"


def test_the_queues_of_a_worker(make: Any, resolve: Any) -> None:
    """It renews what it works on, so that what a killed one had comes back after a minute."""
    template = resolve(make(FLOW, worker=True))

    assert template.resources("SQS::Queue")["QueueQ"]["VisibilityTimeout"] == 60


@pytest.mark.parametrize(
    ("worker", "titles", "outcomes"),
    [
        (
            False,
            ["invocations", "errors, configuration errors and throttles", "duration, ms", "concurrency"],
            "written duplicate stale dropped rejected retry configuration_errors postponed",
        ),
        (
            True,
            ["tasks", "processor, %", "memory, %", "restarts and configuration errors"],
            "written duplicate stale dropped rejected retry configuration_errors",
        ),
    ],
)
def test_the_dashboard(make: Any, resolve: Any, worker: Any, titles: Any, outcomes: Any) -> None:
    """A row for what runs, and a row for each queue."""
    template = resolve(make(FLOW, worker=worker))

    widgets = template.widgets()
    assert [each["properties"]["title"] for each in widgets] == [
        *titles,
        "q: waiting",
        "q: outcomes",
        "q: dead letters",
        "q: tables",
    ]
    assert {(each["width"], each["properties"]["region"]) for each in widgets} == {(6, "eu-west-1")}
    names = [line[1] for line in widgets[5]["properties"]["metrics"]]
    assert [word in name for word, name in zip(outcomes.split(), names, strict=True)] == [True] * len(names)


def test_a_worker_that_counts_for_prometheus(make: Any, resolve: Any) -> None:
    """Tasks count in CloudWatch, unless the config sets the variable: the dashboard then has what SQS counts."""
    found = []
    for settings in ("", "worker: {environment: {ROUTER_METRICS: prometheus}}\n"):
        template = resolve(make(f"telemetry: {{metrics: route}}\n{settings}{FLOW}", worker=True))
        (container,) = template.resources("ECS::TaskDefinition")["TaskDefinition"]["ContainerDefinitions"]
        variables = {each["Name"]: each["Value"] for each in container["Environment"]}
        names = [line[1] for line in template.widgets()[5]["properties"]["metrics"]]
        found.append((variables["ROUTER_METRICS"], len(template.widgets()), names[0]))

    assert found == [
        ("cloudwatch", 10, "router_messages_written_total"),
        ("prometheus", 8, "NumberOfMessagesSent"),
    ]


@pytest.mark.parametrize("worker", [False, True])
def test_the_service_of_metrics(make: Any, resolve: Any, worker: Any) -> None:
    """Metrics have the stack's name as their service, so that stages do not share them, unless the config names one."""
    section = "worker" if worker else "function"
    own = resolve(
        make(f"{section}: {{environment: {{ROUTER_SERVICE: '${{STAGE:-dev}}-orders'}}}}\n{FLOW}", worker=worker)
    )
    default = resolve(make(FLOW, worker=worker))

    found = []
    for template in (default, own):
        alarm = template.resources("CloudWatch::Alarm")["ConfigurationAlarm"]
        (line,) = [
            line
            for widget in template.widgets()[:4]
            for line in widget["properties"]["metrics"]
            if line[1] == "router_configuration_errors_total"
        ]
        found.append((alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"], line[:4]))
    assert found == [
        (
            "MessageRouter",
            "router_configuration_errors_total",
            [{"Name": "service", "Value": service}],
            ["MessageRouter", "router_configuration_errors_total", "service", service],
        )
        for service in ("flows", "dev-orders")
    ]


def test_configuration_errors_of_a_worker(make: Any, resolve: Any) -> None:
    """CloudWatch counts those of all queues from the log, wherever the worker's own metrics go."""
    template = resolve(make(FLOW, worker=True))

    (found,) = template.resources("Logs::MetricFilter").values()
    task = template.resources("ECS::TaskDefinition")["TaskDefinition"]
    assert (found, task["ContainerDefinitions"][0]["Environment"]) == (
        {
            "LogGroupName": "LogGroup",
            "FilterPattern": "{ $.configuration_errors > 0 }",
            "MetricTransformations": [
                {
                    "MetricNamespace": "MessageRouter",
                    "MetricName": "router_configuration_errors_total",
                    "MetricValue": "$.configuration_errors",
                    "Unit": "Count",
                    "Dimensions": [{"Key": "service", "Value": "$.service"}],
                }
            ],
        },
        [{"Name": "ROUTER_METRICS", "Value": "cloudwatch"}, {"Name": "ROUTER_SERVICE", "Value": "flows"}],
    )


def test_what_the_dashboard_calls_a_queue(make: Any, resolve: Any) -> None:
    """Its name in AWS where AWS counts, and its name in the config where the function does."""
    config = FLOW.replace("q: {dead", "q: {name: '${STAGE:-dev}-q', dead")

    shown = resolve(make(config)).widgets()

    assert [shown[place]["properties"]["metrics"][0][-2] for place in (4, 5)] == ["dev-q", "q"]


def test_a_queue_without_settings_is_called_by_its_name(make: Any, resolve: Any) -> None:
    """Whatever variables are in that."""
    config = FLOW.replace(LETTERS, "").replace("queue: q", "queue: '${STAGE:-dev}-q'")

    shown = resolve(make(config), VariableStage="prod").widgets()

    assert [shown[place]["properties"]["metrics"][0][-2] for place in (4, 5)] == ["prod-q", "prod-q"]


def test_a_row_without_dead_letters(make: Any, resolve: Any) -> None:
    """Where there is no queue for them, the row says so."""
    shown = resolve(make(FLOW.replace("q: {dead_letter: letters}", "q: {managed: false}"))).widgets()

    assert shown[6]["properties"] == {"markdown": "**q**: the config has no dead-letter queue"}


FAR = FLOW.replace("q: {dead_letter: letters}", "q: {name: 'arn:aws:sqs:eu-west-1:ACCOUNT:far', dead_letter: letters}")


@pytest.mark.parametrize("account", ["210987654321", "${ELSEWHERE:-210987654321}"])
@pytest.mark.parametrize(
    ("worker", "settings"),
    [(False, ""), (True, ""), (True, "worker: {environment: {ROUTER_METRICS: prometheus}}\n")],
)
def test_a_queue_of_another_account(make: Any, resolve: Any, account: str, worker: bool, settings: str) -> None:
    """CloudWatch has its metrics there only: no alarm waits for them, nothing scales by them, and its row says so."""
    template = resolve(make(settings + FAR.replace("ACCOUNT", account), worker=worker))

    found = template.resources("CloudWatch::Alarm")
    of_queues = ("Age", "Letters", "Retries", "Stalled", "InFlight", "Silent")
    alarms = [name for name in found if name.startswith(of_queues)]
    # The function counts retries in the account of the stack.
    assert [name[:12] for name in alarms[1:]] == ([] if worker else ["RetriesAlarm"])
    first, outcomes, letters, _ = template.widgets()[4:]
    words = "CloudWatch has the metrics of far in its account 210987654321 only"
    assert (alarms[0], list(template.resources("ApplicationAutoScaling::ScalingPolicy"))) == (
        "LettersAlarmLetters",
        [],
    )
    assert (first["properties"], letters["type"]) == ({"markdown": f"**q: waiting**: {words}"}, "metric")
    assert outcomes["properties"].get("markdown") == (f"**q: outcomes**: {words}" if settings else None)


@pytest.mark.parametrize("account", ["123456789012", "${ELSEWHERE:-123456789012}"])
def test_a_queue_that_is_named_with_the_account_of_the_stack(make: Any, resolve: Any, account: str) -> None:
    """It is like any other."""
    template = resolve(make(FAR.replace("ACCOUNT", account)))

    ages = [name for name in template.resources("CloudWatch::Alarm") if name.startswith("Age")]
    assert (len(ages), template.widgets()[4]["properties"]["title"]) == (1, "q: waiting")


def test_routes_that_share_a_queue(make: Any, resolve: Any) -> None:
    """They have one row, so that a template with many routes of few queues is small."""
    routes = ", ".join(f"r{number}: {{queue: q, table: things, when: \"a == '{number}'\"}}" for number in range(150))

    widgets = resolve(make(FLOW.replace("r: {queue: q, table: things}", routes))).widgets()

    assert [each["properties"]["title"] for each in widgets[4:]] == [
        f"q: {what}" for what in ("waiting", "outcomes", "dead letters", "tables")
    ]
    assert [line[-1]["label"] for line in widgets[-1]["properties"]["metrics"]] == [
        "things: units",
        "things: throttled",
    ]


def test_routes_are_lines(make: Any, resolve: Any) -> None:
    """If they are measured, CloudWatch finds them, however many there are; those of a worker, too."""
    config = f"telemetry: {{metrics: route}}\n{FLOW}"

    widgets, others = (resolve(make(config, worker=worker)).widgets()[8:] for worker in (False, True))

    where = 'service="flows" queue="q" MetricName'
    names = "{MessageRouter,queue,route,service,table}"
    assert [(each["width"], each["properties"]["title"]) for each in widgets] == [
        (12, "q: routes, written"),
        (12, "q: routes, not written"),
    ]
    assert [[line[0] for line in each["properties"]["metrics"]] for each in widgets] == [
        [
            {
                "expression": f"SEARCH('{names} {where}=\"router_route_{kind}_total\"', 'Sum', 60)",
                "label": f"${{PROP('Dim.route')}} {kind}",
                "id": kind,
            }
            for kind in kinds
        ]
        for kinds in (("written",), ("retry", "rejected"))
    ]
    assert others == widgets

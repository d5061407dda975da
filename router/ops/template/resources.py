"""Queues, tables and the Lambda function as resources.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-eventsourcemapping.html
"""

from collections.abc import Callable

from router.check.rules.queues import receives_of
from router.config_types import parse_duration
from router.deliver.telemetry import SERVICE_VARIABLE
from router.errors import UsageError
from router.ops.template.expressions import (
    STACK,
    Expression,
    Json,
    attribute,
    is_given,
    ref,
    resource,
    sub,
    text_parameter,
    when,
)
from router.ops.template.plan import PlannedQueue, PlannedTable, StackPlan
from router.ops.template.policies import VERSION, Policies, attach, statements

MAX_SOURCES = 10
"""Queues that a redrive allow policy can list; for more, it has to allow all."""
_ROLES = ("HASH", "RANGE")
HANDLER = "router.lambda_handler.handler"
FUNCTION, ROLE, LOG_GROUP = "Function", "Role", "LogGroup"
CODE_BUCKET, CODE_KEY, CODE_VERSION = "CodeBucket", "CodeKey", "CodeVersion"
"""Parameters: where the package is that `router build` makes. Another key or version is another package."""
FUNCTION_PARAMETERS: Json = {
    CODE_BUCKET: text_parameter("The bucket that has the package which `router build` makes", MinLength=3),
    CODE_KEY: text_parameter("The key of the package in that bucket; a new package needs a new key", MinLength=1),
    CODE_VERSION: text_parameter("The version of that object, where the bucket keeps versions", Default=""),
}
FUNCTION_CONDITIONS: Json = {"HasCodeVersion": is_given(CODE_VERSION)}
MAX_ENVIRONMENT = 4096
"""Bytes of all names and values: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_DAY = 86_400


def stored_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the queues and tables that the stack creates."""
    queues = [each for each in plan.queues.values() if each.made]
    return {
        **{queue.id: _queue(queue, plan.dead_letter_queue_of(queue)) for queue in queues},
        **{table.id: _table(table) for table in plan.tables.values() if table.made},
    }


def _queue(queue: PlannedQueue, dead_letters: PlannedQueue | None) -> Json:
    properties: Json = {"QueueName": sub(queue.name)}
    if queue.fifo:
        properties["FifoQueue"] = True
    if queue.fifo and queue.name_in_config:
        # SQS accepts messages without a deduplication id.
        properties["ContentBasedDeduplication"] = True
    properties["MessageRetentionPeriod"] = queue.retention
    if queue.visibility:
        properties["VisibilityTimeout"] = queue.visibility
    if dead_letters:
        properties["RedrivePolicy"] = {
            "deadLetterTargetArn": dead_letters.arn_expression,
            "maxReceiveCount": receives_of(queue.settings),
        }
    if queue.sources:
        properties["RedriveAllowPolicy"] = _allowed(queue)
    properties |= {"KmsMasterKeyId": sub(queue.kms_key)} if queue.kms_key else {"SqsManagedSseEnabled": True}
    return resource("SQS::Queue", properties, "Delete")


def _allowed(queue: PlannedQueue) -> Json:
    # By name: references would make each queue depend on the other.
    sources = [sub(source) for source in queue.sources]
    if len(sources) > MAX_SOURCES:
        return {"redrivePermission": "allowAll"}
    return {"redrivePermission": "byQueue", "sourceQueueArns": sources}


def _table(table: PlannedTable) -> Json:
    key = table.settings.key
    properties: Json = {
        "TableName": sub(table.name),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
        "KeySchema": [
            {"AttributeName": name, "KeyType": role} for name, role in zip(key, _ROLES[: len(key)], strict=True)
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    if table.settings.ttl:
        properties["TimeToLiveSpecification"] = {"AttributeName": table.settings.ttl, "Enabled": True}
    if table.kms_key:
        properties["SSESpecification"] = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": sub(table.kms_key)}
    return resource("DynamoDB::Table", properties, "Retain")


def function_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the log, role, function and event source mappings; raises UsageError if they exceed a limit of AWS."""
    settings = plan.config.function
    policies = attach(statements(plan), place_in(plan), "Flows")
    plan.substitutions.require_lambda_names()
    properties: Json = {
        "FunctionName": ref("AWS::StackName"),
        "Description": "Routes messages from queues into tables",
        "Runtime": f"python{settings.python}",
        "Architectures": [settings.architecture],
        "Handler": HANDLER,
        "Code": {
            "S3Bucket": ref(CODE_BUCKET),
            "S3Key": ref(CODE_KEY),
            "S3ObjectVersion": when("HasCodeVersion", ref(CODE_VERSION)),
        },
        "MemorySize": settings.memory,
        "Timeout": parse_duration(settings.timeout),
        "Role": attribute(ROLE, "Arn"),
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(LOG_GROUP)},
        "Environment": {"Variables": {name: sub(text) for name, text in _lambda_environment(plan).items()}},
    }
    return {
        LOG_GROUP: log_group(f"/aws/lambda/{STACK}", settings.log_retention),
        **policies.resources,
        ROLE: role("lambda.amazonaws.com", policies, [log_statement()]),
        FUNCTION: resource("Lambda::Function", properties),
        **{f"Mapping{queue.id.removeprefix('Queue')}": _mapping(queue) for queue in plan.read},
    }


def environment(plan: StackPlan) -> dict[str, str]:
    """Return the environment variables of the function or worker as texts; raises UsageError.

    The service of metrics is the stack unless the config names one, so that stages in one account do not share metrics.
    """
    section = "worker" if plan.worker else "function"
    more = (plan.config.worker if plan.worker else plan.config.function).environment
    return {SERVICE_VARIABLE: STACK, **plan.substitutions.environment(more, section)}


def _lambda_environment(plan: StackPlan) -> dict[str, str]:
    """Return the environment variables as texts; raises UsageError for more bytes than Lambda accepts."""
    variables = environment(plan)
    size = sum(len(f"{name}{text}".encode()) for name, text in variables.items())
    if size > MAX_ENVIRONMENT:
        raise UsageError(
            f"the function's environment variables have {size:,} bytes, and Lambda accepts {MAX_ENVIRONMENT:,}; "
            "shorten function.environment, or let a plugin read a file"
        )
    return variables


def place_in(plan: StackPlan) -> Callable[[str], Expression]:
    """Return a function from an ARN, as a text, to an expression: a resource of the stack is referred to."""
    made = {each.arn: each.arn_expression for planned in (plan.queues, plan.tables) for each in planned.values()}
    return lambda arn: made.get(arn) or sub(arn)


def log_group(name: str, retention: str) -> Json:
    """Return a log group with a retention."""
    properties = {"LogGroupName": sub(name), "RetentionInDays": parse_duration(retention) // _DAY}
    return resource("Logs::LogGroup", properties, "Delete")


def log_statement() -> Json:
    """Return the statement for writing to the log; its ARN ends in `:*`, which means its streams."""
    return {
        "Sid": "Log",
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": [attribute(LOG_GROUP, "Arn")],
    }


def role(service: str, policies: Policies, more: list[Json]) -> Json:
    """Return a role that a service assumes, with policies, and a policy of more statements if there are any."""
    properties: Json = {
        "AssumeRolePolicyDocument": {
            "Version": VERSION,
            "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
        },
        **policies.properties,
    }
    if more:
        log = {"PolicyName": "Log", "PolicyDocument": {"Version": VERSION, "Statement": more}}
        properties["Policies"] = [*properties.get("Policies", ()), log]
    return resource("IAM::Role", properties)


def _mapping(queue: PlannedQueue) -> Json:
    maximum = queue.settings.lambda_.maximum_concurrency
    properties: Json = {
        "EventSourceArn": queue.arn_expression,
        "FunctionName": attribute(FUNCTION, "Arn"),
        "BatchSize": queue.batch_size,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    if queue.window:
        properties["MaximumBatchingWindowInSeconds"] = queue.window
    if isinstance(maximum, int):
        properties["ScalingConfig"] = {"MaximumConcurrency": maximum}
    return resource("Lambda::EventSourceMapping", properties)

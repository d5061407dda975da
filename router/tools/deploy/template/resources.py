"""Queues, tables and the Lambda function as resources.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-eventsourcemapping.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-applicationautoscaling-scalingpolicy.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.HowTo.SDK.html
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import yaml

from router.runtime.config import spec
from router.runtime.config_types import parse_duration
from router.runtime.deliver.telemetry import SERVICE_VARIABLE
from router.tools.check.analysis.index_keys import projection_of
from router.tools.check.rules.queues import receives_of
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.template import fill, load_part
from router.tools.deploy.template.access import access_resources
from router.tools.deploy.template.expressions import (
    STACK,
    Expression,
    Json,
    Resources,
    attribute,
    logical_id,
    ref,
    resource,
    sub,
)
from router.tools.deploy.template.plan import PlannedQueue, PlannedResource, PlannedTable, StackPlan
from router.tools.deploy.template.policies import Policies

MAX_SOURCES = 10
"""Queues that a redrive allow policy can list; for more, it has to allow all."""
OWNER_TAG = "owner"
_ROLES = ("HASH", "RANGE")
FUNCTION, LOG_GROUP = "Function", "LogGroup"
CODE_BUCKET, CODE_KEY, CODE_VERSION = "CodeBucket", "CodeKey", "CodeVersion"
"""Parameters of function.yaml."""
DAY = 86_400


def stored_resources(plan: StackPlan) -> Resources:
    """Return the queues and tables that the stack creates."""
    queues = [each for each in plan.queues.values() if each.made]
    return {
        **{queue.id: _queue(queue, plan.dead_letter_queue_of(queue)) for queue in queues},
        **access_resources(plan),
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
    if queue.kms_key:
        properties["KmsMasterKeyId"] = sub(queue.kms_key)
    else:
        properties["SqsManagedSseEnabled"] = True
    properties |= _tags(queue)
    return resource("SQS::Queue", properties, queue.settings.deletion_policy.title())


def _allowed(queue: PlannedQueue) -> Json:
    # By name: references would make each queue depend on the other.
    sources = [sub(source) for source in queue.sources]
    if len(sources) > MAX_SOURCES:
        return {"redrivePermission": "allowAll"}
    return {"redrivePermission": "byQueue", "sourceQueueArns": sources}


def _table(table: PlannedTable) -> Json:
    properties: Json = {
        "TableName": sub(table.name),
        **table_definition(table.settings),
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }
    if table.settings.ttl:
        properties["TimeToLiveSpecification"] = {
            "AttributeName": table.settings.ttl,
            "Enabled": True,
        }
    if table.kms_key:
        properties["SSESpecification"] = {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": sub(table.kms_key),
        }
    properties |= _tags(table)
    return resource("DynamoDB::Table", properties, "Retain")


def table_definition(settings: spec.TableSettings) -> Json:
    """Return the attributes, key, capacity and indexes of a table, as CreateTable takes them, too."""
    return {
        "AttributeDefinitions": _attribute_definitions(settings),
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for name, role in zip(settings.key, _ROLES, strict=False)
        ],
        **_billing(settings.capacity),
        **_indexes(settings),
    }


def _attribute_definitions(settings: spec.TableSettings) -> list[Json]:
    """Return the attributes of all keys with their types; DynamoDB takes no others."""
    types: dict[str, str] = dict(settings.key)
    for index in settings.indexes.values():
        types |= index.key
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def _indexes(settings: spec.TableSettings) -> Json:
    """Return the property with the indexes of a table; none if it has none."""
    indexes = [_index(settings, name, index) for name, index in settings.indexes.items()]
    return {"GlobalSecondaryIndexes": indexes} if indexes else {}


def _index(settings: spec.TableSettings, name: str, index: spec.TableIndex) -> Json:
    # Several attributes of a partition key or a sort key have the same role.
    roles = [(_ROLES[0], index.partition_key), (_ROLES[1], index.sort_key)]
    kind, listed = projection_of(settings, index)
    made: Json = {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": role}
            for role, part in roles
            for attribute, _ in part
        ],
        "Projection": {
            "ProjectionType": kind,
            **({"NonKeyAttributes": list(listed)} if listed else {}),
        },
    }
    if settings.capacity is not None:
        made["ProvisionedThroughput"] = _least_units(settings.capacity)
    return made


def _tags(planned: PlannedResource) -> Json:
    """Return the property with the tags, and a tag for the owner; none if there are none."""
    owner = {OWNER_TAG: planned.owner} if planned.owner else {}
    tags = [{"Key": name, "Value": sub(value)} for name, value in {**owner, **planned.tags}.items()]
    return {"Tags": tags} if tags else {}


def _billing(capacity: spec.Capacity | None) -> Json:
    """Return the properties of a table for its capacity; scaling begins at the least units."""
    if capacity is None:
        return {"BillingMode": "PAY_PER_REQUEST"}
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": _least_units(capacity)}


def _least_units(capacity: spec.Capacity) -> Json:
    return {f"{what}CapacityUnits": range_.min for what, range_ in _ranges(capacity).items()}


def scaling_resources(table: PlannedTable) -> Iterator[tuple[str, Json]]:
    """Yield what scales the capacity of a table and of its indexes, each as the table.

    The role for it is one that AWS makes: the router's own needs no permission.
    """
    if table.settings.capacity is None:
        return
    end = table.id.removeprefix("Table")
    yield from _scaling(table, table.settings.capacity, end, "table")
    for name in table.settings.indexes:
        of_index = f"{end}{logical_id('Index', name)}"
        yield from _scaling(table, table.settings.capacity, of_index, "index", "index", name)


def _scaling(
    table: PlannedTable, capacity: spec.Capacity, end: str, kind: str, *place: str
) -> Iterator[tuple[str, Json]]:
    for what, range_ in _ranges(capacity).items():
        if range_.most == range_.min:
            continue
        target: Json = {
            "ServiceNamespace": "dynamodb",
            "ScalableDimension": f"dynamodb:{kind}:{what}CapacityUnits",
            "ResourceId": {"Fn::Join": ["/", ["table", ref(table.id), *place]]},
            "MinCapacity": range_.min,
            "MaxCapacity": range_.most,
        }
        yield f"{what}Units{end}", resource("ApplicationAutoScaling::ScalableTarget", target)
        metric = f"DynamoDB{what}CapacityUtilization"
        policy: Json = {
            "PolicyName": metric,
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": ref(f"{what}Units{end}"),
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": range_.target,
                "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            },
        }
        yield f"{what}Scaling{end}", resource("ApplicationAutoScaling::ScalingPolicy", policy)


def _ranges(capacity: spec.Capacity) -> Mapping[str, spec.CapacityRange]:
    return {"Read": capacity.read, "Write": capacity.write}


def function_part(plan: StackPlan, policies: Policies) -> Json:
    """Return the part of the template for the log, role, function and mappings; raises UsageError (a limit of AWS)."""
    settings = plan.config.function
    plan.substitutions.require_lambda_names()
    part = load_part(
        "function.yaml",
        python=settings.python,
        architecture=settings.architecture,
        memory=settings.memory,
        timeout=parse_duration(settings.timeout),
        log_days=parse_duration(settings.log_retention) // DAY,
    )
    resources = part["Resources"]
    # The function gets its new code when it has the new permissions.
    resources[FUNCTION]["DependsOn"] = list(policies.resources)
    function = resources[FUNCTION]["Properties"]
    function["Environment"] = {
        "Variables": {name: sub(text) for name, text in environment(plan).items()}
    }
    if settings.reserved_concurrency is not None:
        function["ReservedConcurrentExecutions"] = settings.reserved_concurrency
    if settings.vpc is not None:
        function["VpcConfig"] = {
            "SubnetIds": _texts(plan, "subnets", settings.vpc.subnets),
            "SecurityGroupIds": _texts(plan, "security_groups", settings.vpc.security_groups),
        }
        role = resources["Role"]["Properties"]
        role["Policies"] += yaml.safe_load(fill("network.yaml"))
    mappings = {
        QueuePart.MAPPING.of(queue.id): _mapping(queue, policies.of(queue.routes))
        for queue in plan.read
    }
    resources |= {**policies.resources, **mappings}
    return part


def _texts(plan: StackPlan, name: str, values: Sequence[str]) -> list[Expression]:
    """Return the values of a setting of the function's network."""
    return [
        sub(plan.substitutions.at(("function", "vpc", name, index), value))
        for index, value in enumerate(values)
    ]


def environment(plan: StackPlan) -> dict[str, str]:
    """Return the environment variables of the function or worker as texts; raises UsageError.

    The service of metrics is the stack unless the config names one, so that stages in one account do not share metrics.
    """
    more = getattr(plan.config, plan.section).environment
    return {SERVICE_VARIABLE: STACK, **plan.substitutions.environment(more, plan.section)}


def place_in(plan: StackPlan) -> Callable[[str], Expression]:
    """Return a function from an ARN, as a text, to an expression: a resource of the stack is referred to."""
    planned = (*plan.queues.values(), *plan.tables.values())
    made = {each.arn: each.arn_expression for each in planned}
    return lambda arn: made.get(arn) or sub(arn)


def _mapping(queue: PlannedQueue, policies: Sequence[str]) -> Json:
    # A mapping is deleted before the policies that it depends on.
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
    if pollers := queue.settings.lambda_.pollers:
        properties["ProvisionedPollerConfig"] = {
            "MinimumPollers": pollers.min,
            "MaximumPollers": pollers.max,
        }
    return resource("Lambda::EventSourceMapping", properties) | {"DependsOn": list(policies)}

"""Queues and tables as resources; tables are kept when the stack is deleted or when they leave it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-dynamodb-table.html
"""

from router.ops.template.expressions import Json, sub
from router.ops.template.plan import PlannedQueue, PlannedTable, StackPlan

MAX_SOURCES = 10
"""Queues that a redrive allow policy can list; for more, it has to allow all."""


def queue_resources(plan: StackPlan) -> dict[str, Json]:
    """Returns the queues that the stack creates."""
    return {queue.id: _queue(queue, plan.dead_letter_queue_of(queue)) for queue in plan.queues.values() if queue.made}


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
            "maxReceiveCount": queue.max_receive_count,
        }
    if queue.sources:
        properties["RedriveAllowPolicy"] = _allowed(queue)
    properties |= {"KmsMasterKeyId": sub(queue.kms_key)} if queue.kms_key else {"SqsManagedSseEnabled": True}
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }


def _allowed(queue: PlannedQueue) -> Json:
    # By name: references would make each queue depend on the other.
    sources = [sub(source) for source in queue.sources]
    if len(sources) > MAX_SOURCES:
        return {"redrivePermission": "allowAll"}
    return {"redrivePermission": "byQueue", "sourceQueueArns": sources}


_ROLES = ("HASH", "RANGE")


def table_resources(plan: StackPlan) -> dict[str, Json]:
    """Returns the tables that the stack creates."""
    return {table.id: _table(table) for table in plan.tables.values() if table.made}


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
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }

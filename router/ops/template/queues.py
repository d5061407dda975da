"""Queues as resources, each with its dead-letter queue.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-sqs-queue.html
"""

from router.ops.template.expressions import Json, sub
from router.ops.template.plan import Plan, Queue

MAX_SOURCES = 10
"""Queues that a redrive allow policy may name; for more than that it has to allow all."""


def queue_resources(plan: Plan) -> dict[str, Json]:
    """The queues that are made."""
    return {queue.id: _queue(queue, plan.letters_of(queue)) for queue in plan.queues.values() if queue.made}


def _queue(queue: Queue, letters: Queue | None) -> Json:
    properties: Json = {"QueueName": sub(queue.name)}
    if queue.fifo:
        properties["FifoQueue"] = True
    if queue.fifo and queue.name_in_config:
        # Who sends without a deduplication id is not turned away.
        properties["ContentBasedDeduplication"] = True
    properties["MessageRetentionPeriod"] = queue.retention
    if queue.visibility:
        properties["VisibilityTimeout"] = queue.visibility
    if letters:
        properties["RedrivePolicy"] = {"deadLetterTargetArn": letters.place, "maxReceiveCount": queue.max_receive_count}
    if queue.sources:
        properties["RedriveAllowPolicy"] = _allowed(queue)
    properties |= {"KmsMasterKeyId": sub(queue.kms_key)} if queue.kms_key else {"SqsManagedSseEnabled": True}
    return {
        "Type": "AWS::SQS::Queue",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Delete",
        "Properties": properties,
    }


def _allowed(queue: Queue) -> Json:
    # By name: each would have to be made before the other otherwise.
    sources = [sub(source) for source in queue.sources]
    if len(sources) > MAX_SOURCES:
        return {"redrivePermission": "allowAll"}
    return {"redrivePermission": "byQueue", "sourceQueueArns": sources}

"""Event source mappings as resources, one for each queue that routes read.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-eventsourcemapping.html
"""

from router.ops.template.expressions import Json, attribute
from router.ops.template.function import FUNCTION
from router.ops.template.plan import Plan, Queue


def mapping_resources(plan: Plan) -> dict[str, Json]:
    """The mappings; each reports which messages failed."""
    return {f"Mapping{queue.id.removeprefix('Queue')}": _mapping(queue) for queue in plan.read}


def _mapping(queue: Queue) -> Json:
    batching = queue.batching
    properties: Json = {
        "EventSourceArn": queue.place,
        "FunctionName": attribute(FUNCTION, "Arn"),
        "BatchSize": batching.size,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    if batching.window:
        properties["MaximumBatchingWindowInSeconds"] = batching.window
    if batching.maximum:
        properties["ScalingConfig"] = {"MaximumConcurrency": batching.maximum}
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}

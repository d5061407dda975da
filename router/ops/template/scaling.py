"""How many tasks the worker's service has: as many as the backlog of its queues asks for.

Target tracking with metric math:
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
"""

from router.errors import UsageError
from router.ops.template.expressions import STACK, Json, attribute, ref, sub
from router.ops.template.plan import Plan, Queue

TARGET = "ScalableTarget"
MAX_POLICIES = 50
"""Policies of a service: https://docs.aws.amazon.com/autoscaling/application/userguide/quotas.html"""
_OUT_SECONDS, _IN_SECONDS = 60, 300


def scaling_resources(plan: Plan, cluster: str, service: str) -> dict[str, Json]:
    """A policy for each queue; the service has as many tasks as the one that asks for most.

    Raises UsageError for more queues than a service can have policies.
    """
    if len(plan.read) > MAX_POLICIES:
        raise UsageError(
            f"a service scales on {MAX_POLICIES} queues at most, and these are {len(plan.read)}; "
            "make two configs of this one, and a stack of each"
        )
    settings = plan.config.worker
    target: Json = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ServiceNamespace": "ecs",
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": {"Fn::Join": ["/", ["service", ref(cluster), attribute(service, "Name")]]},
            "MinCapacity": settings.min_tasks,
            "MaxCapacity": settings.max_tasks,
        },
    }
    policies = {f"Scaling{queue.id.removeprefix('Queue')}": _policy(plan, queue) for queue in plan.read}
    return {TARGET: target, **policies}


def _policy(plan: Plan, queue: Queue) -> Json:
    tracked = {
        "TargetValue": plan.config.worker.backlog_per_task,
        "ScaleOutCooldown": _OUT_SECONDS,
        "ScaleInCooldown": _IN_SECONDS,
        "CustomizedMetricSpecification": {"Metrics": _backlog_per_task(queue)},
    }
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": sub(f"{STACK}-{queue.name}"),
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": ref(TARGET),
            "TargetTrackingScalingPolicyConfiguration": tracked,
        },
    }


def _backlog_per_task(queue: Queue) -> list[Json]:
    visible = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.name})
    tasks = _metric("ECS/ContainerInsights", "RunningTaskCount", {"ClusterName": STACK, "ServiceName": STACK})
    return [
        {"Id": "visible", "Label": "visible messages", "ReturnData": False, "MetricStat": visible},
        {"Id": "tasks", "Label": "running tasks", "ReturnData": False, "MetricStat": tasks},
        # Before the first task runs, there is none to divide by.
        {
            "Id": "backlog",
            "Label": "messages for each task",
            "Expression": "visible / IF(tasks < 1, 1, tasks)",
            "ReturnData": True,
        },
    ]


def _metric(namespace: str, name: str, dimensions: dict[str, str]) -> Json:
    return {
        "Metric": {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": key, "Value": sub(value)} for key, value in dimensions.items()],
        },
        "Stat": "Average",
    }

"""The worker as resources: an ECS service on Fargate that scales with the backlog, its roles and its log.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_ECS.html
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
"""

import yaml

from router.config_types import parse_duration
from router.deliver.telemetry import CONFIGURATION_ERRORS, NAMESPACE, SERVICE
from router.errors import UsageError
from router.ops.template import fill
from router.ops.template.expressions import STACK, Json, ref, resource, sub
from router.ops.template.plan import PlannedQueue, StackPlan
from router.ops.template.policies import attach, statements
from router.ops.template.resources import DAY, environment, place_in
from router.ops.template.worker_files import CONSTANTS, PLACE, PORT, worker_command

_CORE = 1024
_MACHINES = {"arm64": "ARM64", "x86_64": "X86_64"}
MAX_POLICIES = 50
"""Policies of a service: https://docs.aws.amazon.com/autoscaling/application/userguide/quotas.html"""
_OUT_SECONDS, _IN_SECONDS = 60, 300


def worker_part(plan: StackPlan) -> Json:
    """Return the part of the template for the log, the roles, the cluster, the service and its scaling."""
    settings = plan.config.worker
    part: Json = yaml.safe_load(
        fill(
            "worker.yaml",
            **CONSTANTS,
            architecture=_MACHINES[settings.architecture],
            cpu=settings.cpu,
            memory=settings.memory,
            log_days=parse_duration(settings.log_retention) // DAY,
            min_tasks=settings.min_tasks,
            max_tasks=settings.max_tasks,
            namespace=NAMESPACE,
            configuration_errors=CONFIGURATION_ERRORS,
            service=SERVICE,
        )
    )
    resources = part["Resources"]
    policies = attach(statements(plan), place_in(plan), "Flows")
    resources["TaskRole"]["Properties"] |= policies.properties
    (container,) = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    container["Environment"] = [{"Name": name, "Value": sub(text)} for name, text in environment(plan).items()]
    container |= _command(plan)
    resources |= {**policies.resources, **_scaling_policies(plan)}
    return part


def _command(plan: StackPlan) -> Json:
    """Return the command, with a process for each core, if there are several; else that of the image applies."""
    processes = plan.config.worker.cpu // _CORE
    if processes <= 1:
        return {}
    command = worker_command(f"{PLACE}/{plan.substitutions.file}", f"0.0.0.0:{PORT}")
    return {"Command": [*command, "--processes", str(processes)]}


def _scaling_policies(plan: StackPlan) -> dict[str, Json]:
    """Return a scaling policy for each queue; the service has the largest number of tasks of all policies.

    Raises UsageError for more queues than a service can have policies.
    """
    if len(plan.read) > MAX_POLICIES:
        raise UsageError(
            f"a service can scale on {MAX_POLICIES} queues, and the config has {len(plan.read)}; "
            "split the config, and deploy a stack for each part"
        )
    return {f"Scaling{queue.id.removeprefix('Queue')}": _policy(plan, queue) for queue in plan.read}


def _policy(plan: StackPlan, queue: PlannedQueue) -> Json:
    tracked = {
        "TargetValue": plan.config.worker.backlog_per_task,
        "ScaleOutCooldown": _OUT_SECONDS,
        "ScaleInCooldown": _IN_SECONDS,
        "CustomizedMetricSpecification": {"Metrics": _backlog_per_task(queue)},
    }
    properties: Json = {
        "PolicyName": sub(f"{STACK}-{queue.name}"),
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": ref("ScalableTarget"),
        "TargetTrackingScalingPolicyConfiguration": tracked,
    }
    return resource("ApplicationAutoScaling::ScalingPolicy", properties)


def _backlog_per_task(queue: PlannedQueue) -> list[Json]:
    visible = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.name})
    tasks = _metric("ECS/ContainerInsights", "RunningTaskCount", {"ClusterName": STACK, "ServiceName": STACK})
    return [
        {"Id": "visible", "Label": "visible messages", "ReturnData": False, "MetricStat": visible},
        {"Id": "tasks", "Label": "running tasks", "ReturnData": False, "MetricStat": tasks},
        # Avoids a division by zero before the first task runs.
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

"""The worker as resources: an ECS service on Fargate that scales with the backlog, its roles and its log.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_ECS.html
https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
"""

from router.errors import UsageError
from router.ops.template.expressions import (
    REGION,
    STACK,
    Json,
    attribute,
    is_given,
    ref,
    resource,
    sub,
    text_parameter,
    when,
)
from router.ops.template.plan import PlannedQueue, StackPlan
from router.ops.template.policies import Policies, attach, statements
from router.ops.template.resources import LOG_GROUP, environment, log_group, log_statement, place_in, role
from router.ops.template.worker_files import (
    HEALTH_COMMAND,
    HEALTH_RETRIES,
    HEALTH_SECONDS,
    HEALTH_START,
    HEALTH_TIMEOUT,
    PLACE,
    PORT,
    STOP_SECONDS,
    worker_command,
)

CLUSTER, SERVICE, TASK, TASK_ROLE, EXECUTION_ROLE = "Cluster", "Service", "TaskDefinition", "TaskRole", "ExecutionRole"
IMAGE, REPOSITORY, SUBNETS, GROUPS, PUBLIC = "Image", "ImageRepository", "Subnets", "SecurityGroups", "AssignPublicIp"
_HAS_REPOSITORY = "HasImageRepository"
WORKER_PARAMETERS: Json = {
    IMAGE: text_parameter("The image of the worker, with its tag or digest", MinLength=1),
    REPOSITORY: text_parameter("The ARN of the repository in ECR that has the image, if it is there", Default=""),
    SUBNETS: {"Type": "List<AWS::EC2::Subnet::Id>", "Description": "The subnets that tasks are in"},
    GROUPS: {"Type": "List<AWS::EC2::SecurityGroup::Id>", "Description": "The security groups of tasks"},
    PUBLIC: text_parameter(
        "ENABLED in subnets without a NAT gateway or endpoints, where AWS is not reached otherwise",
        Default="DISABLED",
        AllowedValues=["DISABLED", "ENABLED"],
    ),
}
WORKER_CONDITIONS: Json = {_HAS_REPOSITORY: is_given(REPOSITORY)}
_CONTAINER = "worker"
_FARGATE_TASKS = "ecs-tasks.amazonaws.com"
_CORE = 1024
_MACHINES = {"arm64": "ARM64", "x86_64": "X86_64"}
# Container Insights counts the running tasks, which the scaling needs.
_INSIGHTS: Json = {"Name": "containerInsights", "Value": "enabled"}
# An action that has no resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
_LOG_IN: Json = {"Sid": "LogIn", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]}
_PULL: Json = {
    "Sid": "Pull",
    "Effect": "Allow",
    "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    "Resource": [ref(REPOSITORY)],
}
TARGET = "ScalableTarget"
MAX_POLICIES = 50
"""Policies of a service: https://docs.aws.amazon.com/autoscaling/application/userguide/quotas.html"""
_OUT_SECONDS, _IN_SECONDS = 60, 300
# The scaling sets the number of tasks, so the template does not.
_SERVICE: Json = {
    "ServiceName": ref("AWS::StackName"),
    "Cluster": ref(CLUSTER),
    "TaskDefinition": ref(TASK),
    "LaunchType": "FARGATE",
    "PropagateTags": "SERVICE",
    "DeploymentConfiguration": {
        "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        "MinimumHealthyPercent": 100,
        "MaximumPercent": 200,
    },
    "NetworkConfiguration": {
        "AwsvpcConfiguration": {
            "Subnets": ref(SUBNETS),
            "SecurityGroups": ref(GROUPS),
            "AssignPublicIp": ref(PUBLIC),
        }
    },
}


def worker_resources(plan: StackPlan) -> dict[str, Json]:
    """Return the log, the roles, the cluster, the service and its scaling."""
    policies = attach(statements(plan), place_in(plan), "Flows")
    pull = [when(_HAS_REPOSITORY, statement) for statement in (_LOG_IN, _PULL)]
    cluster: Json = {"ClusterName": ref("AWS::StackName"), "ClusterSettings": [_INSIGHTS]}
    return {
        LOG_GROUP: log_group(f"/ecs/{STACK}", plan.config.worker.log_retention),
        **policies.resources,
        TASK_ROLE: role(_FARGATE_TASKS, policies, []),
        EXECUTION_ROLE: role(_FARGATE_TASKS, Policies({}, {}), [log_statement(), *pull]),
        CLUSTER: resource("ECS::Cluster", cluster),
        TASK: resource("ECS::TaskDefinition", _task(plan)),
        SERVICE: resource("ECS::Service", _SERVICE),
        **_scaling(plan),
    }


def _task(plan: StackPlan) -> Json:
    settings = plan.config.worker
    return {
        "Family": ref("AWS::StackName"),
        "RequiresCompatibilities": ["FARGATE"],
        "NetworkMode": "awsvpc",
        "RuntimePlatform": {"CpuArchitecture": _MACHINES[settings.architecture], "OperatingSystemFamily": "LINUX"},
        "Cpu": str(settings.cpu),
        "Memory": str(settings.memory),
        "TaskRoleArn": attribute(TASK_ROLE, "Arn"),
        "ExecutionRoleArn": attribute(EXECUTION_ROLE, "Arn"),
        "ContainerDefinitions": [{**_container(plan), **_command(plan)}],
    }


def _container(plan: StackPlan) -> Json:
    return {
        "Name": _CONTAINER,
        "Image": ref(IMAGE),
        "Essential": True,
        "Environment": [{"Name": name, "Value": sub(text)} for name, text in environment(plan).items()],
        "HealthCheck": {
            "Command": ["CMD", *HEALTH_COMMAND],
            "Interval": HEALTH_SECONDS,
            "Timeout": HEALTH_TIMEOUT,
            "Retries": HEALTH_RETRIES,
            "StartPeriod": HEALTH_START,
        },
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": ref(LOG_GROUP),
                "awslogs-region": sub(REGION),
                "awslogs-stream-prefix": _CONTAINER,
            },
        },
        "PortMappings": [{"ContainerPort": PORT, "Protocol": "tcp"}],
        "ReadonlyRootFilesystem": True,
        "StopTimeout": STOP_SECONDS,
    }


def _command(plan: StackPlan) -> Json:
    """Return the command, with a process for each core, if there are several; else that of the image applies."""
    processes = plan.config.worker.cpu // _CORE
    if processes <= 1:
        return {}
    command = worker_command(f"{PLACE}/{plan.substitutions.file}", f"0.0.0.0:{PORT}")
    return {"Command": [*command, "--processes", str(processes)]}


def _scaling(plan: StackPlan) -> dict[str, Json]:
    """Return a scaling policy for each queue; the service has the largest number of tasks of all policies.

    Raises UsageError for more queues than a service can have policies.
    """
    if len(plan.read) > MAX_POLICIES:
        raise UsageError(
            f"a service can scale on {MAX_POLICIES} queues, and the config has {len(plan.read)}; "
            "split the config, and deploy a stack for each part"
        )
    settings = plan.config.worker
    target: Json = {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": {"Fn::Join": ["/", ["service", ref(CLUSTER), attribute(SERVICE, "Name")]]},
        "MinCapacity": settings.min_tasks,
        "MaxCapacity": settings.max_tasks,
    }
    policies = {f"Scaling{queue.id.removeprefix('Queue')}": _policy(plan, queue) for queue in plan.read}
    return {TARGET: resource("ApplicationAutoScaling::ScalableTarget", target), **policies}


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
        "ScalingTargetId": ref(TARGET),
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

"""The worker as resources: a service of ECS on Fargate, with its roles and its log.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_ECS.html
"""

from router.ops.template.container import (
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
from router.ops.template.expressions import (
    REGION,
    STACK,
    Json,
    attribute,
    is_given,
    ref,
    sub,
    text_parameter,
    when,
)
from router.ops.template.function import LOG_GROUP, log_group, log_statement, place_in, role
from router.ops.template.permissions import statements
from router.ops.template.plan import Plan
from router.ops.template.policies import Policies, attach
from router.ops.template.scaling import scaling_resources

CLUSTER, SERVICE, TASK, TASK_ROLE, EXECUTION_ROLE = "Cluster", "Service", "TaskDefinition", "TaskRole", "ExecutionRole"
IMAGE, REPOSITORY, SUBNETS, GROUPS, PUBLIC = "Image", "ImageRepository", "Subnets", "SecurityGroups", "AssignPublicIp"
_HAS_REPOSITORY = "HasImageRepository"
_CONTAINER = "worker"
_TASKS = "ecs-tasks.amazonaws.com"
_CORE = 1024
_MACHINES = {"arm64": "ARM64", "x86_64": "X86_64"}


def worker_parameters() -> dict[str, Json]:
    """The image, and the network that tasks are in."""
    return {
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


def worker_conditions() -> dict[str, Json]:
    """Whether the image is in ECR."""
    return {_HAS_REPOSITORY: is_given(REPOSITORY)}


def worker_resources(plan: Plan) -> dict[str, Json]:
    """The log, the roles, the cluster, the service, and what scales it."""
    policies = attach(statements(plan), place_in(plan), "Flows")
    cluster: Json = {"ClusterName": ref("AWS::StackName"), "ClusterSettings": [_INSIGHTS]}
    return {
        LOG_GROUP: log_group(f"/ecs/{STACK}", plan.config.worker.log_retention),
        **policies.resources,
        TASK_ROLE: role(_TASKS, policies, []),
        EXECUTION_ROLE: role(_TASKS, Policies({}, {}), [log_statement(), when(_HAS_REPOSITORY, _LOG_IN), _pull()]),
        CLUSTER: {"Type": "AWS::ECS::Cluster", "Properties": cluster},
        TASK: {"Type": "AWS::ECS::TaskDefinition", "Properties": _task(plan)},
        SERVICE: {"Type": "AWS::ECS::Service", "Properties": _service()},
        **scaling_resources(plan, CLUSTER, SERVICE),
    }


# Who counts the running tasks.
_INSIGHTS: Json = {"Name": "containerInsights", "Value": "enabled"}
# An action that has no resource: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
_LOG_IN: Json = {"Sid": "LogIn", "Effect": "Allow", "Action": ["ecr:GetAuthorizationToken"], "Resource": ["*"]}


def _pull() -> Json:
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    statement = {"Sid": "Pull", "Effect": "Allow", "Action": actions, "Resource": [ref(REPOSITORY)]}
    return when(_HAS_REPOSITORY, statement)


def _task(plan: Plan) -> Json:
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


def _container(plan: Plan) -> Json:
    variables = plan.texts.environment(plan.config.worker.environment, "worker")
    return {
        "Name": _CONTAINER,
        "Image": ref(IMAGE),
        "Essential": True,
        "Environment": [{"Name": name, "Value": sub(text)} for name, text in variables.items()],
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


def _command(plan: Plan) -> Json:
    """The command of the image, with a process for each core where there are several."""
    processes = plan.config.worker.cpu // _CORE
    if processes <= 1:
        return {}
    command = worker_command(f"{PLACE}/{plan.texts.file}", f"0.0.0.0:{PORT}")
    return {"Command": [*command, "--processes", str(processes)]}


def _service() -> Json:
    """The service; how many tasks it has is for the scaling to say, and so not for the template."""
    return {
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

"""The worker as an ECS service on Fargate that scales with the backlog.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_ECS.html
"""

import json
from collections.abc import Mapping
from typing import Any

from router.runtime.config.spec_resources import Worker
from router.runtime.config_types import parse_duration
from router.runtime.deliver.metrics import (
    CLOUDWATCH,
    CONFIGURATION_ERRORS,
    METRICS_VARIABLE,
    NAMESPACE,
    SERVICE,
)
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.table_definitions import Template
from router.tools.deploy.template import load_part
from router.tools.deploy.template.alarms import in_account
from router.tools.deploy.template.expressions import STACK, Json, sub, with_properties
from router.tools.deploy.template.plan import PlannedQueue, StackPlan
from router.tools.deploy.template.policies import Policies
from router.tools.deploy.template.resources import DAY, environment

HOME, PLACE = "/opt/router", "/srv/router"
"""The folders of the worker and of its config."""
PORT = 9090
GRACE_SECONDS, STOP_SECONDS = 20, 30
"""How long the worker takes to stop at most, and when it is killed."""
_LOOK = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}/healthz', timeout=3)"
HEALTH_COMMAND = (f"{HOME}/bin/python", "-c", _LOOK)
"""Fails unless every receiver runs; needs nothing but Python."""
ETC = "/etc/message-router"
"""The folder of the config, its schemas and plugins, for systemd."""
CONSTANTS = {
    "home": HOME,
    "place": PLACE,
    "port": PORT,
    "etc": ETC,
    "stop_seconds": STOP_SECONDS,
    "health_seconds": 30,
    "health_timeout": 5,
    "health_start": 15,
    "health_retries": 3,
    "health_command": json.dumps(HEALTH_COMMAND),
    "health_check": json.dumps(["CMD", *HEALTH_COMMAND]),
}
"""Values of the files with `$name`, besides those that depend on the config."""
TASKS, TASK_ROLE, SERVICE_OF_TASKS = "TaskDefinition", "TaskRole", "Service"
"""The logical ids of what the tasks are, of their role, and of the service that runs them."""
IMAGE = "Image"
"""The parameter with the image of the worker."""
START_FIRST = {"MinimumHealthyPercent": 100, "MaximumPercent": 200}
"""New tasks start before old ones stop: two versions write for a while."""
STOP_FIRST = {"MinimumHealthyPercent": 0, "MaximumPercent": 100}
"""Old tasks stop before new ones start:
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html"""
CORE = 1024
"""The CPU units of a core."""


def worker_part(plan: StackPlan, policies: Policies) -> Json:
    """Return the part of the template for the log, the roles, the cluster, the service and its scaling."""
    settings = plan.config.worker
    part = load_part(
        "worker.yaml",
        **CONSTANTS,
        architecture=settings.architecture.upper(),
        cpu=settings.cpu,
        memory=settings.memory,
        log_days=parse_duration(settings.log_retention) // DAY,
        min_tasks=settings.min_tasks,
        max_tasks=settings.max_tasks,
        namespace=NAMESPACE,
        configuration_errors=CONFIGURATION_ERRORS,
        service=SERVICE,
    )
    resources = part["Resources"]
    # New tasks start when they have the new permissions; old ones are deleted when all tasks are new.
    resources["Service"]["DependsOn"] = list(policies.resources)
    (container,) = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"]
    container["Environment"] = [
        {"Name": name, "Value": sub(text)}
        for name, text in {METRICS_VARIABLE: CLOUDWATCH, **environment(plan)}.items()
    ]
    if settings.cpu >= 2 * CORE:
        # Otherwise the command of the image applies.
        container["Command"] = image_command(settings, plan.substitutions.file)
    resources |= policies.resources
    # The service has the largest number of tasks of all policies.
    for queue in plan.read:
        resources[QueuePart.SCALING.of(queue.id)] = in_account(queue, _policy(plan, queue))
    return part


def has_worker(template: Template) -> bool:
    """Return whether a template has a service that runs the worker."""
    return SERVICE_OF_TASKS in template.get("Resources", {})


def rolling(template: Template) -> Json:
    """Return how many tasks of the service of a template run during a deployment."""
    found: Json = template["Resources"][SERVICE_OF_TASKS]["Properties"]["DeploymentConfiguration"]
    return found


def with_rolling(template: Template, percents: Mapping[str, Any]) -> Json:
    """Return a template whose service has other numbers of tasks during a deployment."""
    configuration = {**rolling(template), **percents}
    resources = dict(template["Resources"])
    resources[SERVICE_OF_TASKS] = with_properties(
        resources[SERVICE_OF_TASKS], DeploymentConfiguration=configuration
    )
    return {**template, "Resources": resources}


def image_command(settings: Worker, config: str) -> list[str]:
    """Return the command of a container, with a process for each core."""
    command = [*worker_command(f"{PLACE}/{config}", f"0.0.0.0:{PORT}")]
    processes = settings.cpu // CORE
    return [*command, "--processes", str(processes)] if processes > 1 else command


def _policy(plan: StackPlan, queue: PlannedQueue) -> Json:
    return load_part(
        "scaling.yaml",
        policy_name=json.dumps(sub(f"{STACK}-{queue.name}")),
        queue_name=json.dumps(sub(queue.name)),
        backlog_per_task=plan.config.worker.backlog_per_task,
    )


def worker_command(config: str, listen: str) -> tuple[str, ...]:
    """Return the command that starts the worker, in a container and by systemd."""
    options = ("--listen", listen, "--grace", str(GRACE_SECONDS))
    return (f"{HOME}/bin/router", "worker", "-c", config, *options)

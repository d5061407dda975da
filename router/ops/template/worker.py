"""The worker: an ECS service on Fargate that scales with the backlog, a Dockerfile, and a systemd unit.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/AWS_ECS.html
https://docs.docker.com/reference/dockerfile/
https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html and systemd.exec.html
"""

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import yaml

from router.config import spec
from router.config_types import parse_duration
from router.deliver.telemetry import CONFIGURATION_ERRORS, NAMESPACE, SERVICE
from router.errors import UsageError
from router.ops.requirements import requirements_files
from router.ops.template import fill
from router.ops.template.expressions import STACK, Json, sub
from router.ops.template.plan import PlannedQueue, StackPlan
from router.ops.template.policies import attach, statements
from router.ops.template.resources import DAY, environment, place_in
from router.version import VERSION

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
_CONSTANTS = {
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
MAX_POLICIES = 50
"""Policies of a service: https://docs.aws.amazon.com/autoscaling/application/userguide/quotas.html"""
_CORE = 1024
_MACHINES = {"arm64": "ARM64", "x86_64": "X86_64"}


def worker_part(plan: StackPlan) -> Json:
    """Return the part of the template for the log, the roles, the cluster, the service and its scaling."""
    settings = plan.config.worker
    part: Json = yaml.safe_load(
        fill(
            "worker.yaml",
            **_CONSTANTS,
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
    policy: Json = yaml.safe_load(
        fill(
            "scaling.yaml",
            policy_name=json.dumps(sub(f"{STACK}-{queue.name}")),
            queue_name=json.dumps(sub(queue.name)),
            backlog_per_task=plan.config.worker.backlog_per_task,
        )
    )
    return policy


def worker_command(config: str, listen: str) -> tuple[str, ...]:
    """Return the command that starts the worker, in a container and by systemd."""
    options = ("--listen", listen, "--grace", str(GRACE_SECONDS))
    return (f"{HOME}/bin/router", "worker", "-c", config, *options)


def dockerfile(config: Path, settings: spec.Config, variables: Sequence[str], needed: Iterable[str]) -> str:
    """Return the text of a Dockerfile that is built in the folder of the config.

    `variables` are those of the config, `needed` are the files that it needs, itself included, relative to its folder.
    """
    needed = tuple(needed)
    own = (config.parent / "router" / "__init__.py").is_file() and (config.parent / "pyproject.toml").is_file()
    return fill(
        "worker.dockerfile",
        **_CONSTANTS,
        config=config.name,
        platform={"arm64": "linux/arm64", "x86_64": "linux/amd64"}[settings.worker.architecture],
        python=settings.function.python,
        variables=f"# Variables of the config: {', '.join(variables)}\n" if variables else "",
        installation="\n".join(_installation(own, sorted(_lists(config.parent, needed)))),
        copies="\n".join(_copied(config.parent, needed)),
        command=json.dumps(worker_command(f"{PLACE}/{config.name}", f"0.0.0.0:{PORT}")),
    )


def _lists(folder: Path, needed: Iterable[str]) -> set[str]:
    """Return the requirements files of plugins, relative to the folder of the config."""
    plugins = [folder / name for name in needed if name.endswith(".py")]
    return {file.relative_to(folder).as_posix() for file in requirements_files(plugins, folder)}


def _installation(own: bool, lists: Iterable[str]) -> list[str]:
    """Return the instructions that install the worker: from its sources, if they are there, or from an index."""
    lines: list[str] = []
    what = f"'message-router[worker]=={VERSION}'"
    if own:
        lines += ["WORKDIR /src", "COPY pyproject.toml README.md LICENSE ./", "COPY router/ router/"]
        what = "'.[worker]'"
    for name in lists:
        # With the files beside it, which it may name.
        beside = PurePosixPath(name).parent
        lines.append(f"COPY {beside}/ /tmp/{beside}/")
        what += f" -r /tmp/{name}"
    return [*lines, f"RUN python -m venv {HOME} && {HOME}/bin/pip install --no-cache-dir {what}"]


def _copied(folder: Path, needed: Iterable[str]) -> list[str]:
    """Return the instructions that copy files: those of the folder by name, subfolders as a whole."""
    tops = {PurePosixPath(name).parts[0] for name in needed}
    return [f"COPY {top}/ {top}/" if (folder / top).is_dir() else f"COPY {top} ./" for top in sorted(tops)]


def systemd_unit(config: Path, variables: Sequence[str]) -> str:
    """Return the text of a unit file; `variables` are those of the config."""
    return fill(
        "worker.service",
        **_CONSTANTS,
        config=config.name,
        variables=f" Variables of the config: {', '.join(variables)}." if variables else "",
        command=shlex.join(worker_command(f"{ETC}/{config.name}", f"127.0.0.1:{PORT}")),
    )

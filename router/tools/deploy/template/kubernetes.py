"""Manifests of the worker for Kubernetes, which KEDA scales by the backlog of the queues.

https://kubernetes.io/docs/reference/kubernetes-api/
https://keda.sh/docs/latest/scalers/aws-sqs/
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import yaml

from router.errors import UsageError
from router.runtime.aws.references import match_key
from router.runtime.config.environment import stands_for_unset
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.runtime.engine.engine import CompiledQueue
from router.runtime.printable import printable
from router.tools.deploy.template import fill
from router.tools.deploy.template.document import DeployableConfig
from router.tools.deploy.template.expressions import SET_BY_AWS, Substitutions
from router.tools.deploy.template.worker import CONSTANTS, CORE, image_command

_ARCHITECTURES = {"arm64": "arm64", "x86_64": "amd64"}
_SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
"""The domains of partitions, if not that of most."""


def kubernetes_manifests(config: DeployableConfig, env: Mapping[str, str]) -> str:
    """Return the text of the manifests; variables have their values in `env`, or their defaults.

    Raises UsageError if the region, or a variable in the name of a queue, has no value.
    """
    settings = config.program.config.worker
    region = next((env[name] for name in SET_BY_AWS if env.get(name)), "")
    if not region:
        raise UsageError(
            "KEDA needs the region of the queues: set AWS_REGION in the environment or in --env-file"
        )
    variables, elsewhere = _variables(config, env)
    queues = config.program.engine.queues.values()
    data = {"AWS_REGION": region, **variables}
    return fill(
        "kubernetes.yaml",
        **CONSTANTS,
        config=printable(config.path.name),
        notes="".join(f"# {line}\n" for line in _notes(elsewhere, queues)),
        variables=_quoted(data),
        digest=_quoted(hashlib.sha256(_quoted(data).encode()).hexdigest()),
        architecture=_ARCHITECTURES[settings.architecture],
        command=_quoted(image_command(settings, config.path.name)),
        cpu=f"{settings.cpu * 1000 // CORE}m",
        memory=f"{settings.memory}Mi",
        min_tasks=settings.min_tasks,
        max_tasks=settings.max_tasks,
        triggers="\n".join(
            f"    - {_quoted(_trigger(queue, region, settings.backlog_per_task))}"
            for queue in queues
        ),
    )


def _variables(
    config: DeployableConfig, env: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the variables that have a value, and the names of the others and of those that hold secrets."""
    values, elsewhere = {}, []
    substitutions = Substitutions(config.files)
    hidden = [each.parameter for each in substitutions.variables.values() if each.hidden]
    for variable in substitutions.variables.values():
        if variable.name in SET_BY_AWS:
            continue
        value = env.get(variable.name) or next(iter(variable.defaults), "")
        if variable.hidden or not value:
            elsewhere.append(variable.name)
        else:
            values[variable.name] = value
    for name, text in config.program.config.worker.environment.items():
        written = substitutions.at(("worker", "environment", name))
        is_secret = any(f"${{{each}}}" in written for each in hidden) or DYNAMIC_REFERENCE in text
        if is_secret or stands_for_unset(text):
            elsewhere.append(name)
        else:
            values[name] = text
    return values, elsewhere


def _notes(elsewhere: list[str], queues: Iterable[CompiledQueue]) -> Iterator[str]:
    """Yield what is to be done by hand, and what the queues limit."""
    if elsewhere:
        names = ", ".join(dict.fromkeys(elsewhere))
        yield f"Variables that the Secret message-router, or the ConfigMap, has to have: {names}."
    if any(queue.fifo for queue in queues):
        yield "On a FIFO queue the messages of a group are delivered one after the other, to one pod at a time: more"
        yield "pods than groups with messages do nothing, though KEDA counts all messages that wait."


def _trigger(queue: CompiledQueue, region: str, backlog: int) -> dict[str, object]:
    reference = queue.reference
    if stands_for_unset(reference):
        raise UsageError(
            f"the name of the queue '{queue.name}' has a variable without a value: pass one by --env-file"
        )
    place = match_key(reference).split(":")
    if len(place) == 3:
        region, account, name = place
        if reference.startswith("arn:"):
            suffix = _SUFFIXES.get(reference.split(":")[1], "amazonaws.com")
            reference = f"https://sqs.{region}.{suffix}/{account}/{name}"
    metadata = {
        "queueURL": reference,
        "awsRegion": region,
        "queueLength": str(backlog),
        # Messages that an outage leaves invisible need no more pods.
        "scaleOnInFlight": "false",
    }
    return {
        "type": "aws-sqs-queue",
        "metadata": metadata,
        "authenticationRef": {"name": "message-router"},
    }


def _quoted(value: object) -> str:
    """Return a value in one line of YAML; all its texts are quoted."""
    line: str = yaml.safe_dump(
        value,
        default_style='"',
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return line.rstrip()

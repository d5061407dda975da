"""The limits of CloudFormation, IAM, Lambda and ECS for a template as a whole.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from router.errors import UsageError
from router.runtime.config.secret_values import DYNAMIC_REFERENCE
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.table_definitions import resource_of
from router.tools.deploy.template.expressions import Json, compact_json
from router.tools.deploy.template.policies import MANAGED_POLICY, MAX_ATTACHED
from router.tools.deploy.template.resources import FUNCTION

MAX_RESOURCES, MAX_PARAMETERS, MAX_OUTPUTS = 500, 200, 200
MAX_REFERENCES = 60
"""Dynamic references: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""
MAX_BYTES = 1_000_000
"""The maximum size of a template in S3."""
MAX_INLINE_BYTES = 51_200
"""The maximum size of a template in a request; a longer one is read from S3."""
MAX_ENVIRONMENT = 4096
"""Bytes of all names and values: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MAX_SCALING_POLICIES = 50
"""Of a service: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html"""


class TemplateTooLargeError(UsageError):
    """A template exceeds limits: `counted` says which of those that count routes or queues."""

    def __init__(self, counted: Sequence[str], others: Sequence[str] = ()) -> None:
        sentences = [*others, *counted]
        if counted:
            sentences.append("split the config, and deploy a stack for each part")
        super().__init__("; ".join(sentences))
        self.counted = counted


def require_limits(body: Json) -> None:
    """Raise TemplateTooLargeError with all limits that a template exceeds."""
    counted, others = [*_counted(body)], [*_environment(body)]
    if counted or others:
        raise TemplateTooLargeError(counted, others)


def require_size(text: str) -> str:
    """Return the text of a template; raises TemplateTooLargeError if it is too long."""
    if counted := [*_over("bytes", len(text.encode()), MAX_BYTES)]:
        raise TemplateTooLargeError(counted)
    return text


def environments(resource: Json) -> list[Any]:
    """Return the environments of a function or a task."""
    properties = resource.get("Properties", {})
    containers = properties.get("ContainerDefinitions", ())
    return [each.get("Environment") for each in (properties, *containers)]


def _counted(body: Json) -> Iterator[str]:
    resources = body["Resources"]
    yield from _over("resources", len(resources), MAX_RESOURCES)
    yield from _over("parameters", len(body["Parameters"]), MAX_PARAMETERS)
    yield from _over("outputs", len(body["Outputs"]), MAX_OUTPUTS)
    yield from _over("bytes", len(compact_json(body)), MAX_BYTES)
    of_environments = json.dumps([environments(each) for each in resources.values()])
    yield from _over("dynamic references", of_environments.count(DYNAMIC_REFERENCE), MAX_REFERENCES)
    policies = sum(each["Type"] == MANAGED_POLICY for each in resources.values())
    if policies > MAX_ATTACHED:
        yield f"a role can have {MAX_ATTACHED} policies, and these routes need {policies}"
    scaled = sum(name.startswith(QueuePart.SCALING) for name in resources)
    if scaled > MAX_SCALING_POLICIES:
        yield f"a service can scale on {MAX_SCALING_POLICIES} queues, and the config has {scaled}"


def _over(what: str, count: int, most: int) -> Iterator[str]:
    if count > most:
        yield f"the template has {count:,} {what}, and CloudFormation accepts {most:,}"


def _environment(body: Json) -> Iterator[str]:
    function = resource_of(body, FUNCTION).get("Properties", {})
    variables = function.get("Environment", {}).get("Variables", {})
    size = 0
    for name, value in variables.items():
        text = value if isinstance(value, str) else value["Fn::Sub"]
        size += len(f"{name}{text}".encode())
    if size > MAX_ENVIRONMENT:
        yield (
            f"the function's environment variables have {size:,} bytes, and Lambda accepts {MAX_ENVIRONMENT:,}; "
            "shorten function.environment, or let a plugin read a file"
        )

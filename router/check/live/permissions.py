"""The rule about permissions: whoever runs the router may do what it does.

Which action each call needs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
and list_amazonsqs.html. A transaction needs those of the actions in it. DynamoDB decrypts the key of a table on behalf
of who writes to it; for keys of queues:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from collections.abc import Iterator, Mapping

from msgspec import UnsetType

from router.aws.deployed import Decision, DeployedState, QueueFacts, TableFacts
from router.check.live.deployed import Deployment
from router.check.rule import Found
from router.config import spec
from router.engine.engine import CompiledQueue
from router.engine.writes import PUT
from router.model import Code
from router.modes import MODES

NOT_ALLOWED = Code(
    "RT753",
    "a permission that is missing",
    "The call would be refused, unless the policy of the queue, table or bucket itself allows it, which IAM's "
    "simulation does not look at.",
    severity="warning",
)
READ = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ChangeMessageVisibility",
)
SEND = ("sqs:GetQueueUrl", "sqs:SendMessage")
DESCRIBE = "dynamodb:DescribeTable"
DECRYPT = "kms:Decrypt"
"""What reading an encrypted queue needs, and writing to an encrypted table."""
ENCRYPT = (DECRYPT, "kms:GenerateDataKey")
"""What sending to an encrypted queue needs."""

Needs = Mapping[str, tuple[str, ...]]
"""Which actions are needed, by the ARN of what they are done to."""


def needed(config: spec.Config, queues: Mapping[str, CompiledQueue], seen: DeployedState) -> Needs:
    """What the router does with each queue, table and bucket whose ARN was seen, and with their keys."""
    wanted: dict[str, set[str]] = {}
    for name, queue in queues.items():
        settings = config.queues.get(name, spec.Queue())
        letters = config.queues.get(settings.dead_letter, settings)
        for reference, actions in ((queue.reference, READ), (queue.dead_letter, SEND)):
            facts = seen.queues.get(reference)
            if isinstance(facts, QueueFacts):
                wanted.setdefault(facts.arn, set()).update(actions)
        if settings.kms_key:
            wanted.setdefault(settings.kms_key, set()).add(DECRYPT)
        if queue.dead_letter and letters.kms_key:
            wanted.setdefault(letters.kms_key, set()).update(ENCRYPT)
        if not isinstance(settings.s3_pointer, UnsetType):
            facts = seen.queues.get(queue.reference)
            partition = facts.arn.partition(":sqs:")[0] if isinstance(facts, QueueFacts) else "arn:aws"
            for bucket in settings.s3_pointer.buckets:
                wanted[f"{partition}:s3:::{bucket}/*"] = {"s3:GetObject"}
    for route in config.routes.values():
        for name, action in _writes(config, route):
            table = seen.tables.get(name)
            if isinstance(table, TableFacts):
                wanted.setdefault(table.arn, {DESCRIBE}).add(action)
            if config.tables[name].kms_key:
                wanted.setdefault(config.tables[name].kms_key, set()).add(DECRYPT)
    return {arn: tuple(sorted(actions)) for arn, actions in wanted.items()}


def _writes(config: spec.Config, route: spec.Route) -> Iterator[tuple[str, str]]:
    """The tables that a route writes to, each with the action of it."""
    write = route.write
    atomic = config.queues[route.queue].atomic if route.queue in config.queues else False
    versioned = not isinstance(write.version, UnsetType)
    yield route.table, MODES[write.mode].permission(versioned=versioned, atomic=atomic)
    if not isinstance(write.once, UnsetType):
        yield write.once, PUT.permission


def check_permissions(deployment: Deployment) -> Iterator[Found]:
    """What is needed is allowed."""
    for decision in deployment.seen.decisions:
        if isinstance(decision, Decision) and decision.denied:
            actions = ", ".join(decision.denied)
            sentence = f"{deployment.seen.principal} may not do {actions} on {decision.resource}"
            yield Found(NOT_ALLOWED, sentence, (), f"allow {actions}")

"""Reports permissions that the router needs and lacks.

Which action each call needs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
and list_amazonsqs.html. A transaction needs the permissions of the actions in it. DynamoDB decrypts the key of a
table on behalf of the writer; for keys of queues:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from router.codes import declare
from router.runtime.config import spec
from router.runtime.deliver.postponing import can_postpone
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.writes import PUT
from router.runtime.modes import MODES
from router.tools.check.live.deployed import DeployedConfig, live_rule
from router.tools.check.rule import Found
from router.tools.control_plane.deployed import (
    Decision,
    DeployedQueue,
    DeployedState,
    DeployedTable,
)

NOT_ALLOWED = declare(
    "RT753",
    "a permission that is missing",
    "The call is denied, unless the policy of the queue, table or bucket itself allows it, which IAM's simulation does "
    "not consider.",
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
POSTPONE = "sqs:SendMessage"
"""The action by which the function postpones a message of a queue that it reads."""
DESCRIBE = "dynamodb:DescribeTable"
DECRYPT = "kms:Decrypt"
"""The action for reading an encrypted queue or bucket, and for writing to an encrypted table."""
ENCRYPT = (DECRYPT, "kms:GenerateDataKey")
"""The actions for sending to an encrypted queue."""

Needs = Mapping[str, tuple[str, ...]]
"""The needed actions by the ARN of their resource."""


def needed(
    config: spec.Config,
    queues: Mapping[str, CompiledQueue],
    seen: DeployedState,
    postponing: Collection[str] = (),
) -> Needs:
    """Return the actions on each queue, table and bucket whose ARN is known, and on their keys.

    `postponing` are the queues of which messages are postponed.
    """
    wanted = defaultdict[str, set[str]](set)
    for name, queue in queues.items():
        settings = config.queues.get(name, spec.Queue())
        dead_letters = config.queues.get(settings.dead_letter, settings)
        read = (*READ, POSTPONE) if name in postponing else READ
        for reference, actions in ((queue.reference, read), (queue.dead_letter, SEND)):
            deployed = seen.queues.get(reference)
            if isinstance(deployed, DeployedQueue):
                wanted[deployed.arn].update(actions)
        _add_keys(wanted, settings)
        if name in postponing and settings.kms_key:
            wanted[settings.kms_key].update(ENCRYPT)
        if queue.dead_letter and dead_letters.kms_key:
            wanted[dead_letters.kms_key].update(ENCRYPT)
        if settings.s3_pointer is not None:
            deployed = seen.queues.get(queue.reference)
            partition = "arn:aws"
            if isinstance(deployed, DeployedQueue):
                partition = deployed.arn.partition(":sqs:")[0]
            for arn, action in fetches_of(settings.s3_pointer, partition):
                wanted[arn].add(action)
    for route in config.routes.values():
        for name, action in writes_of(config, route):
            table = seen.tables.get(name)
            if isinstance(table, DeployedTable):
                wanted[table.arn].update((DESCRIBE, action))
            _add_keys(wanted, config.tables[name])
    return {arn: tuple(sorted(actions)) for arn, actions in wanted.items()}


def postponing(config: spec.Config, queues: Mapping[str, CompiledQueue]) -> frozenset[str]:
    """Return the queues of which the function postpones messages in an outage."""
    return frozenset(name for name, queue in queues.items() if can_postpone(queue, config))


def _add_keys(
    wanted: defaultdict[str, set[str]], settings: spec.Queue | spec.TableSettings
) -> None:
    for key in keys_of(settings):
        wanted[key].add(DECRYPT)


def keys_of(settings: spec.Queue | spec.TableSettings) -> Iterator[str]:
    """Yield the KMS keys of a queue or table: that of now, and the previous one."""
    yield from filter(None, dict.fromkeys((settings.kms_key, settings.kms_key_previous)))


def fetches_of(pointers: spec.S3Pointer, partition: str) -> Iterator[tuple[str, str]]:
    """Yield the ARNs of what is read from S3, each with the action."""
    for bucket in pointers.buckets:
        yield f"{partition}:s3:::{bucket}/*", "s3:GetObject"
        # Without it S3 denies access to an object that does not exist:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        yield f"{partition}:s3:::{bucket}", "s3:ListBucket"
    if pointers.kms_key:
        yield pointers.kms_key, DECRYPT


def writes_of(config: spec.Config, route: spec.RouteSettings) -> Iterator[tuple[str, str]]:
    """Yield the tables that a route writes to, each with the action."""
    write = route.write
    atomic = config.queues[route.queue].atomic if route.queue in config.queues else False
    versioned = write.version is not None
    yield route.table, MODES[write.mode].permission(versioned=versioned, atomic=atomic)
    if write.once is not None:
        yield write.once, PUT.permission


@live_rule(NOT_ALLOWED)
def check_permissions(deployment: DeployedConfig) -> Iterator[Found]:
    """Report needed actions that are not allowed."""
    for decision in deployment.seen.decisions:
        if isinstance(decision, Decision) and decision.denied:
            actions = ", ".join(decision.denied)
            yield Found(
                NOT_ALLOWED,
                f"{deployment.seen.principal} may not do {actions} on {decision.resource}",
                (),
                f"allow {actions}",
            )

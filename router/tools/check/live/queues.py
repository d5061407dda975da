"""Reports faults of the queues that are deployed, and of their dead-letter queues, and how long an outage they survive.

Redrive policies: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
Five receives: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
Retention: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
setting-up-dead-letter-queue-retention.html
"""

from collections.abc import Iterator

from msgspec import Struct, structs

from router.codes import declare
from router.model import Path
from router.runtime.aws.references import match_key, queue_name
from router.runtime.config import spec
from router.runtime.engine.attributes import MAX_ITEM_BYTES
from router.runtime.engine.backoff import OutageBackoff, receives_for
from router.runtime.engine.engine import CompiledQueue
from router.tools.check.live.deployed import DeployedConfig, duration, live_rule
from router.tools.check.rule import Found
from router.tools.check.rules import queues
from router.tools.check.rules.queues import MAX_RETENTION, rough_duration, survived_seconds
from router.tools.control_plane.deployed import DeployedQueue

NO_QUEUE = declare("RT721", "no such queue", "No messages can be read from it or sent to it.")
NO_WAY_OUT = declare(
    "RT722",
    "neither a dead-letter queue nor a redrive policy",
    "A rejected message is received again and again, until its retention ends and SQS deletes it.",
)
NO_REDRIVE = declare(
    "RT723",
    "a queue without redrive policy",
    "The router sends messages that can never succeed to the dead-letter queue. The redrive policy moves messages that "
    "keep failing for another reason, such as a plugin or a configuration error, to the dead-letter queue; without it "
    "they are received again until their retention ends, and SQS deletes them.",
    severity="warning",
)
FEW_RECEIVES = declare(
    "RT724",
    "a low `maxReceiveCount`",
    "Receives by a throttled function, for a throttled table or before a restart count too. AWS advises 5 or more.",
    severity="warning",
)
OTHER_KIND = declare(
    "RT725",
    "a dead-letter queue of the other kind",
    "The dead-letter queue of a FIFO queue must be a FIFO queue, and that of a standard queue a standard queue; SQS "
    "moves no message to one of the other kind.",
)
SHORT_RETENTION = declare(
    "RT726",
    "a dead-letter queue whose retention is too short",
    "A message that SQS moves from a standard queue keeps the time at which it was first sent, so that its time on "
    "both queues counts. On a FIFO queue, the retention starts anew.",
    severity="warning",
)
TWO_PLACES = declare(
    "RT727",
    "two dead-letter queues",
    "Messages that the router rejects are on one, messages that failed too often on the other; both must be watched.",
    severity="info",
)
LARGER_THAN_ITEMS = declare(
    "RT728",
    "messages that may be larger than an item",
    "SQS accepts messages of up to 1 MiB, DynamoDB items of up to 400 KB with their attribute names; a message that is "
    "mapped to a larger item is rejected.",
    severity="info",
)
SMALL_DEAD_LETTERS = declare(
    "RT729",
    "a dead-letter queue with a smaller maximum message size",
    "It refuses the dead letter of a larger message, which then stays on its queue.",
    severity="warning",
)
OTHER_KEY_OF_QUEUE = declare(
    "RT734",
    "a queue with a KMS key that the config does not name",
    "The role of a template may decrypt with the keys that `kms_key` and `kms_key_previous` name. Without permission "
    "for the key of a queue nothing can be received; a message stays encrypted with the key at the time it was sent.",
    severity="warning",
)
ADVISED_RECEIVES = 5
_ALIAS = "alias/"


@live_rule(
    NO_QUEUE,
    NO_WAY_OUT,
    NO_REDRIVE,
    FEW_RECEIVES,
    OTHER_KIND,
    SHORT_RETENTION,
    TWO_PLACES,
    LARGER_THAN_ITEMS,
    SMALL_DEAD_LETTERS,
    OTHER_KEY_OF_QUEUE,
)
def check_queues(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues, dead-letter queues and targets of redrive policies that do not exist, or do
    not fit.
    """
    yield from _check_sources(deployment)
    yield from _check_dead_letters(deployment)
    yield from _check_redrive_targets(deployment)


def _check_sources(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues that do not exist, or have no redrive policy."""
    for name, queue in deployment.queues.items():
        deployed = deployment.seen.queues.get(queue.reference)
        path = deployment.queue_path(name)
        if isinstance(deployed, DeployedQueue):
            yield from _check_redrive(deployment, queue, deployed)
            yield from _check_size(queue, deployed, path)
            yield from _check_kms_key(
                deployment.config.queues.get(name, spec.Queue()), deployed, path
            )
        elif deployed is not None and deployed.absent:
            yield _no_queue(f"there is no queue '{queue.reference}' in this region", path)


def _check_dead_letters(deployment: DeployedConfig) -> Iterator[Found]:
    """Report a `dead_letter` that does not exist, is of the wrong kind, or accepts smaller messages
    only.
    """
    for name, queue in deployment.queues.items():
        deployed = deployment.seen.queues.get(queue.dead_letter) if queue.dead_letter else None
        path = deployment.dead_letter_path(name)
        if isinstance(deployed, DeployedQueue):
            yield from _check_dead_letter(queue, deployment.queue_of(name), deployed, path)
        elif deployed is not None and deployed.absent:
            yield _no_queue(f"there is no queue '{queue.dead_letter}' in this region", path)


def _check_redrive_targets(deployment: DeployedConfig) -> Iterator[Found]:
    """Report targets of redrive policies that do not exist, are of the wrong kind, or have a short
    retention.
    """
    for name in deployment.queues:
        deployed = deployment.queue_of(name)
        if deployed is None or not deployed.redrive_to:
            continue
        path = deployment.queue_path(name)
        target = deployment.seen.queues.get(deployed.redrive_to)
        if isinstance(target, DeployedQueue):
            yield from _check_target(deployed, target, path)
        elif target is not None and target.absent:
            yield _no_queue(
                f"the redrive policy of queue '{deployed.name}' names '{deployed.redrive_to}', "
                "which does not exist",
                path,
            )


def _check_kms_key(settings: spec.Queue, deployed: DeployedQueue, path: Path) -> Iterator[Found]:
    """Report a KMS key that is neither of those of the config; which key an alias stands for is not
    known.
    """
    key = _id_of_key(deployed.kms_key)
    if (
        not key
        or _ALIAS in deployed.kms_key
        or key in map(_id_of_key, (settings.kms_key, settings.kms_key_previous))
    ):
        return
    yield Found(
        OTHER_KEY_OF_QUEUE,
        f"queue '{deployed.name}' is encrypted with the KMS key {deployed.kms_key}, which neither 'kms_key' nor "
        "'kms_key_previous' names",
        path,
        "name it as kms_key, or as kms_key_previous if the key changes",
    )


def _id_of_key(arn: str) -> str:
    return arn.rpartition("/")[2]


def _no_queue(sentence: str, path: Path) -> Found:
    return Found(
        NO_QUEUE, sentence, path, "create it, or check its name, the region and the profile"
    )


def _check_redrive(
    deployment: DeployedConfig, queue: CompiledQueue, deployed: DeployedQueue
) -> Iterator[Found]:
    path = deployment.queue_path(queue.name)
    advice = f"give it a redrive policy with a maxReceiveCount of {ADVISED_RECEIVES} or more"
    if not deployed.redrive_to and not queue.dead_letter:
        yield Found(
            NO_WAY_OUT,
            f"queue '{deployed.name}' has no redrive policy, and the config names no dead-letter queue",
            path,
            f"add 'dead_letter:' to the queue, and {advice}",
        )
    elif not deployed.redrive_to:
        yield Found(NO_REDRIVE, f"queue '{deployed.name}' has no redrive policy", path, advice)
    elif deployed.max_receive_count < ADVISED_RECEIVES:
        yield Found(
            FEW_RECEIVES,
            f"maxReceiveCount of queue '{deployed.name}' is {deployed.max_receive_count}, less than {ADVISED_RECEIVES}",
            path,
            f"set it to {ADVISED_RECEIVES} or more",
        )
    # A name without account and region can be that of the queue of an ARN.
    named = f":{match_key(queue.dead_letter)}"
    if (
        deployed.redrive_to
        and queue.dead_letter
        and not f":{match_key(deployed.redrive_to)}".endswith(named)
    ):
        yield Found(
            TWO_PLACES,
            f"'{queue_name(queue.dead_letter)}' is where the router sends rejected messages, "
            f"'{queue_name(deployed.redrive_to)}' where SQS moves those of queue '{deployed.name}' that failed "
            f"{deployed.max_receive_count} times",
            deployment.dead_letter_path(queue.name),
        )


def _check_size(queue: CompiledQueue, deployed: DeployedQueue, path: Path) -> Iterator[Found]:
    if deployed.max_bytes > MAX_ITEM_BYTES and any(
        route.write.mode.stores != "nothing" for route in queue.routes
    ):
        yield Found(
            LARGER_THAN_ITEMS,
            f"queue '{deployed.name}' accepts messages of up to {deployed.max_bytes} bytes, an item has at most "
            f"{MAX_ITEM_BYTES}",
            path,
            "map fewer attributes, or lower MaximumMessageSize",
        )


def _check_dead_letter(
    queue: CompiledQueue, source: DeployedQueue | None, deployed: DeployedQueue, path: Path
) -> Iterator[Found]:
    if deployed.fifo != queue.fifo:
        yield Found(
            OTHER_KIND,
            f"dead-letter queue '{deployed.name}' is {_kind(deployed.fifo)}, its queue is {_kind(queue.fifo)}",
            path,
            f"name one that is {_kind(queue.fifo)}",
        )
    if source and deployed.max_bytes < source.max_bytes:
        yield Found(
            SMALL_DEAD_LETTERS,
            f"dead-letter queue '{deployed.name}' accepts messages of up to {deployed.max_bytes} bytes, its "
            f"queue of up to {source.max_bytes}",
            path,
            "raise its MaximumMessageSize",
        )


def _check_target(deployed: DeployedQueue, target: DeployedQueue, path: Path) -> Iterator[Found]:
    if target.fifo != deployed.fifo:
        yield Found(
            OTHER_KIND,
            f"the redrive policy of queue '{deployed.name}', which is {_kind(deployed.fifo)}, names '{target.name}', "
            f"which is {_kind(target.fifo)}",
            path,
            f"name one that is {_kind(deployed.fifo)}",
        )
    least = deployed.retention if deployed.fifo else deployed.retention + 1
    if target.retention < least:
        advice = f"make the retention of the dead-letter queue {'as long' if deployed.fifo else 'longer'}"
        if least > MAX_RETENTION:
            advice = f"make the retention of the queue shorter than {duration(MAX_RETENTION)}, the target's longer"
        yield Found(
            SHORT_RETENTION,
            f"the retention of dead-letter queue '{target.name}' is {duration(target.retention)}, that of queue "
            f"'{deployed.name}' is {duration(deployed.retention)}",
            path,
            advice,
        )


def _kind(fifo: bool) -> str:
    return "FIFO" if fifo else "standard"


EXPIRING = declare(
    "RT730",
    "a deployed queue whose messages expire before all their receives",
    queues.EXPIRING.why,
)
SHORT_LIVED = declare(
    "RT733",
    "a deployed queue that survives a shorter outage than its `outlast`",
    queues.SHORT_LIVED.why,
    severity="warning",
)


class OutageSurvival(Struct, frozen=True):
    """How long an outage the messages of a queue survive, in seconds, from the first receive of
    each on.

    `survives` is for a table, bucket or permission that fails, in which the router extends
    visibility timeouts; `survives_crashes` is for a function or worker that does not run to the
    end, and so extends none.
    """

    queue: str
    outlast: int
    survives: int
    survives_crashes: int


def survivals(deployment: DeployedConfig) -> list[OutageSurvival]:
    """Return how long an outage each queue survives that is read and known."""
    found = []
    for name, queue in deployment.queues.items():
        deployed = deployment.queue_of(name)
        if deployed:
            backoff = structs.replace(queue.outage, max_receive_count=deployed.max_receive_count)
            found.append(_survival(name, backoff, deployed))
    return found


def _survival(name: str, backoff: OutageBackoff, deployed: DeployedQueue) -> OutageSurvival:
    if deployed.max_receive_count:
        crashes = (deployed.max_receive_count - 1) * deployed.visibility
    else:
        crashes = deployed.retention
    survives = min(survived_seconds(backoff), deployed.retention)
    return OutageSurvival(name, backoff.outlast, survives, min(crashes, deployed.retention))


@live_rule(EXPIRING)
def check_expiry(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues whose retention is not longer than the visibility timeouts of all receives
    together.
    """
    for name in deployment.queues:
        deployed = deployment.queue_of(name)
        if deployed is None:
            continue
        seconds = deployed.max_receive_count * deployed.visibility
        if deployed.retention <= seconds:
            receives = f"{deployed.max_receive_count} receives with a visibility timeout of {deployed.visibility} s"
            kept = f"queue '{deployed.name}' keeps a message for {deployed.retention} s"
            yield Found(
                EXPIRING,
                f"{kept}, and {receives} take {seconds} s",
                deployment.queue_path(name),
                "raise its retention, or lower its maxReceiveCount",
            )


@live_rule(SHORT_LIVED)
def check_survival(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues whose retention or receives do not last for an outage of `outlast`."""
    for each in survivals(deployment):
        deployed = deployment.queue_of(each.queue)
        assert deployed
        if deployed.retention > each.outlast <= each.survives:
            continue
        path = deployment.queue_path(each.queue)
        wanted = rough_duration(each.outlast)
        if deployed.retention <= each.outlast:
            sentence = (
                f"queue '{deployed.name}' keeps a message for {rough_duration(deployed.retention)}"
            )
            advice = "raise its retention (at most 14 days), or lower 'outlast'"
        else:
            count = deployed.max_receive_count
            if count > 1:
                shown = f"{count} receives of queue '{deployed.name}' are"
            else:
                shown = f"1 receive of '{deployed.name}' is"
            sentence = f"{shown} used up after {rough_duration(each.survives)} of an outage"
            advice = f"set its maxReceiveCount to {receives_for(each.outlast)} or more, or lower 'outlast'"
        yield Found(SHORT_LIVED, f"{sentence}, and it is to survive {wanted}", path, advice)

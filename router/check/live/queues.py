"""Rules about the queues that are deployed, and where their messages go in the end.

Redrive policies: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
Five receives: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
Retention: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
setting-up-dead-letter-queue-retention.html
"""

from collections.abc import Iterator

from router.aws.deployed import QueueFacts
from router.aws.references import match_key, queue_name
from router.check.live.deployed import Deployment, duration
from router.check.rule import Found
from router.engine.attributes import MAX_ITEM_BYTES
from router.engine.engine import CompiledQueue
from router.model import Code, Path

NO_QUEUE = Code("RT721", "no such queue", "Nothing can be read from it, or dead-lettered to it.")
NO_WAY_OUT = Code(
    "RT722",
    "neither a dead-letter queue nor a redrive policy",
    "A rejected message comes again and again, until it is too old and SQS deletes it.",
)
NO_REDRIVE = Code(
    "RT723",
    "a queue without redrive policy",
    "The router dead-letters what can never succeed. What fails each time for another reason, as the fault of a plugin "
    "or of the set-up, comes again until it is too old, and then SQS deletes it.",
    severity="warning",
)
FEW_RECEIVES = Code(
    "RT724",
    "a low `maxReceiveCount`",
    "Receives count that are nobody's fault: of a throttled function, a throttled table, a restart. AWS advises 5 or "
    "more.",
    severity="warning",
)
OTHER_KIND = Code(
    "RT725",
    "a dead-letter queue of the other kind",
    "The dead-letter queue of a FIFO queue has to be FIFO, and that of a standard queue standard; SQS moves no message "
    "to one of the other kind.",
)
SHORT_RETENTION = Code(
    "RT726",
    "a dead-letter queue that forgets too soon",
    "A message that SQS moves from a standard queue keeps the time when it was first sent, so that the time on both "
    "queues counts. On FIFO queues it counts anew.",
    severity="warning",
)
TWO_PLACES = Code(
    "RT727",
    "two dead-letter queues",
    "What the router rejects is in the one, what failed too often in the other; whoever looks must look in both.",
    severity="info",
)
LARGER_THAN_ITEMS = Code(
    "RT728",
    "messages that may be larger than an item",
    "SQS takes messages up to 1 MiB, DynamoDB items up to 400 KB with their names; a message that makes a larger item "
    "is rejected.",
    severity="info",
)
SMALL_LETTERS = Code(
    "RT729",
    "a dead-letter queue for smaller messages",
    "It refuses the dead letter of a message that is larger; that message is left on its queue.",
    severity="warning",
)
ADVISED_RECEIVES = 5
MAX_RETENTION = 1_209_600
"""Seconds, 14 days (SQS quotas: "Message retention")."""


def check_queues(deployment: Deployment) -> Iterator[Found]:
    """Each queue that is read is there, and what fails on it is kept somewhere."""
    for name, queue in deployment.queues.items():
        facts = deployment.seen.queues.get(queue.reference)
        path, key = deployment.at_queue(name)
        if isinstance(facts, QueueFacts):
            yield from _check_redrive(deployment, queue, facts)
            yield from _check_size(queue, facts, path, key)
        elif facts is not None and facts.absent:
            yield _no_queue(f"there is no queue '{queue.reference}' in this region", path, key)


def check_dead_letters(deployment: Deployment) -> Iterator[Found]:
    """Each `dead_letter` is there, is of the kind of its queue, and takes its messages."""
    for name, queue in deployment.queues.items():
        facts = deployment.seen.queues.get(queue.dead_letter) if queue.dead_letter else None
        path = deployment.dead_letter_path(name)
        if isinstance(facts, QueueFacts):
            yield from _check_dead_letter(queue, deployment.facts_of(name), facts, path)
        elif facts is not None and facts.absent:
            yield _no_queue(f"there is no queue '{queue.dead_letter}' in this region", path, False)


def check_redrive_targets(deployment: Deployment) -> Iterator[Found]:
    """Where SQS itself moves messages is there, of the same kind, and keeps them long enough."""
    for name in deployment.queues:
        facts = deployment.facts_of(name)
        if facts is None or not facts.redrive_to:
            continue
        path, key = deployment.at_queue(name)
        target = deployment.seen.queues.get(facts.redrive_to)
        if isinstance(target, QueueFacts):
            yield from _check_target(facts, target, path, key)
        elif target is not None and target.absent:
            sentence = f"the redrive policy of queue '{facts.name}' names '{facts.redrive_to}', which is not there"
            yield _no_queue(sentence, path, key)


def _no_queue(sentence: str, path: Path, key: bool) -> Found:
    return Found(NO_QUEUE, sentence, path, "make it, or check its name, the region and the profile", key)


def _check_redrive(deployment: Deployment, queue: CompiledQueue, facts: QueueFacts) -> Iterator[Found]:
    path, key = deployment.at_queue(queue.name)
    advice = f"give it a redrive policy with a maxReceiveCount of {ADVISED_RECEIVES} or more"
    if not facts.redrive_to and not queue.dead_letter:
        yield Found(
            NO_WAY_OUT,
            f"queue '{facts.name}' has no redrive policy, and the config names no dead-letter queue",
            path,
            f"add 'dead_letter:' to the queue, and {advice}",
            key,
        )
    elif not facts.redrive_to:
        yield Found(NO_REDRIVE, f"queue '{facts.name}' has no redrive policy", path, advice, key)
    elif facts.max_receive_count < ADVISED_RECEIVES:
        yield Found(
            FEW_RECEIVES,
            f"maxReceiveCount of queue '{facts.name}' is {facts.max_receive_count}, less than {ADVISED_RECEIVES}",
            path,
            f"set it to {ADVISED_RECEIVES} or more",
            key,
        )
    if facts.redrive_to and queue.dead_letter and not _same(facts.redrive_to, queue.dead_letter):
        sentence = (
            f"'{queue_name(queue.dead_letter)}' is where the router sends rejected messages, "
            f"'{queue_name(facts.redrive_to)}' where SQS moves those of queue '{facts.name}' that failed "
            f"{facts.max_receive_count} times"
        )
        yield Found(TWO_PLACES, sentence, deployment.dead_letter_path(queue.name))


def _same(arn: str, reference: str) -> bool:
    """Whether a reference names the queue of an ARN, as far as it tells."""
    return f":{match_key(arn)}".endswith(f":{match_key(reference)}")


def _check_size(queue: CompiledQueue, facts: QueueFacts, path: Path, key: bool) -> Iterator[Found]:
    if facts.max_bytes > MAX_ITEM_BYTES and any(route.shape.mode.stores != "nothing" for route in queue.routes):
        sentence = (
            f"queue '{facts.name}' takes messages up to {facts.max_bytes} bytes, more than the {MAX_ITEM_BYTES} of an "
            "item"
        )
        yield Found(LARGER_THAN_ITEMS, sentence, path, "map what is needed only, or lower MaximumMessageSize", key)


def _check_dead_letter(
    queue: CompiledQueue, source: QueueFacts | None, facts: QueueFacts, path: Path
) -> Iterator[Found]:
    if facts.fifo != queue.fifo:
        sentence = f"dead-letter queue '{facts.name}' is {_kind(facts.fifo)}, its queue is {_kind(queue.fifo)}"
        yield Found(OTHER_KIND, sentence, path, f"name one that is {_kind(queue.fifo)}")
    if source and facts.max_bytes < source.max_bytes:
        sentence = (
            f"dead-letter queue '{facts.name}' takes messages up to {facts.max_bytes} bytes, its queue up to "
            f"{source.max_bytes}"
        )
        yield Found(SMALL_LETTERS, sentence, path, "raise its MaximumMessageSize")


def _check_target(facts: QueueFacts, target: QueueFacts, path: Path, key: bool) -> Iterator[Found]:
    if target.fifo != facts.fifo:
        sentence = (
            f"the redrive policy of queue '{facts.name}', which is {_kind(facts.fifo)}, names '{target.name}', which "
            f"is {_kind(target.fifo)}"
        )
        yield Found(OTHER_KIND, sentence, path, f"name one that is {_kind(facts.fifo)}", key)
    least = facts.retention if facts.fifo else facts.retention + 1
    if target.retention < least:
        advice = f"let the dead-letter queue keep them {'as long' if facts.fifo else 'longer'}"
        if least > MAX_RETENTION:
            advice = f"let the queue keep them less than {duration(MAX_RETENTION)}, and the dead-letter queue longer"
        sentence = (
            f"dead-letter queue '{target.name}' keeps messages {duration(target.retention)}, queue '{facts.name}' "
            f"{duration(facts.retention)}"
        )
        yield Found(SHORT_RETENTION, sentence, path, advice, key)


def _kind(fifo: bool) -> str:
    return "FIFO" if fifo else "standard"

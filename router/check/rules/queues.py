"""Reports queues that are not read, lose messages, or do not fit their dead-letter queues."""

from collections.abc import Iterator

from router.aws.references import is_fifo, is_name, match_key
from router.check.analysis.routes import is_set
from router.check.rule import Found, Subject, rule
from router.codes import declare
from router.config import spec
from router.config_types import parse_duration
from router.model import Path

IDLE_QUEUE = declare(
    "RT214",
    "a queue that no route reads",
    "Its messages stay on it until they expire.",
    "warning",
)
OTHER_KIND_OF_QUEUE = declare(
    "RT215",
    "a queue and a dead-letter queue of different kinds",
    "AWS requires both to be FIFO queues, or both standard queues: a standard queue loses the order of messages from a "
    "FIFO queue, and a FIFO queue refuses a message without a group.",
)
LOSING = declare(
    "RT216",
    "messages that are dropped",
    "They are acknowledged and counted, and cannot be inspected or redriven later.",
    "info",
)
IDLE = declare(
    "RT227",
    "a setting of a queue that has no effect",
    "Readers of the config will believe that it is in force.",
    "warning",
)
SHORT_RETENTION = declare(
    "RT229",
    "a dead-letter queue whose retention is not longer than the source queue's",
    "A message that SQS moves from a standard queue keeps the time at which it was first sent, so that it may be "
    "deleted as soon as it has been moved.",
)
EXPIRING = declare(
    "RT233",
    "a queue whose messages expire before all their receives",
    "SQS deletes a message whose retention is over, wherever it is: a message that fails for so long is lost, and does "
    "not reach the dead-letter queue.",
)
MAX_RETENTION = 1_209_600
"""The longest retention of a queue, in seconds: 14 days."""
DEFAULT_RETENTION = 345_600
"""The retention that SQS applies by default, in seconds: 4 days."""
DEFAULT_RECEIVES = 5
"""The receives after which SQS moves a message, in the redrive policy of a queue that the stack creates."""
VISIBILITY_PER_TIMEOUT = 6
"""How many times a function's timeout the visibility timeout of its queues is:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""


@rule(IDLE_QUEUE)
def check_unread(subject: Subject) -> Iterator[Found]:
    """Report queues that are neither read nor dead-letter queues."""
    config = subject.config
    read = {route.queue for route in config.routes.values()}
    dead_letters = {queue.dead_letter for queue in config.queues.values()}
    dead_letters |= {match_key(name) for name in dead_letters}
    for name, queue in config.queues.items() if subject.whole else ():
        if name not in read and name not in dead_letters and match_key(queue.name or name) not in dead_letters:
            sentence = f"no route reads queue '{name}'"
            yield Found(IDLE_QUEUE, sentence, ("queues", name), "add a route, or remove it", key=True)


@rule(OTHER_KIND_OF_QUEUE)
def check_kinds(subject: Subject) -> Iterator[Found]:
    """Report dead-letter queues of the wrong kind."""
    for name, queue in subject.config.queues.items():
        fifo = is_fifo(queue.name or name)
        known = subject.config.queues.get(queue.dead_letter)
        dead_letter = (known.name if known else "") or queue.dead_letter
        if dead_letter and is_fifo(dead_letter) != fifo:
            kinds = ("FIFO", "standard") if fifo else ("standard", "FIFO")
            sentence = f"queue '{name}' is {kinds[0]}, and its dead-letter queue '{dead_letter}' is {kinds[1]}"
            advice = f"name a {kinds[0]} queue; a FIFO queue's name ends with '.fifo'"
            yield Found(OTHER_KIND_OF_QUEUE, sentence, ("queues", name, "dead_letter"), advice)


@rule(LOSING)
def check_drops(subject: Subject) -> Iterator[Found]:
    """Report settings that drop messages."""
    read = {route.queue for route in subject.config.routes.values()}
    for name, queue in subject.config.queues.items():
        if queue.unmatched == "drop" and name in read:
            yield Found(LOSING, f"messages of '{name}' that no route takes are dropped", ("queues", name, "unmatched"))
    for name, route in subject.config.routes.items():
        if route.on_invalid == "drop" and is_set(route.schema):
            sentence = f"messages of route '{name}' that fail its schema are dropped"
            yield Found(LOSING, sentence, ("routes", name, "on_invalid"))


@rule(IDLE)
def check_idle_settings(subject: Subject) -> Iterator[Found]:
    """Report settings of queues that apply to other kinds of queues only."""
    config = subject.config
    read = {route.queue for route in config.routes.values()}
    for name, queue in config.queues.items():
        idle: dict[str, str] = {}
        if not _is_created(queue, name):
            reason = "is not created by the stack"
            idle = {"retention": reason, "max_receive_count": reason}
        if subject.whole and name not in read:
            idle |= {"max_receive_count": "is read by no route", "lambda": "is read by no route"}
        for setting, reason in idle.items():
            value = queue.lambda_ if setting == "lambda" else getattr(queue, setting)
            if is_set(value) and value != spec.EventSourceMapping():
                sentence = f"'{setting}' has no effect: queue '{name}' {reason}"
                yield Found(IDLE, sentence, ("queues", name, setting), "remove it", key=True)


@rule(SHORT_RETENTION)
def check_retention(subject: Subject) -> Iterator[Found]:
    """Report dead-letter queues whose retention is not longer than that of their source queues."""
    queues = subject.config.queues
    dead_letters = {queue.dead_letter for queue in queues.values()}
    for name in {route.queue: None for route in subject.config.routes.values()}:
        queue = queues.get(name, spec.Queue())
        if not _is_created(queue, name) or not _is_created(queues.get(queue.dead_letter, queue), queue.dead_letter):
            continue
        source = retention_of(queue, is_dead_letter=name in dead_letters)
        target = queues.get(queue.dead_letter, spec.Queue())
        # On a FIFO dead-letter queue, the retention of a moved message starts anew.
        least = source if is_fifo(queue.name or name) else source + 1
        if retention_of(target, is_dead_letter=True) < least <= MAX_RETENTION + 1 and target is not queue:
            where: Path = ("queues", queue.dead_letter if is_set(target.retention) else name, "retention")
            relation = "shorter than" if least == source else "not longer than"
            sentence = f"the retention of the dead-letter queue of queue '{name}' is {relation} the source queue's"
            yield Found(SHORT_RETENTION, sentence, where, "raise it on the dead-letter queue: the maximum is 14d")


@rule(EXPIRING)
def check_expiry_of_messages(subject: Subject) -> Iterator[Found]:
    """Report queues whose retention is not longer than the visibility timeouts of all receives together."""
    config = subject.config
    dead_letters = {queue.dead_letter for queue in config.queues.values()}
    visibility = VISIBILITY_PER_TIMEOUT * parse_duration(config.function.timeout)
    for name in {route.queue: None for route in config.routes.values()}:
        queue = config.queues.get(name, spec.Queue())
        if not _is_created(queue, name):
            continue
        receives = queue.max_receive_count if isinstance(queue.max_receive_count, int) else DEFAULT_RECEIVES
        seconds = receives * visibility
        retention = retention_of(queue, is_dead_letter=name in dead_letters)
        if retention <= seconds:
            setting = next((each for each in ("retention", "max_receive_count") if is_set(getattr(queue, each))), "")
            where: Path = ("queues", name, setting) if setting else ("function", "timeout")
            sentence = (
                f"queue '{name}' keeps a message for {retention} s, and {receives} receives with a visibility timeout "
                f"of {visibility} s take {seconds} s"
            )
            yield Found(EXPIRING, sentence, where, "raise 'retention', or lower 'max_receive_count' or 'timeout'")


def retention_of(queue: spec.Queue, *, is_dead_letter: bool) -> int:
    """Return the retention, in seconds, of a queue that `router template` creates."""
    if isinstance(queue.retention, str):
        return parse_duration(queue.retention)
    return MAX_RETENTION if is_dead_letter else DEFAULT_RETENTION


def _is_created(queue: spec.Queue, name: str) -> bool:
    return queue.managed and is_name(queue.name or name)

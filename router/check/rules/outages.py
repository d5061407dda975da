"""Reports queues whose messages expire, or use up their receives, during an outage.

Retention: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from collections.abc import Iterator
from itertools import pairwise

from router.check.analysis.routes import is_set
from router.check.rule import Found, Subject, rule
from router.check.rules.queues import is_created, receives_of, retention_of, visibility_of
from router.codes import declare
from router.config import spec
from router.config_types import parse_duration
from router.engine.backoff import MAX_OUTLAST, OutageBackoff, receives_for
from router.model import Path

EXPIRING = declare(
    "RT233",
    "a queue whose messages expire before all their receives",
    "SQS deletes a message whose retention is over, wherever it is: a message that fails for so long is lost, and does "
    "not reach the dead-letter queue.",
)
SHORT_LIVED = declare(
    "RT234",
    "a queue that survives a shorter outage than its `outlast`",
    "During a longer outage its messages use up their receives and are moved to the dead-letter queue, or their "
    "retention ends and SQS deletes them.",
    severity="warning",
)


@rule(EXPIRING)
def check_expiry_of_messages(subject: Subject) -> Iterator[Found]:
    """Report queues whose retention is not longer than the visibility timeouts of all receives together."""
    for name, queue, is_dead_letter in _created(subject.config):
        receives, visibility = receives_of(queue), visibility_of(subject.config, name)
        seconds = receives * visibility
        retention = retention_of(queue, is_dead_letter=is_dead_letter)
        if retention <= seconds:
            setting = next((each for each in ("retention", "max_receive_count") if is_set(getattr(queue, each))), "")
            where: Path = ("queues", name, setting) if setting else ("function", "timeout")
            sentence = (
                f"queue '{name}' keeps a message for {retention} s, and {receives} receives with a visibility timeout "
                f"of {visibility} s take {seconds} s"
            )
            yield Found(EXPIRING, sentence, where, "raise 'retention', or lower 'max_receive_count' or 'timeout'")


@rule(SHORT_LIVED)
def check_outlast(subject: Subject) -> Iterator[Found]:
    """Report queues whose retention or receives do not last for an outage of `outlast`."""
    for name, queue, is_dead_letter in _created(subject.config):
        outlast, receives = parse_duration(queue.outlast), receives_of(queue)
        survived = OutageBackoff(min(outlast, MAX_OUTLAST), receives).survives()
        retention = retention_of(queue, is_dead_letter=is_dead_letter)
        if retention <= outlast:
            sentence = (
                f"queue '{name}' keeps a message for {rough_duration(retention)}, and is to survive an outage of "
                f"{rough_duration(outlast)}"
            )
            where: Path = ("queues", name, "retention" if is_set(queue.retention) else "outlast")
            yield Found(SHORT_LIVED, sentence, where, "raise 'retention' (at most 14d), or lower 'outlast'")
        elif survived < outlast:
            sentence = (
                f"{receives} receives of queue '{name}' are used up after {rough_duration(survived)} of an outage, and "
                f"it is to survive {rough_duration(outlast)}"
            )
            advice = f"write 'max_receive_count: {receives_for(outlast)}', or lower 'outlast'"
            yield Found(SHORT_LIVED, sentence, ("queues", name, "max_receive_count"), advice)


def _created(config: spec.Config) -> Iterator[tuple[str, spec.Queue, bool]]:
    """Yield the queues that are read and created by the stack, and whether each is a dead-letter queue too."""
    dead_letters = {queue.dead_letter for queue in config.queues.values()}
    for name in {route.queue: None for route in config.routes.values()}:
        queue = config.queues.get(name, spec.Queue())
        if is_created(queue, name):
            yield name, queue, name in dead_letters


_UNITS = (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def rough_duration(seconds: int) -> str:
    """Return seconds in the largest unit that fits, and the rest in the next smaller one: `11 h 45 min`."""
    for (name, size), (smaller, part) in pairwise(_UNITS):
        if seconds >= (2 * size if name == "days" else size):
            rest = seconds % size // part
            return f"{seconds // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"

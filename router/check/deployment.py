"""Finds settings of what is to be deployed that AWS would refuse, or that have no effect.

Mappings: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
Functions: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
Queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
Logs: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
"""

import re
from collections.abc import Iterator

from router.aws.references import is_fifo, is_name
from router.check.flows import is_set
from router.check.rule import Found, Subject
from router.config import spec
from router.config.environment import stands_for_unset
from router.config_types import parse_duration
from router.model import Code, Path

BATCHES = Code(
    "RT225",
    "batches that Lambda does not allow",
    "Lambda refuses the mapping: a FIFO queue has batches of 10 at most and no window; batches over 10 need a window "
    "of a second or more, and no window is longer than five minutes.",
)
NO_KEY = Code(
    "RT226",
    "what is not the ARN of a KMS key",
    "The policy of the role names the key, and policies take ARNs of keys only: an alias allows nothing.",
)
IDLE = Code(
    "RT227",
    "a setting of a queue that has no effect",
    "Whoever wrote it believes it to be in force.",
    "warning",
)
TIMES = Code(
    "RT228",
    "a time that AWS does not allow",
    "AWS refuses it when the stack is made, and then makes nothing of it.",
)
FORGETFUL = Code(
    "RT229",
    "a dead-letter queue that is to forget too soon",
    "A message that SQS moves from a standard queue keeps the time when it was first sent, so that it may be deleted "
    "as soon as it has arrived.",
)

MAX_TIMEOUT, MAX_WINDOW, MIN_RETENTION, MAX_RETENTION = 900, 300, 60, 1_209_600
MAX_BATCH_FIFO = MAX_BATCH_WITHOUT_WINDOW = 10
DEFAULT_RETENTION = 345_600
"""Seconds that SQS keeps a message if nobody says how long: four days."""
LOG_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_KEY_ARN = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")


def check_mappings(subject: Subject) -> Iterator[Found]:
    """Find batches and windows that Lambda refuses."""
    for name, queue in subject.config.queues.items():
        path: Path = ("queues", name, "lambda")
        mapping, fifo = queue.lambda_, is_fifo(queue.name or name)
        size = mapping.batch_size if isinstance(mapping.batch_size, int) else 0
        window = parse_duration(mapping.window) if isinstance(mapping.window, str) else None
        if fifo and size > MAX_BATCH_FIFO:
            sentence = f"queue '{name}' is FIFO: it has batches of at most {MAX_BATCH_FIFO}, not {size}"
            yield Found(BATCHES, sentence, (*path, "batch_size"), f"write 'batch_size: {MAX_BATCH_FIFO}' or less")
        if fifo and window:
            yield Found(BATCHES, f"queue '{name}' is FIFO: it has no window", (*path, "window"), "remove it")
        elif window is not None and window > MAX_WINDOW:
            sentence = f"a window has at most {MAX_WINDOW} seconds, not {window}"
            yield Found(BATCHES, sentence, (*path, "window"), "write 'window: 5m' or less")
        elif not fifo and size > MAX_BATCH_WITHOUT_WINDOW and window == 0:
            sentence = f"batches of {size} need a window of a second or more"
            yield Found(BATCHES, sentence, (*path, "window"), "write 'window: 1s', or remove it")


def check_kms_keys(subject: Subject) -> Iterator[Found]:
    """Find keys that are not named by their ARN."""
    config = subject.config
    named: list[tuple[Path, str]] = [(("queues", name), queue.kms_key) for name, queue in config.queues.items()]
    named += [(("tables", name), table.kms_key) for name, table in config.tables.items()]
    for path, key in named:
        if key and not _KEY_ARN.fullmatch(key) and not stands_for_unset(key):
            sentence = f"'{key}' is no ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID"
            yield Found(NO_KEY, sentence, (*path, "kms_key"), "give the ARN of the key itself, not of an alias")


def check_idle_settings(subject: Subject) -> Iterator[Found]:
    """Find settings of queues that are for other queues."""
    config = subject.config
    read = {route.queue for route in config.routes.values()}
    for name, queue in config.queues.items():
        idle: dict[str, str] = {}
        if not _is_made(queue, name):
            reason = "is only referred to, not made"
            idle = {"retention": reason, "max_receive_count": reason}
        if subject.whole and name not in read:
            idle |= {"max_receive_count": "is read by no route", "lambda": "is read by no route"}
        for setting, reason in idle.items():
            value = queue.lambda_ if setting == "lambda" else getattr(queue, setting)
            if is_set(value) and value != spec.EventSourceMapping():
                sentence = f"'{setting}' has no effect: queue '{name}' {reason}"
                yield Found(IDLE, sentence, ("queues", name, setting), "remove it", key=True)


def check_times(subject: Subject) -> Iterator[Found]:
    """Find times out of AWS's range."""
    config = subject.config
    timeout = parse_duration(config.function.timeout)
    if not 1 <= timeout <= MAX_TIMEOUT:
        sentence = f"a function has 1 to {MAX_TIMEOUT} seconds, not {timeout}"
        yield Found(TIMES, sentence, ("function", "timeout"), "write '1s' to '15m'")
    for section, kept in (("function", config.function.log_retention), ("worker", config.worker.log_retention)):
        days, rest = divmod(parse_duration(kept), 86_400)
        if rest or days not in LOG_DAYS:
            sentence = f"CloudWatch Logs keeps no log for '{kept}'"
            near = min(LOG_DAYS, key=lambda known: abs(known - days))
            yield Found(TIMES, sentence, (section, "log_retention"), f"write '{near}d'")
    for name, queue in config.queues.items():
        kept = queue.retention if isinstance(queue.retention, str) else "4d"
        if not MIN_RETENTION <= parse_duration(kept) <= MAX_RETENTION:
            sentence = f"a queue keeps messages for 1 minute to 14 days, not for '{kept}'"
            yield Found(TIMES, sentence, ("queues", name, "retention"), "write '1m' to '14d'")


def check_retention(subject: Subject) -> Iterator[Found]:
    """Find queues that keep messages as long as their dead-letter queues, or longer."""
    queues = subject.config.queues
    letters = {queue.dead_letter for queue in queues.values()}
    for name in {route.queue: None for route in subject.config.routes.values()}:
        queue = queues.get(name, spec.Queue())
        if not _is_made(queue, name) or not _is_made(queues.get(queue.dead_letter, queue), queue.dead_letter):
            continue
        kept = retention_of(queue, takes_letters=name in letters)
        taken = queues.get(queue.dead_letter, spec.Queue())
        # In a FIFO queue a message that SQS moves is as new as if it was sent then.
        least = kept if is_fifo(queue.name or name) else kept + 1
        if retention_of(taken, takes_letters=True) < least <= MAX_RETENTION + 1 and taken is not queue:
            where: Path = ("queues", queue.dead_letter if is_set(taken.retention) else name, "retention")
            sentence = f"queue '{name}' keeps messages as long as its dead-letter queue, or longer"
            yield Found(FORGETFUL, sentence, where, "let the dead-letter queue keep them longer: 14d is the longest")


def retention_of(queue: spec.Queue, *, takes_letters: bool) -> int:
    """How many seconds a queue keeps messages that `router template` makes."""
    if isinstance(queue.retention, str):
        return parse_duration(queue.retention)
    return MAX_RETENTION if takes_letters else DEFAULT_RETENTION


def _is_made(queue: spec.Queue, name: str) -> bool:
    return queue.managed and is_name(queue.name or name)

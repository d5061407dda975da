"""Reports queues that are not read, lose messages, do not fit their dead-letter queues, survive no
outage, or have no proper senders.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from router.codes import declare
from router.runtime.aws.references import is_fifo, is_name, match_key
from router.runtime.config import spec
from router.runtime.config.environment import stands_for_unset
from router.runtime.config_types import parse_duration
from router.runtime.engine.backoff import MAX_OUTLAST, OutageBackoff, outage_waits, receives_for
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.typos import typo_of

NO_DEAD_LETTER_QUEUE = declare(
    "RT203",
    "a queue without dead-letter queue",
    "A rejected message stays on its queue and is received again until the queue's own redrive policy moves it; "
    "the reason is in the log only.",
    severity="warning",
)
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
    "a setting of a queue or table that has no effect",
    "Readers of the config will believe that it is in force.",
    "warning",
)
SHORT_RETENTION = declare(
    "RT229",
    "a dead-letter queue whose retention is not longer than the source queue's",
    "A message that SQS moves from a standard queue keeps the time at which it was first sent, so that it may be "
    "deleted as soon as it has been moved.",
)
MAX_RETENTION = 1_209_600
"""The longest retention of a queue, in seconds: 14 days."""
# The retention that SQS applies by default, in seconds: 4 days.
_DEFAULT_RETENTION = 345_600
VISIBILITY_PER_TIMEOUT = 6
"""How many times a function's timeout the visibility timeout of its queues is:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
# The batch size of a standard queue.
_DEFAULT_BATCH = 100
MAX_BATCH_FIFO = MAX_BATCH_WITHOUT_WINDOW = 10
"""A batch of a FIFO queue has at most 10 messages; one of more messages needs a window of at least 1 second:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html"""
NO_SENDER = declare(
    "RT247",
    "a sender that a queue cannot have",
    "The policy of the queue names each sender: the service that acts for a topic, rule or bucket, or an identity of "
    "IAM. A wildcard would let others send. AWS delivers nothing from a bucket or a standard topic to a FIFO queue.",
)
NOBODY_SENDS = declare(
    "RT248",
    "an envelope whose service may not send",
    "SNS and EventBridge send to a queue only if its policy allows it. The policy that the stack gives the queue "
    "allows its `senders` only, and replaces any other policy.",
    "info",
)
KEY_NEEDS = declare(
    "RT249",
    "a KMS key whose policy has to name a service",
    "A service that sends to an encrypted queue makes a data key for each message, and IAM policies cannot allow it "
    "that. Without the permission nothing is delivered, and SNS or EventBridge gives up after its retries.",
    "info",
)
_ADVICE = (
    "use the ARN of an SNS topic, an EventBridge rule, an S3 bucket, or an IAM role or user, or an account, "
    "without a wildcard"
)
# By an envelope, the kind of sender that makes it, in words, and its service.
_ENVELOPE_MAKERS = {
    "sns": ("topic", "an SNS topic", "sns.amazonaws.com"),
    "eventbridge": ("rule", "an EventBridge rule", "events.amazonaws.com"),
}


@rule(NO_DEAD_LETTER_QUEUE)
def check_dead_letter_queues(subject: Subject) -> Iterator[Found]:
    """Report queues that are read and have no dead-letter queue."""
    queues = subject.config.queues
    for name, place in subject.read.items():
        if not queues.get(name, spec.Queue()).dead_letter:
            yield Found(
                NO_DEAD_LETTER_QUEUE,
                f"queue '{name}' has no dead-letter queue: a rejected message stays on it",
                ("queues", name) if name in queues else place,
                _advice(queues, name),
            )


def _advice(queues: Mapping[str, spec.Queue], name: str) -> str:
    near = "" if name in queues else typo_of(name, queues)
    if near:
        return f"did you mean '{near}'?"
    return f"add 'dead_letter:' to the queue '{name}' under 'queues'"


@rule(IDLE_QUEUE)
def check_unread(subject: Subject) -> Iterator[Found]:
    """Report queues that are neither read nor dead-letter queues."""
    queues = subject.config.queues
    used = {*subject.read, *(queue.dead_letter for queue in queues.values())}
    dead_letters = {match_key(queue.dead_letter) for queue in queues.values()}
    for name, queue in queues.items() if subject.whole else ():
        if name not in used and match_key(queue.name or name) not in dead_letters:
            yield Found(
                IDLE_QUEUE,
                f"no route reads queue '{name}'",
                ("queues", name),
                "add a route, or remove it",
            )


@rule(OTHER_KIND_OF_QUEUE)
def check_kinds(subject: Subject) -> Iterator[Found]:
    """Report dead-letter queues of the wrong kind."""
    for name, queue in subject.config.queues.items():
        fifo = is_fifo(queue.name or name)
        known = subject.config.queues.get(queue.dead_letter)
        dead_letter = (known.name if known else "") or queue.dead_letter
        if dead_letter and is_fifo(dead_letter) != fifo:
            kinds = ("FIFO", "standard") if fifo else ("standard", "FIFO")
            yield Found(
                OTHER_KIND_OF_QUEUE,
                f"queue '{name}' is {kinds[0]}, and its dead-letter queue '{dead_letter}' is {kinds[1]}",
                ("queues", name, "dead_letter"),
                f"name a {kinds[0]} queue; a FIFO queue's name ends with '.fifo'",
            )


@rule(LOSING)
def check_drops(subject: Subject) -> Iterator[Found]:
    """Report settings that drop messages."""
    for name, queue in subject.config.queues.items():
        if queue.unmatched == "drop" and name in subject.read:
            yield Found(
                LOSING,
                f"messages of '{name}' that no route takes are dropped",
                ("queues", name, "unmatched"),
            )
    for name, route in subject.config.routes.items():
        if route.on_invalid == "drop" and route.schema is not None:
            yield Found(
                LOSING,
                f"messages of route '{name}' that fail its schema are dropped",
                ("routes", name, "on_invalid"),
            )


@rule(IDLE)
def check_idle_settings(subject: Subject) -> Iterator[Found]:
    """Report settings of queues that apply to other kinds of queues only, and a `share` without
    `write_units`.
    """
    config = subject.config
    yield from _same_keys(config)
    for name, table in config.tables.items():
        if table.share != 1 and table.write_units is None:
            yield Found(
                IDLE,
                f"'share' has no effect: table '{name}' has no 'write_units'",
                ("tables", name, "share"),
                "add write_units, or remove it",
                key=True,
            )
        if table.capacity is not None and not is_created(table, name):
            yield Found(
                IDLE,
                f"'capacity' has no effect: table '{name}' is not created by the stack",
                ("tables", name, "capacity"),
                "remove it",
                key=True,
            )
    for name, queue in config.queues.items():
        idle: dict[str, str] = {}
        if not is_created(queue, name):
            reason = "is not created by the stack"
            created = ("retention", "max_receive_count", "deletion_policy", "senders")
            idle = dict.fromkeys(created, reason)
        if subject.whole and name not in subject.read:
            idle |= dict.fromkeys(
                ("outlast", "max_receive_count", "silent_after", "lambda"), "is read by no route"
            )
        for setting, reason in idle.items():
            attribute = "lambda_" if setting == "lambda" else setting
            if getattr(queue, attribute) != getattr(spec.Queue(), attribute):
                yield Found(
                    IDLE,
                    f"'{setting}' has no effect: queue '{name}' {reason}",
                    ("queues", name, setting),
                    "remove it",
                    key=True,
                )


def _same_keys(config: spec.Config) -> Iterator[Found]:
    for section, entries in (("queues", config.queues), ("tables", config.tables)):
        for name, entry in entries.items():
            if entry.kms_key_previous and entry.kms_key_previous == entry.kms_key:
                yield Found(
                    IDLE,
                    f"'kms_key_previous' of {section[:-1]} '{name}' has no effect: it is its kms_key",
                    (section, name, "kms_key_previous"),
                    "name the key of before",
                    key=True,
                )


@rule(SHORT_RETENTION)
def check_retention(subject: Subject) -> Iterator[Found]:
    """Report dead-letter queues whose retention is not longer than that of their source queues."""
    queues = subject.config.queues
    for name, queue, is_dead_letter in _created(subject):
        if not is_created(queues.get(queue.dead_letter, queue), queue.dead_letter):
            continue
        source = retention_of(queue, is_dead_letter=is_dead_letter)
        target = queues.get(queue.dead_letter, spec.Queue())
        # On a FIFO dead-letter queue, the retention of a moved message starts anew.
        least = source if is_fifo(queue.name or name) else source + 1
        if (
            retention_of(target, is_dead_letter=True) < least <= MAX_RETENTION + 1
            and target is not queue
        ):
            relation = "shorter than" if least == source else "not longer than"
            yield Found(
                SHORT_RETENTION,
                f"the retention of the dead-letter queue of queue '{name}' is {relation} the source queue's",
                (
                    "queues",
                    name if target.retention is None else queue.dead_letter,
                    "retention",
                ),
                "raise it on the dead-letter queue: the maximum is 14d",
            )


def retention_of(queue: spec.Queue, *, is_dead_letter: bool) -> int:
    """Return the retention, in seconds, of a queue that `router template` creates."""
    if isinstance(queue.retention, str):
        return parse_duration(queue.retention)
    return MAX_RETENTION if is_dead_letter else _DEFAULT_RETENTION


def receives_of(queue: spec.Queue) -> int:
    """Return the `maxReceiveCount` of a queue that `router template` creates."""
    if isinstance(queue.max_receive_count, int):
        return queue.max_receive_count
    return receives_for(parse_duration(queue.outlast))


def batch_of(queue: spec.Queue, name: str) -> tuple[int, int]:
    """Return the batch size and the window, in seconds, by which Lambda reads a queue."""
    mapping = queue.lambda_
    size = mapping.batch_size
    if not isinstance(size, int):
        size = MAX_BATCH_FIFO if is_fifo(queue.name or name) else _DEFAULT_BATCH
    if isinstance(mapping.window, str):
        window = parse_duration(mapping.window)
    else:
        window = int(size > MAX_BATCH_WITHOUT_WINDOW)
    return size, window


def visibility_of(config: spec.Config, name: str) -> int:
    """Return the visibility timeout, in seconds, of a queue that `router template` creates for a
    function.
    """
    _, window = batch_of(config.queues.get(name, spec.Queue()), name)
    return VISIBILITY_PER_TIMEOUT * parse_duration(config.function.timeout) + window


def is_created(entry: spec.Queue | spec.TableSettings, name: str) -> bool:
    """Return whether `router template` creates a queue or table."""
    return entry.managed and is_name(entry.name or name)


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
    """Report queues whose retention is not longer than the visibility timeouts of all receives
    together.
    """
    for name, queue, is_dead_letter in _created(subject):
        receives = receives_of(queue)
        visibility = visibility_of(subject.config, name)
        seconds = receives * visibility
        retention = retention_of(queue, is_dead_letter=is_dead_letter)
        if retention <= seconds:
            setting = next(
                (
                    each
                    for each in ("retention", "max_receive_count")
                    if getattr(queue, each) is not None
                ),
                "",
            )
            where = ("queues", name, setting) if setting else ("function", "timeout")
            yield Found(
                EXPIRING,
                f"queue '{name}' keeps a message for {retention} s, and {receives} receives with a visibility timeout "
                f"of {visibility} s take {seconds} s",
                where,
                "raise 'retention', or lower 'max_receive_count' or 'timeout'",
            )


def survived_seconds(backoff: OutageBackoff) -> int:
    """Return the seconds from the first receive of a message to the last one, at least, if all of them fail."""
    if backoff.max_receive_count == 0:
        return MAX_OUTLAST
    waits = outage_waits(backoff.outlast, backoff.max_receive_count)
    # SQS moves the message instead of delivering it once more: the wait after its last receive cannot save it.
    between = backoff.max_receive_count - 1
    return sum(waits[:between]) + max(0, between - len(waits)) * waits[-1]


@rule(SHORT_LIVED)
def check_outlast(subject: Subject) -> Iterator[Found]:
    """Report queues whose retention or receives do not last for an outage of `outlast`."""
    for name, queue, is_dead_letter in _created(subject):
        outlast = parse_duration(queue.outlast)
        receives = receives_of(queue)
        survived = survived_seconds(OutageBackoff(min(outlast, MAX_OUTLAST), receives))
        retention = retention_of(queue, is_dead_letter=is_dead_letter)
        if retention <= outlast:
            yield Found(
                SHORT_LIVED,
                f"queue '{name}' keeps a message for {rough_duration(retention)}, and is to survive an outage of "
                f"{rough_duration(outlast)}",
                ("queues", name, "outlast" if queue.retention is None else "retention"),
                "raise 'retention' (at most 14d), or lower 'outlast'",
            )
        elif survived < outlast:
            yield Found(
                SHORT_LIVED,
                f"{receives} receives of queue '{name}' are used up after {rough_duration(survived)} of an outage, and "
                f"it is to survive {rough_duration(outlast)}",
                ("queues", name, "max_receive_count"),
                f"write 'max_receive_count: {receives_for(outlast)}', or lower 'outlast'",
            )


def _created(subject: Subject) -> Iterator[tuple[str, spec.Queue, bool]]:
    """Yield the queues that are read and created by the stack, and whether each is a dead-letter
    queue too.
    """
    queues = subject.config.queues
    dead_letters = {queue.dead_letter for queue in queues.values()}
    for name in subject.read:
        queue = queues.get(name, spec.Queue())
        if is_created(queue, name):
            yield name, queue, name in dead_letters


_UNITS = (("days", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def rough_duration(seconds: int) -> str:
    """Return seconds in the largest unit that fits, and the rest in the next smaller one: `11 h 45
    min`.
    """
    for (name, size), (smaller, part) in pairwise(_UNITS):
        if seconds >= (2 * size if name == "days" else size):
            rest = seconds % size // part
            return f"{seconds // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


@rule(NO_SENDER)
def check_senders(subject: Subject) -> Iterator[Found]:
    """Report senders that are none, or that AWS lets send to standard queues only."""
    for name, queue in subject.config.queues.items():
        for index, sender in enumerate(queue.senders):
            fifo = is_fifo(queue.name or name)
            path = ("queues", name, "senders", index)
            kind = _kind_of(sender)
            if kind is None and not stands_for_unset(sender):
                yield Found(
                    NO_SENDER,
                    f"'{sender}' is nothing that can send to queue '{name}'",
                    path,
                    _ADVICE,
                )
            elif fifo and (kind == "bucket" or (kind == "topic" and not is_fifo(sender))):
                what = "an S3 bucket" if kind == "bucket" else "a standard topic"
                yield Found(
                    NO_SENDER,
                    f"{what} cannot send to the FIFO queue '{name}'",
                    path,
                    "send to a standard queue",
                )


@rule(NOBODY_SENDS)
def check_envelopes(subject: Subject) -> Iterator[Found]:
    """Report queues of the stack whose outermost envelope has no sender, but for those that others may forward to."""
    for name, queue in subject.config.queues.items():
        outermost = queue.envelope[0] if queue.envelope else ""
        maker = _ENVELOPE_MAKERS.get(outermost)
        if maker is None or not is_created(queue, name) or name not in subject.read:
            continue
        kind, what, service = maker
        if _may_send(queue, kind):
            continue
        yield Found(
            NOBODY_SENDS,
            f"no sender of queue '{name}' makes its envelope '{outermost}': {service} may not send to it",
            ("queues", name, "envelope"),
            f"add the ARN of {what} to 'senders'",
        )


def _may_send(queue: spec.Queue, kind: str) -> bool:
    """Whether a sender makes an envelope, or is somebody who may pass one on; an unset variable may stand for it."""
    kinds = map(_kind_of, queue.senders)
    return any(each in (kind, "account", "identity", None) for each in kinds)


@rule(KEY_NEEDS)
def check_keys_of_senders(subject: Subject) -> Iterator[Found]:
    """Report queues with a KMS key of the user's that services send to."""
    for name, queue in subject.config.queues.items():
        if not queue.kms_key or not queue.senders or not is_created(queue, name):
            continue
        services = _services_of(queue.senders)
        if services:
            who = " and ".join(services)
            needed = "kms:GenerateDataKey and kms:Decrypt"
            yield Found(
                KEY_NEEDS,
                f"the policy of the KMS key of queue '{name}' must allow {who} {needed}",
                ("queues", name, "kms_key"),
                "add a statement to the policy of the key",
            )


def _services_of(senders: Iterable[str]) -> list[str]:
    from router.tools.check.senders import SERVICES

    kinds = {_kind_of(sender) for sender in senders}
    return [service for kind, service in SERVICES.items() if kind in kinds]


def _kind_of(sender: str) -> str | None:
    # Without senders, a check does without it.
    from router.tools.check.senders import kind_of_sender

    return kind_of_sender(sender)

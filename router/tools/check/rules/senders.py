"""Reports senders that a queue cannot have, envelopes without a sender, and what a KMS key's policy needs."""

from collections.abc import Iterator

from router.codes import declare
from router.runtime.aws.references import is_fifo
from router.runtime.config import spec
from router.runtime.config.environment import stands_for_unset
from router.tools.check.rule import Found, Subject, rule
from router.tools.check.rules.queues import is_created
from router.tools.check.senders import SENDERS_OF_ENVELOPES, SERVICES, SenderKind, kind_of_sender

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
    "warning",
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


@rule(NO_SENDER)
def check_senders(subject: Subject) -> Iterator[Found]:
    """Report senders that are none, or that AWS lets send to standard queues only."""
    for name, queue in subject.config.queues.items():
        fifo = is_fifo(queue.name or name)
        for index, sender in enumerate(queue.senders):
            path = ("queues", name, "senders", index)
            kind = kind_of_sender(sender)
            if kind is None and not stands_for_unset(sender):
                sentence = f"'{sender}' is nothing that can send to queue '{name}'"
                yield Found(NO_SENDER, sentence, path, _ADVICE)
            elif fifo and (kind == "bucket" or (kind == "topic" and not is_fifo(sender))):
                what = "an S3 bucket" if kind == "bucket" else "a standard topic"
                sentence = f"{what} cannot send to the FIFO queue '{name}'"
                yield Found(NO_SENDER, sentence, path, "send to a standard queue")


@rule(NOBODY_SENDS)
def check_envelopes(subject: Subject) -> Iterator[Found]:
    """Report queues of the stack whose outermost envelope has no sender, but for those that others may forward to."""
    for name, queue in subject.config.queues.items():
        outermost = queue.envelope[0] if queue.envelope else ""
        kind = SENDERS_OF_ENVELOPES.get(outermost)
        if kind is None or not is_created(queue, name) or name not in subject.read:
            continue
        if _may_send(queue, kind):
            continue
        what = "an SNS topic" if kind == "topic" else "an EventBridge rule"
        sentence = f"no sender of queue '{name}' makes its envelope '{outermost}': {SERVICES[kind]} may not send to it"
        advice = f"add the ARN of {what} to 'senders'"
        yield Found(NOBODY_SENDS, sentence, ("queues", name, "envelope"), advice)


def _may_send(queue: spec.Queue, kind: SenderKind) -> bool:
    """Whether a sender makes an envelope, or is somebody who may pass one on; an unset variable may stand for it."""
    kinds = map(kind_of_sender, queue.senders)
    return any(each in (kind, "account", "identity", None) for each in kinds)


@rule(KEY_NEEDS)
def check_keys_of_senders(subject: Subject) -> Iterator[Found]:
    """Report queues with a KMS key of the user's that services send to."""
    for name, queue in subject.config.queues.items():
        kinds = dict.fromkeys(map(kind_of_sender, queue.senders))
        services = [service for kind, service in SERVICES.items() if kind in kinds]
        if queue.kms_key and services and is_created(queue, name):
            who = " and ".join(services)
            needed = "kms:GenerateDataKey and kms:Decrypt"
            sentence = f"the policy of the KMS key of queue '{name}' must allow {who} {needed}"
            advice = "add a statement to the policy of the key; docs/deploy.md shows it"
            yield Found(KEY_NEEDS, sentence, ("queues", name, "kms_key"), advice)

"""Reports senders that the policies of queues do not allow, other policies, and topics that deliver in another form.

Raw delivery: https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
"""

from collections.abc import Iterator

from router.codes import declare
from router.model import Path
from router.runtime.config import spec
from router.tools.check.live.deployed import DeployedConfig, live_rule
from router.tools.check.rule import Found
from router.tools.check.rules.queues import is_created
from router.tools.check.senders import (
    configured_policy,
    grants_of,
    kind_of_sender,
    read_policy,
)
from router.tools.control_plane.deployed import DeployedQueue, Unanswered

NOT_ALLOWED = declare(
    "RT735",
    "a sender that the policy of a queue does not allow",
    "SNS, EventBridge and S3 send to a queue only if its policy allows it, and so do identities of other accounts.",
    severity="warning",
)
OTHER_POLICY = declare(
    "RT736",
    "a queue whose policy says more than the template's",
    "It was changed by other means, and others may use the queue. The next deployment that changes the policy replaces "
    "it.",
    severity="warning",
)
OTHER_DELIVERY = declare(
    "RT737",
    "a topic that delivers in another form, or not at all",
    "SNS wraps a message into its envelope, unless the subscription has raw message delivery. A message in another "
    "form than `envelope` says is rejected, or stored with its envelope.",
    severity="warning",
)
NO_TLS = declare(
    "RT738",
    "a queue that accepts calls without TLS",
    "The policy that a template gives a queue refuses them. Where the credentials allow it, messages could be sent and "
    "read in clear.",
    severity="info",
)


@live_rule(NOT_ALLOWED, OTHER_POLICY, NO_TLS)
def check_policies(deployment: DeployedConfig) -> Iterator[Found]:
    """Report policies of created queues that allow less, or more, than the template says."""
    for settings, deployed, path in _created(deployment):
        account = deployed.arn.split(":")[4]
        wanted = grants_of(configured_policy(settings, deployed.arn), account)
        found = grants_of(read_policy(deployed.policy), account)
        allowed = sorted(str(each) for each in wanted - found if each.effect == "Allow")
        if allowed:
            yield Found(
                NOT_ALLOWED,
                f"the policy of queue '{deployed.name}' does not say: {'; '.join(allowed)}",
                path,
                "deploy again",
            )
        if more := sorted(map(str, found - wanted)):
            yield Found(
                OTHER_POLICY,
                f"the policy of queue '{deployed.name}' says also: {'; '.join(more)}",
                path,
                "name who sends in 'senders', or remove it",
            )
        if any(each.effect == "Deny" for each in wanted - found):
            yield Found(
                NO_TLS, f"queue '{deployed.name}' accepts calls without TLS", path, "deploy again"
            )


def _created(deployment: DeployedConfig) -> Iterator[tuple[spec.Queue, DeployedQueue, Path]]:
    """Yield the queues that the stack creates, with their settings and their place in the config."""
    configured = deployment.config.queues
    seen: dict[str, tuple[spec.Queue, Path]] = {}
    for name, queue in deployment.queues.items():
        settings = configured.get(name, spec.Queue())
        if is_created(settings, name):
            seen[queue.reference] = settings, deployment.queue_path(name)
        letters = configured.get(settings.dead_letter, spec.Queue(managed=settings.managed))
        if queue.dead_letter and is_created(letters, settings.dead_letter):
            seen.setdefault(queue.dead_letter, (letters, deployment.dead_letter_path(name)))
    for reference, (settings, path) in seen.items():
        deployed = deployment.seen.queues.get(reference)
        if isinstance(deployed, DeployedQueue):
            yield settings, deployed, path


def own_topics(settings: spec.Queue, queue_arn: str) -> list[str]:
    """Return the topics that send to a queue and are in its account and region, so that they can be read."""
    place = queue_arn.split(":")[3:5]
    return [
        sender
        for sender in settings.senders
        if kind_of_sender(sender) == "topic" and sender.split(":")[3:5] == place
    ]


@live_rule(OTHER_DELIVERY)
def check_deliveries(deployment: DeployedConfig) -> Iterator[Found]:
    """Report topics whose subscription does not fit the envelope of their queue, or that have none."""
    for name in deployment.queues:
        deployed = deployment.queue_of(name)
        settings = deployment.config.queues.get(name, spec.Queue())
        if deployed is None:
            continue
        wrapped = settings.envelope[:1] == ("sns",)
        for topic in own_topics(settings, deployed.arn):
            subscriptions = deployment.seen.subscriptions.get(topic, ())
            if isinstance(subscriptions, Unanswered):
                if not subscriptions.absent:
                    continue
                subscriptions = ()
            found = [each for each in subscriptions if each.queue == deployed.arn]
            path = ("queues", name, "senders")
            what = f"topic '{topic}'"
            if not found:
                yield Found(
                    OTHER_DELIVERY,
                    f"{what} has no subscription of queue '{deployed.name}'",
                    path,
                    "subscribe the queue, or remove it",
                )
            elif any(each.raw is wrapped for each in found):
                sentence, advice = _form(wrapped)
                yield Found(OTHER_DELIVERY, f"{what} {sentence}", path, advice)


def _form(wrapped: bool) -> tuple[str, str]:
    if wrapped:
        return (
            "delivers raw messages, and 'envelope' has 'sns'",
            "remove 'sns' from 'envelope', or turn raw message delivery off",
        )
    return (
        "delivers messages in an envelope, and 'envelope' does not begin with 'sns'",
        "write 'envelope: [sns]', or turn raw message delivery on",
    )

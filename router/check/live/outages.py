"""Reports how long an outage each deployed queue survives, and queues that survive a shorter one than configured."""

from collections.abc import Iterator

from msgspec import Struct, structs

from router.aws.deployed import DeployedQueue
from router.check.live.deployed import DeployedConfig, live_rule
from router.check.rule import Found
from router.check.rules.queues import rough_duration
from router.codes import declare
from router.engine.backoff import OutageBackoff, receives_for

EXPIRING = declare(
    "RT730",
    "a deployed queue whose messages expire before all their receives",
    "SQS deletes a message whose retention is over, wherever it is: a message that fails for so long is lost, and does "
    "not reach the dead-letter queue.",
)
SHORT_LIVED = declare(
    "RT733",
    "a deployed queue that survives a shorter outage than its `outlast`",
    "During a longer outage its messages use up their receives and are moved to the dead-letter queue, or their "
    "retention ends and SQS deletes them.",
    severity="warning",
)


class OutageSurvival(Struct, frozen=True):
    """How long an outage the messages of a queue survive, in seconds, from the first receive of each on.

    `survives` is for a table, bucket or permission that fails, in which the router extends visibility timeouts;
    `survives_crashes` is for a function or worker that does not run to the end, and so extends none.
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
    crashes = (
        (deployed.max_receive_count - 1) * deployed.visibility if deployed.max_receive_count else deployed.retention
    )
    survives = min(backoff.survives(), deployed.retention)
    return OutageSurvival(name, backoff.outlast, survives, min(crashes, deployed.retention))


@live_rule(EXPIRING)
def check_expiry(deployment: DeployedConfig) -> Iterator[Found]:
    """Report queues whose retention is not longer than the visibility timeouts of all receives together."""
    for name in deployment.queues:
        deployed = deployment.queue_of(name)
        if deployed is None:
            continue
        seconds = deployed.max_receive_count * deployed.visibility
        if deployed.retention <= seconds:
            path = deployment.queue_path(name)
            receives = f"{deployed.max_receive_count} receives with a visibility timeout of {deployed.visibility} s"
            kept = f"queue '{deployed.name}' keeps a message for {deployed.retention} s"
            sentence = f"{kept}, and {receives} take {seconds} s"
            yield Found(EXPIRING, sentence, path, "raise its retention, or lower its maxReceiveCount")


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
            sentence = f"queue '{deployed.name}' keeps a message for {rough_duration(deployed.retention)}"
            advice = "raise its retention (at most 14 days), or lower 'outlast'"
        else:
            count = deployed.max_receive_count
            shown = (
                f"{count} receives of queue '{deployed.name}' are"
                if count > 1
                else f"1 receive of '{deployed.name}' is"
            )
            sentence = f"{shown} used up after {rough_duration(each.survives)} of an outage"
            advice = f"set its maxReceiveCount to {receives_for(each.outlast)} or more, or lower 'outlast'"
        yield Found(SHORT_LIVED, f"{sentence}, and it is to survive {wanted}", path, advice)

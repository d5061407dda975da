"""What the stored policies of queues allow, and a change of their stack takes away.

SQS has one policy for a queue, and CloudFormation replaces it as a whole, whoever wrote it:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html
"""

from collections.abc import Iterable, Iterator

from msgspec import structs

from router.tools.check.senders import Grant, grants_of, read_policy
from router.tools.control_plane.clients import AwsCallError, ServiceClient, find_queue
from router.tools.deploy.changes import PlannedChange, TemplateVersion, kind_of
from router.tools.deploy.deployment import literal_names

QUEUE_POLICY = "AWS::SQS::QueuePolicy"
_SHOWN = 5
"""So many of the permissions that are taken away are shown."""


def with_lost_grants(
    planned: Iterable[PlannedChange],
    old: TemplateVersion,
    new: TemplateVersion,
    sqs: ServiceClient,
    account: str,
) -> Iterator[PlannedChange]:
    """Yield the changes; one of a queue's policy that takes away what is stored is a loss of the queue.

    What `old` is does not matter: somebody may have changed the policy since.
    """
    kind = kind_of(QUEUE_POLICY)
    for each in planned:
        loses = each.kind == kind and each.verb != "retain"
        yield _with_loss(each, old, new, sqs, account) if loses else each


def _with_loss(
    planned: PlannedChange,
    old: TemplateVersion,
    new: TemplateVersion,
    sqs: ServiceClient,
    account: str,
) -> PlannedChange:
    id_ = planned.logical_id
    before, after = old.properties(id_), new.properties(id_)
    queue = {**before, **after}["Queues"][0]["Ref"]
    name = literal_names(old.body, old.values).get(queue, "")
    leaves = queue not in new.body["Resources"]
    if not name or leaves or before == after:
        return planned
    try:
        url = find_queue(sqs, name)
        stored = url and sqs.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["Policy"])
    except AwsCallError as error:
        loss = f"REPLACES the policy of the queue, of which it is not known what it allows: {error}"
    else:
        policy = read_policy((stored or {}).get("Attributes", {}).get("Policy", ""))
        lost = grants_of(policy, account) - grants_of(after.get("PolicyDocument", {}), account)
        if not lost:
            return planned
        loss = f"REPLACES the policy of the queue, and takes away: {_in_words(lost)}"
    return structs.replace(planned, kind="queue", name=name, loses=True, loss=loss)


def _in_words(lost: Iterable[Grant]) -> str:
    sentences = sorted(map(str, lost))
    left = len(sentences) - _SHOWN
    more = f", and {left} more" if left > 0 else ""
    return ", ".join(sentences[:_SHOWN]) + more

"""The policies of the queues of a stack: who may send, and that nobody does without TLS.

A queue has one policy: that of a stack replaces any other. Each queue has a resource of its own, since CloudFormation
takes the policy away from a queue that leaves the list of a shared one, even if another resource has set it meanwhile:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queuepolicy.html
"""

import re

from router.errors import UsageError
from router.tools.check.senders import SenderParts, kind_of_sender, policy_of
from router.tools.deploy.queue_parts import QueuePart
from router.tools.deploy.template.expressions import (
    ACCOUNT,
    PARTITION,
    Expression,
    Json,
    Resources,
    ref,
    resource,
    sub,
)
from router.tools.deploy.template.plan import PlannedQueue, StackPlan

_COLON = re.compile(r":(?![^{}]*\})")
"""A colon that is not within a variable."""
_ACCOUNT_PART = 4


def access_resources(plan: StackPlan) -> Resources:
    """Return the policies of the queues that the stack creates; raises UsageError for a sender that is not known."""
    return {
        QueuePart.ACCESS.of(queue.id): _access(queue)
        for queue in plan.queues.values()
        if queue.made
    }


def _access(queue: PlannedQueue) -> Json:
    settings = zip(queue.settings.senders, queue.senders, strict=True)
    senders = [_parts(sender, text, queue.label) for sender, text in settings]
    document = policy_of(queue.arn_expression, senders)
    properties = {"Queues": [ref(queue.id)], "PolicyDocument": document}
    # A queue that is retained keeps its policy, too.
    return resource("SQS::QueuePolicy", properties, queue.settings.deletion_policy.title())


def _parts(sender: str, text: str, queue: str) -> SenderParts:
    kind = kind_of_sender(sender)
    match kind:
        case None:
            raise UsageError(
                f"a sender of the queue '{queue}' has a variable without a value, and its kind depends on that: give "
                "it a default, or a value by --env-file"
            )
        case "bucket":
            return SenderParts(kind, sub(text), sub(ACCOUNT))
        case "topic" | "rule":
            return SenderParts(kind, sub(text), _account_of(text))
        case "account" if sender.isdigit():
            return SenderParts(kind, sub(f"arn:{PARTITION}:iam::{text}:root"))
        case _:
            return SenderParts(kind, sub(text))


def _account_of(arn: str) -> Expression:
    """Return the account in an ARN, which is a text, and may be a variable as a whole."""
    parts = _COLON.split(arn)
    if len(parts) > _ACCOUNT_PART:
        return sub(parts[_ACCOUNT_PART])
    return {"Fn::Select": [_ACCOUNT_PART, {"Fn::Split": [":", sub(arn)]}]}

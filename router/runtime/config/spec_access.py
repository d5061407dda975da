"""Who may send to a queue, and how the function reaches it: its network, concurrency and pollers.

Policies of queues:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-limits.html
Functions in a network:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
Pollers:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-lambda-eventsourcemapping-provisionedpollerconfig.html
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from router.runtime.config_types import Spec

Senders = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=2048)], ...],
    Meta(
        max_length=50,
        description="Who may send to it, besides whom IAM policies of its account allow: ARNs of "
        "SNS topics, EventBridge rules, S3 buckets, IAM roles and users, and accounts. The queue "
        "gets a policy for them, without which no topic, rule or bucket can send.",
        examples=[["arn:aws:sns:eu-west-1:123456789012:orders"]],
    ),
]
ReservedConcurrency = Annotated[
    Annotated[int, Meta(ge=0, le=100_000)] | None,
    Meta(
        description="The concurrent invocations that are reserved for it, and the most that it "
        "has; 0 stops it. Default: it shares the concurrency of the account."
    ),
]
"""A quota of the account is the real maximum."""


class Pollers(Spec, frozen=True, kw_only=True):
    """Pollers that are provisioned for a queue, and paid for by the hour."""

    min: Annotated[int, Meta(ge=2, le=200, description="The least pollers.", examples=[2])] = 2
    max: Annotated[int, Meta(ge=2, le=10_000, description="The most pollers.")] = 200


ProvisionedPollers = Annotated[
    Pollers | None,
    Meta(
        description="Pollers that Lambda keeps ready for this queue, so that it follows bursts "
        "faster; not together with `maximum_concurrency`. Default: Lambda's own, free of charge.",
        examples=[{"min": 2, "max": 20}],
    ),
]


class Vpc(Spec, frozen=True, kw_only=True):
    """The network that the function is in."""

    subnets: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1, max_length=16, description="Its subnets.", examples=[["subnet-0a1b2c3d"]]
        ),
    ]
    security_groups: Annotated[
        tuple[str, ...],
        Meta(
            min_length=1,
            max_length=5,
            description="Its security groups.",
            examples=[["sg-0a1b2c3d"]],
        ),
    ]


VpcSettings = Annotated[
    Vpc | None,
    Meta(
        description="The network that it is in; it needs a way to SQS, DynamoDB and CloudWatch "
        "Logs there: endpoints, or a NAT gateway. Default: none."
    ),
]

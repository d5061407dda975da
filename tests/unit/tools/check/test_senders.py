"""Who may send by the policy of a queue, however it is written."""

import json
from typing import Any

import pytest

from router.tools.check.senders import (
    configured_policy,
    grants_of,
    kind_of_sender,
    read_policy,
    sender_parts,
)
from tests.support.config import spec

ACCOUNT = "123456789012"
QUEUE = f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders"


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        (TOPIC, "topic"),
        (f"{TOPIC}.fifo", "topic"),
        (f"{TOPIC}*", None),
        (f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/shop/orders", "rule"),
        (f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/shop", None),
        ("arn:aws:s3:::uploads", "bucket"),
        ("arn:aws:s3:::uploads/*", None),
        (ACCOUNT, "account"),
        (f"arn:aws:iam::{ACCOUNT}:root", "account"),
        (f"arn:aws:iam::{ACCOUNT}:role/service/shop", "identity"),
        (f"arn:aws:iam::{ACCOUNT}:user/anna", "identity"),
        ("*", None),
        ("orders", None),
    ],
)
def test_kinds(sender: str, kind: str | None) -> None:
    """By the ARN; a wildcard is none."""
    assert kind_of_sender(sender) == kind
    parts = sender_parts(sender, QUEUE)
    assert (parts.kind if parts else None) == kind


def grants(*statements: Any) -> set[str]:
    return set(map(str, grants_of({"Statement": list(statements)}, "999999999999")))


def test_the_policy_of_a_config() -> None:
    """An account is named by its root, in the partition of the queue, a bucket with the account of the queue."""
    role = f"arn:aws:iam::{ACCOUNT}:role/shop"
    settings = spec.Queue(senders=(TOPIC, "arn:aws:s3:::uploads", "210987654321", role))

    policy = configured_policy(settings, QUEUE)

    topics, buckets, identities, tls = policy["Statement"]
    assert topics["Condition"] == {
        "ArnEquals": {"aws:SourceArn": [TOPIC]},
        "StringEqualsIfExists": {"aws:SourceAccount": [ACCOUNT]},
    }
    assert buckets["Condition"]["StringEquals"] == {"aws:SourceAccount": [ACCOUNT]}
    assert identities["Principal"] == {
        "AWS": ["arn:aws-cn:iam::210987654321:root", f"arn:aws:iam::{ACCOUNT}:role/shop"]
    }
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert sorted(map(str, grants_of(policy, ACCOUNT))) == [
        "* may not sqs:*",
        "210987654321 may sqs:getqueueurl",
        "210987654321 may sqs:sendmessage",
        "arn:aws:iam::123456789012:role/shop may sqs:getqueueurl",
        "arn:aws:iam::123456789012:role/shop may sqs:sendmessage",
        "arn:aws:s3:::uploads may sqs:sendmessage",
        f"{TOPIC} may sqs:sendmessage",
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnLike": {"aws:SourceArn": TOPIC}},
        {"StringEquals": {"AWS:SourceArn": [TOPIC]}},
        {"ArnEquals": {"aws:SourceArn": TOPIC}, "StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ],
)
def test_one_topic_in_many_ways(condition: Any) -> None:
    """As the console writes it, and as others do."""
    ours = configured_policy(spec.Queue(senders=(TOPIC,)), QUEUE)
    theirs = {"Effect": "Allow", "Principal": "*", "Action": "SQS:SendMessage", "Condition": condition}

    assert grants_of({"Statement": theirs}, ACCOUNT) < grants_of(ours, ACCOUNT)


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnEquals": {"aws:SourceArn": TOPIC}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::uploads"}, "StringEquals": {"aws:SourceAccount": "2"}},
        {"ArnNotEquals": {"aws:SourceArn": TOPIC}},
    ],
)
def test_another_condition(condition: Any) -> None:
    """It is another grant."""
    ours = configured_policy(spec.Queue(senders=(TOPIC, "arn:aws:s3:::uploads")), QUEUE)
    service = {"Service": "sns.amazonaws.com"}
    theirs = {"Effect": "Allow", "Principal": service, "Action": "sqs:SendMessage", "Condition": condition}

    found = grants_of({"Statement": theirs}, ACCOUNT)

    assert (len(found), found & grants_of(ours, ACCOUNT)) == (1, frozenset())


def test_what_is_granted_otherwise() -> None:
    """All but some principals, all but some actions, and what the own account has anyway."""
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "SQS:*"}

    assert grants_of({"Statement": own}, ACCOUNT) == frozenset()
    assert grants(own, {"Effect": "Deny", "NotPrincipal": {"AWS": "1"}, "NotAction": ["sqs:SendMessage"]}) == {
        f"{ACCOUNT} may sqs:*",
        "all but some principals may not all but some actions",
    }
    assert [read_policy(""), read_policy("[]"), read_policy(json.dumps({"Version": "1"}))] == [{}, {}, {"Version": "1"}]

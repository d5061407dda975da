"""Who may send to a queue: the senders of a config, and the policy of a queue.

Policies of queues, with an example for each service:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-basic-examples-of-sqs-policies.html
https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from router.runtime.config import spec

SenderKind = Literal["topic", "rule", "bucket", "account", "identity"]
_ARN = "arn:aws[a-z-]*"
_FORMS: Mapping[SenderKind, re.Pattern[str]] = {
    "topic": re.compile(rf"{_ARN}:sns:[a-z0-9-]+:\d{{12}}:[\w-]+(?:\.fifo)?", re.ASCII),
    "rule": re.compile(rf"{_ARN}:events:[a-z0-9-]+:\d{{12}}:rule/[\w./-]+", re.ASCII),
    "bucket": re.compile(rf"{_ARN}:s3:::[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]"),
    "account": re.compile(rf"\d{{12}}|{_ARN}:iam::\d{{12}}:root", re.ASCII),
    "identity": re.compile(rf"{_ARN}:iam::\d{{12}}:(?:role|user)/[\w+=,.@/-]+", re.ASCII),
}
SERVICES: Mapping[SenderKind, str] = {
    "topic": "sns.amazonaws.com",
    "rule": "events.amazonaws.com",
    "bucket": "s3.amazonaws.com",
}
"""The service that sends for a topic, a rule or a bucket."""
SEND_MESSAGE = "sqs:SendMessage"
_SIDS: Mapping[SenderKind, str] = {"topic": "Topics", "rule": "Rules", "bucket": "Buckets"}
_ROOT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?(\d{12})(?::root)?", re.ASCII)
_SOURCE, _ACCOUNT = "aws:sourcearn", "aws:sourceaccount"
_OF_ARNS = ("arnequals", "arnlike", "stringequals", "stringlike")
VERSION = "2012-10-17"


def kind_of_sender(sender: str) -> SenderKind | None:
    """Return what a sender is by its ARN or account; None for anything else, and for a wildcard."""
    return next((kind for kind, form in _FORMS.items() if form.fullmatch(sender)), None)


class SenderParts(Struct, frozen=True):
    """A sender as a policy has it: its ARN, or that of the root of its account, and the account.

    A template has expressions for both. `account` is None for an identity of IAM.
    """

    kind: SenderKind
    arn: Any
    account: Any = None


def sender_parts(sender: str, queue_arn: str) -> SenderParts | None:
    """Return the parts of a sender of a queue; None for what is no sender."""
    _, partition, _, _, account, _ = queue_arn.split(":", 5)
    match kind_of_sender(sender):
        case None:
            return None
        case "bucket" as kind:
            return SenderParts(kind, sender, account)
        case "topic" | "rule" as kind:
            return SenderParts(kind, sender, sender.split(":")[4])
        case "account" as kind if sender.isdigit():
            return SenderParts(kind, f"arn:{partition}:iam::{sender}:root")
        case kind:
            return SenderParts(kind, sender)


def policy_of(queue: Any, senders: Sequence[SenderParts]) -> dict[str, Any]:
    """Return the policy of a queue, by its ARN: its senders may send, and nobody without TLS.

    Each ARN of a topic or rule has its account. Whether SNS and EventBridge name the account of
    the source besides is not documented, so that it is compared if they do. A bucket's ARN has no
    account: S3 must name it.
    """
    statements = []
    for kind, service in SERVICES.items():
        found = [each for each in senders if each.kind == kind]
        if found:
            operator = "StringEquals" if kind == "bucket" else "StringEqualsIfExists"
            statements.append(
                _statement(
                    _SIDS[kind],
                    {"Service": service},
                    queue,
                    {
                        "ArnEquals": {"aws:SourceArn": [each.arn for each in found]},
                        operator: {"aws:SourceAccount": _distinct(each.account for each in found)},
                    },
                )
            )
    if identities := [each.arn for each in senders if each.kind not in SERVICES]:
        statements.append(_statement("Identities", {"AWS": identities}, queue))
    deny = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": VERSION, "Statement": [*statements, deny]}


def _statement(
    sid: str, principal: Mapping[str, Any], queue: Any, condition: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    more = {"Condition": condition} if condition else {}
    actions = SEND_MESSAGE if condition else [SEND_MESSAGE, "sqs:GetQueueUrl"]
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": actions,
        "Resource": queue,
        **more,
    }


def _distinct(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for each in values:
        if each not in found:
            found.append(each)
    return found


def configured_policy(settings: spec.Queue, queue_arn: str) -> dict[str, Any]:
    """Return the policy that a template gives a queue."""
    parts = [sender_parts(each, queue_arn) for each in settings.senders]
    return policy_of(queue_arn, [each for each in parts if each is not None])


class Grant(Struct, frozen=True):
    """What a policy allows or denies one principal: an action, under conditions.

    `source` is the ARN of what a service acts for: then it is known which principal that is.
    """

    effect: str
    action: str
    principal: str = ""
    source: str = ""
    conditions: str = ""

    def __str__(self) -> str:
        """The grant in a sentence: `sns.amazonaws.com may sqs:SendMessage for ARN`."""
        verb = "may" if self.effect == "Allow" else "may not"
        return f"{self.source or self.principal} {verb} {self.action}"


def grants_of(policy: Mapping[str, Any], account: str) -> frozenset[Grant]:
    """Return what a policy of a queue grants, one principal and one action at a time.

    Two policies with the same grants have the same effect, however they are written. What the
    account of the queue may do is left to its IAM policies, with or without a statement.
    """
    found: set[Grant] = set()
    for statement in _listed(policy.get("Statement")):
        found.update(_grants_of_statement(statement))
    return frozenset(each for each in found if (each.effect, each.principal) != ("Allow", account))


def read_policy(text: str) -> Mapping[str, Any]:
    """Return the policy that SQS tells as JSON, "" for none."""
    policy = json.loads(text or "{}")
    return policy if isinstance(policy, dict) else {}


def _grants_of_statement(statement: Mapping[str, Any]) -> Iterator[Grant]:
    effect = str(statement.get("Effect", ""))
    sources, conditions = _conditions_of(statement)
    for each in _listed(statement.get("Action", "all but some actions")):
        action = str(each).lower()
        for source in sources:
            if source:
                yield Grant(effect, action, source=source, conditions=conditions)
                continue
            for principal in _principals_of(statement):
                yield Grant(effect, action, principal, conditions=conditions)


def _principals_of(statement: Mapping[str, Any]) -> Iterator[str]:
    """Yield the principals, an account by its number, anybody as "*"."""
    principals = statement.get("Principal", {"": "all but some principals"})
    if not isinstance(principals, dict):
        yield str(principals)
        return
    for each in principals.values():
        for principal in _listed(each):
            root = _ROOT.fullmatch(str(principal))
            yield root[1] if root else str(principal)


def _conditions_of(statement: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return the ARNs of sources, [""] without any, and the other conditions as text.

    The account of a source is no condition of its own where the ARN has it.
    """
    sources: list[str] = []
    others: dict[str, Any] = {}
    for operator, values in (statement.get("Condition") or {}).items():
        for key, value in values.items():
            listed = map(str, _listed(value))
            if key.lower() == _SOURCE and operator.lower() in _OF_ARNS:
                sources += listed
            else:
                others[f"{operator} {key}".lower()] = sorted(listed)
    if sources and all(each.split(":")[4:5] not in ([], [""]) for each in sources):
        others = {name: each for name, each in others.items() if not name.endswith(_ACCOUNT)}
    return sources or [""], json.dumps(others, sort_keys=True) if others else ""


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

"""Senders of queues: the policy that a stack gives a queue, and what a deployment takes away, on ministack."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.projects import CONFIG, Inside, StackProject
from tests.support.dev import LocalAws

pytestmark = pytest.mark.usefixtures("kept_clients")
ACCOUNT = "000000000000"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:"


@pytest.fixture(scope="module")
def clients(guarded: LocalAws, inside: Inside) -> Mapping[str, Any]:
    """Clients of AWS, for the root of the account."""
    with inside(guarded):
        return {each: boto3.client(each) for each in ("sns", "sqs")}


@pytest.fixture
def project(tmp_path: Path, inside: Inside, guarded: LocalAws) -> StackProject:
    """A project that is not deployed yet."""
    return StackProject(tmp_path, inside, guarded)


def config(*senders: str, **more: str) -> str:
    """The config with such senders of its queue."""
    settings = "".join(f"{name}: {value}, " for name, value in more.items())
    return CONFIG.replace("queues: {orders: {", f"queues: {{orders: {{senders: {json.dumps(senders)}, {settings}")


def policy_of(clients: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The stored policy of a queue."""
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    stored = clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    return dict(json.loads(stored["Attributes"]["Policy"]))


def test_who_may_send(project: StackProject, clients: Mapping[str, Any]) -> None:
    """A topic that is named delivers, another one does not, and the policies ask for TLS."""
    topics = {name: f"{project.stack}-{name}" for name in ("named", "other")}
    arns = {name: clients["sns"].create_topic(Name=topic)["TopicArn"] for name, topic in topics.items()}
    project.write(config(arns["named"], envelope="[sns]"))
    done = project.deploy("--parameter", "AlarmTopic=")
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{project.stack}-orders"
    for arn in arns.values():
        clients["sns"].subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)

    found = [policy_of(clients, f"{project.stack}-{name}") for name in ("orders", "orders-dlq")]

    tls = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    topic = {
        "Sid": "Topics",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": [arns["named"]]},
            "StringEqualsIfExists": {"aws:SourceAccount": [ACCOUNT]},
        },
    }
    assert found == [
        {"Version": "2012-10-17", "Statement": [topic, {**tls, "Resource": queue}]},
        {"Version": "2012-10-17", "Statement": [{**tls, "Resource": f"{queue}-dlq"}]},
    ]
    assert "RT737" in done.stderr


def set_policy(clients: Mapping[str, Any], name: str, *principals: str) -> None:
    """Replace the policy of a queue by hand."""
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "sqs:SendMessage", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": statement})
    clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})


def test_a_policy_that_was_changed_by_hand(project: StackProject, clients: Mapping[str, Any]) -> None:
    """What a deployment would take away is a loss of the queue, which is named and confirmed."""
    project.write(config(f"{TOPIC}one"))
    project.deploy()
    name = f"{project.stack}-orders"
    set_policy(clients, name, "123456789012", ACCOUNT)
    project.write(config(f"{TOPIC}one", f"{TOPIC}two"))

    refused = project.try_to_deploy("--yes")
    done = project.try_to_deploy("--yes", "--allow-destructive", "--confirm", name)

    loss = f"'{name}': REPLACES the policy of the queue, and takes away: 123456789012 may sqs:sendmessage"
    assert (refused.exit_code, loss in refused.stderr) == (1, True), refused.output
    assert done.exit_code == 0, done.output
    assert [each["Sid"] for each in policy_of(clients, name)["Statement"]] == ["Topics", "TlsOnly"]


def test_a_sender_that_is_removed(project: StackProject) -> None:
    """Its messages are refused from then on: that is confirmed, and one that is added is not."""
    project.write(config(f"{TOPIC}one"))
    project.deploy()
    project.write(config(f"{TOPIC}one", "123456789012"))
    project.deploy()
    project.write(config("123456789012"))

    refused = project.try_to_deploy("--yes")

    assert f"takes away: {TOPIC}one may sqs:sendmessage" in refused.stderr, refused.output


def test_a_policy_that_cannot_be_read(
    project: StackProject, monkeypatch: pytest.MonkeyPatch, clients: Mapping[str, Any]
) -> None:
    """Then it is not known what is lost, and it is confirmed."""
    project.write(config(f"{TOPIC}one"))
    project.deploy()
    name = f"{project.stack}-orders"
    url = clients["sqs"].get_queue_url(QueueName=name)["QueueUrl"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:GetQueueAttributes", "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    clients["sqs"].set_queue_attributes(QueueUrl=url, Attributes={"Policy": text})
    project.write(config(f"{TOPIC}two"))

    refused = project.try_to_deploy("--yes")

    assert "REPLACES the policy of the queue, of which it is not known what it allows" in refused.stderr

"""Tests of router.tools.check.live.permissions."""

from typing import Any

import pytest

from router.tools.check.live.permissions import READ, SEND, needed
from tests.support.aws import DeployedQueue, DeployedState, DeployedTable, DeployedTtl, Unanswered

TABLES = {
    name: DeployedTable(f"arn:{name}", "ACTIVE", (("id", "S"),), DeployedTtl("DISABLED"))
    for name in ("items", "markers")
}
QUEUE = DeployedQueue("arn:aws-cn:sqs:q", False, 30, 60, 1024)
KEY = "arn:aws:kms:eu-west-1:123456789012:key/"
CONFIG = """\
queues:
  q: {{{queue}}}
tables:
  items: {{key: {{id: S}}}}
  markers: {{key: {{id: S}}, ttl: gone}}
routes:
  r: {{queue: q, table: items, item: {{id: id, v: {{from: v, type: N}}}}, write: {{{write}}}}}
"""


@pytest.mark.parametrize(
    ("write", "queue", "action"),
    [
        ("mode: put", "", "BatchWriteItem"),
        ("mode: put", "atomic: true", "PutItem"),
        ("mode: insert", "", "PutItem"),
        ("mode: newest, version: v", "", "PutItem"),
        ("mode: update", "", "UpdateItem"),
        ("mode: delete", "", "BatchWriteItem"),
        ("mode: delete", "atomic: true", "DeleteItem"),
        ("mode: delete, version: v", "", "DeleteItem"),
    ],
)
def test_action_of_a_write(deploy: Any, write: str, queue: str, action: str) -> None:
    """Each mode needs the permission of the call that it is made by, and the description of its table."""
    deployment = deploy(CONFIG.format(write=write, queue=queue))

    wanted = needed(deployment.config, deployment.queues, DeployedState(tables=TABLES))

    assert wanted == {"arn:items": tuple(sorted(("dynamodb:DescribeTable", f"dynamodb:{action}")))}


def test_markers(deploy: Any) -> None:
    """A table of markers is put to, in the transaction of the update."""
    deployment = deploy(CONFIG.format(write="mode: update, add: [v], once: markers", queue=""))

    wanted = needed(deployment.config, deployment.queues, DeployedState(tables=TABLES))

    assert wanted == {
        "arn:items": ("dynamodb:DescribeTable", "dynamodb:UpdateItem"),
        "arn:markers": ("dynamodb:DescribeTable", "dynamodb:PutItem"),
    }


def test_queues_and_buckets(deploy: Any) -> None:
    """Queues are read, dead-letter queues sent to, buckets of pointers read; what was not seen is left out."""
    pointer = "dead_letter: q-dlq, envelope: [s3_pointer], s3_pointer: {buckets: [payloads], kms_key: KEY3}"
    deployment = deploy(CONFIG.format(write="", queue=pointer))
    letters = DeployedQueue("arn:q-dlq", False, 30, 60, 1024)
    gone = Unanswered("dynamodb:DescribeTable", "items", "ResourceNotFoundException")

    wanted = needed(
        deployment.config, deployment.queues, DeployedState({"items": gone}, {"q": QUEUE, "q-dlq": letters})
    )

    assert wanted == {
        "arn:aws-cn:sqs:q": tuple(sorted(READ)),
        "arn:q-dlq": tuple(sorted(SEND)),
        "arn:aws-cn:s3:::payloads/*": ("s3:GetObject",),
        "arn:aws-cn:s3:::payloads": ("s3:ListBucket",),
        "KEY3": ("kms:Decrypt",),
    }


@pytest.mark.parametrize(
    ("queue", "keys"),
    [
        ("kms_key: KEY1", {"KEY1": ("kms:Decrypt",)}),
        ("kms_key: KEY1, dead_letter: other", {"KEY1": ("kms:Decrypt", "kms:GenerateDataKey")}),
        ("kms_key: KEY1, dead_letter: l", {"KEY1": ("kms:Decrypt",), "KEY2": ("kms:Decrypt", "kms:GenerateDataKey")}),
        ("dead_letter: l", {"KEY2": ("kms:Decrypt", "kms:GenerateDataKey")}),
        ("dead_letter: plain, kms_key: KEY1", {"KEY1": ("kms:Decrypt",)}),
    ],
)
def test_keys_of_queues(deploy: Any, queue: str, keys: Any) -> None:
    """To read needs its key; to dead-letter that of the dead-letter queue, which without an entry is the same."""
    config = CONFIG.format(write="", queue=f"{queue}}}\n  l: {{kms_key: KEY2}}\n  plain: {{").replace("KEY", KEY)
    deployment = deploy(config)

    wanted = needed(deployment.config, deployment.queues, DeployedState())

    assert wanted == {arn.replace("KEY", KEY): actions for arn, actions in keys.items()}


def test_the_key_of_a_table(deploy: Any) -> None:
    """Writes to an encrypted table decrypt its key; markers too."""
    config = CONFIG.format(write="mode: update, add: [v], once: markers", queue="")
    config = config.replace("items: {key", f"items: {{kms_key: '{KEY}1', key")
    config = config.replace("markers: {key", f"markers: {{kms_key: '{KEY}2', key")
    deployment = deploy(config)

    wanted = needed(deployment.config, deployment.queues, DeployedState())

    assert wanted == {f"{KEY}1": ("kms:Decrypt",), f"{KEY}2": ("kms:Decrypt",)}


def test_a_bucket_of_a_queue_that_was_not_seen(deploy: Any) -> None:
    """It is in the usual partition."""
    pointer = "envelope: [s3_pointer], s3_pointer: {buckets: [payloads]}"
    deployment = deploy(CONFIG.format(write="", queue=pointer))

    assert needed(deployment.config, deployment.queues, DeployedState()) == {
        "arn:aws:s3:::payloads/*": ("s3:GetObject",),
        "arn:aws:s3:::payloads": ("s3:ListBucket",),
    }


def test_queue_without_settings(deploy: Any) -> None:
    """A queue that only a route names is no other."""
    config = CONFIG.format(write="", queue="").replace("queues:\n  q: {}\n", "")
    deployment = deploy(config)

    assert needed(deployment.config, deployment.queues, DeployedState(tables=TABLES)) == {
        "arn:items": ("dynamodb:BatchWriteItem", "dynamodb:DescribeTable")
    }

"""Tests of the policies of operators: what each command of `router dlq` may do, and on what."""

from typing import Any

import pytest

from tests.support.ops import operator_policies, read_for_deployment

KEY = "arn:aws:kms:eu-west-1:123456789012:key/"
CONFIG = f"""
version: 1
queues:
  orders:
    dead_letter: orders-dlq
    kms_key: {KEY}queue
    envelope: [s3_pointer]
    s3_pointer: {{buckets: [payloads], kms_key: {KEY}payloads}}
  moved: {{managed: false}}
tables:
  orders: {{key: {{id: S}}, kms_key: {KEY}table}}
  markers: {{key: {{id: S}}}}
routes:
  orders: {{queue: orders, table: orders, item: {{id: id, n: n}}, write: {{mode: update, add: [n], once: markers}}}}
  moved: {{queue: moved, table: markers}}
"""
LOOK = {"sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"}
LOOKS: dict[str, set[str]] = {
    "orders-dlq": LOOK,
    "key/queue": {"kms:Decrypt"},
    # Its redrive policy names its dead-letter queue, which the config does not know.
    "moved": {"sqs:GetQueueAttributes", "sqs:GetQueueUrl"},
}
READS = {
    **LOOKS,
    "orders": {"dynamodb:GetItem"},
    "markers": {"dynamodb:GetItem"},
    "key/table": {"kms:Decrypt"},
    "payloads/*": {"s3:GetObject"},
    "payloads": {"s3:ListBucket"},
    "key/payloads": {"kms:Decrypt"},
}
DELETES = {"orders-dlq": LOOK | {"sqs:DeleteMessage"}}
WRITES = {"dynamodb:GetItem", "dynamodb:DescribeTable"}
EXPECTED = {
    "DlqList": LOOKS,
    "DlqShow": LOOKS,
    "DlqExport": LOOKS,
    "DlqRehearse": READS,
    "DlqRedrive": {
        **READS,
        **DELETES,
        "orders": {*WRITES, "dynamodb:UpdateItem"},
        "markers": {*WRITES, "dynamodb:PutItem", "dynamodb:BatchWriteItem"},
    },
    "DlqRedriveToQueue": {
        **READS,
        **DELETES,
        "orders": {"dynamodb:GetItem", "sqs:GetQueueUrl", "sqs:SendMessage"},
        "moved": {"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SendMessage"},
        "key/queue": {"kms:Decrypt", "kms:GenerateDataKey"},
    },
    "DlqDrop": {**LOOKS, **DELETES},
}


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """The actions by the name of the policy, and the end of the ARN."""
    path = tmp_path_factory.mktemp("operators") / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    resources = operator_policies(read_for_deployment(path, {})).body["Resources"]
    found: dict[str, dict[str, set[str]]] = {}
    for name, resource in resources.items():
        actions = found.setdefault(name, {})
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            for arn in statement["Resource"]:
                actions.setdefault(_end(arn), set()).update(statement["Action"])
    return found


def _end(arn: Any) -> str:
    """The name at the end of an ARN, a table's without its prefix."""
    text = arn["Fn::Sub"] if isinstance(arn, dict) else arn
    return str(text).rpartition(":")[2].removeprefix("table/")


@pytest.mark.parametrize("name", EXPECTED)
def test_policies(policies: dict[str, dict[str, set[str]]], name: str) -> None:
    """Looking needs no table, bucket or their keys; a rehearsal needs no permission to change anything."""
    assert policies[name] == EXPECTED[name]
    assert policies.keys() == EXPECTED.keys()

"""The policies of `router template --format operator-policy` suffice, and nothing in them can be left out.

IAM is enforced by ministack. Not tried is that a table is described whose item DynamoDB refuses after the rehearsal.
"""

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import pytest

from router.model import Table
from tests.support.dev import ACCOUNT, REGION, LocalAws, create_queues, create_table, in_batches
from tests.support.ops import operator_policies, read_for_deployment

CONFIG = """
version: 1
queues:
  orders: {name: "${PREFIX}-orders", dead_letter: "${PREFIX}-dlq"}
tables:
  puts: {name: "${PREFIX}-puts", key: {id: S}}
  newest: {name: "${PREFIX}-newest", key: {id: S}}
routes:
  puts: {queue: orders, table: puts}
  newest: {queue: orders, table: newest, write: {mode: newest, version: v}}
"""
WORDS = {
    "DlqList": ["list", "--json"],
    "DlqShow": ["show", "MESSAGE", "--json"],
    "DlqExport": ["export", "-o", "export.jsonl", "--json"],
    "DlqRehearse": ["rehearse", "--json"],
    "DlqRedrive": ["redrive", "--yes", "--json", "--limit", "1"],
    "DlqRedriveToQueue": ["redrive", "--to-queue", "--yes", "--json", "--limit", "1"],
    "DlqDrop": ["drop", "--yes", "-o", "dropped.jsonl", "--json", "--limit", "1"],
}
RARE = {"DlqRedrive": {"dynamodb:DescribeTable"}}
"""What a command does only if DynamoDB refuses an item that passed the rehearsal."""
Inside = Callable[..., AbstractContextManager[None]]


class Operator:
    """A user with the policy of one command, and a dead-letter queue with two messages."""

    def __init__(self, local: LocalAws, inside: Inside, folder: Path) -> None:
        self._local, self._folder = local, folder
        self.prefix = f"op{uuid.uuid4().hex[:8]}"
        (folder / "routes.yaml").write_text(CONFIG)
        with inside(local):
            make: Any = boto3.client
            self._sqs, self._iam, dynamodb = make("sqs"), make("iam"), make("dynamodb")
        self._urls = create_queues(self._sqs, {f"{self.prefix}-orders": f"{self.prefix}-dlq"})
        for name in ("puts", "newest"):
            create_table(dynamodb, Table(f"{self.prefix}-{name}", (("id", "S"),)))
        self._iam.create_user(UserName=self.prefix)
        key = self._iam.create_access_key(UserName=self.prefix)["AccessKey"]
        self._keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def policies(self) -> dict[str, Any]:
        """The documents of the policies, by logical id."""
        env = {"PREFIX": self.prefix}
        document = operator_policies(read_for_deployment(self._folder / "routes.yaml", env))
        text = json.dumps(
            {id_: each["Properties"]["PolicyDocument"] for id_, each in document.body["Resources"].items()}
        )
        values = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
        values |= {parameter: env[name] for name, parameter in document.variables.items()}
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", value)
        found: dict[str, Any] = _without_functions(json.loads(text))
        for policy in found.values():
            for statement in policy["Statement"]:
                statement["Action"] = [name for action in statement["Action"] for name in in_batches(action)]
        return found

    def run(self, command: str, policy: Mapping[str, Any]) -> tuple[int, str, str]:
        """The exit code, the report and the remarks of a command with a policy."""
        self._sqs.purge_queue(QueueUrl=self._urls[f"{self.prefix}-dlq"])
        keys = [uuid.uuid4().hex for _ in range(2)]
        ids = [
            self._sqs.send_message(
                QueueUrl=self._urls[f"{self.prefix}-dlq"], MessageBody=json.dumps({"id": key, "v": 1})
            )["MessageId"]
            for key in keys
        ]
        self._iam.put_user_policy(UserName=self.prefix, PolicyName="p", PolicyDocument=json.dumps(policy))
        for file in self._folder.glob("*.jsonl"):
            file.unlink()
        words = [ids[0] if word == "MESSAGE" else word for word in WORDS[command]]
        done = subprocess.run(
            [sys.executable, "-m", "router", "dlq", *words, "-c", "routes.yaml"],
            cwd=self._folder,
            env={**self._local.environment(), **self._keys, "PREFIX": self.prefix},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert "Traceback" not in done.stderr
        names = "|".join((*ids, *keys, r"\d{4}-\d\d-\d\dT[0-9:.]*Z"))
        return done.returncode, re.sub(names, "X", done.stdout), re.sub(names, "X", done.stderr)


def _without_functions(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            value["Fn::Sub"] if "Fn::Sub" in value else {name: _without_functions(each) for name, each in value.items()}
        )
    return [_without_functions(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def operator(guarded: LocalAws, inside: Inside, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    return Operator(guarded, inside, tmp_path_factory.mktemp("operator"))


@pytest.mark.parametrize("command", WORDS)
def test_the_policy_suffices(operator: Operator, command: str) -> None:
    """The command does its work with it."""
    code, _, remarks = operator.run(command, operator.policies()[command])

    assert (code, [word for word in ("needs", "denied", "Denied") if word in remarks]) == (command == "DlqList", [])
    assert operator.policies().keys() == WORDS.keys()


@pytest.mark.parametrize("command", WORDS)
def test_each_action_is_needed(operator: Operator, command: str) -> None:
    """Without one of the actions of a policy, the command fails, or reports something else."""
    policy = operator.policies()[command]
    whole = operator.run(command, policy)
    needless = []
    for action in sorted(
        {each for statement in policy["Statement"] for each in statement["Action"] if "Batch" not in each[4:]}
    ):
        statements = [
            {**statement, "Action": [each for each in statement["Action"] if each not in in_batches(action)]}
            for statement in policy["Statement"]
        ]
        less = {**policy, "Statement": [each for each in statements if each["Action"]]}
        if action not in RARE.get(command, ()) and operator.run(command, less) == whole:
            needless.append(action)

    assert needless == []


def test_no_wildcard(operator: Operator) -> None:
    """No policy is about more than it names."""
    assert "*" not in json.dumps(operator.policies())

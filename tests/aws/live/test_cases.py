"""Each code of `router check --live`, on the servers: a deployment that is correct but for one error has that code."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.aws.live.conftest import queue_policy
from tests.support.check import known_codes
from tests.support.dev import LocalAws


class Case(NamedTuple):
    """The differences of a deployment and of a config from the correct ones.

    `name` is that of the file with what the check says, and begins with the code.
    """

    name: str
    stack: dict[str, Any]
    config: tuple[str, str] = ("", "")
    function: str = ""
    only: str = ""
    """The server on which this holds, if not on both."""


EXPECTED = Path(__file__).parent / "expected"
CONFIG = """\
version: 1
queues:
  q:
    name: NAME
    dead_letter: NAME-dlq
tables:
  t:
    name: NAME
    key: {pk: S, sk: N}
    ttl: expires
routes:
  r:
    queue: q
    table: t
    item:
      pk: a
      sk: {from: b, type: N}
      g: {from: c, type: N}
      expires: {ttl: 90d}
"""
"""The config of all cases; NAME is one that nothing else has."""
INDEX = {
    "BillingMode": "PAY_PER_REQUEST",
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "pk", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
OF_ITS_KEY = {
    "BillingMode": "PAY_PER_REQUEST",
    "GlobalSecondaryIndexes": [
        {
            "IndexName": f"by_{name}",
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        for name in ("pk", "sk")
    ],
}
BY_G, BY_PK = (
    ("    ttl: expires\n", f"    ttl: expires\n    indexes: {{{index}}}\n")
    for index in ("by_g: {key: {g: N, pk: S}}", "by_pk: {key: {pk: S}}")
)
OUTLAST, OUTLAST_MINUTES = (
    ("    dead_letter: NAME-dlq\n", f"    dead_letter: NAME-dlq\n    outlast: {outlast}\n")
    for outlast in ("11h", "20m")
)
SENDERS, TOPIC, WRAPPED = (
    ("    dead_letter: NAME-dlq\n", f"    dead_letter: NAME-dlq\n{more}")
    for more in (
        '    senders: ["123456789012", "arn:aws:iam::123456789012:role/shop"]\n',
        '    senders: ["TOPIC"]\n',
        '    senders: ["TOPIC"]\n    envelope: [sns]\n',
    )
)
ROLE = {"Principal": {"AWS": ["arn:aws:iam::123456789012:role/shop"]}, "Action": ["sqs:SendMessage", "SQS:GetQueueUrl"]}
ANYBODY = {"Principal": "*"}
FROM_TOPIC = {"Principal": {"AWS": "*"}, "Condition": {"ArnEquals": {"AWS:SourceArn": "TOPIC"}}}
TO_ALL_TOPICS = {
    "Principal": {"Service": "sns.amazonaws.com"},
    "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:*"}},
}
UNITS = {"ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 7}}
CASES = [
    Case("RT701", {"table": None}),
    Case("RT703", {"key": {"sk": "S"}}),
    Case("RT704-off", {"ttl": ""}),
    Case("RT704-other", {"ttl": "other"}),
    Case("RT705", {}, config=("    ttl: expires\n", "")),
    Case("RT706", {"table": UNITS}),
    Case("RT707", {"table": INDEX}),
    Case("RT708-absent", {}, config=BY_G),
    Case("RT708-other", {"table": INDEX}, config=BY_G),
    Case("RT709", {"table": OF_ITS_KEY}, config=BY_PK),
    Case("RT721-queue", {"queue": None}),
    Case("RT721-redrive", {"redrive": {"maxReceiveCount": 5, "target": "NAME-gone", "gone": True}}),
    Case("RT722", {"redrive": None}, config=("    dead_letter: NAME-dlq\n", "")),
    Case("RT723", {"redrive": None}),
    Case("RT724", {"redrive": {"maxReceiveCount": 3}}, config=OUTLAST),
    Case(
        "RT725",
        {"redrive": {"maxReceiveCount": 5, "target": "NAME-other.fifo"}},
        config=("    dead_letter: NAME-dlq\n", ""),
        only="local_aws",
    ),
    Case("RT726", {"letters": {"MessageRetentionPeriod": "345600"}}),
    Case("RT727", {"redrive": {"maxReceiveCount": 6, "target": "NAME-other"}}),
    Case("RT728", {"queue": {"MaximumMessageSize": "1048576"}, "letters": {"MaximumMessageSize": "1048576"}}),
    Case("RT729", {"letters": {"MaximumMessageSize": "1024"}}),
    Case("RT730", {"queue": {"MessageRetentionPeriod": "1800"}}, config=OUTLAST_MINUTES),
    Case("RT731", {}, function="absent"),
    Case("RT732", {"reserved": 0}),
    Case("RT733", {"queue": {"MessageRetentionPeriod": "3600"}}),
    Case("RT734", {"queue": {"KmsMasterKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}}),
    Case("RT735", {"queue": {"Policy": queue_policy(ROLE)}}, config=SENDERS, only="local_aws"),
    Case("RT736", {"queue": {"Policy": queue_policy(ANYBODY, TO_ALL_TOPICS)}}, only="local_aws"),
    Case(
        "RT737-wrapped", {"raw": False, "queue": {"Policy": queue_policy(FROM_TOPIC)}}, config=TOPIC, only="local_aws"
    ),
    Case("RT737-raw", {"raw": True, "queue": {"Policy": queue_policy(FROM_TOPIC)}}, config=WRAPPED, only="local_aws"),
    Case("RT737-absent", {"queue": {"Policy": queue_policy(FROM_TOPIC)}}, config=WRAPPED, only="local_aws"),
    Case("RT738", {"queue": {"Policy": ""}}),
    Case("RT741", {"mappings": (None,)}, function="NAME-0", only="local_aws"),
    Case("RT742", {"mappings": ({"FunctionResponseTypes": []},)}),
    Case("RT743", {"queue": {"VisibilityTimeout": "30"}}),
    Case("RT744", {"mappings": ({"MaximumBatchingWindowInSeconds": 5},)}),
    Case("RT757", {"timeout": 3}),
    Case("RT746", {"reserved": 10, "mappings": ({"ScalingConfig": {"MaximumConcurrency": 20}},)}),
    Case("RT747", {"mappings": ({"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"type": ["a"]}}'}]}},)}),
    Case("RT748", {"mappings": ({"Enabled": False},)}),
    Case("RT749", {"mappings": ({}, {})}),
    Case(
        "RT755", {}, config=("    dead_letter: NAME-dlq\n", "    dead_letter: NAME-dlq\n    lambda: {batch_size: 5}\n")
    ),
    Case("RT753", {"allowed": "sqs:*"}, function="NAME-0", only="local_aws"),
    Case("RT754", {}, function="NAME-0", only="moto"),
]
SCRIPTED = {"RT702", "RT710", "RT751", "RT752", "RT756"}
"""Codes of what neither server ever is: test_answers.py shows them on one with scripted answers; and of a config
that nobody is asked about (tests/unit/live/test_compare.py)."""


def filled(text: str, name: str, account: str) -> str:
    """A text with its capitals replaced."""
    arns = {
        "ROLE": f"arn:aws:iam::{account}:role/NAME-0",
        "TABLE": f"arn:aws:dynamodb:us-east-1:{account}:table/NAME",
        "QUEUE": f"arn:aws:sqs:us-east-1:{account}:NAME",
        "TOPIC": f"arn:aws:sns:us-east-1:{account}:NAME",
    }
    for word, arn in arns.items():
        text = text.replace(word, arn)
    return text.replace("NAME", name)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(
    case: Case, server: LocalAws, deployer: Any, checked: Any, name: str, as_root: None, request: pytest.FixtureRequest
) -> None:
    """The findings are the expected ones only."""
    if case.only not in ("", request.node.callspec.params["server"].__name__):
        pytest.skip(f"only {case.only} has it")
    stack = json.loads(filled(json.dumps(case.stack), name, deployer.account))
    deployer.deploy(stack, name)
    config = filled(CONFIG.replace(*case.config), name, deployer.account)

    output = checked(server.endpoint, config, filled(case.function, name, ""))

    expected = (EXPECTED / f"{case.name}.txt").read_text(encoding="utf-8")
    assert output == filled(expected, name, deployer.account)


def test_sound(server: LocalAws, deployer: Any, checked: Any, name: str, as_root: None) -> None:
    """A correct deployment has no findings."""
    deployer.deploy({}, name)

    assert checked(server.endpoint, filled(CONFIG, name, "")) == ""


def test_provisioned_capacity_that_the_config_has(
    server: LocalAws, deployer: Any, checked: Any, name: str, as_root: None
) -> None:
    """It is as it should be."""
    deployer.deploy({"table": UNITS}, name)
    capacity = "    ttl: expires\n    capacity: {write: {min: 7}, read: {min: 2}}\n"

    assert checked(server.endpoint, filled(CONFIG.replace("    ttl: expires\n", capacity), name, "")) == ""


def test_each_code_has_its_case() -> None:
    """And no case is of a code that is gone; those from RT790 on are reported by a deployment."""
    shown = {case.name[:5] for case in CASES} | SCRIPTED
    assert shown == {code for code in known_codes() if "RT700" <= code < "RT790"}


def test_each_case_shows_its_code() -> None:
    """Expected findings have the code of the case, and each file a case."""
    output = {file.stem: file.read_text(encoding="utf-8") for file in EXPECTED.iterdir()}

    assert {name for name, lines in output.items() if f" {name[:5]} " in lines} == {case.name for case in CASES}

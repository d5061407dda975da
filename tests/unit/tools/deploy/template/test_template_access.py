"""The policies of the queues of a stack."""

from typing import Any

import pytest

from router.errors import UsageError

REST = "tables: {things: {key: {id: S}}}\nroutes: {r: {queue: q, table: things}}\n"
TLS = ["TlsOnly"]


def sids(template: Any) -> dict[str, list[str]]:
    policies = template.resources("SQS::QueuePolicy")
    return {id_: [each["Sid"] for each in one["PolicyDocument"]["Statement"]] for id_, one in policies.items()}


def test_each_queue_has_one(make: Any, resolve: Any) -> None:
    """Dead-letter queues too, with senders of their own; not what others make."""
    config = (
        "queues:\n  q: {dead_letter: dlq, senders: ['arn:aws:s3:::uploads', '210987654321']}\n"
        "  dlq: {senders: ['arn:aws:iam::123456789012:root']}\n  other: {managed: false, dead_letter: other-dlq}\n"
        "tables: {things: {key: {id: S}}}\n"
        "routes: {r: {queue: q, table: things}, o: {queue: other, table: things}, p: {queue: plain, table: things}}\n"
    )

    template = resolve(make(config))

    assert sids(template) == {
        "AccessQ": ["Buckets", "Identities", *TLS],
        "AccessDlq": ["Identities", *TLS],
        "AccessPlain": TLS,
        "AccessPlainDlq": TLS,
    }
    found = template.resources("SQS::QueuePolicy")["AccessQ"]
    buckets, identities, _ = found["PolicyDocument"]["Statement"]
    assert (found["Queues"], buckets["Resource"]) == (["QueueQ"], "arn:aws:sqs:eu-west-1:123456789012:q")
    assert buckets["Condition"]["StringEquals"] == {"aws:SourceAccount": ["123456789012"]}
    assert identities["Principal"] == {"AWS": ["arn:aws:iam::210987654321:root"]}


def test_variables(make: Any) -> None:
    """An account within the ARN is there as it is, that of an ARN which is a variable is taken from it."""
    arn = "arn:aws:sns:eu-west-1:210987654321:o"
    senders = f"['arn:aws:sns:${{AWS_REGION}}:${{OTHER:-210987654321}}:o', '${{TOPIC:-{arn}}}', '{arn}']"

    document = make(f"queues: {{q: {{senders: {senders}}}}}\n{REST}", env={"AWS_REGION": "eu-west-1"})

    condition = document.body["Resources"]["AccessQ"]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"]
    assert condition == {
        "ArnEquals": {
            "aws:SourceArn": [
                {"Fn::Sub": "arn:aws:sns:${AWS::Region}:${VariableOther}:o"},
                {"Fn::Sub": "${VariableTopic}"},
                arn,
            ]
        },
        "StringEqualsIfExists": {
            "aws:SourceAccount": [
                {"Fn::Sub": "${VariableOther}"},
                {"Fn::Select": [4, {"Fn::Split": [":", {"Fn::Sub": "${VariableTopic}"}]}]},
                "210987654321",
            ]
        },
    }


def test_a_sender_of_an_unknown_kind(make: Any) -> None:
    """Which statement it belongs to is not known."""
    with pytest.raises(UsageError, match="a sender of the queue 'q' has a variable without a value"):
        make(f"queues: {{q: {{senders: ['${{TOPIC}}']}}}}\n{REST}")


def test_it_stays_with_its_queue(make: Any) -> None:
    """A queue that is retained keeps its policy."""
    resources = make(f"queues: {{q: {{deletion_policy: retain}}}}\n{REST}").body["Resources"]

    assert [resources[id_]["DeletionPolicy"] for id_ in ("QueueQ", "AccessQ", "AccessQDlq")] == ["Retain"] * 3

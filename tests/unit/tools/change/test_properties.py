"""What differs between two definitions of a resource, as text."""

from typing import Any

import pytest

from router.tools.change.properties import differences

TOKEN = "ghp_" + "a1B2" * 9
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
IF = {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopic"}, {"Ref": "AWS::NoValue"}]}


def environment(**variables: Any) -> dict[str, Any]:
    return {"Environment": {"Variables": variables}}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ({"Timeout": 30}, {"Timeout": 30}, []),
        ({"Timeout": 30}, {"Timeout": 60}, ["Timeout: 30 → 60"]),
        ({"Timeout": 30}, {"Timeout": "30"}, ['Timeout: 30 → "30"']),
        ({"Text": ""}, {}, ['Text: "" → not set']),
        (environment(X="a", Y="c"), environment(X="b", Y="c"), ["Environment.Variables.X: a → b"]),
        ({}, environment(X="a"), ["Environment.Variables.X: not set → a"]),
        ({"X": "a" * 99}, {"X": "a" * 99 + "b"}, [f"X: {'a' * 99} → {'a' * 99}b"]),
        ({"X": {"Ref": "A"}}, {"X": {"Fn::Sub": "${A}"}}, ['X: {"Ref":"A"} → {"Fn::Sub":"${A}"}']),
        ({"X": {"Fn::GetAtt": ["A", "Arn"]}}, {"X": {"Fn::Sub": "a-${B}"}}, ["X: ${A.Arn} → a-${B}"]),
        (
            {"AlarmActions": [IF]},
            {"AlarmActions": [TOPIC]},
            [f'AlarmActions[0]: {{"Fn::If":["HasAlarmTopic","${{AlarmTopic}}","${{AWS::NoValue}}"]}} → {TOPIC}'],
        ),
        (
            {"Code": {"S3Key": "k", "S3ObjectVersion": "1"}},
            {"Code": {"S3Key": "k", "S3ObjectVersion": "2"}},
            ["Code.S3ObjectVersion: 1 → 2"],
        ),
        ({"Arns": ["a", "b"]}, {"Arns": ["a", "c"]}, ["Arns[1]: b → c"]),
        ({"Arns": ["a", "b"]}, {"Arns": ["b", "c", "c"]}, [*["Arns[]: a → not set"], *["Arns[]: not set → c"] * 2]),
        ({"Arns": ["a", "b", "b"]}, {"Arns": ["b"]}, ["Arns[]: a → not set", "Arns[]: b → not set"]),
        ({"Tags": [{"Key": "a", "Value": "1"}]}, {}, ["Tags.a: 1 → not set"]),
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
            {"Tags": [{"Key": "b", "Value": "3"}, {"Key": "a", "Value": "1"}]},
            ["Tags.b: 2 → 3"],
        ),
        (
            {"Containers": [{"Name": "worker", "Cpu": 1, "Environment": [{"Name": "X", "Value": "a"}]}]},
            {"Containers": [{"Name": "worker", "Cpu": 2, "Environment": [{"Name": "X", "Value": "b"}]}]},
            ["Containers.worker.Cpu: 1 → 2", "Containers.worker.Environment.X: a → b"],
        ),
        (
            {"Keys": [{"Key": "a"}, {"Key": "b"}]},
            {"Keys": [{"Key": "b"}, {"Key": "a"}]},
            ['Keys: [{"Key":"a"},{"Key":"b"}] → [{"Key":"b"},{"Key":"a"}]'],
        ),
        ({"Rules": [{"Same": 1}, {"Same": 1}]}, {"Rules": [{"Same": 1}, {"Same": 2}]}, ["Rules[1].Same: 1 → 2"]),
        ({"X": {"A": 1}}, {"X": "text"}, ['X: {"A":1} → text']),
        ({"X": ["a", "b"]}, {"X": "ab"}, ['X: ["a","b"] → ab']),
        ({"X": ["a"]}, {"X": "ab"}, ['X: ["a"] → ab']),
        ({"X": "a"}, {}, ["X: a → not set"]),
        (
            {"Containers": [{"Name": "token", "Image": "i", "Environment": [{"Name": "LEVEL", "Value": "a"}]}]},
            {"Containers": [{"Name": "token", "Image": "i", "Environment": [{"Name": "LEVEL", "Value": "b"}]}]},
            ["Containers.token.Environment.LEVEL: a → b"],
        ),
    ],
)  # fmt: skip
def test_what_differs(before: Any, after: Any, shown: list[str]) -> None:
    """The innermost values, by path, and the whole of each."""
    found = differences(before, after)

    assert [str(each) for each in found] == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (environment(API_TOKEN="one"), environment(API_TOKEN="two"), "(not shown) → (another, not shown)"),
        (environment(), environment(db_password="one"), "not set → (not shown)"),
        (environment(URL="plain"), environment(URL=TOKEN), "(not shown) → (another, not shown)"),
        ({"AlarmDescription": TOKEN}, {}, "(not shown) → not set"),
        (environment(API_TOKEN={"Ref": "A"}), environment(API_TOKEN={"Ref": "B"}), "${A} → ${B}"),
        ({}, {"Environment": [{"Name": "DSN", "Value": "x"}]}, "not set → (not shown)"),
    ],
)
def test_secrets(before: Any, after: Any, shown: str) -> None:
    """A value that may be one is never shown: by the name of its variable, or by its looks; a reference is none."""
    (found,) = differences(before, after)

    assert str(found).partition(": ")[2] == shown

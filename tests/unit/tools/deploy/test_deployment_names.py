"""Names in a template, as they are with the values of its parameters."""

from typing import Any

import pytest

from router.tools.deploy.deployment import literal_names, with_literal_table_names


def template(name: Any, type_: str = "AWS::DynamoDB::Table") -> dict[str, Any]:
    """A template of one table, or one queue."""
    key = "TableName" if type_ == "AWS::DynamoDB::Table" else "QueueName"
    return {
        "Parameters": {"Stage": {"Type": "String", "Default": "dev"}, "Other": {"Type": "String"}},
        "Resources": {"X": {"Type": type_, "DeletionPolicy": "Retain", "Properties": {key: name, "More": 1}}},
    }


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("items", "items"),
        ({"Ref": "Stage"}, "prod"),
        ({"Fn::Sub": "${Stage}-items"}, "prod-items"),
        ({"Fn::Sub": "${!Stage}-${Stage}"}, "${Stage}-prod"),
    ],
)
def test_tables(name: Any, plain: str) -> None:
    """The name of a table becomes plain; nothing else changes, and the template that was given does not either."""
    given = template(name)

    made = with_literal_table_names(given, {"Stage": "prod"})

    assert (made, given) == (template(plain), template(name))


@pytest.mark.parametrize(
    "name", [{"Fn::Sub": "${Other}-items"}, {"Fn::Sub": "${AWS::StackName}"}, {"Fn::Join": ["", []]}]
)
def test_unknown(name: Any) -> None:
    """A name that depends on what nobody knows yet stays as it is."""
    assert (with_literal_table_names(template(name), {"Stage": "prod"}), literal_names(template(name), {})) == (
        template(name),
        {},
    )


def test_queues_stay() -> None:
    """Queues are never imported, so that their names stay as they are written; they are known all the same."""
    given = template({"Fn::Sub": "${Stage}-q"}, "AWS::SQS::Queue")

    assert (with_literal_table_names(given, {"Stage": "x"}), literal_names(given, {"Stage": "x"})) == (
        given,
        {"X": "x-q"},
    )


def test_others_have_no_names() -> None:
    """Only queues and tables are reported by name."""
    assert literal_names({"Resources": {"R": {"Type": "AWS::IAM::Role"}}}, {}) == {}

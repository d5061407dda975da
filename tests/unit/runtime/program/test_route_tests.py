"""The tests of a route: what cannot be run is a finding."""

from typing import Any

import pytest

ONE_MESSAGE = "a test has exactly one of 'message', 'body', 'record' and 'file'"
ONE_OF_SEVERAL = "a message has exactly one of 'message', 'body', 'record' and 'file'"


@pytest.mark.parametrize(
    ("test", "sentences"),
    [
        ({"message": {}}, []),
        ({"message": None}, []),
        ({"body": ""}, []),
        ({"message": {}, "items": []}, []),
        ({"record": {"body": ""}}, []),
        ({"file": "message.json", "attributes": {"a": "b"}, "env": {"STAGE": "prod"}, "write": {}}, []),
        ({}, [ONE_MESSAGE]),
        ({"message": {}, "file": "message.json"}, [ONE_MESSAGE]),
        (
            {"record": {"body": ""}, "attributes": {"a": "b"}},
            ["a record has its attributes in it; move 'attributes' into 'record'"],
        ),
        ({"body": "", "write": {}, "outcome": "dropped"}, ["'write' cannot be where the outcome is 'dropped'"]),
        ({"message": {}, "body": "x"}, [ONE_MESSAGE]),
        ({"message": {}, "item": {}, "items": []}, ["a test has only one of 'item' and 'items'"]),
        ({"message": {}, "item_contains": {}, "items": []}, ["a test has only one of 'item_contains' and 'items'"]),
        ({"message": {}, "items": [], "outcome": "dropped"}, ["'items' cannot be where the outcome is 'dropped'"]),
        (
            {"item": {}, "item_contains": {}, "outcome": "retry"},
            [
                ONE_MESSAGE,
                "a test has only one of 'item' and 'item_contains'",
                "'item' cannot be where the outcome is 'retry'",
            ],
        ),
    ],
)
def test_tests_that_cannot_be_run(flow: Any, test: Any, sentences: list[str]) -> None:
    """Each fault of a test is found."""
    assert flow({"tests": [test]}).sentences == [f"RT208 {sentence}" for sentence in sentences]


@pytest.mark.parametrize(
    ("test", "sentences"),
    [
        ({"messages": [{"message": 1}, {"body": "", "outcome": "stale"}], "table": []}, []),
        ({"messages": []}, [ONE_MESSAGE]),
        ({"messages": [{}, {"message": 1, "file": "x"}]}, [ONE_OF_SEVERAL] * 2),
        (
            {"messages": [{"message": 1}], "message": 1, "id": "m", "outcome": "stale"},
            [
                f"a test has only one of 'messages' and '{key}'; write it to each of the messages"
                for key in ("message", "id", "outcome")
            ],
        ),
        (
            {"messages": [{"message": 1}], "item": {}, "write": {}},
            [f"a test has only one of 'messages' and '{key}'" for key in ("item", "write")],
        ),
        (
            {"messages": [{"record": {"body": ""}, "sent_at": "2026-01-02T03:04:05Z", "group": "g", "id": "m"}]},
            [
                "a record has its sent_at in it; move 'sent_at' into 'record': 'SentTimestamp' of its 'Attributes'",
                "a record has its group in it; move 'group' into 'record': 'MessageGroupId' of its 'Attributes'",
                "a record has its id in it; move 'id' into 'record': 'MessageId'",
            ],
        ),
        ({"message": 1, "sent_at": "2026-02-30T00:00:00Z"}, ["'2026-02-30T00:00:00Z' is no time"]),
        ({"message": 1, "given": {"things": [{"id": "a", "n": 1}]}}, []),
        ({"message": 1, "given": {"thing": [{"id": "a"}]}}, ["unknown table 'thing'; did you mean 'things'?"]),
        (
            {
                "message": 1,
                "given": {"things": [{}, {"id": 1}, {"id": "a"}, {"id": "a", "n": 1}, {"id": "b", "n": 10**38 + 1}]},
            },
            [
                "table 'things': key attribute 'id' is missing",
                "table 'things': key attribute 'id' is of type N, the table's key is S",
                "table 'things': two items have the same key",
                "table 'things': attribute 'n': a number of more than 38 digits or out of range",
            ],
        ),
        ({"message": 1, "table": [{"id": ""}]}, ["table 'things': key attribute 'id' is empty"]),
        (
            {"message": 1, "table": {"items": [], "contains": [{"id": "a"}]}},
            ["'table' has only one of 'items' and 'contains'"],
        ),
        (
            {"message": 1, "table": {"contains": [{"id": "a"}], "absent": [{"id": "b"}, {"id": "a"}]}},
            ["an item is expected, and expected to be absent"],
        ),
        (
            {"message": 1, "table": {"items": [{"id": "a"}], "absent": [{"x": "a"}]}},
            ["table 'things': key attribute 'id' is missing"],
        ),
    ],
)
def test_stored_items_and_several_messages(flow: Any, test: Any, sentences: list[str]) -> None:
    """Each fault of a test with stored items or several messages is found."""
    assert flow({"tests": [test]}).sentences == [f"RT208 {sentence}" for sentence in sentences]


def test_the_table_of_a_route_that_has_none(flow: Any) -> None:
    """What an unknown table is to hold is not checked: the table is the fault."""
    found = flow({"table": "thing", "tests": [{"message": 1, "table": [{}]}]}).sentences

    assert [sentence.split()[0] for sentence in found] == ["RT201"]


def test_types_of_stored_items(flow: Any) -> None:
    """Key attributes have the type of the key, and others the type that the route's mapping has, if it fits."""
    key, item = {"id": "B", "n": "N"}, {"id": "id", "n": "n", "tags": {"from": "t", "type": "SS"}}
    given = [{"id": "AA==", "n": "1"}, {"id": "AA==", "n": 1.0}, {"id": "AA==", "n": 2, "tags": []}]

    found = flow({"item": item, "tests": [{"message": 1, "given": {"things": given}}]}, key=key).sentences

    assert found == ["RT208 table 'things': two items have the same key"]

"""By which updates of a stack the indexes of its tables change."""

from collections.abc import Mapping
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.deploy.changes import PreviousKeys, TemplateVersion, describe_changes
from router.tools.deploy.index_updates import index_updates
from tests.support.aws import ResourceChange

TYPES = {"id": "S", "a": "S", "b": "S", "c": "S", "n": "N"}


def index(name: str, *key: str, projection: str = "ALL") -> dict[str, Any]:
    roles = ("HASH", "RANGE")
    schema = [{"AttributeName": each, "KeyType": role} for each, role in zip(key, roles, strict=False)]
    return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": projection}}


def table(*indexes: dict[str, Any], types: Mapping[str, str] = {}, **more: Any) -> dict[str, Any]:
    used = dict.fromkeys(["id", *(part["AttributeName"] for each in indexes for part in each["KeySchema"])])
    definitions = [{"AttributeName": each, "AttributeType": {**TYPES, **types}[each]} for each in used]
    properties = {
        "TableName": "orders",
        "AttributeDefinitions": definitions,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        **({"GlobalSecondaryIndexes": [*indexes]} if indexes else {}),
        **more,
    }
    return {"Type": "AWS::DynamoDB::Table", "Properties": properties}


def template(**resources: Any) -> TemplateVersion:
    return TemplateVersion({"Description": "d", "Resources": resources})


A, B, C = (index(f"by_{each}", each) for each in "abc")


def steps(old: TemplateVersion, new: TemplateVersion) -> list[str]:
    return [each.in_words.replace(" of table 'orders'", "") for each in index_updates(old, new)]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ((A,), (A,), []),
        ((), (A,), ["create index 'by_a'"]),
        ((A,), (), ["delete index 'by_a'"]),
        ((A,), (B,), ["create index 'by_b'", "delete index 'by_a'"]),
        ((), (A, B, C), ["create index 'by_a'", "create index 'by_b'", "create index 'by_c'"]),
    ],
)
def test_one_by_one(before: tuple[Any, ...], after: tuple[Any, ...], found: list[str]) -> None:
    """What is new is there before what is old is deleted."""
    assert steps(template(T=table(*before)), template(T=table(*after))) == found


def test_templates_of_steps() -> None:
    """Each has the definitions of its key attributes, and all else as it was."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}
    old = template(T=table(A), Q=queue)

    first, last = index_updates(old, template(T=table(B, PointInTimeRecoverySpecification={})))

    assert first.body == template(T=table(A, B), Q=queue).body
    assert last.body == template(T=table(B, PointInTimeRecoverySpecification={})).body


def test_an_attribute_of_another_type() -> None:
    """The index that needs the type of before is deleted first: an attribute has one type."""
    other = index("by_a_again", "a")
    old, new = template(T=table(A)), template(T=table(other, types={"a": "N"}))

    assert steps(old, new) == ["delete index 'by_a'", "create index 'by_a_again'"]
    assert index_updates(old, new)[0].body == template(T=table()).body


def test_a_full_table() -> None:
    """With twenty indexes there is no room for another before one is deleted."""
    many = [index(f"by_{each}", "a") for each in range(20)]

    assert steps(template(T=table(*many)), template(T=table(*many[1:], B))) == [
        "delete index 'by_0'",
        "create index 'by_b'",
    ]


def test_units_are_those_of_the_table() -> None:
    """In a step the table has the billing of before."""
    units: Any = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2}}
    more: Any = {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}}

    provisioned = index_updates(template(T=table(**units)), template(T=table({**A, **more}, {**B, **more}, **more)))
    on_demand = index_updates(template(T=table()), template(T=table({**A, **more}, {**B, **more}, **more)))

    assert provisioned[0].body == template(T=table({**A, **units}, **units)).body
    assert on_demand[0].body == template(T=table(A)).body


def test_several_tables() -> None:
    """An update changes an index of each of them."""
    old = template(T=table(), U=table(A))
    new = template(T=table(A, B), U=table(A, C), V=table(A, B))

    first, last = index_updates(old, new)

    assert [(each.verb, each.index, each.id) for each in first.actions] == [("create", "by_a", "T")]
    assert [(each.verb, each.index, each.id) for each in last.actions] == [
        ("create", "by_b", "T"),
        ("create", "by_c", "U"),
    ]


def test_another_table() -> None:
    """A table that is replaced is made with all its indexes."""
    assert index_updates(template(T=table()), template(T=table(A, B, TableName="others"))) == ()
    assert index_updates(TemplateVersion({}), template(T=table(A, B))) == ()


@pytest.mark.parametrize(
    "changed", [index("by_a", "a", "b"), index("by_a", "b"), index("by_a", "a", projection="KEYS_ONLY")]
)
def test_an_index_is_not_changed(changed: dict[str, Any]) -> None:
    """One with another key or projection needs a name of its own."""
    with pytest.raises(UsageError, match="index 'by_a' of table 'orders' has another key or projection"):
        index_updates(template(T=table(A)), template(T=table(changed)))


def test_changes_in_words() -> None:
    """AWS says that a table may be replaced when attributes of indexes are defined: it is not."""
    old, new = template(T=table(A, B)), template(T=table(C))
    change = ResourceChange("Modify", "T", "orders", "AWS::DynamoDB::Table", "Conditional")

    (planned,) = describe_changes([change], {}, {}, old, new, PreviousKeys())
    (replaced,) = describe_changes([change], {}, {}, old, template(T=table(C, TableName="x")), PreviousKeys())

    losses = "DELETES the index 'by_a': queries of it fail; DELETES the index 'by_b': queries of it fail"
    assert (planned.verb, planned.warning) == ("modify", losses)
    assert (replaced.verb, replaced.loses) == ("may replace", True)

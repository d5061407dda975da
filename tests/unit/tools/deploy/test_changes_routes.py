"""Which routes a resource of a template is there for."""

import pytest

from router.tools.deploy.changes import routes_of

KNOWN = {"QueueA": ("a",), "QueueB": ("b", "c"), "TableB": ("b",)}


def test_routes() -> None:
    """A resource is there for the routes of its queue or table, a role for all; the function is not listed with any."""
    types = {
        "QueueB": "AWS::SQS::Queue",
        "TableB": "AWS::DynamoDB::Table",
        "AgeAlarmA": "AWS::CloudWatch::Alarm",
        "MappingB": "AWS::Lambda::EventSourceMapping",
        "Role": "AWS::IAM::Role",
        "Function": "AWS::Lambda::Function",
    }

    assert routes_of({id_: {"Type": type_} for id_, type_ in types.items()}, KNOWN) == {
        "QueueB": "b, c",
        "TableB": "b",
        "AgeAlarmA": "a",
        "MappingB": "b, c",
        "Role": "a, b, c",
        "Function": "",
    }


@pytest.mark.parametrize(("known", "label"), [({}, "all"), ({"QueueE": ("e",)}, "4 routes")])
def test_many_routes(known: dict[str, tuple[str, ...]], label: str) -> None:
    """Resources of many routes are not listed with all names."""
    found = routes_of({"QueueD": {"Type": "AWS::SQS::Queue"}}, {"QueueD": ("a", "b", "c", "d"), **known})

    assert found == {"QueueD": label}

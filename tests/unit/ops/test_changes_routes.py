"""Which flows each resource of a template is there for."""

from typing import Any

from router.ops.changes import routes_of

KNOWN = {"QueueA": ("a",), "QueueB": ("b", "c"), "TableB": ("b",)}


def referring(*values: Any) -> dict[str, Any]:
    """A resource with such values somewhere in it."""
    return {"Type": "AWS::X::Y", "Properties": {"P": [{"Deep": value} for value in values]}}


def test_flows() -> None:
    """A resource is there for the flows of the queues and tables that it refers to, in whichever way it does."""
    resources = {
        "QueueB": {"Type": "AWS::SQS::Queue"},
        "ByRef": referring({"Ref": "QueueA"}),
        "ByAttribute": referring({"Fn::GetAtt": ["QueueB", "Arn"]}),
        "ByText": referring({"Fn::GetAtt": "TableB.Arn"}),
        "BySub": referring({"Fn::Sub": "${QueueA.Arn} and ${!QueueB} and ${AWS::Region} ${"}),
        "BySubWithMore": referring({"Fn::Sub": ["${TableB}${X}", {"X": "x"}]}),
        "Of": referring({"Ref": "QueueA"}, {"Ref": "TableB"}),
        "OfNone": referring("QueueA", 1),
        "AgeAlarmA": referring({"Fn::Sub": "${Stage}-a"}),
    }

    assert routes_of(resources, KNOWN, 4) == {
        "QueueB": "b, c",
        "ByRef": "a",
        "ByAttribute": "b, c",
        "ByText": "b",
        "BySub": "a",
        "BySubWithMore": "b",
        "Of": "a, b",
        "OfNone": "",
        "AgeAlarmA": "a",
    }


def test_many_flows() -> None:
    """Resources of many routes are not listed with all names."""
    known = {"Q": ("a", "b", "c", "d")}

    found = [routes_of({"R": referring({"Ref": "Q"})}, known, total)["R"] for total in (4, 5)]

    assert found == ["all", "4 routes"]

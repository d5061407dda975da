"""The alias of the function, and what moves it gradually: cfn-lint finds nothing, and versions are published when due.

CodeDeploy itself runs on AWS only: ministack has none.
"""

from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from msgspec import structs

from router.errors import UsageError
from router.tools.deploy.template.canary import (
    Canary,
    has_alias,
    read_canary,
    with_alias,
    with_version_id,
    without_shift,
)
from router.tools.deploy.template.document import Document, as_json, make_document, read_for_deployment

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def document() -> Document:
    """The template of the sample."""
    return make_document(read_for_deployment(ROOT / "routes.yaml", {}))


@pytest.mark.parametrize("canary", [None, Canary(10, 15)])
def test_is_sound(document: Document, canary: Canary | None) -> None:
    """cfn-lint finds nothing, informational findings included."""
    shifted = with_alias(document, canary)
    named = structs.replace(shifted, body=with_version_id(shifted.body, {}))

    found = lint(as_json(named), config=ManualArgs(regions=["us-east-1"], include_checks=["I"]))

    assert [f"{each.rule.id} {each.message} {each.path}" for each in found] == []


def test_mappings_call_the_alias(document: Document) -> None:
    """All of them; the rest of the template is as it was."""
    resources = with_alias(document, None).body["Resources"]

    called = {
        str(each["Properties"]["FunctionName"])
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    others = {name: each for name, each in resources.items() if document.body["Resources"].get(name) == each}
    mappings = [each for each in document.body["Resources"].values() if each["Type"].endswith("EventSourceMapping")]
    assert called == {str({"Ref": "FunctionAlias"})}
    assert len(others) == len(document.body["Resources"]) - len(mappings)


def test_alarms_stop_the_shift(document: Document) -> None:
    """Those of configuration errors, errors of the function, rejections and conflicts, of all queues together."""
    resources = with_alias(document, Canary(10, 15)).body["Resources"]

    group = resources["CanaryGroup"]["Properties"]
    watched = [each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]]
    (query,) = resources["CanaryRejectionsAlarm"]["Properties"]["Metrics"]
    routing = resources["CanaryTraffic"]["Properties"]["TrafficRoutingConfig"]
    assert watched == ["ConfigurationAlarm", "ErrorsAlarm", "CanaryRejectionsAlarm", "CanaryConflictsAlarm"]
    assert query["Expression"] == {
        "Fn::Sub": "SELECT SUM(router_messages_rejected_total) FROM SCHEMA(MessageRouter, queue, service) "
        "WHERE service = '${AWS::StackName}'"
    }
    assert routing == {
        "Type": "TimeBasedCanary",
        "TimeBasedCanary": {"CanaryPercentage": 10, "CanaryInterval": 15},
    }


def version_id(template: Any, **values: str) -> str:
    """The logical id of the version in a template."""
    resources = with_version_id(template, values)["Resources"]
    (id_,) = [str(name) for name, each in resources.items() if each["Type"] == "AWS::Lambda::Version"]
    assert resources["FunctionAlias"]["Properties"]["FunctionVersion"] == {"Fn::GetAtt": [id_, "Version"]}
    return id_


def test_a_version_for_each_function(document: Document) -> None:
    """Another package, setting or variable of the function is another version; what it does not have is none."""
    template = with_alias(document, None).body
    function = template["Resources"]["Function"]
    slower = {**function, "Properties": {**function["Properties"], "Timeout": 1}}
    first = version_id(template, CodeKey="a", AlarmTopic="x")

    ids = [
        version_id(template, CodeKey="a", AlarmTopic="y"),
        version_id(template, CodeKey="b", AlarmTopic="x"),
        version_id({**template, "Resources": {**template["Resources"], "Function": slower}}, CodeKey="a"),
    ]

    assert (ids[0] == first, len({first, *ids})) == (True, 3)


def test_without_an_alias(document: Document) -> None:
    """A template without one stays as it is."""
    assert (with_version_id(document.body, {}), without_shift(document.body), has_alias(document.body)) == (
        document.body,
        document.body,
        False,
    )


def test_without_the_shift(document: Document) -> None:
    """The alias moves at once."""
    template = without_shift(with_alias(document, Canary(10)).body)

    assert (has_alias(template), sorted(template["Resources"]["FunctionAlias"])) == (True, ["Properties", "Type"])


@pytest.mark.parametrize(
    ("text", "canary"),
    [("10%/15", Canary(10, 15)), ("10", Canary(10, 10)), ("5/2880", Canary(5, 2880)), ("99%", Canary(99, 10))],
)
def test_reads_percent_and_minutes(text: str, canary: Canary) -> None:
    """The sign of percent and the minutes may be left out."""
    assert read_canary(text) == canary


@pytest.mark.parametrize("text", ["", "0", "0%/5", "100%", "10%/0", "10%/2881", "10%/5m", "-1", "ten", "10%/5/5"])
def test_refuses_others(text: str) -> None:
    """What is no part of all, or takes too long, is refused with an example."""
    with pytest.raises(UsageError, match=r"give PERCENT or PERCENT/MINUTES, .* such as 10%/15"):
        read_canary(text)

"""What moves the alias of the function gradually: cfn-lint finds nothing, and alarms stop the shift.

CodeDeploy itself runs on AWS only: ministack has none.
"""

from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from msgspec import structs

from router.errors import UsageError
from router.tools.deploy.template.alias import with_alias, with_version_id
from router.tools.deploy.template.canary import Canary, read_canary, with_canary, without_shift
from router.tools.deploy.template.document import Document, as_json, make_document, read_for_deployment

ROOT = Path(__file__).parents[5]


@pytest.fixture(scope="module")
def document() -> Document:
    """The template of the sample, with an alias."""
    return with_alias(make_document(read_for_deployment(ROOT / "routes.yaml", {})))


def test_is_sound(document: Document) -> None:
    """cfn-lint finds nothing, informational findings included."""
    shifted = with_canary(document, Canary(10, 15))
    named = structs.replace(shifted, body=with_version_id(shifted.body, {}))

    found = lint(as_json(named), config=ManualArgs(regions=["us-east-1"], include_checks=["I"]))

    assert [f"{each.rule.id} {each.message} {each.path}" for each in found] == []


def test_alarms_stop_the_shift(document: Document) -> None:
    """Those of configuration errors, errors of the function, rejections and conflicts, of all queues together."""
    resources = with_canary(document, Canary(10, 15)).body["Resources"]

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


def test_without_the_shift(document: Document) -> None:
    """The alias moves at once."""
    template = without_shift(with_canary(document, Canary(10)).body)

    assert sorted(template["Resources"]["FunctionAlias"]) == ["DependsOn", "Properties", "Type"]


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

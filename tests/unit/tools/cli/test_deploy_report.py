"""What `router deploy` says when it failed, and where it sends people."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from router.model import Place
from router.tools.cli.deploy_report import (
    as_record,
    dashboard_link,
    explain_failure,
    show_changes,
    show_parameters,
    show_routes,
)
from tests.support.aws import StackEvent
from tests.support.change import (
    NO_LONGER_TAKEN,
    NOT_DECIDED,
    VERSION_NOT_STORED,
    ChangeFinding,
    ConfigChange,
    DiffReport,
    RouteReport,
)
from tests.support.config import SecretValues
from tests.support.ops import DeploymentResult, PlannedChange, PropertyChange

CAUSE = StackEvent(
    "1", datetime(2026, 1, 2, tzinfo=UTC), "LogGroup", "", "AWS::Logs::LogGroup", "CREATE_FAILED", "it exists already"
)
DELETED_LATELY = "You must wait 60 seconds after deleting a queue before you can create another with the same name."


@pytest.mark.parametrize(
    ("result", "creates", "sentences"),
    [
        (
            DeploymentResult("DELETE_COMPLETE", cause=CAUSE, kept=("users", "orders")),
            True,
            (
                "the stack 'flows' could not be created: LogGroup (AWS::Logs::LogGroup): it exists already",
                (
                    "the resources that were created are deleted again; the tables users, orders are kept, and the "
                    "next deployment imports them"
                ),
            ),
        ),
        (
            DeploymentResult("UPDATE_ROLLBACK_COMPLETE", cause=structs.replace(CAUSE, reason=DELETED_LATELY)),
            False,
            (
                f"the stack 'flows' could not be updated: LogGroup (AWS::Logs::LogGroup): {DELETED_LATELY}",
                "the stack is rolled back to its previous state",
                "deploy again in a minute: a queue of that name was deleted shortly before",
            ),
        ),
        (
            DeploymentResult("UPDATE_ROLLBACK_COMPLETE"),
            False,
            ("the stack 'flows' could not be updated", "the stack is rolled back to its previous state"),
        ),
        (
            DeploymentResult("UPDATE_ROLLBACK_FAILED", cause=CAUSE),
            False,
            (
                "the stack 'flows' could not be updated: LogGroup (AWS::Logs::LogGroup): it exists already",
                "the stack is UPDATE_ROLLBACK_FAILED; 'router deploy --stack flows' says what can be done",
            ),
        ),
    ],
)
def test_failures(result: DeploymentResult, creates: bool, sentences: tuple[str, ...]) -> None:
    """Why it failed, and how things stand now."""
    assert tuple(explain_failure(result, "flows", creates).splitlines()) == sentences


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("eu-west-1", "aws", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "aws-cn", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "aws-us-gov", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_dashboard_link(region: str, partition: str, host: str) -> None:
    """The console of the partition, in the region."""
    link = dashboard_link("flows", region, partition)

    assert link == f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/flows"


def function(variables: Mapping[str, str], key: str, policy: str = "") -> Mapping[str, Any]:
    """The properties of a function."""
    return {"Environment": {"Variables": variables}, "Code": {"S3Key": key, "S3Bucket": "b"}, "Policy": policy}


def planned() -> PlannedChange:
    """A function whose variables, one of them a secret, package and policy change."""
    before = function({"STAGE": "dev", "API_TOKEN": "t1"}, "1.zip", "x" * 300)
    after = function({"STAGE": "prod", "API_TOKEN": "t2"}, "2.zip", "y" * 300)
    values = tuple(PropertyChange(name, before[name], after[name]) for name in before)
    return PlannedChange("modify", "F", "users", "function", details=(*before, "Other"), values=values)


def test_properties_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    """What differs inside of a property is shown, but no value that may be a secret; a long one is in the JSON."""
    show_changes([planned()])

    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ modify")]
    shown = line.rstrip("│ ").rpartition("│")[2].strip()
    assert shown == (
        "Environment.Variables.STAGE: dev → prod, Environment.Variables.API_TOKEN: (not shown) → (another, not shown), "
        "Code.S3Key: 1.zip → 2.zip, Policy, Other"
    )


def test_parameters_before_and_after() -> None:
    """Values of parameters are shown, but for those that may be secrets."""
    lines = list(show_parameters({"STAGE": ("dev", ""), "API_TOKEN": ("t1", "t2")}))

    assert lines == ["parameter STAGE: dev → empty", "parameter API_TOKEN: (not shown) → (another, not shown)"]


def test_properties_in_json() -> None:
    """The JSON has the values that differ, but for those that may be secrets."""
    record = as_record("users", "eu-west-1", [planned()], {}, None, None)

    (change,) = record["changes"]
    assert change["values"] == [
        {"name": "Environment.Variables.STAGE", "before": "dev", "after": "prod"},
        {"name": "Environment.Variables.API_TOKEN", "before": "(not shown)", "after": "(another, not shown)"},
        {"name": "Code.S3Key", "before": "1.zip", "after": "2.zip"},
        {"name": "Policy", "before": "x" * 300, "after": "y" * 300},
    ]


def test_a_version_that_no_stored_item_has_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """With the way out, as each risk, beside what breaks; a value that CloudFormation hides is not shown."""
    changes = [
        ConfigChange(NO_LONGER_TAKEN, "it breaks", route="one"),
        ConfigChange(VERSION_NOT_STORED, "the first wins", route="one", suggestion="send it again"),
        ConfigChange(NOT_DECIDED, "a risk for 'topsecret'", route="one"),
        ConfigChange(VERSION_NOT_STORED, "route 'two': the first wins", suggestion="send it again"),
    ]
    place = Place("routes.yaml")
    hidden = SecretValues()
    hidden.add("topsecret", "${MARK}")
    findings = tuple(ChangeFinding(each.without(hidden), place, place) for each in changes)
    routes = (RouteReport("one", "breaking", findings=findings[:3]),)

    show_routes(DiffReport("old", "new", routes, findings, (), 0, ()), "flows")

    assert capsys.readouterr().out.splitlines() == [
        "breaking  one",
        "  breaking RT901 it breaks",
        "  risky RT931 the first wins; send it again",
        "  risky RT902 a risk for '${MARK}'",
        "other changes",
        "  risky RT931 route 'two': the first wins; send it again",
        "1 breaking, 3 risky; routes: 1 breaking, 0 the same; 'router diff stack:flows' shows all",
    ]

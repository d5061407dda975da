"""Drift-aware change sets, as AWS's own description of its API has them."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from tests.support.aws import DriftedValue, ResourceChange, ServiceClient, Stacks, StackTemplate

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1"
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/router-1/2"
SENT = {
    "StackName": "flows",
    "ChangeSetName": "router-1",
    "Parameters": [],
    "Capabilities": ["CAPABILITY_NAMED_IAM"],
    "ImportExistingResources": True,
    "TemplateBody": "{}",
}


@pytest.fixture
def client() -> Any:
    """A client that calls nothing."""
    session = boto3.session.Session("id", "secret", region_name="eu-west-1")
    return session.client("cloudformation")


@pytest.fixture
def stubbed(client: Any) -> Iterator[Stubber]:
    """Checks requests and answers by the description of the API."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def propose(client: Any, *, creates: bool) -> None:
    """Propose a change that returns what was changed by hand."""
    stacks = Stacks(ServiceClient("cloudformation", client))
    stacks.propose("flows", "router-1", StackTemplate("{}"), {}, creates=creates, reverts_drift=True)


def test_it_is_asked_for(client: Any, stubbed: Stubber) -> None:
    """Of a stack that exists; of a new one nothing was changed by hand."""
    answer = {"Id": CHANGE_SET, "StackId": STACK}
    stubbed.add_response(
        "create_change_set", answer, SENT | {"ChangeSetType": "UPDATE", "DeploymentMode": "REVERT_DRIFT"}
    )
    stubbed.add_response("create_change_set", answer, SENT | {"ChangeSetType": "CREATE", "OnStackFailure": "DELETE"})

    propose(client, creates=False)
    propose(client, creates=True)


def test_a_boto3_that_does_not_know_it(client: Any, stubbed: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one refuses the parameter: it is left out, and the answer says that nothing is reverted."""
    stubbed.add_response("create_change_set", {"Id": CHANGE_SET, "StackId": STACK}, SENT | {"ChangeSetType": "UPDATE"})
    monkeypatch.setattr(ServiceClient, "takes", lambda *_: False)

    propose(client, creates=False)


@pytest.mark.parametrize("mode", [{}, {"DeploymentMode": "REVERT_DRIFT"}])
def test_it_is_read(client: Any, stubbed: Stubber, mode: dict[str, str]) -> None:
    """What was changed by hand has its path and its value."""
    target = {
        "Attribute": "Properties",
        "Name": "MessageRetentionPeriod",
        "Path": "/Properties/MessageRetentionPeriod",
        "BeforeValue": "1209600",
        "AfterValue": "345600",
        "BeforeValueFrom": "ACTUAL_STATE",
        "AfterValueFrom": "TEMPLATE",
    }
    drifted = target | {"Drift": {"PreviousValue": "345600", "ActualValue": "1209600"}}
    changed = {
        "Action": "Modify",
        "LogicalResourceId": "QueueOrders",
        "PhysicalResourceId": "https://sqs.eu-west-1.amazonaws.com/1/orders",
        "ResourceType": "AWS::SQS::Queue",
        "Replacement": "False",
        "ResourceDriftStatus": "MODIFIED",
        "Details": [{"Target": drifted, "Evaluation": "Static", "ChangeSource": "NoModification"}],
    }
    noted = {"Action": "SyncWithActual", "LogicalResourceId": "QueueUsers", "ResourceType": "AWS::SQS::Queue"}
    answer = {
        "Status": "CREATE_COMPLETE",
        "Changes": [{"Type": "Resource", "ResourceChange": each} for each in (changed, noted)],
    }
    stubbed.add_response("describe_change_set", answer | mode, {"ChangeSetName": ANY, "IncludePropertyValues": True})

    found = Stacks(ServiceClient("cloudformation", client)).change_set(CHANGE_SET)

    assert found.reverts_drift is bool(mode)
    assert found.changes == (
        ResourceChange(
            "Modify",
            "QueueOrders",
            "https://sqs.eu-west-1.amazonaws.com/1/orders",
            "AWS::SQS::Queue",
            "False",
            "",
            ("MessageRetentionPeriod",),
            drift=(DriftedValue("/Properties/MessageRetentionPeriod", "1209600"),),
        ),
        ResourceChange("SyncWithActual", "QueueUsers", "", "AWS::SQS::Queue"),
    )

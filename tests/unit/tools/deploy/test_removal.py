"""What a repeated removal of a stack does with what the first one has left behind."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tests.support.aws import ServiceClient, Stack, Stacks
from tests.support.ops import PlannedRemoval, left_by, plan_removal

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1"
FAILED = Stack(STACK_ID, "flows", "DELETE_FAILED", "")
TABLE, QUEUE = "AWS::DynamoDB::Table", "AWS::SQS::Queue"
AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clients() -> Iterator[tuple[Stubber, ServiceClient, ServiceClient]]:
    """Answers as AWS documents them: no local AWS fails to delete a stack."""
    session = boto3.session.Session("local", "local", region_name="eu-west-1")
    cloudformation, sqs = session.client("cloudformation"), session.client("sqs")
    with Stubber(cloudformation) as stubber:
        yield stubber, ServiceClient("cloudformation", cloudformation), ServiceClient("sqs", sqs)
        stubber.assert_no_pending_responses()


def resource(logical_id: str, physical_id: str, type_: str, status: str) -> dict[str, Any]:
    """A resource, as a list of them has it."""
    return {
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id,
        "ResourceType": type_,
        "ResourceStatus": status,
        "LastUpdatedTimestamp": AT,
    }


def in_stack(physical_id: str, status: str = "IMPORT_COMPLETE") -> dict[str, Any]:
    """A table of another stack, as it is described."""
    about = resource("Table", physical_id, TABLE, status) | {
        "StackName": "shop",
        "StackId": "arn:shop",
        "Timestamp": AT,
    }
    del about["LastUpdatedTimestamp"]
    return {"StackResources": [about]}


def test_what_another_stack_has_now(clients: tuple[Stubber, ServiceClient, ServiceClient]) -> None:
    """A table that the first removal left behind, and that another stack has imported since, is not deleted."""
    stubber, cloudformation, sqs = clients
    retained = {"Type": TABLE, "DeletionPolicy": "Retain"}
    template = {"Resources": dict.fromkeys(("Taken", "Free", "Alone"), retained)}
    stubber.add_response("get_template", {"TemplateBody": json.dumps(template)})
    stubber.add_response(
        "list_stack_resources",
        {
            "StackResourceSummaries": [
                resource("Taken", "taken", TABLE, "DELETE_SKIPPED"),
                resource("Free", "free", TABLE, "DELETE_SKIPPED"),
                resource("Alone", "alone", TABLE, "CREATE_COMPLETE"),
            ]
        },
    )
    stubber.add_response("describe_stack_resources", in_stack("taken"), {"PhysicalResourceId": "taken"})
    stubber.add_client_error("describe_stack_resources", "ValidationError")

    planned = plan_removal(Stacks(cloudformation), sqs, FAILED)

    assert {each.name: each.owner for each in planned} == {"taken": "shop", "free": "", "alone": ""}
    assert left_by(planned, TABLE) == ["alone", "free"]


def test_kept_and_deleted() -> None:
    """Only kept resources of a type that no other stack has can be deleted besides the stack."""
    planned = [
        PlannedRemoval("a", "table", TABLE, True),
        PlannedRemoval("b", "table", TABLE, True, owner="shop"),
        PlannedRemoval("c", "table", TABLE, False),
        PlannedRemoval("d", "queue", QUEUE, True),
    ]

    assert left_by(planned, TABLE) == ["a"]

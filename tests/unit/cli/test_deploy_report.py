"""What `router deploy` says when it failed, and where it sends people."""

from datetime import UTC, datetime

import pytest

from router.cli.deploy_report import dashboard_link, explain_failure
from tests.support.aws import StackEvent
from tests.support.ops import DeploymentResult

CAUSE = StackEvent(
    "1", datetime(2026, 1, 2, tzinfo=UTC), "LogGroup", "", "AWS::Logs::LogGroup", "CREATE_FAILED", "it exists already"
)


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

"""What can be done with a stack in each status, and what its events say."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.loaders import Loader

from router.errors import UsageError
from router.tools.deploy import stack
from router.tools.deploy.stack import (
    DeploymentResult,
    first_failure,
    follow,
    is_in_progress,
    must_create,
    require_idle,
    retained_tables,
)
from tests.support.aws import Stack, StackEvent, Stacks

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1"


def in_state(status: str, reason: str = "") -> Stack:
    """A stack."""
    return Stack("arn:…", "flows", status, reason)


def all_states() -> list[str]:
    """The states that AWS's own description of its API knows."""
    model: dict[str, Any] = Loader().load_service_model("cloudformation", "service-2")
    states: list[str] = model["shapes"]["StackStatus"]["enum"]
    return states


@pytest.mark.parametrize(("status", "creates"), [("DELETE_COMPLETE", True), ("REVIEW_IN_PROGRESS", True)])
def test_makes(status: str, creates: bool) -> None:
    """A stack that is gone, or not there yet, is made, as one of which nothing is known."""
    assert (must_create(in_state(status)), must_create(None)) == (creates, True)


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    ],
)
def test_updates(status: str) -> None:
    """A stack that stands is updated."""
    assert not must_create(in_state(status))


@pytest.mark.parametrize(
    ("status", "reason", "sentence"),
    [
        (
            "ROLLBACK_COMPLETE",
            "The following resource(s) failed to create: [Queue]. ",
            (
                "the stack 'flows' is in ROLLBACK_COMPLETE and can only be deleted (The following resource(s) failed "
                "to create: [Queue]); run 'router undeploy --stack flows', which keeps its tables, then deploy again"
            ),
        ),
        (
            "UPDATE_ROLLBACK_FAILED",
            "",
            (
                "the stack 'flows' is in UPDATE_ROLLBACK_FAILED; fix the cause, run "
                "'aws cloudformation continue-update-rollback --stack-name flows', then deploy again"
            ),
        ),
        (
            "UPDATE_FAILED",
            "",
            (
                "the stack 'flows' is in UPDATE_FAILED; run "
                "'aws cloudformation rollback-stack --stack-name flows', then deploy again"
            ),
        ),
        (
            "UPDATE_IN_PROGRESS",
            "",
            "the stack 'flows' is in UPDATE_IN_PROGRESS: another operation is in progress; wait until it ends",
        ),
    ],
)
def test_cannot(status: str, reason: str, sentence: str) -> None:
    """Where nothing can be done, it is said why, and what to do instead."""
    with pytest.raises(UsageError) as caught:
        must_create(in_state(status, reason))

    assert str(caught.value) == sentence


def test_each_state_is_known() -> None:
    """No state of AWS's is taken for one in which somebody else is at work, but those in which somebody is."""
    reported = {}
    for status in all_states():
        try:
            must_create(in_state(status))
        except UsageError as error:
            reported[status] = str(error)

    at_work = {status for status, sentence in reported.items() if "another operation" in sentence}
    assert at_work == {status for status in all_states() if is_in_progress(status)} - {"REVIEW_IN_PROGRESS"}


def test_good_states() -> None:
    """A rollback ends well for nobody."""
    assert {status for status in all_states() if DeploymentResult(status).succeeded} == {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "IMPORT_COMPLETE",
    }


def test_refuses_running() -> None:
    """Who deletes waits for others, but not for a stack that is only being looked at."""
    require_idle(in_state("REVIEW_IN_PROGRESS"))
    with pytest.raises(UsageError, match="another operation is in progress"):
        require_idle(in_state("UPDATE_IN_PROGRESS"))


def event(status: str, logical_id: str = "flows", reason: str = "", type_: str = "AWS::SQS::Queue") -> StackEvent:
    """An event, of the stack itself if no resource is named."""
    if logical_id == "flows":
        type_ = "AWS::CloudFormation::Stack"
    physical_id = STACK if logical_id == "flows" else logical_id.lower()
    return StackEvent(
        f"{logical_id}-{status}", datetime(2026, 1, 2, tzinfo=UTC), logical_id, physical_id, type_, status, reason
    )


FAILED = [
    event("CREATE_IN_PROGRESS"),
    event("CREATE_IN_PROGRESS", "Orders"),
    event("CREATE_IN_PROGRESS", "Users"),
    event("CREATE_FAILED", "Users", "Resource creation cancelled"),
    event("CREATE_FAILED", "Orders", 'Resource handler returned message: "Queue already exists"'),
    event("CREATE_FAILED", "Lines", "Resource creation cancelled"),
    event("ROLLBACK_IN_PROGRESS", "flows", "The following resource(s) failed to create: [Orders, Users]. "),
    event("DELETE_SKIPPED", "Items", type_="AWS::DynamoDB::Table"),
    event("DELETE_FAILED", "Role", "it is used"),
]


class Reported:
    """Stacks that have a list of events to tell, some at a time."""

    def __init__(self, *portions: list[StackEvent]) -> None:
        self._portions = list(portions)
        self.asked: list[str] = []

    def events(self, stack_id: str, after: str) -> list[StackEvent]:
        self.asked.append(after)
        return self._portions.pop(0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(stack, "LONGEST_PAUSE", 0.0)


def followed(*portions: list[StackEvent], deletes_itself: bool = False) -> tuple[list[str], Any]:
    """The statuses that are reported, and the stacks that were asked."""
    reported: Any = Reported(*portions)
    stacks: Stacks = reported
    events = follow(stacks, STACK, "before", deletes_itself=deletes_itself)
    return [each.status for each in events], reported


def test_until_the_stack_has_ended() -> None:
    """Each event is reported once, in whatever order it is listed, until one of the stack itself marks the end."""
    begun, created = event("UPDATE_IN_PROGRESS"), event("CREATE_COMPLETE", "Orders")
    cleaning, deleted = event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), event("DELETE_COMPLETE", "Users")

    statuses, reported = followed(
        [],
        [begun, created],
        [begun, cleaning, created, deleted],
        [begun, cleaning, created, deleted, event("UPDATE_COMPLETE")],
    )

    assert (statuses, reported.asked) == (
        [
            "UPDATE_IN_PROGRESS",
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "DELETE_COMPLETE",
            "UPDATE_COMPLETE",
        ],
        ["before"] * 4,
    )


def test_failed_creation_goes_on_with_deletion() -> None:
    """A stack that deletes itself after a failure is followed until it is gone."""
    statuses, _ = followed(
        [event("CREATE_IN_PROGRESS"), event("CREATE_FAILED")],
        [],
        [event("DELETE_IN_PROGRESS")],
        [event("DELETE_COMPLETE")],
        deletes_itself=True,
    )

    assert statuses[-1] == "DELETE_COMPLETE"


def test_deletion_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does not delete itself after all, that is waited for for a while."""
    monkeypatch.setattr(stack, "DELETION_SECONDS", 0.0)

    statuses, _ = followed([event("CREATE_IN_PROGRESS"), event("ROLLBACK_FAILED")], [], deletes_itself=True)

    assert statuses == ["CREATE_IN_PROGRESS", "ROLLBACK_FAILED"]


def test_first_failure() -> None:
    """The cause is the first resource that failed by itself, not one that was cancelled or failed later."""
    cause = first_failure(FAILED, STACK)

    assert cause == FAILED[4]


def test_cause_of_the_stack() -> None:
    """Where no resource failed, the stack says why."""
    asked = event("ROLLBACK_IN_PROGRESS", "flows", "Rollback requested by user")

    assert (first_failure([event("CREATE_IN_PROGRESS"), asked], STACK), first_failure([], STACK)) == (asked, None)


def test_retained_tables() -> None:
    """Tables that stayed behind are known by their names."""
    assert retained_tables([*FAILED, *FAILED]) == ("items",)

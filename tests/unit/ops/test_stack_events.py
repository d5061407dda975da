"""What happens to a stack, and which of it is why it failed; the events are as AWS tells them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from router.aws.stacks import StackEvent, Stacks
from router.ops import stack
from router.ops.stack import first_failure, follow, retained_tables

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/flows/1"


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
    """Each event is reported once, until one of the stack itself says that it is over; cleaning up is not over."""
    statuses, reported = followed(
        [],
        [event("UPDATE_IN_PROGRESS"), event("CREATE_COMPLETE", "Orders")],
        [event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), event("DELETE_COMPLETE", "Users")],
        [event("UPDATE_COMPLETE")],
    )

    assert (statuses, reported.asked) == (
        [
            "UPDATE_IN_PROGRESS",
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "DELETE_COMPLETE",
            "UPDATE_COMPLETE",
        ],
        ["before", "before", "Orders-CREATE_COMPLETE", "Users-DELETE_COMPLETE"],
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

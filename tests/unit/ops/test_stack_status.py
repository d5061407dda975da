"""What can be done with a stack in each of its states."""

from typing import Any

import pytest
from botocore.loaders import Loader

from router.aws.stacks import Stack
from router.errors import UsageError
from router.ops.stack import DeploymentResult, is_in_progress, must_create, require_idle


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

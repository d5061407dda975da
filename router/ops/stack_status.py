"""What can be done with a stack in each of its states.

Source: AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from router.aws.stacks import Stack
from router.errors import UsageError

ABSENT = "DELETE_COMPLETE"
EMPTY = "REVIEW_IN_PROGRESS"
"""The state of a stack of which there is nothing yet but a change set."""
_STANDING = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
_NEVER_STOOD = frozenset(
    {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"}
)
_GOOD = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})


def is_absent(stack: Stack | None) -> bool:
    """Whether there is no such stack, or no more."""
    return stack is None or stack.status == ABSENT


def is_running(status: str) -> bool:
    """Whether something is being done in that state."""
    return status.endswith("_IN_PROGRESS")


def is_good(status: str) -> bool:
    """Whether what was asked for is there."""
    return status in _GOOD


def must_create(stack: Stack | None) -> bool:
    """Whether a deployment makes the stack, rather than updates it; raises UsageError where it can do neither."""
    if stack is None or stack.status in (ABSENT, EMPTY):
        return True
    if stack.status in _STANDING:
        return False
    name, status = stack.name, stack.status
    if status in _NEVER_STOOD:
        raise UsageError(
            f"the stack '{name}' is in {status}, from which it can only be deleted{_because(stack)}; "
            f"'router undeploy --stack {name}' does that and keeps its tables; then deploy again"
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise UsageError(
            f"the stack '{name}' is in {status}{_because(stack)}; mend the cause, then "
            f"'aws cloudformation continue-update-rollback --stack-name {name}', then deploy again"
        )
    if status == "UPDATE_FAILED":
        raise UsageError(
            f"the stack '{name}' is in {status}{_because(stack)}; "
            f"'aws cloudformation rollback-stack --stack-name {name}' takes it back, then deploy again"
        )
    raise UsageError(f"the stack '{name}' is in {status}: somebody else is changing it; wait until that has ended")


def refuse_running(stack: Stack) -> None:
    """Raise UsageError if somebody is changing the stack."""
    if is_running(stack.status) and stack.status != EMPTY:
        raise UsageError(
            f"the stack '{stack.name}' is in {stack.status}: somebody else is changing it; wait until that has ended"
        )


def _because(stack: Stack) -> str:
    return f" ({stack.reason.rstrip('. ')})" if stack.reason else ""

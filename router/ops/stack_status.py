"""Which operations a stack allows in each status, and whether the router created the stack.

Source: AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from router.aws.stacks import Stack, Stacks
from router.errors import UsageError

DESCRIPTION = "Message Router: "
"""The prefix of the description of every template that the router makes."""
EMPTY = "REVIEW_IN_PROGRESS"
"""The status of a stack that has a change set but no resources yet."""
_DELETED = "DELETE_COMPLETE"
_SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_UPDATABLE = _SUCCEEDED | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
_ONLY_DELETABLE = frozenset(
    {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"}
)


def is_absent(stack: Stack | None) -> bool:
    """Returns whether the stack does not exist or is deleted."""
    return stack is None or stack.status == _DELETED


def is_in_progress(status: str) -> bool:
    """Returns whether an operation on the stack is in progress."""
    return status.endswith("_IN_PROGRESS")


def has_succeeded(status: str) -> bool:
    """Returns whether the last operation on the stack succeeded; a rollback is a failure."""
    return status in _SUCCEEDED


def must_create(stack: Stack | None) -> bool:
    """Returns whether a deployment creates the stack (True) or updates it; raises UsageError if it can do neither."""
    if stack is None or stack.status in (_DELETED, EMPTY):
        return True
    if stack.status in _UPDATABLE:
        return False
    name, status = stack.name, stack.status
    reason = f" ({stack.reason.rstrip('. ')})" if stack.reason else ""
    if status in _ONLY_DELETABLE:
        raise UsageError(
            f"the stack '{name}' is in {status} and can only be deleted{reason}; "
            f"run 'router undeploy --stack {name}', which keeps its tables, then deploy again"
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        raise UsageError(
            f"the stack '{name}' is in {status}{reason}; fix the cause, run "
            f"'aws cloudformation continue-update-rollback --stack-name {name}', then deploy again"
        )
    if status == "UPDATE_FAILED":
        raise UsageError(
            f"the stack '{name}' is in {status}{reason}; run "
            f"'aws cloudformation rollback-stack --stack-name {name}', then deploy again"
        )
    raise UsageError(_in_progress(stack))


def require_idle(stack: Stack) -> None:
    """Raises UsageError if an operation on the stack is in progress."""
    if is_in_progress(stack.status) and stack.status != EMPTY:
        raise UsageError(_in_progress(stack))


def require_own(stacks: Stacks, stack: Stack | None) -> None:
    """Raises UsageError for a stack that the router did not create: its template would delete all other resources."""
    if stack is None or is_absent(stack) or stack.status == EMPTY:
        return
    description = str(stacks.template(stack.id).get("Description", ""))
    if not description.startswith(DESCRIPTION):
        label = f" (its description is '{description}')" if description else ""
        raise UsageError(f"the stack '{stack.name}' was not created by the router{label}; use another stack name")


def _in_progress(stack: Stack) -> str:
    return f"the stack '{stack.name}' is in {stack.status}: another operation is in progress; wait until it ends"

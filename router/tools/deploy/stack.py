"""Changes and deletes a stack, and follows its events.

Statuses: AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct, structs

from router.errors import UsageError
from router.tools.control_plane.clients import AwsCallError, ServiceClient, count_messages
from router.tools.control_plane.resource_changes import ResourceChange
from router.tools.control_plane.stacks import (
    SKIPPED,
    ParameterValues,
    Stack,
    StackEvent,
    Stacks,
    StackTemplate,
)
from router.tools.deploy.changes import QUEUE, TABLE, kind_of, resource_name
from router.tools.deploy.table_definitions import resource_of

DESCRIPTION = "Message Router: "
"""The prefix of the description of every template that the router makes."""
EMPTY = "REVIEW_IN_PROGRESS"
"""The status of a stack that has a change set but no resources yet."""
_DELETED = "DELETE_COMPLETE"
_SUCCEEDED = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_UPDATABLE = _SUCCEEDED | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
_FAILED_CREATION = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_DELETE = (
    " and can only be deleted",
    "run 'router undeploy --stack {name}', which keeps its tables",
)
_CONTINUE = "fix the cause, run 'aws cloudformation continue-update-rollback --stack-name {name}'"
_ADVICE = {
    **dict.fromkeys((*_FAILED_CREATION, "IMPORT_ROLLBACK_FAILED", "DELETE_FAILED"), _DELETE),
    "UPDATE_ROLLBACK_FAILED": ("", _CONTINUE),
    "UPDATE_FAILED": ("", "run 'aws cloudformation rollback-stack --stack-name {name}'"),
}
"""What can be done with a stack in a status in which it cannot be changed."""
SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two polls: DescribeStackEvents is throttled for the whole account."""
DELETION_SECONDS = 60
"""How long to wait until a stack whose creation failed starts to delete itself."""
_STACK = "AWS::CloudFormation::Stack"
WAIT_CONDITION = "AWS::CloudFormation::WaitCondition"
"""The type of the resource that waits until a new version of the function was tried."""
_CASCADE = ("resource creation cancelled", "resource update cancelled")
"""The reasons that AWS gives for resources that stop because another resource failed."""
CREATION_SECONDS = 300
"""How long to wait for AWS to create a change set; usually it takes seconds."""
_UNCHANGED = ("the submitted information didn't contain changes", "no updates are to be performed")
"""The reasons of a failed change set without changes: AWS has no status of its own for it."""
_OVERTAKEN = (
    "ChangeSetNotFound",
    "ChangeSetNotFoundException",
    "InvalidChangeSetStatus",
    "ValidationError",
)
"""AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html; ValidationError: the stack is in progress."""
_RETAINED = ("Retain", "RetainExceptOnCreate")


def is_absent(stack: Stack | None) -> bool:
    """Return whether the stack does not exist or is deleted."""
    return stack is None or stack.status == _DELETED


def is_in_progress(status: str) -> bool:
    """Return whether an operation on the stack is in progress."""
    return status.endswith("_IN_PROGRESS")


def must_create(stack: Stack | None) -> bool:
    """Return whether a deployment creates the stack (True) or updates it; raises UsageError if it can do neither."""
    if stack is None or stack.status in (_DELETED, EMPTY):
        return True
    if stack.status in _UPDATABLE:
        return False
    if stack.status not in _ADVICE:
        raise UsageError(_in_progress(stack))
    reason = f" ({stack.reason.rstrip('. ')})" if stack.reason else ""
    state, advice = _ADVICE[stack.status]
    raise UsageError(
        f"the stack '{stack.name}' is in {stack.status}{state}{reason}; "
        f"{advice.format(name=stack.name)}, then deploy again"
    )


def require_idle(stack: Stack) -> None:
    """Raise UsageError if an operation on the stack is in progress."""
    if is_in_progress(stack.status) and stack.status != EMPTY:
        raise UsageError(_in_progress(stack))


def require_own(stacks: Stacks, stack: Stack | None) -> None:
    """Raise UsageError for a stack that the router did not create: its template would delete all other resources."""
    if stack is None or is_absent(stack) or stack.status == EMPTY:
        return
    description = str(stacks.template(stack.id).get("Description", ""))
    if not description.startswith(DESCRIPTION):
        label = f" (its description is '{description}')" if description else ""
        raise UsageError(
            f"the stack '{stack.name}' was not created by the router{label}; use another stack name"
        )


def _in_progress(stack: Stack) -> str:
    return f"the stack '{stack.name}' is in {stack.status}: another operation is in progress; wait until it ends"


def follow(
    stacks: Stacks, stack_id: str, after: str, *, deletes_itself: bool = False
) -> Iterator[StackEvent]:
    """Yield the events of a stack after the one with the id `after`, until the operation has ended.

    An event of the stack itself marks the end, not its status: that is not updated at once. With `deletes_itself`, a
    failed creation continues with the deletion of the stack.
    """
    pause = SHORTEST_PAUSE
    end = None
    # Of events of the same moment, a later call may list one before those that were listed already.
    seen: set[str] = set()
    while True:
        events = [event for event in stacks.events(stack_id, after) if event.id not in seen]
        for event in events:
            seen.add(event.id)
            yield event
            if is_about_stack(event, stack_id):
                end = _end(event.status, deletes_itself)
        if end is not None and time.monotonic() >= end:
            return
        pause = SHORTEST_PAUSE if events else min(pause * 1.5, LONGEST_PAUSE)
        time.sleep(pause)


def _end(status: str, deletes_itself: bool) -> float | None:
    """Return when to stop polling, on the clock of `time.monotonic`; None while the operation is in progress."""
    if is_in_progress(status):
        return None
    waits = deletes_itself and status in _FAILED_CREATION
    return time.monotonic() + DELETION_SECONDS if waits else 0.0


def is_about_stack(event: StackEvent, stack_id: str) -> bool:
    """Return whether an event is about the stack itself, not one of its resources."""
    return event.type == _STACK and event.physical_id == stack_id


def first_failure(events: Sequence[StackEvent], stack_id: str) -> StackEvent | None:
    """Return the event of the first resource that failed by itself, else the stack's own event that has a reason."""
    own = None
    for event in events:
        if not is_about_stack(event, stack_id):
            is_cause = not event.reason.lower().startswith(_CASCADE)
            if is_cause and event.status.endswith("_FAILED"):
                return event
        elif event.reason and ("ROLLBACK" in event.status or "FAILED" in event.status):
            own = own or event
    return own


def retained_tables(events: Sequence[StackEvent]) -> tuple[str, ...]:
    """Return the names of the tables that were kept when their stack, or their part of it, was deleted."""
    kept = [event for event in events if event.status == "DELETE_SKIPPED" and event.type == TABLE]
    return tuple(dict.fromkeys(event.physical_id for event in kept))


class PreparedChange(Struct, frozen=True):
    """A change set that AWS has created and that can be executed.

    `creates`: the stack does not exist yet. `fresh`: it consists of this change set alone. `changes` is None if there
    is nothing to change; it is empty if only outputs change.
    """

    stack: str
    stack_id: str
    change_set: str
    creates: bool
    fresh: bool
    changes: tuple[ResourceChange, ...] | None = None
    reverts_drift: bool = False


class DeploymentResult(Struct, frozen=True):
    """The final status of the stack, its outputs, the first failure if any, and the tables that were kept."""

    status: str
    outputs: Mapping[str, str] = {}
    cause: StackEvent | None = None
    kept: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the whole change set was executed."""
        return self.status in _SUCCEEDED

    @property
    def is_about_probe(self) -> bool:
        """Whether the stack waited in vain for a new version of its function."""
        return self.cause is not None and self.cause.type == WAIT_CONDITION


def create_change_set(
    stacks: Stacks,
    name: str,
    template: StackTemplate,
    parameters: ParameterValues,
    *,
    reverts_drift: bool = False,
) -> PreparedChange:
    """Create a change set and wait until it is complete.

    A parameter whose value is None keeps its value. With `reverts_drift`, what was changed by hand becomes what the
    template says, where AWS has change sets for that.

    Raises UsageError if the stack cannot be changed or AWS rejects the template. In that case, and if nothing would
    change, the change set is deleted again.
    """
    stack = stacks.find(name)
    creates = must_create(stack)
    change_set, stack_id = stacks.propose(
        name,
        f"router-{uuid.uuid4().hex}",
        template,
        parameters,
        creates=creates,
        reverts_drift=reverts_drift,
    )
    prepared = PreparedChange(name, stack_id, change_set, creates, is_absent(stack))
    try:
        stacks.wait("change_set_create_complete", CREATION_SECONDS, ChangeSetName=change_set)
        created = stacks.change_set(change_set)
    except BaseException:
        # The original exception, KeyboardInterrupt included, matters more than a failed clean-up.
        with suppress(AwsCallError):
            discard(stacks, prepared)
        raise
    if created.status == "CREATE_COMPLETE":
        return structs.replace(
            prepared, changes=created.changes, reverts_drift=created.reverts_drift
        )
    discard(stacks, prepared)
    if created.reason.lower().startswith(_UNCHANGED):
        return structs.replace(prepared, reverts_drift=created.reverts_drift)
    advice = ""
    # Matches on AWS's text, since no code says so; only the advice depends on it.
    if "already exist" in created.reason:
        advice = "; set 'managed: false' on a queue or table that must stay as it is, or give it another name"
    raise UsageError(
        f"AWS cannot create a change set of the template: {created.reason or created.status}{advice}"
    )


def discard(stacks: Stacks, prepared: PreparedChange) -> None:
    """Delete a change set that was not executed, and its stack if that has nothing else."""
    stacks.discard(prepared.change_set)
    if not prepared.fresh:
        return
    stack = stacks.find(prepared.stack_id)
    if stack is None or stack.status != EMPTY:
        return
    stacks.delete(prepared.stack_id)
    # Without this wait, a deployment right after this one would find a stack that is being deleted.
    stacks.wait("stack_delete_complete", CREATION_SECONDS, StackName=prepared.stack_id)


def execute(stacks: Stacks, prepared: PreparedChange) -> Iterator[StackEvent]:
    """Execute a change set and yield the events of the stack until the operation has ended.

    Raises UsageError if the stack was changed since the change set was created, or is being changed.
    """
    try:
        after = stacks.newest_event(prepared.stack_id)
        stacks.execute(prepared.change_set)
    except AwsCallError as error:
        # An executed change set deletes the others, and makes them obsolete before that.
        if error.code not in _OVERTAKEN:
            raise
        raise UsageError(
            f"another deployment has changed the stack '{prepared.stack}' since its changes were shown; nothing was "
            "changed: deploy again"
        ) from None
    yield from follow(stacks, prepared.stack_id, after, deletes_itself=prepared.creates)


def read_result(
    stacks: Stacks, prepared: PreparedChange, events: Sequence[StackEvent]
) -> DeploymentResult:
    """Return the result of an executed change set, from the stack and its events."""
    stack = stacks.find(prepared.stack_id)
    status = stack.status if stack else "DELETE_COMPLETE"
    if stack and status in _SUCCEEDED:
        return DeploymentResult(status, stack.outputs)
    return DeploymentResult(
        status, cause=first_failure(events, prepared.stack_id), kept=retained_tables(events)
    )


def with_reason(result: DeploymentResult, reason: str) -> DeploymentResult:
    """Return a result whose cause has a better reason than AWS's, if it is the probe of a new version."""
    if result.cause is None or not result.is_about_probe:
        return result
    return structs.replace(result, cause=structs.replace(result.cause, reason=reason))


class PlannedRemoval(Struct, frozen=True):
    """What happens to one resource: `messages` counts those of a deleted queue, None if the count is unknown.

    `owner` is the stack that has it now, if an earlier removal left it behind.
    """

    name: str
    kind: str
    type: str
    kept: bool
    messages: int | None = 0
    owner: str = ""


def plan_removal(stacks: Stacks, sqs: ServiceClient, stack: Stack) -> tuple[PlannedRemoval, ...]:
    """Return what happens to each resource of a stack; raises UsageError if an operation on it is in progress."""
    require_idle(stack)
    if stack.status == EMPTY:
        return ()
    template = stacks.template(stack.id)
    planned = []
    for each in stacks.resources(stack.id):
        kept = resource_of(template, each.logical_id).get("DeletionPolicy") in _RETAINED
        counts = each.type == QUEUE and not kept and each.physical_id
        messages = count_messages(sqs, each.physical_id) if counts else 0
        owner = stacks.stack_of(each.type, each.physical_id) if each.status == SKIPPED else ""
        name = resource_name(each.type, each.logical_id, each.physical_id)
        planned.append(PlannedRemoval(name, kind_of(each.type), each.type, kept, messages, owner))
    return tuple(
        sorted(planned, key=lambda each: (each.kept, each.type != QUEUE, each.kind, each.name))
    )


def left_by(planned: Sequence[PlannedRemoval], type_: str) -> list[str]:
    """Return the names of resources of a type that a removal leaves behind, but for those of other stacks."""
    return [each.name for each in planned if each.kept and each.type == type_ and not each.owner]


def delete_stack(stacks: Stacks, stack: Stack) -> Iterator[StackEvent]:
    """Delete a stack and yield its events until it is deleted or the deletion has failed."""
    after = stacks.newest_event(stack.id)
    stacks.delete(stack.id)
    yield from follow(stacks, stack.id, after)

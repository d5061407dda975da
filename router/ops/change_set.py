"""Creates a change set of a stack, executes it and reports the result."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec import Struct

from router.aws.control_plane import AwsCallError
from router.aws.stacks import ChangeSet, ResourceChange, StackEvent, Stacks, StackTemplate
from router.errors import UsageError
from router.ops.stack_events import LONGEST_PAUSE, SHORTEST_PAUSE, first_failure, follow, retained_tables
from router.ops.stack_status import EMPTY, has_succeeded, is_absent, must_create

CREATION_SECONDS = 300
"""How long to wait for AWS to create a change set; usually it takes seconds."""
_UNCHANGED = ("the submitted information didn't contain changes", "no updates are to be performed")
"""The reasons of a failed change set without changes: AWS has no status of its own for it."""


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


class DeploymentResult(Struct, frozen=True):
    """The final status of the stack, its outputs, the first failure if any, and the tables that were kept."""

    status: str
    outputs: Mapping[str, str] = {}
    cause: StackEvent | None = None
    kept: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether the whole change set was executed."""
        return has_succeeded(self.status)


def create_change_set(
    stacks: Stacks, name: str, template: StackTemplate, parameters: Mapping[str, str]
) -> PreparedChange:
    """Creates a change set and waits until it is complete.

    Raises UsageError if the stack cannot be changed or AWS rejects the template. In that case, and if nothing would
    change, the change set is deleted again.
    """
    stack = stacks.find(name)
    creates = must_create(stack)
    change_set, stack_id = stacks.propose(name, f"router-{uuid.uuid4().hex}", template, parameters, creates=creates)
    prepared = PreparedChange(name, stack_id, change_set, creates, is_absent(stack))
    try:
        created = _wait(stacks, change_set)
    except BaseException:
        # The original exception, KeyboardInterrupt included, matters more than a failed clean-up.
        with suppress(AwsCallError):
            discard(stacks, prepared)
        raise
    if created.status == "CREATE_COMPLETE":
        return PreparedChange(name, stack_id, change_set, creates, prepared.fresh, created.changes)
    discard(stacks, prepared)
    if created.reason.lower().startswith(_UNCHANGED):
        return prepared
    advice = ""
    # Matches on AWS's text, since no code says so; only the advice depends on it.
    if "already exist" in created.reason:
        advice = "; set 'managed: false' on a queue or table that must stay as it is, or give it another name"
    raise UsageError(f"AWS cannot create a change set of the template: {created.reason or created.status}{advice}")


def discard(stacks: Stacks, prepared: PreparedChange) -> None:
    """Deletes a change set that was not executed, and its stack if that has nothing else."""
    stacks.discard(prepared.change_set)
    if not prepared.fresh:
        return
    stack = stacks.find(prepared.stack_id)
    if stack is None or stack.status != EMPTY:
        return
    stacks.delete(prepared.stack_id)
    # Without this wait, a deployment right after this one would find a stack that is being deleted.
    end = time.monotonic() + CREATION_SECONDS
    while not is_absent(stacks.find(prepared.stack_id)) and time.monotonic() < end:
        time.sleep(SHORTEST_PAUSE)


def execute(stacks: Stacks, prepared: PreparedChange) -> Iterator[StackEvent]:
    """Executes a change set and yields the events of the stack until the operation has ended."""
    after = stacks.newest_event(prepared.stack_id)
    stacks.execute(prepared.change_set)
    yield from follow(stacks, prepared.stack_id, after, deletes_itself=prepared.creates)


def read_result(stacks: Stacks, prepared: PreparedChange, events: Sequence[StackEvent]) -> DeploymentResult:
    """Returns the result of an executed change set, from the stack and its events."""
    stack = stacks.find(prepared.stack_id)
    status = stack.status if stack else "DELETE_COMPLETE"
    if stack and has_succeeded(status):
        return DeploymentResult(status, stack.outputs)
    return DeploymentResult(status, cause=first_failure(events, prepared.stack_id), kept=retained_tables(events))


def _wait(stacks: Stacks, change_set: str) -> ChangeSet:
    end = time.monotonic() + CREATION_SECONDS
    pause = SHORTEST_PAUSE
    while time.monotonic() < end:
        created = stacks.change_set(change_set)
        if created.status in ("CREATE_COMPLETE", "FAILED"):
            return created
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
    raise UsageError(f"AWS did not create the change set within {CREATION_SECONDS} seconds; try again later")

"""A change set: what AWS says would be done, before anything is done."""

import time
import uuid
from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct

from router.aws.control_plane import AwsCallError
from router.aws.stacks import ChangeSet, ResourceChange, Stacks, StackTemplate
from router.errors import UsageError
from router.ops.stack_status import EMPTY, is_absent, must_create

MAKING_SECONDS = 300
"""How long AWS may take for a change set; seconds are usual."""
_PAUSE = 0.2
_LONGEST_PAUSE = 3.0
_UNCHANGED = ("the submitted information didn't contain changes", "no updates are to be performed")
"""What AWS says where nothing would change: there is no status for it, only the reason of a failure."""


class Proposal(Struct, frozen=True):
    """What would be done to a stack.

    `creates`: the stack is not there yet. `fresh`: there is nothing of it but this change set. `changes` is None where
    there is nothing to do; it may be empty where only outputs change.
    """

    stack: str
    stack_id: str
    change_set: str
    creates: bool
    fresh: bool
    changes: tuple[ResourceChange, ...] | None = None


def propose(stacks: Stacks, name: str, template: StackTemplate, parameters: Mapping[str, str]) -> Proposal:
    """Have AWS make a change set, and wait for it.

    Raises UsageError if the stack cannot be changed, or the template will not do; nothing is left behind then, nor
    if there is nothing to do.
    """
    stack = stacks.find(name)
    creates = must_create(stack)
    change_set, stack_id = stacks.propose(name, f"router-{uuid.uuid4().hex}", template, parameters, creates=creates)
    proposal = Proposal(name, stack_id, change_set, creates, is_absent(stack))
    try:
        made = _wait(stacks, change_set)
    except BaseException:
        # Whatever it is, a person at the keyboard included, is worth more than what went wrong with tidying.
        with suppress(AwsCallError):
            withdraw(stacks, proposal)
        raise
    if made.status == "CREATE_COMPLETE":
        return Proposal(name, stack_id, change_set, creates, proposal.fresh, made.changes)
    withdraw(stacks, proposal)
    if made.reason.lower().startswith(_UNCHANGED):
        return proposal
    raise UsageError(
        f"AWS cannot make a change set of the template: {made.reason or made.status}{_advice(made.reason)}"
    )


def _advice(reason: str) -> str:
    """What may help, where a name is taken: a guess by AWS's words, on which nothing else depends."""
    if "already exist" not in reason:
        return ""
    return "; a queue or table that is to stay as it is has 'managed: false' in the config, or another name"


def withdraw(stacks: Stacks, proposal: Proposal) -> None:
    """Delete a change set that is not executed, and the stack if there is nothing of it but that."""
    stacks.discard(proposal.change_set)
    if not proposal.fresh:
        return
    stack = stacks.find(proposal.stack_id)
    if stack is None or stack.status != EMPTY:
        return
    stacks.delete(proposal.stack_id)
    # It is gone in a second, and a deployment right after this would find it half-deleted.
    end = time.monotonic() + MAKING_SECONDS
    while not is_absent(stacks.find(proposal.stack_id)) and time.monotonic() < end:
        time.sleep(_PAUSE)


def _wait(stacks: Stacks, change_set: str) -> ChangeSet:
    end = time.monotonic() + MAKING_SECONDS
    pause = _PAUSE
    while time.monotonic() < end:
        made = stacks.change_set(change_set)
        if made.status in ("CREATE_COMPLETE", "FAILED"):
            return made
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    raise UsageError(f"AWS has not made the change set in {MAKING_SECONDS} seconds; try again later")

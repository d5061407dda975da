"""Does what a change set says, and tells how it went."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from router.aws.stacks import StackEvent, Stacks
from router.ops.change_set import Proposal
from router.ops.stack_events import first_cause, follow, kept_tables
from router.ops.stack_status import is_good


class Cause(Struct, frozen=True):
    """Why it failed: the resource, its type as AWS calls it, and what AWS says."""

    resource: str
    type: str
    reason: str


class Ended(Struct, frozen=True):
    """How it went: the state of the stack, its outputs, why it failed, and the tables that stayed all the same."""

    status: str
    outputs: Mapping[str, str] = {}
    cause: Cause | None = None
    kept: tuple[str, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether all of it is there."""
        return is_good(self.status)


def execute(stacks: Stacks, proposal: Proposal) -> Iterator[StackEvent]:
    """Begin what was proposed; its events, as they come, until it has ended."""
    after = stacks.newest_event(proposal.stack_id)
    stacks.execute(proposal.change_set)
    yield from follow(stacks, proposal.stack_id, after, deletes_itself=proposal.creates)


def conclude(stacks: Stacks, proposal: Proposal, events: Sequence[StackEvent]) -> Ended:
    """How it went, by its events."""
    stack = stacks.find(proposal.stack_id)
    status = stack.status if stack else "DELETE_COMPLETE"
    if stack and is_good(status):
        return Ended(status, stack.outputs)
    cause = first_cause(events, proposal.stack_id)
    told = Cause(cause.logical_id, cause.type, cause.reason) if cause else None
    return Ended(status, cause=told, kept=kept_tables(events))

"""Deletes a stack, and says before which of its resources are deleted and which are kept."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from router.aws.control_plane import ServiceClient, count_messages
from router.aws.stacks import Stack, StackEvent, Stacks
from router.ops.changes import kind_of, resource_name
from router.ops.stack_events import follow
from router.ops.stack_status import EMPTY, require_idle

QUEUE, TABLE = "AWS::SQS::Queue", "AWS::DynamoDB::Table"
_RETAINED = ("Retain", "RetainExceptOnCreate")


class PlannedRemoval(Struct, frozen=True):
    """What happens to one resource: `messages` counts those of a deleted queue, None if the count is unknown."""

    name: str
    kind: str
    type: str
    kept: bool
    messages: int | None = 0


def plan_removal(stacks: Stacks, sqs: ServiceClient, stack: Stack) -> tuple[PlannedRemoval, ...]:
    """Returns what happens to each resource of a stack; raises UsageError if an operation on it is in progress."""
    require_idle(stack)
    if stack.status == EMPTY:
        return ()
    declared: Mapping[str, Mapping[str, str]] = stacks.template(stack.id).get("Resources", {})
    planned = []
    for each in stacks.resources(stack.id):
        kept = declared.get(each.logical_id, {}).get("DeletionPolicy") in _RETAINED
        counts = each.type == QUEUE and not kept and each.physical_id
        messages = count_messages(sqs, each.physical_id) if counts else 0
        name = resource_name(each.type, each.logical_id, each.physical_id)
        planned.append(PlannedRemoval(name, kind_of(each.type), each.type, kept, messages))
    return tuple(sorted(planned, key=lambda each: (each.kept, each.type != QUEUE, each.kind, each.name)))


def delete_stack(stacks: Stacks, stack: Stack) -> Iterator[StackEvent]:
    """Deletes a stack and yields its events until it is deleted or the deletion has failed."""
    after = stacks.newest_event(stack.id)
    stacks.delete(stack.id)
    yield from follow(stacks, stack.id, after)

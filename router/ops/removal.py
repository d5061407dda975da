"""Takes a stack away, and says before what of it would go and what would stay."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from router.aws.control_plane import ServiceClient, count_messages
from router.aws.stacks import Stack, StackEvent, Stacks
from router.ops.changes import kind_of, resource_name
from router.ops.stack_events import follow
from router.ops.stack_status import EMPTY, refuse_running

QUEUE = "AWS::SQS::Queue"
TABLE = "AWS::DynamoDB::Table"
_RETAINED = ("Retain", "RetainExceptOnCreate")


class Fate(Struct, frozen=True):
    """What is to become of a resource; `messages` are those on a queue that goes, None where nobody knows."""

    name: str
    kind: str
    type: str
    stays: bool
    messages: int | None = 0


def foresee(stacks: Stacks, sqs: ServiceClient, stack: Stack) -> tuple[Fate, ...]:
    """What would become of each resource of a stack; raises UsageError if somebody is changing it."""
    refuse_running(stack)
    if stack.status == EMPTY:
        return ()
    declared: Mapping[str, Mapping[str, str]] = stacks.template(stack.id).get("Resources", {})
    fates = []
    for each in stacks.resources(stack.id):
        stays = declared.get(each.logical_id, {}).get("DeletionPolicy") in _RETAINED
        goes = each.type == QUEUE and not stays and each.physical_id
        messages = count_messages(sqs, each.physical_id) if goes else 0
        name = resource_name(each.type, each.logical_id, each.physical_id)
        fates.append(Fate(name, kind_of(each.type), each.type, stays, messages))
    return tuple(sorted(fates, key=lambda fate: (fate.stays, fate.type != QUEUE, fate.kind, fate.name)))


def tables_that_stay(fates: Sequence[Fate]) -> tuple[str, ...]:
    """The names of the tables that a stack leaves behind."""
    return tuple(fate.name for fate in fates if fate.stays and fate.type == TABLE)


def remove(stacks: Stacks, stack: Stack) -> Iterator[StackEvent]:
    """Begin to delete a stack; its events, as they come, until it is gone or cannot be deleted."""
    after = stacks.newest_event(stack.id)
    stacks.delete(stack.id)
    yield from follow(stacks, stack.id, after)

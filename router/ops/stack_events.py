"""Follows what happens to a stack, from the beginning of a change until it has ended."""

import time
from collections.abc import Iterator, Sequence

from router.aws.stacks import StackEvent, Stacks
from router.ops.stack_status import is_running

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two looks: DescribeStackEvents is throttled for the whole account."""
DELETION_SECONDS = 60
"""How long a stack whose creation failed may take to begin its own deletion."""
_STACK = "AWS::CloudFormation::Stack"
_FAILED_CREATION = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_CASCADE = ("resource creation cancelled", "resource update cancelled")
"""What AWS says of resources that stop because another one failed."""


def follow(stacks: Stacks, stack_id: str, after: str, *, deletes_itself: bool = False) -> Iterator[StackEvent]:
    """The events of a stack since that one, as they come, until nothing more is done to it.

    The end is told by an event of the stack itself: for a while, its status is still that of before. With
    `deletes_itself`, a creation that failed goes on with the deletion of the stack.
    """
    pause = SHORTEST_PAUSE
    end = None
    while True:
        events = stacks.events(stack_id, after)
        for event in events:
            after = event.id
            yield event
            if is_about_stack(event, stack_id):
                end = _end(event.status, deletes_itself)
        if end is not None and time.monotonic() >= end:
            return
        pause = SHORTEST_PAUSE if events else min(pause * 1.5, LONGEST_PAUSE)
        time.sleep(pause)


def _end(status: str, deletes_itself: bool) -> float | None:
    """When there is no more to wait for, as `time.monotonic` has it."""
    if is_running(status):
        return None
    waits = deletes_itself and status in _FAILED_CREATION
    return time.monotonic() + DELETION_SECONDS if waits else 0.0


def is_about_stack(event: StackEvent, stack_id: str) -> bool:
    """Whether an event is about the stack itself."""
    return event.type == _STACK and event.physical_id == stack_id


def first_cause(events: Sequence[StackEvent], stack_id: str) -> StackEvent | None:
    """The event that tells why it failed: that of the first resource that failed by itself, or else of the stack."""
    failed = [event for event in events if event.status.endswith("_FAILED")]
    for event in failed:
        if not is_about_stack(event, stack_id) and not event.reason.lower().startswith(_CASCADE):
            return event
    told = [event for event in events if is_about_stack(event, stack_id) and event.reason]
    return next((event for event in told if "ROLLBACK" in event.status or "FAILED" in event.status), None)


def kept_tables(events: Sequence[StackEvent]) -> tuple[str, ...]:
    """The tables that stayed when what they belonged to was deleted."""
    kept = [event for event in events if event.status == "DELETE_SKIPPED" and event.type == "AWS::DynamoDB::Table"]
    return tuple(dict.fromkeys(event.physical_id for event in kept))

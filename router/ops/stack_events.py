"""Follows the events of a stack from the start of an operation to its end, and reads the result from them."""

import time
from collections.abc import Iterator, Sequence

from router.aws.stacks import StackEvent, Stacks
from router.ops.stack_status import is_in_progress

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 3.0
"""Seconds between two polls: DescribeStackEvents is throttled for the whole account."""
DELETION_SECONDS = 60
"""How long to wait until a stack whose creation failed starts to delete itself."""
_STACK = "AWS::CloudFormation::Stack"
_FAILED_CREATION = ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
_CASCADE = ("resource creation cancelled", "resource update cancelled")
"""The reasons that AWS gives for resources that stop because another resource failed."""


def follow(stacks: Stacks, stack_id: str, after: str, *, deletes_itself: bool = False) -> Iterator[StackEvent]:
    """Yields the events of a stack after the one with the id `after`, until the operation has ended.

    An event of the stack itself marks the end, not its status: that is not updated at once. With `deletes_itself`, a
    failed creation continues with the deletion of the stack.
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
    """Returns when to stop polling, on the clock of `time.monotonic`; None while the operation is in progress."""
    if is_in_progress(status):
        return None
    waits = deletes_itself and status in _FAILED_CREATION
    return time.monotonic() + DELETION_SECONDS if waits else 0.0


def is_about_stack(event: StackEvent, stack_id: str) -> bool:
    """Returns whether an event is about the stack itself, not one of its resources."""
    return event.type == _STACK and event.physical_id == stack_id


def first_failure(events: Sequence[StackEvent], stack_id: str) -> StackEvent | None:
    """Returns the event of the first resource that failed by itself, else the stack's own event that has a reason."""
    failed = [event for event in events if event.status.endswith("_FAILED")]
    for event in failed:
        if not is_about_stack(event, stack_id) and not event.reason.lower().startswith(_CASCADE):
            return event
    own = [event for event in events if is_about_stack(event, stack_id) and event.reason]
    return next((event for event in own if "ROLLBACK" in event.status or "FAILED" in event.status), None)


def retained_tables(events: Sequence[StackEvent]) -> tuple[str, ...]:
    """Returns the names of the tables that were kept when their stack, or their part of it, was deleted."""
    kept = [event for event in events if event.status == "DELETE_SKIPPED" and event.type == "AWS::DynamoDB::Table"]
    return tuple(dict.fromkeys(event.physical_id for event in kept))

"""SQS makes a queue only 60 seconds after one of that name was deleted: a stack with such a queue fails before that.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html (QueueDeletedRecently)
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from router.tools.control_plane.clients import AwsCallError
from router.tools.control_plane.deployed import DENIED
from router.tools.control_plane.stacks import Stack, Stacks
from router.tools.deploy.changes import QUEUE, short_name
from router.tools.deploy.stack import must_create

NAME_SECONDS = 60
_SENTENCE = "wait 60 seconds after deleting a queue"
"""A part of what SQS says. CloudFormation has no code for it."""


def deleted_queues(stacks: Stacks, name: str, stack: Stack | None) -> dict[str, datetime]:
    """Return the queues that a stack, or one of its name before it, has deleted lately, and when."""
    since = datetime.now(UTC) - timedelta(seconds=NAME_SECONDS)
    try:
        ids = stacks.deleted(name, since) if not stack or must_create(stack) else [stack.id]
        events = [event for id_ in ids for event in stacks.events_since(id_, since)]
    except AwsCallError as error:
        # Without the permission the deployment may fail, and says then what helps.
        if error.code not in DENIED:
            raise
        return {}
    return {
        short_name(event.physical_id): event.at
        for event in events
        if event.type == QUEUE and event.status == "DELETE_COMPLETE"
    }


def seconds_until_free(names: Iterable[str], deleted: Mapping[str, datetime]) -> float:
    """Return for how many seconds SQS makes no queue of one of these names; 0 if it makes all now."""
    times = [deleted[name] for name in names if name in deleted]
    if not times:
        return 0
    free = max(times).timestamp() + NAME_SECONDS
    # The clock of this machine may differ from that of AWS.
    return min(max(free - time.time(), 0), NAME_SECONDS)


def wait_for_names(
    names: Iterable[str], deleted: Mapping[str, datetime], log: Callable[[str], None]
) -> None:
    """Wait until SQS makes queues of these names."""
    if seconds := seconds_until_free(names, deleted):
        log(
            f"SQS makes a queue {NAME_SECONDS} seconds after one of that name was deleted: waiting {seconds:.0f} "
            "seconds"
        )
        time.sleep(seconds)


def is_deleted_lately(reason: str) -> bool:
    """Return whether AWS's reason of a failure is that a queue of the name was deleted lately."""
    return _SENTENCE in reason

"""The order of the message groups of a FIFO queue."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from router import codes
from router.model import Outcome
from router.runtime.deliver.metrics import cause_of

T = TypeVar("T")


def group_waves(
    items: Sequence[T],
    group_id: Callable[[T], str | None],
    is_done: Callable[[T], bool],
) -> Iterator[list[T]]:
    """Yield the items of a FIFO queue in waves with one item of each group.

    `is_done` is called after a wave for each of its items. If one is not done, the rest of its
    group is left out.
    """
    groups: dict[str | None, list[T]] = {}
    for item in items:
        groups.setdefault(group_id(item), []).append(item)
    left = list(groups.values())
    while left:
        yield [group[0] for group in left]
        left = [group[1:] for group in left if is_done(group[0]) and len(group) > 1]


def behind_of(earlier: Outcome) -> Outcome:
    """Return the outcome of a message that waits for one of its group, with the route and the cause of that one."""
    return Outcome(
        "retry",
        codes.NOT_STARTED.id,
        "an earlier message of its group is still on the queue",
        earlier.route,
        delay=0,
        # A rejected one waits for the redrive policy of its queue.
        cause=cause_of(earlier) if earlier.kind == "retry" else "",
    )

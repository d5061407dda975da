"""The order of the message groups of a FIFO queue."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from router.model import Record

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


def is_group_done(
    record: Record,
    batch: Iterable[Record],
    is_acknowledged: Callable[[Record], bool],
) -> bool:
    """Whether all messages of the batch before a message of its group are acknowledged."""
    for earlier in batch:
        if earlier.message_id == record.message_id:
            return True
        if earlier.group_id == record.group_id and not is_acknowledged(earlier):
            return False
    return True

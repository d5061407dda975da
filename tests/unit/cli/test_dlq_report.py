"""What the commands of `router dlq` say about messages that they could not look at or release."""

from typing import Any, NamedTuple

import pytest

from router.cli.dlq_report import describe_unreleased, describe_unseen
from tests.support.aws import AwsFault


class Found(NamedTuple):
    """A dead-letter queue, and what was received of it."""

    queue: Any
    spool: Any
    unseen: int | None
    elsewhere: int
    limited: bool


class Queue(NamedTuple):
    """Its name, and whether it is FIFO."""

    name: str
    fifo: bool


class Lease(NamedTuple):
    """What a lease could not release."""

    unreleased: int
    fault: AwsFault | None


ELSEWHERE = "in flight elsewhere, as another command or consumer has them"
LIMIT = "SQS has no more than about 120,000 messages of a queue in flight, and q has more: "


@pytest.mark.parametrize(
    ("received", "unseen", "elsewhere", "fifo", "limited", "sentence"),
    [
        (3, 0, 0, False, False, ""),
        (3, 2, 0, False, True, ""),
        (3, 2, 0, True, True, ""),
        (0, 2, 2, True, False, f"about 2 messages of q could not be looked at: {ELSEWHERE}"),
        (3, 2, 2, False, False, f"about 2 messages of q could not be looked at: {ELSEWHERE}"),
        (
            3,
            1,
            0,
            True,
            False,
            f"about 1 message of q could not be looked at: behind others of their group, or {ELSEWHERE}",
        ),
        (
            3,
            None,
            0,
            False,
            False,
            "not known: how many messages of q were not received; that needs sqs:GetQueueAttributes",
        ),
        (119_990, 500, 0, True, False, f"{LIMIT}redrive or drop these, and run the command again"),
    ],
)
def test_unseen(received: int, unseen: int | None, elsewhere: int, fifo: bool, limited: bool, sentence: str) -> None:
    """The limit of SQS is no error of a receive that waits, so it shows in the counts only."""
    found: Any = Found(Queue("q", fifo), range(received), unseen, elsewhere, limited)

    assert [*describe_unseen(found)] == ([sentence] if sentence else [])


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        (
            AwsFault("configuration", "AccessDenied", 403),
            ": AccessDenied; the command needs sqs:ChangeMessageVisibility",
        ),
        (AwsFault("retry", "InternalError", 500), ": InternalError"),
        (None, ""),
    ],
)
def test_unreleased(fault: AwsFault | None, more: str) -> None:
    """Why they are not visible at once."""
    lease: Any = Lease(2, fault)

    assert describe_unreleased(lease) == f"2 messages become visible within 10 minutes, not at once{more}"

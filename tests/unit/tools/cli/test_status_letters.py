"""What `router status` says of dead letters that it has not looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import Mock

import pytest

from router.tools.cli import status_report
from tests.support.ops import QueueStatus


@pytest.mark.parametrize(("suffix", "more"), [("", ""), (".fifo", ", or behind them in their groups")])
def test_letters_that_could_not_be_looked_at(monkeypatch: pytest.MonkeyPatch, suffix: str, more: str) -> None:
    """Those of a FIFO queue may wait for others of their group."""

    @contextmanager
    def opened(*_: Any) -> Iterator[Any]:
        yield Mock(limited=False, first_end="", spool=Mock(selected=list))

    monkeypatch.setattr(status_report, "opened", opened)
    aws = Mock()
    aws.queues.url.return_value = "url"
    queue = QueueStatus("orders", "orders", dead_letter_queue=f"letters{suffix}", dead_letters=9)

    found = status_report._with_codes(cast("Any", None), aws, queue, 9)

    why = f"the codes and senders of 9 dead letters: 0 could be looked at; others are in flight{more}"
    assert found.unknown == (why,)


def test_a_queue_that_cannot_be_read() -> None:
    """What is not known of it is not said to be absent."""
    why = "queue orders: sqs:GetQueueUrl: NoCredentialsError"
    queue = QueueStatus("orders", "orders", unknown=(why,))
    receivers = QueueStatus("orders", "orders", 0, 0, 0, unknown=("what receives from it: denied",))

    rows = [status_report._row(each)[4:] for each in (queue, receivers, QueueStatus("orders", "orders", 0, 0, 0))]

    assert rows == [("unknown", "unknown"), ("no queue", "unknown"), ("no queue", "no function")]

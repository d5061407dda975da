"""How long a name is not free after its queue was deleted, and what is known of that."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from router.tools.deploy.deleted_queues import is_deleted_lately, seconds_until_free


@pytest.mark.parametrize(
    ("names", "ages", "seconds"),
    [
        (["orders"], {}, 0),
        (["orders"], {"clicks": 1}, 0),
        (["orders", "clicks"], {"orders": 50, "clicks": 20}, 40),
        (["orders"], {"orders": 60}, 0),
        (["orders"], {"orders": -500}, 60),
    ],
)
def test_seconds(names: list[str], ages: dict[str, int], seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue that was deleted last decides; a clock that differs from that of AWS makes no longer wait."""
    now = 1_800_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    deleted = {name: datetime.fromtimestamp(now, UTC) - timedelta(seconds=age) for name, age in ages.items()}

    assert seconds_until_free(names, deleted) == seconds


def test_reason() -> None:
    """As CloudFormation reports it."""
    reason = (
        "Resource handler returned message: You must wait 60 seconds after deleting a queue before you can create "
        "another with the same name. (Service: Sqs, Status Code: 400)"
    )

    assert (is_deleted_lately(reason), is_deleted_lately("Access denied")) == (True, False)

"""How a worker is, and how several are together."""

from types import SimpleNamespace
from typing import Any

import pytest

from router.run.state import STUCK_SECONDS, add_up, is_alive, is_ready


def crew(**changed: Any) -> Any:
    """A crew of one receiver that began its round at 1000."""
    polled = SimpleNamespace(wait=10, visibility=30)
    receiver = SimpleNamespace(
        seen_at=changed.pop("seen_at", 1000.0), healthy=changed.pop("healthy", True), polled=polled
    )
    return SimpleNamespace(**{"alive": True, "stopping": False, "receivers": [receiver], **changed})


@pytest.mark.parametrize(
    ("changed", "now", "alive"),
    [
        ({}, 1000, True),
        ({}, 1000 + STUCK_SECONDS + 39, True),
        ({}, 1000 + STUCK_SECONDS + 40, False),
        ({"alive": False}, 1000, False),
        ({"healthy": False}, 1000, True),
    ],
)
def test_alive(changed: dict[str, Any], now: float, alive: bool) -> None:
    """It is alive while every receiver runs, and begins a round now and then."""
    assert is_alive(crew(**changed), now) is alive


@pytest.mark.parametrize(
    ("changed", "ready"),
    [({}, True), ({"alive": False}, False), ({"stopping": True}, False), ({"healthy": False}, False)],
)
def test_ready(changed: dict[str, Any], ready: bool) -> None:
    """It is ready while it takes messages of every queue."""
    assert is_ready(crew(**changed)) is ready


def test_add_up() -> None:
    """Totals are added metric by metric and queue by queue; one that only some have stays."""
    first = {"written": {"q": 2.0, "p": 1.0}, "retry": {}}
    second = {"written": {"q": 3.0}, "retry": {"q": 1.0}}

    assert add_up([first, second]) == {"written": {"q": 5.0, "p": 1.0}, "retry": {"q": 1.0}}

"""The word to stop."""

import time

from router.run.stopping import Stopping


def test_not_set() -> None:
    """At first nothing is to stop, and there is no end to the time."""
    stopping = Stopping()

    assert (stopping.is_set(), stopping.deadline, stopping.wait(0)) == (False, float("inf"), False)


def test_set() -> None:
    """Once set it stays set, waits for nothing, and leaves the time that was given."""
    stopping = Stopping()
    before = time.monotonic()

    stopping.set(5)

    assert (stopping.is_set(), stopping.wait(60)) == (True, True)
    assert before + 5 <= stopping.deadline <= time.monotonic() + 5

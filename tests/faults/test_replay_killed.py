"""The short form of `make soak ONLY=replay`."""

import pytest

from tests.faults.replay_killed import replay_killed
from tests.support.dev import local_aws


@pytest.mark.slow
def test_a_replay_that_is_killed_three_times() -> None:
    """Its tables, and its file of rejected messages, are as the source says."""
    with local_aws() as server:
        found = replay_killed(server, 6000, 3, 2)
    assert "all items and rejected messages are as the source says" in found

"""A slow table with a backlog does not delay the messages of another queue in the same worker."""

from pathlib import Path
from statistics import median

from tests.faults.isolation import latencies


def test_slow_table(tmp_path: Path) -> None:
    """The messages of the other queue are written about as soon as without it; this bound is for a busy machine."""
    alone = latencies(tmp_path)
    beside = latencies(tmp_path, "slow")

    assert median(beside) < median(alone) + 0.3

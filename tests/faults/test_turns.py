"""A slow table with a backlog does not delay the messages of another queue in the same worker."""

from pathlib import Path
from statistics import quantiles

from tests.faults.isolation import latencies


def test_slow_table(tmp_path: Path) -> None:
    """The messages of the other queue are written about as soon as without it.

    Without turns each waits for a second. The quartile and the bound are for a busy machine; `make soak` measures.
    """
    alone = latencies(tmp_path)
    beside = latencies(tmp_path, "slow")

    assert quantiles(beside, n=4)[0] < quantiles(alone, n=4)[0] + 0.3

"""The short form of `make soak ONLY=losses`."""

from pathlib import Path

from tests.faults.losses import run


def test_nothing_is_lost_and_each_loss_is_found(tmp_path: Path) -> None:
    """Messages of all modes under faults, then a loss of each kind."""
    assert run(400, 10, 3, tmp_path)

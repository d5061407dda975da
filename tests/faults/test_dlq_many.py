"""Many dead letters take time in proportion to their number, and no more memory than few."""

from pathlib import Path

from tests.faults.dlq_many import many_letters
from tests.support.dev import LocalAws

MARGIN = 12
"""MiB by which two runs may differ."""


def test_memory(ministack: LocalAws, tmp_path: Path) -> None:
    """Ten times the letters take as much memory."""
    costs = []
    for letters in (400, 4000):
        (folder := tmp_path / str(letters)).mkdir()
        with many_letters(ministack, folder, letters) as many:
            costs.append((many.list(), many.rehearse()))
            if letters == 400:
                many.redrive()

    for few, more in zip(*costs, strict=True):
        assert more.memory < few.memory + MARGIN

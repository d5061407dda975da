"""Two operators redrive dead letters beside a worker; calls fail, and the operators are interrupted and killed."""

import random
from pathlib import Path

import pytest

from tests.faults.dlq_model import LetterModel
from tests.faults.dlq_operators import night
from tests.support.dev import LocalAws

LETTERS = 48


@pytest.mark.parametrize(("seed", "rate"), [(11, 0.25), (2, 0)])
def test_letters(ministack: LocalAws, name: str, tmp_path: Path, seed: int, rate: float) -> None:
    """Each letter is gone with its effect, exactly once, or on its queue and visible; never in neither place."""
    model = LetterModel(seed, LETTERS)
    chance = random.Random(seed)
    with night(ministack, name, tmp_path, model, seed, rate) as at_night:
        for _ in range(3):
            at_night.disturb(chance)
        at_night.finish()

        model.check(at_night.rig, at_night.calls())

"""Two operators redrive dead letters beside a worker; calls fail, and the operators are interrupted and killed."""

import random
from pathlib import Path

import pytest

from tests.faults.dlq_model import LetterModel
from tests.faults.dlq_operators import TO_QUEUE, night
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


def test_letters_that_are_sent_back(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """The same holds if all go back to their queues: groups stay in order, although sends fail and are repeated."""
    model = LetterModel(5, LETTERS)
    chance = random.Random(5)
    with night(ministack, name, tmp_path, model, 5, 0.15) as at_night:
        for _ in range(2):
            at_night.disturb(chance, (TO_QUEUE,))
        at_night.finish(*TO_QUEUE)

        model.check(at_night.rig, at_night.calls(), at_night.proxies[0].journal.calls())

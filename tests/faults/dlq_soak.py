"""The scenes of the soak with dead letters."""

import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.dlq_many import Cost, many_letters
from tests.faults.dlq_model import LetterModel
from tests.faults.dlq_operators import night
from tests.faults.fault_report import SoakRun
from tests.support.dev import LocalAws

NAME = "two operators redrive, killed, and calls break"
RATE = 0.1
LETTERS = 100
"""In a night: the server slows down with more."""
DISTURBANCES = 4


def redrive_disturbed(
    server: LocalAws, seed: int, messages: int, until: float, bar: Callable[[int], object]
) -> SoakRun:
    """Run nights until so many letters, or a time, and check each; raises AssertionError."""
    done = calls = interruptions = 0
    faults: Counter[str] = Counter()
    while done < messages and (not done or time.monotonic() < until):
        model, chance = LetterModel(seed, LETTERS), random.Random(seed)
        with (
            tempfile.TemporaryDirectory(prefix="router-soak-") as folder,
            night(server, f"soak-{uuid.uuid4().hex[:8]}", Path(folder), model, seed, RATE) as at_night,
        ):
            for _ in range(DISTURBANCES):
                at_night.disturb(chance)
            at_night.finish()
            made = at_night.calls()
            model.check(at_night.rig, made)
            calls += len(made)
            interruptions += sum(operator.plan.interrupted for operator in at_night.operators)
            for proxy in at_night.proxies:
                faults += proxy.journal.faults
        done += len(model.letters)
        seed += 1000
        bar(done)
    return SoakRun(NAME, done, calls, faults, interruptions, 0, 0, 0)


def measure(server: LocalAws, letters: int) -> Iterator[Cost]:
    """Yield what it takes to list and redrive so many dead letters, and to list five times as many; raises as above."""
    for count in (letters // 10, letters, letters * 5):
        with (
            tempfile.TemporaryDirectory(prefix="router-soak-") as folder,
            many_letters(server, Path(folder), count) as many,
        ):
            yield many.list()
            if count == letters:
                yield many.redrive()

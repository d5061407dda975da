"""The short form of `make soundness ONLY=verify`: what `router verify` says is right, for any order of receipt."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.soundness.verify import main, run_case

CASES = 150


def test_random_cases(tmp_path: Path) -> None:
    """No false alarm, and no loss that is called right; most fates occur."""
    fates: Counter[str] = Counter()
    for seed in range(CASES):
        case = run_case(seed, tmp_path)
        if case is not None:
            fates.update(fate for _, fate, _ in case.fates)
    assert fates.keys() >= {"stored", "missing", "different", "not decidable", "superseded", "duplicate", "expired"}


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts the fates by fault, and ends with the number of cases."""
    monkeypatch.setattr("sys.argv", ["verify", "--cases", "5", "--seed", "2"])
    assert main() == 0
    assert re.search(r"\d cases, 0 wrong\n$", capsys.readouterr().out)

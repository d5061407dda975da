"""The short form of `make keys`: what is said of random pairs of routes is what their messages do."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soundness.keys import Verdict, judge, main

SEED = 29_000_000
PAIRS = 80
KEYS = 300


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without a line in the log for each rejected message."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_random_pairs(tmp_path: Path) -> None:
    """Examples lose what they say, and no key collides with one that is apart from it."""
    found = [judge(SEED + number, KEYS, tmp_path) for number in range(PAIRS)]
    verdicts = [each for each in found if isinstance(each, Verdict)]
    assert [each.wrong for each in verdicts if each.wrong] == []
    answers = Counter(each.answer for each in verdicts)
    assert min(answers[each] for each in ("may meet", "apart", "left out", "not decided")) >= 3


def test_the_long_form_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0 if nothing is wrong."""
    assert main(["--pairs", "4", "--keys", "20"]) == 0
    assert capsys.readouterr().out.endswith("wrong: 0\n")

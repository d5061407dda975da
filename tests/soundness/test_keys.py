"""The short form of `make soundness ONLY=keys`: what is said of random pairs of routes is what their messages do."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.soundness.keys import (
    Verdict,
    closeness,
    collide,
    judge,
    lost_silently,
    main,
    mutated,
)
from tests.support.check import Subject
from tests.support.memory import PairMessage
from tests.support.program import load

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


def test_what_is_lost_silently_is_found(tmp_path: Path) -> None:
    """Of an attribute that one of two routes writes, if two messages have one key."""
    (tmp_path / "routes.yaml").write_text(
        "version: 1\n"
        "queues: {q: {dead_letter: d}, p: {dead_letter: d}}\n"
        "tables: {things: {key: {k: S}}}\n"
        "routes:\n"
        "  one: {queue: q, table: things, item: {k: a, x: b}}\n"
        "  other: {queue: p, table: things, item: {k: b}, write: {mode: update}}\n"
    )
    loaded = load(tmp_path / "routes.yaml", {})
    assert loaded.config
    assert loaded.plugins
    assert loaded.schemas
    subject = Subject(loaded.config, loaded.plugins, loaded.schemas, program=loaded.require())
    found, count = collide(loaded.require(), Random(1), 1000)
    assert found
    assert count < 1000
    assert lost_silently(loaded.require(), subject, *found) == ""
    erasing = (
        (tmp_path / "routes.yaml").read_text().replace("item: {k: b}, write: {mode: update}", "item: {k: b, y: a}")
    )
    (tmp_path / "routes.yaml").write_text(erasing)
    program = load(tmp_path / "routes.yaml", {}).require()
    one = PairMessage("q", '{"a": "m", "b": "n"}', "one")
    other = PairMessage("p", '{"a": "m", "b": "m"}', "other")
    erased = Subject(program.config, loaded.plugins, loaded.schemas, program=program)
    assert lost_silently(program, erased, one, other).endswith("and nothing is said")


def test_mutations_go_towards_a_key() -> None:
    """They have pieces of it, and texts that are near it are near."""
    chance = Random(1)
    found = [mutated({"a": "xy", "c": {"d": 1}}, "x#12", chance) for _ in range(300)]
    assert {"x#12", "12"} <= {str(each["a"]) for each in found} | {str(each["c"]["d"]) for each in found}
    assert closeness(("t", "x#1"), ("t", "x#2")) > closeness(("t", "a"), ("t", "x#2"))


def test_the_long_form_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0 if nothing is wrong."""
    assert main(["--pairs", "4", "--keys", "20"]) == 0
    assert capsys.readouterr().out.endswith("wrong: 0\n")

"""The short form of `make soundness ONLY=pairs`: what two routes lose of each other is what `router check` says."""

import re
from collections.abc import Sequence
from itertools import chain, combinations, permutations
from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from tests.soundness.pairs import (
    ENOUGH_EVENTS,
    SIDES,
    Pair,
    Setting,
    Tables,
    all_settings,
    disagreement,
    main,
    pairs_of,
    plain_settings,
    reported_by,
    row,
)
from tests.support.check import edited, losses
from tests.support.config import spec
from tests.support.dev import make_record, write_together
from tests.support.engine import plan
from tests.support.modes import MODES
from tests.support.program import load_program
from tests.support.testing import MemoryTables

PAGE = Path(__file__).parents[2] / "docs" / "writes.md"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Compiled routes of all settings."""
    return Tables(all_settings(), tmp_path_factory.mktemp("pairs"))


def disagreements(tables: Tables, pairs: Sequence[Pair], events: int) -> list[str]:
    """Search pairs; return where what is lost and what is said differ."""
    found = []
    for pair in pairs:
        pair.search(events)
        found.append(disagreement(pair, reported_by(tables, pair), whole=events >= ENOUGH_EVENTS))
    return [each for each in found if each]


def test_modes(tables: Tables) -> None:
    """Every order of up to four events by each pair of modes and versions, with attributes of all kinds."""
    assert disagreements(tables, pairs_of(tables, plain_settings()), 4) == []


def test_settings(tables: Tables) -> None:
    """Every order of two events by each pair of settings, and of three by some of them."""
    pairs = pairs_of(tables, all_settings())
    assert len(pairs) == 3313
    assert {each.mode for each in all_settings()} == {*MODES}
    assert disagreements(tables, pairs, 2) == []
    some = Random(29).sample([pair.settings for pair in pairs], 120)
    assert disagreements(tables, [Pair(tables, *settings) for settings in some], 3) == []


def test_the_edit_ends_all_losses(tables: Tables) -> None:
    """Of whatever settings two routes have, or three."""
    left = set()
    chance = Random(29)
    for pair in pairs_of(tables, all_settings()):
        one, other = (tables.writes(setting, side) for setting, side in zip(pair.settings, SIDES, strict=True))
        third = structs.replace(tables.writes(chance.choice(all_settings()), 0), name="third")
        for group in ((one, other), (one, other, third)) if losses(one, other) else ():
            routes = chain.from_iterable(edited(group).values())
            left |= {str(group) for first, second in combinations(routes, 2) if losses(first, second)}
    assert left == set()


def test_a_wrong_statement_is_found(tables: Tables) -> None:
    """What is said and never shown, and what is lost and not said."""
    pair = Pair(tables, Setting("put", "set", "set"), Setting("update", "set", "set"))
    pair.search(2)
    found = reported_by(tables, pair)
    assert disagreement(pair, found) == ""
    assert "out of order: {'b': 'B2 A1', 'c': 'B2 A1'} is lost, nothing is said" in disagreement(pair, found[:1])
    unlost = Pair(tables, *pair.settings)
    assert "in order: nothing is lost, ['b'] is said" in disagreement(unlost, found)
    assert disagreement(unlost, found, whole=False) == ""
    assert row(pair) == "| `put` + `update` | b: B1 A2 | b: B2 A1, c: B2 A1 |"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the table."""
    assert main(["--events", "2", "--all-events", "0"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "| pair | in order | out of order |"
    assert "| `update` + `update` | nothing | c: B2 A1 |" in printed


SECTION = PAGE.read_text(encoding="utf-8").partition("## Several events of one entity")[2].partition("\n## ")[0]
CONFIGS = re.findall(r"^```yaml\n(version: 1\n.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", CONFIGS)
def test_the_configs_of_the_page_lose_nothing(text: str, tmp_path: Path) -> None:
    """Whatever the order of their messages, also if one is delivered twice, the tables hold the same in the end."""
    file = tmp_path / "routes.yaml"
    file.write_text(text, encoding="utf-8")
    program = load_program(file, {})
    (queue,) = program.engine.queues.values()
    (table,) = program.config.tables
    received = [test.received for route in program.config.routes.values() for test in route.tests][-1]
    records = [make_record(each, spec.Queue(), number=number) for number, each in enumerate(received)]
    ends = []
    for order in permutations([*records, *records]):
        tables = MemoryTables.of(program)
        for record in order:
            write_together([plan(queue, record)], tables, False)
        ends.append(tables.items(table))

    assert len(records) > 1
    assert ends == [ends[0]] * len(ends)

"""The short form of `make soundness`: what `router check` says of configs is what happens to their messages."""

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.soundness.cases import TrialConfig
from tests.soundness.corpus import PublicSchema, interleave, schema_store
from tests.soundness.jobs import CheckCost, Trial, measure, perform
from tests.soundness.minimise import minimised
from tests.soundness.report import CheckCosts, TrialTally
from tests.soundness.results import Results
from tests.soundness.trial import judge
from tests.soundness.workers import Ended, Pool

MESSAGES = 40
HOSTILE = (
    "a long list of examples",
    "a product of anyOf",
    "an example with many names",
    "forty recursive properties",
    "many conditions",
    "many definitions",
    "many dependencies",
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Without a line in the log for each rejected message."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def failures(trials: Iterable[Trial]) -> list[str]:
    """What is wrong, each with the smallest config for it."""
    tally = TrialTally("short")
    for trial in trials:
        tally.add(trial, perform(trial))
    return [minimised(wrong[0], cause) for cause, wrong in tally.causes.items() if not cause.startswith("unconfirmed")]


@pytest.mark.parametrize("part", range(3))
def test_random_configs(part: int) -> None:
    """On random schemas."""
    assert failures(Trial(7_000_000 + 20 * part + number, MESSAGES) for number in range(20)) == []


def test_public_configs() -> None:
    """On schemas of the store that is installed."""
    assert failures(Trial(number, MESSAGES, schema) for number, schema in enumerate(schema_store()[100:120])) == []


def test_no_schema_takes_more_than_its_budget() -> None:
    """Not even those that are made for it."""
    costs = CheckCosts("hostile")
    pool: Pool[str, CheckCost] = Pool(measure, 2, 60.0, 1)
    for schema, cost in pool.run(HOSTILE, monotonic() + 100):
        costs.add(schema, cost)

    assert (costs.over, costs.broken, sorted(cost.name for cost in costs.known)) == ([], [], sorted(HOSTILE))


def test_a_schema_over_the_limit_of_proofs(tmp_path: Path) -> None:
    """More than 256 KiB: what is not decided of it is said within the same budget."""
    branches = [{"required": [f"a{number}"], "properties": {f"a{number}": {}}} for number in range(8000)]
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"type": "object", "properties": {"id": {"type": "string"}}, "anyOf": branches}))
    pool: Pool[PublicSchema, CheckCost] = Pool(measure, 1, 60.0, 1)

    ((_, cost),) = pool.run([PublicSchema("a:large", str(file))], monotonic() + 60)

    assert isinstance(cost, CheckCost)
    assert (cost.bytes > 256 * 1024, cost.seconds < 5, cost.peak < 300) == (True, True, True)


def test_messages_are_valid_and_reach_the_edges() -> None:
    """The messages of a config satisfy its schema, and some lack what it does not require."""
    properties = {"id": {"type": "string", "pattern": "^[a-z]{2}$"}, "n": {"type": ["integer", "null"], "minimum": 5}}
    schema = {"type": "object", "properties": properties, "required": ["id"], "additionalProperties": False}
    route = {"item": {"pk": "id", "n": {"from": "n", "missing": "error"}}}
    case = TrialConfig("a case", schema, {"key": {"pk": "S"}}, route, (("id",), ("n",)))

    verdict = judge(case, 1, 30)

    assert (verdict.loaded, verdict.messages > 10, 0 < verdict.rejected < verdict.messages) == ("", True, True)


def test_a_rejection_by_the_stored_item_is_about_the_version() -> None:
    """The second of two messages with versions of different types: a finding about the version explains it."""
    properties = {"id": {"enum": ["a"]}, "at": {"enum": [1, "1"]}}
    schema = {"type": "object", "properties": properties, "required": ["id", "at"], "additionalProperties": False}
    route = {"item": {"pk": "id", "v": "at"}, "write": {"mode": "newest", "version": "v"}}

    verdict = judge(TrialConfig("a case", schema, {"key": {"pk": "S"}}, route, (("id",), ("at",))), 1, 30)

    found = [(word.code, word.subject) for word in verdict.words if word.subject == "item.v"]
    assert (found, verdict.rejected, verdict.wrong) == ([("RT418", "item.v")], 1, ())


def test_a_sample_of_the_schemas_is_fair() -> None:
    """The collections follow one another."""
    schemas = [PublicSchema(name, "") for name in ("one:a", "one:b", "one:c", "two:a")]

    assert [schema.name for schema in interleave(schemas)] == ["one:a", "two:a", "one:b", "one:c"]


def test_a_task_that_does_not_end_is_ended() -> None:
    """The others still run."""
    pool: Pool[float, float] = Pool(_slow, 2, 3.0, 5)

    results = dict(pool.run([0.0, 60.0, -1.0, 0.01], monotonic() + 60))

    assert results == {
        0.0: 0.0,
        60.0: Ended("timeout"),
        -1.0: Ended("crash: ValueError: sleep length must be non-negative"),
        0.01: 0.01,
    }


def _slow(seconds: float) -> float:
    sleep(seconds)
    return seconds


def test_a_run_continues(tmp_path: Path) -> None:
    """What an earlier run of the same code has kept is known, but for what did not end, or was cut off."""
    cost = CheckCost("a", 1, 0.5, 40.0)
    first = Results(1, 10, tmp_path)
    first.keep("random", 0, None)
    first.keep("random", 1, Ended("timeout"))
    first.keep("public alone", 0, cost)
    with next(tmp_path.iterdir()).open("ab") as file:
        file.write(b'{"kind":"random","num')

    known, other = Results(1, 10, tmp_path), Results(2, 10, tmp_path)

    assert [known.knows("random", number) for number in range(3)] == [True, False, False]
    assert (known.known("public alone", 0), other.knows("random", 0)) == (cost, False)

"""The short form of `make soundness`: what `router check` says of configs is what happens to their messages."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from msgspec import Struct, structs

from router.model import Finding
from tests.soundness.cases import TrialConfig
from tests.soundness.corpus import PublicSchema, interleave, schema_store
from tests.soundness.documented_configs import TRANSFORMS, DocumentedConfig
from tests.soundness.documented_schemas import Shape
from tests.soundness.documented_transforms import IMPLEMENTED
from tests.soundness.documented_trial import documented_way
from tests.soundness.jobs import CheckCost, Trial, case_of, measure, perform
from tests.soundness.minimise import minimised
from tests.soundness.report import CheckCosts, TrialTally
from tests.soundness.results import Results
from tests.soundness.trial import Judgement, Way, judge
from tests.soundness.workers import Ended, Pool
from tests.support.check import Ledger, Report, examine, known_codes
from tests.support.config import spec

MESSAGES = 40
FAR = "abcdefgh"
HOSTILE = (
    "a long list of examples",
    "a product of anyOf",
    "an example with many names",
    "forty recursive properties",
    "many conditions",
    "many definitions",
    "many dependencies",
)

NOT_TRIED = {
    *("queue", "table", "schema"),  # each config has them
    *("plugins", "options"),  # nothing is claimed about plugins
    *("on_invalid", "tests", "description", "owner", "tags"),  # nothing of it rejects a message
    "null",  # tests/unit/tools/check has its cases
}
"""Keys of a route that the random configs do not have."""


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
    return [minimised(wrong[0], cause) for cause, wrong in tally.causes.items()]


@pytest.mark.parametrize("part", range(3))
def test_random_configs(part: int) -> None:
    """On random schemas."""
    assert failures(Trial(7_000_000 + 20 * part + number, MESSAGES) for number in range(20)) == []


@pytest.mark.parametrize("part", range(2))
def test_heavy_configs(part: int) -> None:
    """On random schemas, with expressions in expressions."""
    trials = (Trial(8_000_000 + 15 * part + number, MESSAGES, heavy=True) for number in range(15))

    assert failures(trials) == []


@pytest.mark.parametrize("part", range(2))
def test_documented_configs(part: int) -> None:
    """Of the generator that was written from the documentation alone."""
    trials = (Trial(9_000_000 + 12 * part + number, MESSAGES, documented=True) for number in range(12))

    assert failures(trials) == []


def test_each_documented_transform_is_tried() -> None:
    """Of those in docs/config.md; each has a second implementation, from that page."""
    page = (Path(__file__).parents[2] / "docs" / "config.md").read_text(encoding="utf-8")
    table = page.partition("## Built-in transforms\n")[2].partition("\n## ")[0]
    names = set(re.findall(r"^\| `([a-z_0-9]+)", table, re.MULTILINE))

    assert names == {*TRANSFORMS} == {*IMPLEMENTED}


def documented(schema: dict[str, Any], intended: Any = None) -> tuple[TrialConfig, Way]:
    """A config of the second generator, of messages with an id and perhaps a number, and how it is tried."""
    route = {"item": {"pk": {"meta": "message_id"}, "a": {"from": "n", "transform": {"scale": 10}}}}
    case = TrialConfig("a case", schema, {"key": {"pk": "S"}}, route, (("id",), ("n",)))
    shape = Shape(schema, lambda chance: {"id": "a", **chance.choice(({}, {"n": 1}, {"n": 2}))})
    return case, documented_way(DocumentedConfig(case, shape, intended))


def test_another_value_than_the_pages_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is wrong, whatever is said of the attribute."""
    case, way = documented({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}})
    right = judge(case, 1, 20, way=way)

    monkeypatch.setattr("tests.soundness.documented_trial.expected_last", lambda case, name, message: 7)
    wrong = judge(case, 1, 20, way=way)

    found = [(each.subject, each.reason.rpartition(" is ")[2]) for each in wrong.wrong]
    assert (right.wrong, right.messages > 2, right.others > 0) == ((), True, True)
    assert found == [("item.pk", "stored with another value"), ("item.a", "stored with another value")]


def test_a_typing_error_that_nothing_tells_of() -> None:
    """Messages without what the schema was to require are taken."""
    properties = {"id": {"type": "string"}, "n": {"type": "integer", "maximum": 9}}
    intended = {"type": "object", "properties": properties, "required": ["n"]}
    case, way = documented({"type": "object", "properties": properties, "requried": ["n"]}, intended)

    def silent(*given: Any) -> Report:
        report = examine(*given)
        return structs.replace(report, findings=tuple(each for each in report.findings if each.code.id != "RT317"))

    reported, unreported = judge(case, 1, 20, way=way), judge(case, 1, 20, check=silent, way=way)

    assert (reported.wrong, [each.reason for each in unreported.wrong]) == ((), ["a typing error in the schema"])


def test_public_configs() -> None:
    """On schemas of the store that is installed."""
    assert failures(Trial(number, MESSAGES, schema) for number, schema in enumerate(schema_store()[100:120])) == []


@pytest.mark.timing
def test_no_schema_takes_more_than_its_budget() -> None:
    """Not even those that are made for it."""
    costs = CheckCosts("hostile")
    pool: Pool[str, CheckCost] = Pool(measure, 2, 60.0, 1)
    for schema, cost in pool.run(HOSTILE, monotonic() + 100):
        costs.add(schema, cost)

    assert (costs.over, costs.broken, sorted(cost.name for cost in costs.known)) == ([], [], sorted(HOSTILE))


@pytest.mark.timing
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


def silent_about_keys(report: Report) -> Report:
    """Of a check that takes each key for proved."""
    findings = tuple(finding for finding in report.findings if finding.code.id != "RT610")
    entries = tuple(entry for entry in report.ledger.entries if entry.kind != "key")
    return structs.replace(report, findings=findings, ledger=Ledger(entries))


def reported_of_each_key(id_: str) -> Callable[[Report], Report]:
    """Of a check that reports a code of each key."""

    def add(report: Report) -> Report:
        (place,) = (entry.place for entry in report.ledger.entries if entry.kind == "key")
        return structs.replace(report, findings=(*report.findings, Finding(known_codes()[id_], "a sentence", place)))

    return add


@pytest.mark.parametrize(
    ("required", "limit", "change", "causes"),
    [
        ([], 9, lambda report: report, []),
        ([], 9, silent_about_keys, ["silent: key attribute * is missing"]),
        (["id"], 9, reported_of_each_key("RT612"), ["unconfirmed: RT612"]),
        (["id"], 9000, reported_of_each_key("RT612"), ["unconfirmed: RT612"]),
        (["id"], 9, reported_of_each_key("RT413"), ["false: RT413"]),
        (["id"], 9, reported_of_each_key("RT313"), ["false: RT313"]),
    ],
)
def test_a_check_that_is_wrong(
    required: list[str], limit: int, change: Callable[[Report], Report], causes: list[str]
) -> None:
    """The run has one cause for it, and fails."""
    schema = {
        "type": "object",
        "required": required,
        "properties": {"id": {"type": "string", "minLength": 1, "maxLength": limit}},
    }
    case = TrialConfig("a case", schema, {"key": {"pk": "S"}}, {"item": {"pk": "id"}}, (("id",),))
    tally = TrialTally("one")

    tally.add(Trial(1, 30), judge(case, 1, 30, check=lambda *given: change(examine(*given))))

    assert (list(tally.causes), tally.wrong) == (causes, len(causes))


@pytest.mark.parametrize(
    ("kinds", "code", "wrong"),
    [
        (["object", "string"], "RT437", []),
        (["object", "string"], "", ["silent"]),
        (["object"], "+RT437", ["unconfirmed"]),
        (["string"], "RT436", []),
    ],
)
def test_a_map_that_is_merged(kinds: list[str], code: str, wrong: list[str]) -> None:
    """Its findings are compared with what happens to the map alone."""
    properties = {"id": {"enum": ["a"]}, "more": {"type": kinds, "maxProperties": 2}}
    schema = {"type": "object", "properties": properties, "required": ["id", "more"], "additionalProperties": False}
    route = {"item": {"pk": "id"}, "merge": {"from": "more", "prefix": "m_"}}
    case = TrialConfig("a case", schema, {"key": {"pk": "S"}}, route, (("id",), ("more",)))

    def check(*given: Any) -> Report:
        report = examine(*given)
        findings = tuple(finding for finding in report.findings if finding.code.id in code)
        if code.startswith("+"):
            (place,) = (entry.place for entry in report.ledger.entries if entry.kind == "merge")
            findings = (Finding(known_codes()["RT437"], "a sentence", place),)
        return structs.replace(report, findings=findings, ledger=Ledger(()))

    assert [each.kind for each in judge(case, 1, 30, check=check).wrong] == wrong


def test_a_run_that_is_too_short() -> None:
    """It says how many configs are left: another run continues with them."""
    tally = TrialTally("one", 3)

    tally.add(Trial(1, 30), Judgement("a case", messages=30))

    assert tally.table().endswith(", left when the time was up: 2")


def test_a_time_to_live_that_is_text_confirms_a_finding() -> None:
    """No message is rejected for it, and DynamoDB does not read it."""
    schema = {"type": "object", "properties": {"id": {"type": "string", "minLength": 1}}, "required": ["id"]}
    route = {"item": {"pk": "id", "expires": "at"}}

    verdict = judge(TrialConfig("a case", schema, {"key": {"pk": "S"}, "ttl": "expires"}, route, (("at",),)), 1, 30)

    found = [(word.code, word.sentence) for word in verdict.words if word.subject == "item.expires"]
    expected = [("RT244", "the time to live 'expires' is of type S, and is never read")]
    assert (found, verdict.rejected, verdict.wrong) == (expected, 0, ())


def test_an_example_confirms_a_finding() -> None:
    """No other message has the list, which is far inside."""
    inside: dict[str, Any] = {"type": "array", "items": {"properties": {"at": {"type": "integer"}}}}
    for name in reversed(FAR):
        inside = {"type": "object", "properties": {name: inside}}
    route = {"for_each": ".".join(FAR), "item": {"pk": {"value": "k"}, "expires": "element.at"}}

    verdict = judge(TrialConfig("a case", inside, {"key": {"pk": "S"}, "ttl": "expires"}, route), 1, 1)

    found = [word.code for word in verdict.words if word.subject == "item.expires"]
    assert (found, verdict.wrong) == (["RT622"], ())


def test_a_time_to_live_that_no_message_has() -> None:
    """One mistake, one finding: of its unit nothing is said."""
    schema = {"type": "object", "properties": {"at": False}}
    route = {"item": {"pk": {"meta": "message_id"}, "expires": "at"}}

    verdict = judge(TrialConfig("a case", schema, {"key": {"pk": "S"}, "ttl": "expires"}, route, (("at",),)), 1, 30)

    assert ([word.code for word in verdict.words], verdict.wrong) == (["RT410"], ())


def test_a_time_to_live_in_seconds_can_be_far_away() -> None:
    """A date of the year 9999 is no number of milliseconds."""
    schema = {"type": "object", "properties": {"at": {"enum": ["9999-12-31T23:59:59Z"]}}, "required": ["at"]}
    route = {"item": {"pk": {"value": "k"}, "expires": {"ttl": {"from": "at", "after": "30d"}}}}

    verdict = judge(TrialConfig("a case", schema, {"key": {"pk": "S"}, "ttl": "expires"}, route, (("at",),)), 1, 30)

    assert (verdict.messages > 0, verdict.rejected, verdict.wrong) == (True, 0, ())


def test_a_config_of_one_attribute_takes_each_message() -> None:
    """A schema of some megabytes is compiled once in a trial."""
    case = TrialConfig("a case", {"type": "object"}, {"key": {"pk": "S"}}, {"item": {"pk": "id", "a": "b"}})

    alone = case.alone("a")

    assert (alone.schema, alone.route["item"]) == ({}, {"pk": {"value": "k"}, "a": "b"})


def test_a_sample_of_the_schemas_is_fair() -> None:
    """The collections follow one another."""
    schemas = [PublicSchema(name, "") for name in ("one:a", "one:b", "one:c", "two:a")]

    assert [schema.name for schema in interleave(schemas)] == ["one:a", "two:a", "one:b", "one:c"]


@pytest.mark.timing
def test_a_task_that_does_not_end_is_ended() -> None:
    """The others still run."""
    pool: Pool[float, float] = Pool(_slow, 2, 0.3, 5)

    results = dict(pool.run([0.0, 60.0, -1.0, 0.01], monotonic() + 60))

    assert results == {
        0.0: 0.0,
        60.0: Ended("timeout"),
        -1.0: Ended("crash: ValueError: sleep length must be non-negative"),
        0.01: 0.01,
    }


@pytest.mark.timing
def test_a_task_that_computes_too_long_is_ended() -> None:
    """By the processor time that it takes; the next one has its own."""
    pool: Pool[int, int] = Pool(_count, 1, 0.2, 5)

    results = dict(pool.run([1, 10**12, 2], monotonic() + 60))

    assert results == {1: 1, 10**12: Ended("processor time"), 2: 2}


def _count(number: int) -> int:
    return sum(1 for _ in range(number))


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


def test_each_key_is_tried() -> None:
    """A new key by which messages are rejected is one of the random configs, else no run compares its claims."""
    kinds: tuple[type[Struct], ...] = (spec.RouteSettings, spec.WriteSettings, spec.Attribute)
    keys = {field.encode_name for kind in kinds for field in structs.fields(kind)}
    tried: set[str] = set()
    for seed in range(400):
        case = case_of(Trial(seed, 0))
        route = {} if case is None else case.route
        attributes = [each for each in route.get("item", {}).values() if isinstance(each, dict)]
        tried.update(route, route.get("write", ()), *attributes)

    assert keys - tried == NOT_TRIED

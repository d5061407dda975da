"""The checks know a transform by what it says about itself, and none by its name."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import router.tools.check
from tests.support.check import examine
from tests.support.program import EXPRESSION_FUNCTIONS
from tests.support.transforms import (
    FUNCTIONS,
    TEXT,
    TRANSFORMS,
    EmptyIfMatches,
    TextResult,
    Transform,
    WholeNumber,
    as_before,
)

ROOM = Path(router.tools.check.__file__).parent
OTHER_WORDS = {"first"}
"""Names of transforms that are also words of the config: `match: first`."""

WORD = {"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]"}
SCHEMA = {
    "type": "object",
    "required": ["id", "word", "text", "n"],
    "properties": {
        "id": WORD,
        "word": WORD,
        "text": {"type": "string", "maxLength": 9},
        "long": {"type": "string", "maxLength": 500_000},
        "n": {"type": "number"},
    },
}
CONFIG = """\
version: 1
tables: {things: {key: {id: S}}}
queues: {q: {dead_letter: dlq}}
routes:
  r: {queue: q, table: things, schema: schema.json, item: {id: KEY, x: VALUE}}
"""


def string_literals(room: Path) -> Iterator[tuple[str, str]]:
    """Every text in the code of a room, with its module."""
    for path in sorted(room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.value


def test_no_transform_is_known_by_its_name() -> None:
    """No text of the checks is the name of a transform, but of what is also a function of expressions."""
    names = TRANSFORMS.keys() - EXPRESSION_FUNCTIONS.keys() - OTHER_WORDS

    found = [(module, text) for module, text in string_literals(ROOM) if text in names]

    assert (found, len(names) > 20) == ([], True)


def strip_digits(value: str, most: int = 9) -> str:
    """A transform that the checks have never seen."""
    if not isinstance(value, str):
        raise TypeError("it is not text")
    return value.rstrip("0123456789")[:most]


STRIP_DIGITS = Transform(
    name="strip_digits",
    apply=strip_digits,
    takes=TEXT,
    accepts="every value",
    gives="string",
    arguments={"most": WholeNumber(minimum=1, maximum=9)},
    result=TextResult(
        longest=lambda before, arguments: min(before, arguments.get("most", 9)),
        empty=lambda arguments: EmptyIfMatches("^[0-9]*$", samples=("1",)),
        can_keep_length=False,
    ),
    most_bytes=as_before,
)


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns the findings and the verdicts of a config with a transform that no other module knows."""
    monkeypatch.setitem(TRANSFORMS, "strip_digits", STRIP_DIGITS)
    monkeypatch.setitem(FUNCTIONS, "strip_digits", strip_digits)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")

    def run(key: str = "id", value: str = "word") -> tuple[list[str], dict[str, str]]:
        file = tmp_path / "routes.yaml"
        file.write_text(CONFIG.replace("KEY", key).replace("VALUE", value), encoding="utf-8")
        report = examine(file, {})
        verdicts = {
            f"{entry.kind} {entry.subject}".rstrip(): f"{entry.verdict} {entry.reason}".rstrip()
            for entry in report.ledger.entries
        }
        return [f"{finding.code.id} {finding.sentence}" for finding in report.findings], verdicts

    return run


def test_a_new_transform_is_proved(check: Any) -> None:
    """What it says of its function suffices to prove the claims about a key and an attribute, and nothing is blamed."""
    findings, verdicts = check(
        key="{from: word, transform: strip_digits}", value="{from: text, transform: strip_digits}"
    )

    assert (findings, set(verdicts.values())) == ([], {"proved"})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"key": "{from: text, transform: strip_digits}"}, "RT612 key attribute 'id' may be empty"),
        ({"value": "{from: n, transform: strip_digits}"}, "RT413 transform 'strip_digits' accepts text"),
        (
            {"value": "{from: word, transform: {strip_digits: 0}}"},
            "RT426 'most' of transform 'strip_digits' takes a whole number from 1 to 9, not 0",
        ),
    ],
)
def test_a_new_transform_is_blamed(check: Any, given: Any, found: str) -> None:
    """For an empty key, another type and an argument out of its range."""
    findings, _ = check(**given)

    assert [finding[: len(found)] for finding in findings] == [found]


def test_a_new_transform_is_bounded(check: Any) -> None:
    """Its result is no larger than it says, so that items with long texts are proved to be small enough."""
    assert check(value="{from: long, transform: strip_digits}")[1]["size"] == "proved"


def test_a_transform_of_which_it_is_unknown_whether_a_text_becomes_empty(
    check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that may become empty is not proved."""
    result = TextResult(
        longest=lambda before, arguments: before,
        empty=lambda arguments: "unknown",
        can_keep_length=False,
    )
    monkeypatch.setitem(TRANSFORMS, "strip_digits", structs.replace(STRIP_DIGITS, result=result))

    _, verdicts = check(key="{from: id, transform: strip_digits}")

    assert verdicts["key id"] == "not decided it may be empty"

"""What `merge` brings, by the schema: findings, and what is proved."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import is_valid

from router.tools.check.run import examine
from tests.support.dev import read_record
from tests.support.engine import plan
from tests.support.program import load_program

CODES = ("RT411", "RT436", "RT437")
ID = {"type": "string", "minLength": 1, "maxLength": 9}
PREFIX = "write a 'prefix' for its names, or map fewer attributes"


def schema(required: tuple[str, ...] = ("id", "m"), **properties: Any) -> str:
    """A schema of messages with an id and these properties."""
    return json.dumps({"type": "object", "required": required, "properties": {"id": ID, **properties}})


OPEN = {"type": "object"}
CLOSED = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "string", "maxLength": 9}}}


def named(*required: str, **properties: Any) -> Any:
    """A map with these properties, some of them required."""
    return {"type": "object", "required": required, "properties": properties}


@pytest.mark.parametrize(
    ("merge", "given", "found"),
    [
        ("m", schema(m=OPEN), []),
        ("m", schema(m={}), []),
        ("m", "", []),
        ("m", schema(m=CLOSED), []),
        ("m", schema(m={"type": "string"}), ["RT436 'merge' never finds a map: its value is text; "]),
        (
            "m",
            schema(m={"type": ["object", "array"]}),
            ["RT437 'merge' may find a list; add 'type: object' at /properties/m of schema 'schema.json'"],
        ),
        ("m", schema(("id",), m=False), ["RT436 no message that satisfies the schema has 'm'; remove it"]),
        (
            "m",
            schema(m=named("id", id=ID)),
            [f"RT436 each message has 'm.id', but the attribute 'id' is the route's own; {PREFIX}"],
        ),
        ("m", schema(m=named("id", id={"type": "null"})), []),
        (
            "m",
            schema(m=named(id=ID)),
            [f"RT437 a message may have 'm.id', but the attribute 'id' is the route's own; {PREFIX}"],
        ),
        (
            "m",
            schema(m=named(ends={"type": "number"})),
            [f"RT437 a message may have 'm.ends', but the attribute 'ends' is the route's own; {PREFIX}"],
        ),
        ("{from: m, prefix: x}", schema(m=named("id", id=ID)), []),
        ("{from: m, prefix: i}", schema(m=named("d", d=ID)), ["RT436 each message has 'm.d', but the attribute 'id'"]),
        ("{from: m, transform: dynamodb_item}", schema(m=named("id", id=OPEN)), ["RT436 each message has 'm.id'"]),
        ("{from: m, transform: parse_json}", schema(m={"type": "string"}), []),
        ("m || id", schema(m=OPEN), []),
        ("metadta", schema(metadata=OPEN), ["RT411 'metadta' is not declared in the schema; did you mean 'metadata'?"]),
    ],
)
def test_merges(find: Any, merge: str, given: str, found: list[str]) -> None:
    """One that no message can have is an error, one that some cannot have a warning."""
    lines = find(f"item: {{id: id}}, merge: {merge}", given, table="key: {id: S}, ttl: ends")

    assert [line[: len(start)] for line, start in zip(lines, found, strict=True)] == found


def test_a_plugin_that_changes_messages(find: Any) -> None:
    """Nothing is known about the messages then."""
    plugin = "@hookimpl\ndef router_transform_message(message):\n    return None\n"

    assert find("item: {id: id}, merge: m", schema(m={"type": "string"}), plugin=plugin) == []


def claim(folder: Path, given: Any, merge: Any) -> tuple[str, str]:
    """The verdict about `merge` in a config, and the reason."""
    route = {"queue": "q", "table": "things", "schema": given, "item": {"id": "id", "x": "x"}, "merge": merge}
    config = {
        "version": 1,
        "queues": {"q": {"dead_letter": "d"}},
        "tables": {"things": {"key": {"id": "S"}}},
        "routes": {"r": route},
    }
    (folder / "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
    report = examine(folder / "routes.yaml", {})
    [entry] = [entry for entry in report.ledger.entries if entry.kind == "merge"]
    return entry.verdict, entry.reason


@pytest.mark.parametrize(
    ("given", "merge", "verdict"),
    [
        (schema(m=CLOSED), "m", ("proved", "")),
        (schema(m={**OPEN, "maxProperties": 100}), {"from": "m", "prefix": "m_"}, ("proved", "")),
        (schema(m=OPEN), {"from": "m", "prefix": "m_"}, ("not decided", "it may find more than 100 entries")),
        (
            schema(m={**OPEN, "maxProperties": 9}),
            "m",
            (
                "not decided",
                (
                    "it may find the attribute 'id', which is the route's own; "
                    "it may find the attribute 'x', which is the route's own"
                ),
            ),
        ),
        (schema(m={"type": "string"}), "m", ("refuted", "")),
        (schema(m=OPEN), "m || id", ("not decided", "it may find text; the names that it finds are not known")),
        (
            schema(m=CLOSED),
            {"from": "m", "transform": "dynamodb_item"},
            ("not decided", "transform 'dynamodb_item' does not accept every value"),
        ),
    ],
)
def test_claims(tmp_path: Path, given: str, merge: Any, verdict: tuple[str, str]) -> None:
    """What is proved, refuted, and not decided, with the reason."""
    assert claim(tmp_path, json.loads(given), merge) == verdict


VALUES = st.none() | st.text(max_size=2) | st.integers(-9, 9) | st.lists(st.none(), max_size=2)
MAPS = st.fixed_dictionaries(
    {"type": st.sampled_from(["object", ["object", "null"], ["object", "string"]])},
    optional={
        "properties": st.dictionaries(
            st.sampled_from(["id", "x", "a"]), st.sampled_from([{}, False, {"type": "null"}])
        ),
        "required": st.lists(st.sampled_from(["id", "a"]), unique=True, max_size=2),
        "additionalProperties": st.sampled_from([False, {}, {"type": "integer"}]),
        "maxProperties": st.integers(0, 3),
    },
)
MERGES = st.sampled_from(["m", "m.a", {"from": "m", "prefix": "i"}, {"from": "m", "max": 2}])
SENT = st.dictionaries(st.sampled_from(["id", "x", "a", "d"]), VALUES, max_size=4) | VALUES


@settings(max_examples=60, deadline=None)
@given(MAPS, MERGES, st.lists(SENT, min_size=8, max_size=8))
def test_what_is_proved_holds(map_: Any, merge: Any, sent: list[Any]) -> None:
    """No valid message is rejected by a `merge` that is proved."""
    given_ = json.loads(schema(("id",), m=map_))
    with TemporaryDirectory() as folder:
        verdict, _ = claim(Path(folder), given_, merge)
        if verdict == "proved":
            queue = load_program(Path(folder) / "routes.yaml", {}).engine.queues["q"]
            messages = [message for value in sent if is_valid(given_, message := {"id": "1", "m": value})]
            assert [plan(queue, read_record({"body": message})).outcome for message in messages] == [None] * len(
                messages
            )

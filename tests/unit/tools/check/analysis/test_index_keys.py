"""Claims about attributes in the keys of indexes: proved, refuted by a message, or not decided."""

import json
from pathlib import Path
from typing import Any

import pytest

from router.tools.check.run import examine

WORD = {"type": "string", "minLength": 1, "maxLength": 9}
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": WORD,
        "word": WORD,
        "text": {"type": "string", "minLength": 1, "maxLength": 300},
        "count": {"type": "integer", "minimum": 0, "maximum": 9},
        "null": {"type": ["integer", "null"], "minimum": 0, "maximum": 9},
        "raw": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})+$", "minLength": 1, "maxLength": 2048},
        "digits": {"type": "string", "pattern": "^(?:[1-9][0-9]{0,8}|0)$"},
        "map": {"type": "object", "properties": {"a": WORD}, "additionalProperties": False},
        "open": {"type": "object"},
        "lines": {"type": "array", "maxItems": 5, "items": {"type": "object", "properties": {"n": WORD}}},
    },
    "additionalProperties": False,
}
CONFIG = """\
version: 1
plugins: [own.py]
tables:
  things: {key: {id: S}, indexes: INDEXES}
queues: {q: {dead_letter: dlq}}
routes:
  route: {queue: q, table: things, schema: SCHEMA, ROUTE}
"""
PLUGIN = """\
from router import hookimpl

@hookimpl
def router_register_transforms(register):
    register("shout", str.upper)
"""
PROVED = "proved"


@pytest.fixture
def claims(tmp_path: Path) -> Any:
    """Returns a function from a route and indexes to the verdicts about index keys, with reasons and examples."""
    (tmp_path / "own.py").write_text(PLUGIN, encoding="utf-8")

    def run(route: str, indexes: str) -> dict[str, str]:
        text = CONFIG.replace("SCHEMA", json.dumps(SCHEMA)).replace("ROUTE", route).replace("INDEXES", indexes)
        (tmp_path / "routes.yaml").write_text(text, encoding="utf-8")
        report = examine(tmp_path / "routes.yaml", {})
        return {
            entry.subject: " ".join([entry.verdict, *entry.codes, entry.reason, entry.example]).strip()
            for entry in report.ledger.entries
            if entry.kind == "index"
        }

    return run


def of(key: str, more: str = "") -> str:
    """Indexes of which one has a key."""
    return f"{{one: {{key: {{{key}}}{more}}}}}"


@pytest.mark.parametrize(
    ("route", "indexes", "found"),
    [
        ("item: {id: id, x: word, n: count}", of("x: S, n: N"), {"x": PROVED, "n": PROVED}),
        ("item: {id: id, x: {from: raw, type: B}}", of("x: B"), {"x": PROVED}),
        ("item: {id: id, x: {from: digits, type: N}}", of("x: N"), {"x": PROVED}),
        ("item: {id: id}", of("x: S"), {}),
        ("item: {id: id, x: word}, write: {mode: delete}", of("x: S"), {}),
        ("item: {id: id, x: text}", of("x: S"), {"x": PROVED}),
        (
            "item: {id: id, x: text}",
            of("n: N, x: S"),
            {"x": "refuted RT640"},
        ),
        ("item: {id: id, x: text, y: text}", of("x: S, y: S", ", partition: 2"), dict.fromkeys(
            "xy", "not decided the partition key of index 'one' may have over 2048 bytes in all"
        )),
        ("item: {id: id, x: word, y: word}", of("x: S, y: S", ", partition: 2"), {"x": PROVED, "y": PROVED}),
        ("item: {id: id}", of("id: S"), {}),
        ("item: {id: id}", of("n: N, id: S"), {"id": PROVED}),
        ("item: {id: id, y: text}", of("id: S, y: S", ", partition: 2"), {"id": PROVED, "y": PROVED}),
        (
            "item: {id: id, x: word}, write: {mode: update, append: [x]}",
            of("x: S"),
            {"x": 'refuted RT638  {"id":"a","word":"x"}'},
        ),
        ("item: {id: id, x: {from: word, transform: shout}}", of("x: S"), {
            "x": "not decided it may be a number, true or false, a list, an object, binary or a set; it may be empty; "
            "its length may be over 2048 bytes"
        }),
        ("item: {id: id, n: {from: 'null', missing: 'null'}}", of("n: N"), {"n": 'refuted RT638  {"id":"a"}'}),
        ("item: {id: id, x: count}", of("x: S"), {
            "x": 'refuted RT638  {"id":"a","count":0}'
        }),
        ("item: {id: id, x: {from: word, transform: strip}}", of("x: S"), {
            "x": 'refuted RT639  {"id":"a","word":" "}'
        }),
        ("item: {id: id, map: id}, merge: {from: map}", of("a: S, word: S"), {
            "a": "not decided the map of 'merge' may have it", "word": PROVED
        }),
        ("item: {id: id, map: id}, merge: {from: map, prefix: p_}", of("a: S"), {}),
        ("item: {id: id, map: id}, merge: {from: open}", of("a: S"), {
            "a": "not decided the map of 'merge' may have it"
        }),
        ("item: {id: id, map: id}, merge: {from: map, transform: shout}", of("a: S"), {
            "a": "not decided the map of 'merge' may have it"
        }),
        ("write: {mode: put}", of("word: S, count: N"), {"word": PROVED, "count": PROVED}),
        ("item: {id: id, x: 'word || count'}", of("x: S"), {
            "x": "refuted RT244 'x' is of type N, and S in the key of an index"
        }),
        ("write: {mode: put}", of("'null': N"), {
            "null": """refuted RT244 'null' is of type NULL, and N in the key of an index {"id":"a","null":null}"""
        }),
        ("write: {mode: put}", of("absent: S"), {"absent": PROVED}),
        ("for_each: lines, item: {id: message.id, x: element.n}", of("x: S"), {"x": PROVED}),
    ],
)  # fmt: skip
def test_claims(claims: Any, route: str, indexes: str, found: dict[str, str]) -> None:
    """Of each attribute that items may have and that is in the key of an index."""
    made = claims(route, indexes)
    # The example of one of them is long.
    assert {name: text.partition(' {"id":"a","text"')[0] for name, text in made.items()} == found

"""Where a text is not JSON, and why."""

import base64
import json
from pathlib import Path

import pytest

from router.tools.dev.explain import explain
from router.tools.dev.json_faults import document_fault, json_fault
from router.tools.dev.records import record_with
from router.tools.dev.run_tests import Suite


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": "NaN",\n "b": NaN}', "line 2, column 7: NaN and Infinity are not JSON"),
        ('{"a":-Infinity}', "line 1, column 6: NaN and Infinity are not JSON"),
        ('{"a":"\\x"}', "line 1, column 7: invalid \\escape"),
        (r'{"é":"\\ud800 \ud83d\ude00 \n \ud800"}', "line 1, column 31: half of a surrogate pair"),
        ('{"a":"secret', "line 1, column 6: unterminated string starting"),
        ('{"a":"\n"}', "line 1, column 7: invalid control character"),
        ('{"a" 1}', "line 1, column 6: expecting ':' delimiter"),
        ('{"a":tru}', "line 1, column 6: expecting value"),
        ('{"a":1} z', "line 1, column 9: extra data"),
        (" \n", "line 1, column 1: it is empty"),
        ("[" * 100_000, "line 1, column 1: it is nested too deep"),
        ('{"a":1e9999999999999999999}', "line 1, column 1: a number or a character is beyond what can be held"),
    ],
)
def test_places(text: str, sentence: str) -> None:
    """The place and the reason are named, and no value is."""
    found = json_fault(text)

    assert found
    assert found.sentence == sentence


def test_json() -> None:
    """JSON has no fault."""
    assert json_fault('{"a": [1, 2.50, "NaN"]}') is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n  "a": 1,\n  "b": oops\n}\n', 3),
        ('[\n  {"a": 1},\n  {"a": NaN}\n]', 3),
        ('{"a": 1,\n "b": "x"', 2),
        ('{"a": 1}\n{"a": }', None),
        ('{"a": \n{"a": 1}', None),
        ("no\n{", None),
        ("{", None),
    ],
)
def test_documents(text: str, line: int | None) -> None:
    """One value of several lines is no JSON lines."""
    found = document_fault(text)

    assert (found and found.line) == line


CONFIG = """\
version: 1
queues:
  plain: {}
  topic: {envelope: [sns], encoding: base64}
tables: {things: {key: {id: S}}}
routes:
  plain:
    queue: plain
    table: things
    tests: [{body: '{"id": NaN}', item: {id: '1'}}]
  topic: {queue: topic, table: things}
"""


def in_topic(payload: bytes) -> str:
    """A body with a payload in Base64 in the envelope of SNS."""
    return json.dumps({"Type": "Notification", "Message": base64.b64encode(payload).decode()})


@pytest.mark.parametrize(
    ("queue", "body", "place"),
    [
        ("plain", '{"id":\n nope}', "the body, line 2, column 2: expecting value"),
        ("topic", '{"Type":', "the body, line 1, column 9: expecting value"),
        ("topic", "{}", ""),
        (
            "topic",
            in_topic(b'{"id":"\\ud800"}'),
            "the payload of the envelope 'sns', decoded, line 1, column 8: half of a surrogate pair",
        ),
        ("topic", in_topic(b'{"\xff'), "the payload of the envelope 'sns', decoded, byte 3: it is not UTF-8"),
        ("plain", '{"name": 1}', ""),
    ],
)
def test_payloads(tmp_path: Path, queue: str, body: str, place: str) -> None:
    """The layer that is not JSON is named, with the place in it."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    loaded = Suite(tmp_path / "routes.yaml", {}).loaded

    explained = explain(loaded, loaded.require(), queue, record_with(body))

    assert explained.undecoded == place
    assert explained.outcome.kind == "rejected"


def test_a_test_whose_message_is_not_json(tmp_path: Path) -> None:
    """Its verdict says where."""
    (tmp_path / "routes.yaml").write_text(CONFIG)

    (verdict,) = Suite(tmp_path / "routes.yaml", {}).run()

    assert verdict.text.splitlines()[-1] == "the body, line 1, column 8: NaN and Infinity are not JSON"

"""Tests of routes, run without AWS."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Record
from router.tools.dev.compare import Difference, same
from router.tools.dev.records import make_body, make_record, wrap_text
from router.tools.dev.run_tests import Suite, Verdict, run_test
from tests.support.config import spec
from tests.support.engine import compile_decoder, plan
from tests.support.envelopes import ENVELOPES, EnvelopeFormat
from tests.support.program import Program, load_program

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=3)
    | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=8,
)
EVERYTHING = {
    "id": "id",
    "message_id": {"meta": "message_id"},
    "sent_at": {"meta": "sent_at"},
    "sent_ms": {"meta": "sent_at", "type": "N"},
    "first_received_at": {"meta": "first_received_at"},
    "group_id": {"meta": "group_id"},
    "sequence_number": {"meta": "sequence_number"},
    "deduplication_id": {"meta": "deduplication_id"},
    "sender_id": {"meta": "sender_id"},
    "queue": {"meta": "queue"},
    "route": {"meta": "route"},
    "trace": {"meta": "attribute.trace"},
    "expires_at": {"ttl": "90d"},
}
Make = Callable[..., Program]


@pytest.fixture
def program(tmp_path: Path) -> Make:
    """Return a program with a route `r` with tests, and a route `other` of the same queue."""

    def make(*tests: Any, **route: Any) -> Program:
        given = {"queue": "q", "table": "things", "when": "kind != 'other'", "tests": tests}
        config = {
            "version": 1,
            "queues": {"q": {"dead_letter": "d"}},
            "tables": {"things": {"key": {"id": "S"}}},
            "routes": {"r": {**given, **route}, "other": {"queue": "q", "table": "things", "when": "kind"}},
        }
        (tmp_path / "routes.yaml").write_text(json.dumps(config), encoding="utf-8")
        return load_program(tmp_path / "routes.yaml", {})

    return make


def run_all(program: Program) -> list[Verdict]:
    """Run the tests of a program."""
    return [
        run_test(program, name, test, index)
        for name, route in program.config.routes.items()
        for index, test in enumerate(route.tests)
    ]


def differences(program: Program) -> list[tuple[str, Any, Any]]:
    """Run the one test of a program."""
    [verdict] = run_all(program)
    return [(each.what, each.expected, each.found) for each in verdict.differences]


@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("encoding", ["json", "base64", "base64+gzip"])
@pytest.mark.parametrize(
    "envelopes", [(), ("sns",), ("eventbridge",), ("cloudevents",), ("sns", "eventbridge"), ("eventbridge", "sns")]
)
@given(message=JSON)
def test_wrapping_is_undone_by_the_engine(encoding: Any, envelopes: tuple[str, ...], message: Any) -> None:
    """Any message, wrapped in any envelopes and encoding, is decoded to itself."""
    queue = spec.Queue(envelope=envelopes, encoding=encoding)
    decode = compile_decoder([ENVELOPES[name].unwrap for name in envelopes], encoding)

    data, _ = decode(Record("m", "r", make_body(message, queue)))

    assert json.dumps(data, default=str, sort_keys=True) == json.dumps(message, default=str, sort_keys=True)


@pytest.mark.parametrize("envelope", ["sns", "eventbridge", "cloudevents"])
@pytest.mark.parametrize("text", ["", "{", "nonsense", "1e99999999999999999999999"])
def test_what_is_no_json_can_be_wrapped(envelope: str, text: str) -> None:
    """The body of a test may be any text; the engine decides about it."""
    body = wrap_text(text, spec.Queue(envelope=(envelope,)))

    payload, _ = ENVELOPES[envelope].unwrap(body, {})

    assert payload == text


def test_an_envelope_of_a_plugin() -> None:
    """A message is wrapped if the envelope has an inverse; otherwise the test has the whole body."""
    queue = spec.Queue(envelope=("acme",))
    formats = [EnvelopeFormat("acme", divmod, wrap, None, bool) for wrap in (lambda text: f"<{text}>", None)]

    assert [make_body({"a": 1}, queue, {"acme": each}) for each in formats] == ['<{"a":1}>', '{"a":1}']


def test_a_record() -> None:
    """A record has the wrapped message with string attributes, or the body as it is."""
    queue = spec.Queue(encoding="base64")
    records = [
        make_record(spec.Test(message={"a": Decimal("1.50")}, attributes={"trace": "x"}), queue),
        make_record(spec.Test(body="anything"), queue),
    ]

    assert [(record.body, record.message_attributes) for record in records] == [
        ("eyJhIjoxLjUwfQ==", {"trace": {"DataType": "String", "StringValue": "x"}}),
        ("anything", {}),
    ]


def test_fixed_values(program: Make) -> None:
    """Each attribute of SQS has a fixed value."""
    item = {
        "id": "1",
        "message_id": "11111111-2222-4333-8444-555555555555",
        "sent_at": "2026-01-02T03:04:05.678Z",
        "sent_ms": 1767323045678,
        "first_received_at": "2026-01-02T03:04:06.789Z",
        "group_id": "group-1",
        "sequence_number": "18849496460467696128",
        "deduplication_id": "deduplication-1",
        "sender_id": "AIDAEXAMPLE",
        "queue": "q",
        "route": "r",
        "trace": "x",
        "expires_at": 1767323045 + 90 * 86_400,
    }
    test = {"message": {"id": "1"}, "attributes": {"trace": "x"}, "item": item}

    assert differences(program(test, item=EVERYTHING)) == []


def test_verdicts(program: Make) -> None:
    """There is one result for each test, in the order of the file, by its name or its number."""
    made = program({"name": "good", "message": {"id": "1"}}, {"message": {"id": 1}})
    reason = "rejected (RT808 table 'things': key attribute 'id' is of type N, the table's key is S)"

    verdicts = run_all(made)

    assert [(verdict.passed, verdict.route, verdict.name, verdict.differences) for verdict in verdicts] == [
        (True, "r", "good", ()),
        (False, "r", "test 2", (Difference("outcome", "written", reason),)),
    ]


def test_one_test(program: Make) -> None:
    """A single test can be run."""
    assert run_test(program(), "other", spec.Test(message={"id": "1", "kind": "x"})).passed


def test_a_queue_without_settings(program: Make) -> None:
    """A queue without settings has messages of plain JSON."""
    assert differences(program({"message": {"id": "1"}, "item": {"id": "1"}}, queue="elsewhere")) == []


def test_stages_can_be_seen(program: Make) -> None:
    """`router explain` traces the same stages."""
    stages: list[tuple[str, str]] = []
    record = make_record(spec.Test(message={"id": "1"}), spec.Queue())

    plan(program().engine.queues["q"], record, lambda route, stage, value: stages.append((route, stage)))

    assert stages[:3] == [("", "decode"), ("r", "when"), ("r", "map")]


WRITTEN = {"message": {"id": "1", "n": 1.5, "tags": ["b", "a"]}}
NO_BODY = "the record has no body: it is an object with 'body' (Lambda) or 'Body' (ReceiveMessage)"
ABSENT = "no such file or directory"


def put(item: Any) -> Any:
    """Return the request that puts an item, as a test expects it."""
    return {"BatchWriteItem": {"RequestItems": {"things": [{"PutRequest": {"Item": item}}]}}}


STORED = {"id": "1", "n": 1.5, "tags": ["b", "a"]}


@pytest.mark.parametrize(
    ("test", "found"),
    [
        (WRITTEN, []),
        ({**WRITTEN, "item": STORED}, []),
        ({**WRITTEN, "items": [STORED]}, []),
        ({**WRITTEN, "item_contains": {"n": 1.50}}, []),
        ({**WRITTEN, "item_contains": {}}, []),
        ({**WRITTEN, "item_contains": {"n": 2, "x": 1}}, [("n", 2, Decimal("1.5")), ("x", 1, "(no such attribute)")]),
        (
            {**WRITTEN, "item": {"id": "1", "n": "1.5", "x": None}},
            [
                ("n", "1.5", Decimal("1.5")),
                ("x", None, "(no such attribute)"),
                ("tags", "(no such attribute)", ["b", "a"]),
            ],
        ),
        ({**WRITTEN, "items": [{**STORED, "n": 1}]}, [("items[0].n", 1, Decimal("1.5"))]),
        ({**WRITTEN, "items": []}, [("number of items", 0, 1)]),
        ({**WRITTEN, "items": [STORED, STORED]}, [("number of items", 2, 1)]),
        ({**WRITTEN, "outcome": "rejected"}, [("outcome", "rejected", "written")]),
        ({**WRITTEN, "code": "RT801"}, [("code", "RT801", "")]),
        ({"message": {"kind": "other", "id": "1"}, "item": {"id": "1"}}, [("number of items", 1, 0)]),
        ({"message": {"kind": "other", "id": "1"}, "items": []}, []),
        ({"message": {"kind": "other", "id": "1"}}, [("outcome", "written", "not written by this route")]),
        ({"body": "{", "outcome": "rejected", "reason": "the payload is not JSON"}, []),
        (
            {"body": "{", "outcome": "rejected", "code": "RT801", "reason": "not JSON"},
            [("reason", "not JSON", "the payload is not JSON")],
        ),
        ({"record": {"Body": {"id": "1"}}, "write": put({"id": {"S": "1"}})}, []),
        (
            {"record": {"body": '{"id": "1"}'}, "write": put({"id": {"S": "2"}, "a": {"S": ""}})},
            [
                (
                    "write.BatchWriteItem.RequestItems.things",
                    [{"PutRequest": {"Item": {"id": {"S": "2"}, "a": {"S": ""}}}}],
                    [{"PutRequest": {"Item": {"id": {"S": "1"}}}}],
                )
            ],
        ),
        ({"message": {"kind": "other", "id": "1"}, "write": {}}, [("number of writes", 1, 0)]),
        ({"record": {}}, [("message", "one that can be read", NO_BODY)]),
        ({"file": "absent.json"}, [("message", "one that can be read", "cannot read 'absent.json': " + ABSENT)]),
        ({"body": "{", "outcome": "rejected"}, []),
        ({"body": "{", "outcome": "rejected", "code": "RT801"}, []),
        ({"body": "{", "outcome": "rejected", "code": "RT802"}, [("code", "RT802", "RT801")]),
        ({"body": "{", "outcome": "retry"}, [("outcome", "retry", "rejected (RT801 the payload is not JSON)")]),
        (
            {"body": "{", "item": {"id": "1"}},
            [
                ("outcome", "written", "rejected (RT801 the payload is not JSON)"),
                ("number of items", 1, 0),
            ],
        ),
    ],
)
def test_differences(program: Make, test: Any, found: Any) -> None:
    """Each difference has the expected and the found value."""
    assert differences(program(test)) == found


@pytest.mark.parametrize(
    ("expected", "found", "equal"),
    [
        ("x", "x", True),
        (None, None, True),
        (1, Decimal("1.0"), True),
        (Decimal("1.5"), Decimal("1.50"), True),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        ("1", 1, False),
        (1, "1", False),
        (None, "", False),
        (["a", "b"], {"b", "a"}, True),
        (["a"], {"b", "a"}, False),
        (["a", "a"], {"b", "a"}, False),
        ([1, Decimal("2.0")], {2, 1}, True),
        (["AA=="], {b"\x00"}, True),
        ("a", {"a"}, False),
        ("AA==", b"\x00", True),
        ("AAE=", b"\x00", False),
        ({"a": [1, {"b": ["x"]}]}, {"a": [1, {"b": {"x"}}]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1}, [1], False),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
    ],
)
def test_same(expected: Any, found: Any, equal: bool) -> None:
    """Sets are written as lists, binary as base64; numbers are equal by value, and never to booleans or text."""
    assert same(expected, found) is equal


def test_unsaved_tests(tmp_path: Path) -> None:
    """Tests run as an editor has them."""
    text = """\
version: 1
queues: {q: {dead_letter: dlq}}
tables: {things: {key: {id: S}}}
routes:
  r: {queue: q, table: things, item: {id: id}, tests: [%s]}
"""
    path = tmp_path / "routes.yaml"
    path.write_text(text % "")
    unsaved = {path: (text % "{name: one, message: {id: a}, item: {id: b}}").encode()}

    verdicts = Suite(path, {}, unsaved).run()

    assert [(each.name, each.differences) for each in verdicts] == [("one", (Difference("id", "b", "a"),))]

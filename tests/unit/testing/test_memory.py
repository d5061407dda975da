"""AWS in memory, for tests of plugins."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import UsageError
from router.model import REMOVE, KeyType
from router.testing import MemoryQueues, MemoryTables, deliver, record
from tests.support.aws import QueueAttributes
from tests.support.config import spec
from tests.support.program import Program, load_program

KEY: tuple[tuple[str, KeyType], ...] = (("id", "S"),)
NEW = {"ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": "id"}}


def item(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": {"S": id_}, **more}


def insert(id_: str, table: str = "things") -> Any:
    reported = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return "Put", {"TableName": table, "Item": item(id_), **NEW, **reported}


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables({"things": KEY, "others": KEY})


def test_a_batch(tables: MemoryTables) -> None:
    """All requests or none are applied: two of one key, or more than 25, are refused."""
    put, delete = {"PutRequest": {"Item": item("a", n={"N": "1"})}}, {"DeleteRequest": {"Key": item("a")}}
    answers = [
        tables.batch_write("things", [put]),
        tables.batch_write("things", [{"PutRequest": {"Item": item("b")}}, delete]),
        tables.batch_write("things", [put, delete]),
        tables.batch_write("things", [put] * 26),
        tables.batch_write("nothing", [put]),
        tables.batch_write("things", [{"PutRequest": {"Item": {"x": {"S": "a"}}}}]),
    ]

    assert ([answer.fault and answer.fault.code for answer in answers], tables.items("things")) == (
        [
            None,
            None,
            "ValidationException",
            "ValidationException",
            "ResourceNotFoundException",
            "ValidationException",
        ],
        [{"id": "b"}],
    )


def test_keys_of_two_attributes() -> None:
    """Keys differ if one of their values does, whatever characters the values have."""
    tables = MemoryTables({"things": (("id", "S"), ("at", "S"))})
    keys = [{"id": {"S": "x/y"}, "at": {"S": "z"}}, {"id": {"S": "x"}, "at": {"S": "y/z"}}]

    tables.batch_write("things", [{"PutRequest": {"Item": key}} for key in keys])

    assert tables.items("things") == [{"id": "x", "at": "y/z"}, {"id": "x/y", "at": "z"}]


@pytest.mark.parametrize(
    ("there", "added", "total"),
    [
        ("1", "9" * 37, "1" + "0" * 37),
        ("0." + "1" * 30, "1", "1." + "1" * 30),
        ("1", "9" * 38, "1" + "0" * 38),
        ("1E+125", "-1E+125", "0"),
        ("2", "9" * 38, None),
        ("1E-130", "1", None),
        ("9E+125", "1E+125", None),
    ],
)
def test_adding_numbers(tables: MemoryTables, there: str, added: str, total: str | None) -> None:
    """A sum is exact; one that a table cannot hold, of more than 38 digits or out of range, is refused."""
    tables.batch_write("things", [{"PutRequest": {"Item": item("a", n={"N": there})}}])
    add = {"UpdateExpression": "ADD #n :n", "ExpressionAttributeNames": {"#n": "n"}}
    values = {"ExpressionAttributeValues": {":n": {"N": added}}}

    answer = tables.write("Update", {"TableName": "things", "Key": item("a"), **add, **values})

    stored = tables.get("things", item("a"))
    assert stored is not None
    assert (answer.fault and answer.fault.code, stored["n"]["N"]) == (
        (None, total) if total else ("ValidationException", there)
    )


def test_a_condition(tables: MemoryTables) -> None:
    """A failed condition writes nothing, and returns the stored item."""
    answers = [tables.write(*insert("a")), tables.write(*insert("a"))]

    reported = [(answer.fault and answer.fault.kind, answer.stored) for answer in answers]
    assert reported == [(None, None), ("condition", item("a"))]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(#n) AND #n = :two", True),
        ("#n <> :two OR #n > :two", False),
        ("#n <= :two", True),
        ("#n >= :text", False),
        ("#missing < :two", False),
    ],
)
def test_conditions(tables: MemoryTables, condition: str, holds: bool) -> None:
    """A condition of any write mode is known; values of different types are in no order."""
    tables.write("Put", {"TableName": "things", "Item": item("a", n={"N": "2"})})
    names, values = {"#n": "n", "#missing": "m"}, {":two": {"N": "2.0"}, ":text": {"S": "1"}}
    named = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": values}

    answer = tables.write(
        "Delete", {"TableName": "things", "Key": item("a"), "ConditionExpression": condition, **named}
    )

    assert (answer.fault is None, tables.items("things") == []) == (holds, holds)


def test_a_transaction(tables: MemoryTables) -> None:
    """All actions or none are applied; of several refusals, a failed condition is reported first, with its position."""
    tables.write(*insert("a"))
    answers = [
        tables.transact([insert("b"), insert("b", "others")]),
        tables.transact([insert("c"), insert("x", "nothing"), insert("a")]),
        tables.transact([insert("d"), insert("d")]),
    ]

    reported = [(answer.fault and answer.fault.code, answer.position, answer.stored) for answer in answers]
    assert (reported, tables.items("things"), tables.items("others")) == (
        [
            (None, 0, None),
            ("ConditionalCheckFailedException", 2, item("a")),
            ("ValidationException", 0, None),
        ],
        [{"id": "a"}, {"id": "b"}],
        [{"id": "b"}],
    )


def test_the_key_of_a_table(tables: MemoryTables) -> None:
    """The key is that of the table; for a table that does not exist, it is a configuration error."""
    absent: Any = tables.key_schema("nothing")
    assert (tables.key_schema("things"), absent.kind) == (KEY, "configuration")


def test_queues() -> None:
    """Queues record all calls."""
    queues = MemoryQueues()
    queues.delete("q", [("m", "h")])
    queues.change_visibility("q", [("n", "h", 7)])

    reported = (queues.url("q"), queues.attributes("q"), queues.receive("q", 1, 0, 30), queues.deleted, queues.hidden)
    assert reported == ("q", QueueAttributes(30), [], ["m"], {"n": 7})


def test_a_record() -> None:
    """Each record has its own id; attributes have the type of their value; the message is in the queue's envelopes."""
    made = record({"a": 1}, queue=spec.Queue(encoding="base64"), attributes={"s": "x", "n": Decimal("1.5"), "b": b"\0"})
    other = record(body="x", message_id="m", MessageGroupId="g")

    assert (made.body, made.message_attributes, other.body, other.message_id, other.attributes["MessageGroupId"]) == (
        "eyJhIjoxfQ==",
        {
            "s": {"DataType": "String", "StringValue": "x"},
            "n": {"DataType": "Number", "StringValue": "1.5"},
            "b": {"DataType": "Binary", "BinaryValue": b"\0"},
        },
        "x",
        "m",
        "g",
    )
    assert made.message_id != record({}).message_id


WRITES = {
    "insert": "{mode: insert}",
    "newest": "{mode: newest, version: v}",
    "update": "{mode: update, add: [n], append: [l], keep_first: [f]}",
    "set": "{mode: update}",
    "once": "{mode: update, add: [n], once: markers}",
    "delete": "{mode: delete}",
}


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Program]:
    def make(mode: str, more: str = "") -> Program:
        (tmp_path / "routes.yaml").write_text(
            "version: 1\nqueues: {q: {dead_letter: d}}\n"
            "tables: {things: {key: {id: S}}, markers: {key: {m: S}}}\n"
            f"routes: {{r: {{queue: q, table: things, write: {WRITES[mode]}{more}}}}}\n"
        )
        return load_program(tmp_path / "routes.yaml", {})

    return make


@pytest.mark.parametrize(
    ("mode", "messages", "outcomes", "items"),
    [
        ("insert", [{"id": "1", "x": 1}, {"id": "1", "x": 2}], ["written", "duplicate"], [{"id": "1", "x": 1}]),
        (
            "newest",
            [{"id": "1", "v": 2}, {"id": "1", "v": 1}, {"id": "1", "v": 3}],
            ["written", "stale", "written"],
            [{"id": "1", "v": 3}],
        ),
        (
            "update",
            [{"id": "1", "n": 1, "l": [1], "f": "a", "o": 1}, {"id": "1", "n": 2, "l": [2], "f": "b"}],
            ["written", "written"],
            [{"id": "1", "n": 3, "l": [1, 2], "f": "a", "o": 1}],
        ),
        ("delete", [{"id": "1"}], ["written"], []),
        ("insert", [{"id": ""}], ["rejected"], []),
    ],
)
def test_deliver(program: Any, mode: str, messages: Any, outcomes: list[str], items: Any) -> None:
    """Every write mode has the same effect as in DynamoDB, one delivery after the other."""
    made = program(mode)
    tables = MemoryTables.of(made)

    runs = [deliver(made, "q", [record(message)], tables=tables) for message in messages]

    assert ([run.outcomes[0].kind for run in runs], tables.items("things")) == (outcomes, items)


def test_a_second_delivery(program: Any) -> None:
    """With an idempotency key, an update is applied once."""
    made = program("once")
    tables = MemoryTables.of(made)
    message = record({"id": "1", "n": 5})

    runs = [deliver(made, "q", [message], tables=tables) for _ in range(2)]

    assert ([run.outcomes[0].kind for run in runs], tables.items("things"), len(tables.items("markers"))) == (
        ["written", "duplicate"],
        [{"id": "1", "n": 5}],
        1,
    )


def test_an_attribute_that_is_removed(program: Any) -> None:
    """An update with REMOVE removes the attribute, and creates no item by that alone."""
    more = ", item: {id: id, x: {from: x, missing: remove}}"
    made = program("set", more)
    tables = MemoryTables.of(made)
    deliver(made, "q", [record({"id": "1", "x": 1})], tables=tables)

    deliver(made, "q", [record({"id": "1"})], tables=tables)

    assert (tables.items("things"), repr(REMOVE)) == ([{"id": "1"}], "REMOVE")


def test_dead_letters(program: Any) -> None:
    """A rejected message becomes a dead letter with the reason, and is acknowledged."""
    run = deliver(program("insert"), "q", [record(body="{")])

    (letter,) = run.dead_letters
    assert (letter["code"], run.acknowledged, list(run.queues.letters)) == ("RT801", (True,), ["d"])


def test_a_queue_that_no_route_reads(program: Any) -> None:
    """An unknown queue raises UsageError."""
    with pytest.raises(UsageError, match="no route reads the queue 'x'; there are q"):
        deliver(program("insert"), "x", [])


MERGE = """\
version: 1
queues: {patches: {dead_letter: letters}}
tables: {items: {key: {id: S}}}
routes:
  patches:
    queue: patches
    table: items
    item:
      id: id
      a: {from: a, null: remove}
      b: {from: b, null: remove}
      c: {from: c, null: remove}
    write: {mode: update}
"""
VALUES = st.none() | st.text() | st.integers(-9, 9) | st.lists(st.integers(-9, 9), max_size=2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES), min_size=1, max_size=5))
def test_json_merge_patches(tmp_path: Path, patches: list[dict[str, Any]]) -> None:
    """Updates with `null: remove` are JSON Merge Patches of an item: absent keeps, null removes, anything else sets."""
    file = tmp_path / "routes.yaml"
    file.write_text(MERGE)
    program = load_program(file, {})
    tables = MemoryTables.of(program)
    expected: dict[str, Any] = {}
    for patch in patches:
        deliver(program, "patches", [record({"id": "i", **patch})], tables=tables)
        # RFC 7396, section 2, of an object without objects inside
        expected = {name: value for name, value in {**expected, **patch}.items() if value is not None}

    (stored,) = tables.items("items") or [{"id": "i"}]
    assert stored == {"id": "i", **expected}

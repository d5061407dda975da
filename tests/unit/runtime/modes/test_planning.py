"""How each mode plans a write: its condition, its update expression, its idempotency key."""

from typing import Any

import pytest

from router.errors import Rejection
from router.model import REMOVE, Message, Table
from router.runtime.modes import MODES
from router.runtime.modes.update import NO_ATTRIBUTE
from tests.support.engine import IdempotencyConfig, IdempotencyKey, Write, WriteConfig

THINGS = Table("things", (("id", "S"), ("at", "N")))
MARKERS = Table("markers", (("m", "S"),))
KEY = {"id": {"S": "a"}, "at": {"N": "1"}}
IDENTITY = ("things", "a", "1")
ITEM = {"id": "a", "at": 1}
NEWER = "attribute_not_exists(#v) OR #v < :v"
OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
SENT = {"SentTimestamp": "1767323045678"}


def write(item: Any, mode: Any, data: Any = None, **config: Any) -> Any:
    """The second write that a route `r` makes of a message."""
    return plan(WriteConfig("r", THINGS, MODES[mode], **config), item, Message(data, "m1", system=SENT), 1)


def plan(config: WriteConfig, item: Any, message: Message, index: int) -> Any:
    """Plan a write as the engine does."""
    return config.mode.plan(config, item, message, index)


def planned(mode: Any, item: Any, size: Any, call: Any = None, *more: Any) -> Any:
    """The whole write."""
    return Write("r", THINGS, MODES[mode], IDENTITY, item, size, call, *more)


def test_an_insert_is_conditional() -> None:
    """On its partition key, which must not exist."""
    call = {
        "TableName": "things",
        "Item": KEY,
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "id"},
        **OLD,
    }
    assert write(ITEM, "insert") == planned("insert", KEY, 7, call)


@pytest.mark.parametrize(("mode", "target"), [("newest", "Item"), ("delete", "Key")])
def test_a_version_is_a_condition(mode: Any, target: Any) -> None:
    """No item, no version, or a lesser one is stored."""
    item = KEY if mode == "delete" else {**KEY, "v.1": {"N": "5"}}
    call = {
        "TableName": "things",
        target: item,
        "ConditionExpression": NEWER,
        "ExpressionAttributeNames": {"#v": "v.1"},
        "ExpressionAttributeValues": {":v": {"N": "5"}},
        **OLD,
    }
    size = 7 if mode == "delete" else 12
    assert write({**ITEM, "v.1": 5}, mode, version="v.1") == planned(mode, item, size, call, "v.1", {"N": "5"})


@pytest.mark.parametrize("mode", ["newest", "update", "delete"])
@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (ITEM, "the version 'v' is missing"),
        ({**ITEM, "v": True}, "the version 'v' is no text, number or binary"),
        ({**ITEM, "v": None}, "the version 'v' is no text, number or binary"),
    ],
)
def test_a_version_must_have_an_order(mode: Any, item: Any, reason: Any) -> None:
    """Otherwise the message can never be written."""
    with pytest.raises(Rejection, match=reason) as raised:
        write(item, mode, version="v")

    assert raised.value.code.id == "RT804"


def test_an_update_sets_the_mapped_attributes() -> None:
    """Names have placeholders; attributes that are added to, appended to, kept or removed have clauses of their own."""
    item = {**ITEM, "set.x": "s", "n": 2, "log": "one", "logs": ["two"], "first": 3, "old": REMOVE, "v": 9}

    made = write(
        item,
        "update",
        version="v",
        add=frozenset({"n"}),
        append=frozenset({"log", "logs"}),
        keep_first=frozenset({"first"}),
    )

    lists = [f"#a{at} = list_append(if_not_exists(#a{at}, :none), :a{at})" for at in (2, 3)]
    sets = ", ".join(["#a0 = :a0", *lists, "#a4 = if_not_exists(#a4, :a4)", "#a5 = :a5"])
    assert made.call == {
        "TableName": "things",
        "Key": KEY,
        "UpdateExpression": f"SET {sets} ADD #a1 :a1 REMOVE #r0",
        "ConditionExpression": NEWER,
        "ExpressionAttributeNames": {
            **{f"#a{at}": name for at, name in enumerate(("set.x", "n", "log", "logs", "first", "v"))},
            "#r0": "old",
            "#v": "v",
        },
        "ExpressionAttributeValues": {
            ":a0": {"S": "s"},
            ":a1": {"N": "2"},
            ":a2": {"L": [{"S": "one"}]},
            ":a3": {"L": [{"S": "two"}]},
            ":a4": {"N": "3"},
            ":a5": {"N": "9"},
            ":none": {"L": []},
            ":v": {"N": "9"},
        },
        **OLD,
    }


def test_an_update_of_the_key_alone_has_an_expression() -> None:
    """A transaction requires one; this one changes nothing."""
    call = {
        "TableName": "things",
        "Key": KEY,
        "UpdateExpression": "REMOVE #none",
        "ExpressionAttributeNames": {"#none": NO_ATTRIBUTE},
    }
    assert write(ITEM, "update") == planned("update", KEY, 7, call)


@pytest.mark.parametrize("value", ["x", [1], None])
def test_only_numbers_and_sets_are_added(value: Any) -> None:
    """DynamoDB adds nothing else."""
    with pytest.raises(Rejection, match="attribute 'n' is added to the stored one, and is no number or set"):
        write({**ITEM, "n": value}, "update", add=frozenset({"n"}))


def key_call(text: Any, **more: Any) -> Any:
    """The idempotency key of an update, and its call."""
    call = {
        "TableName": "markers",
        "Item": {"m": {"S": text}, **more},
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "m"},
    }
    return IdempotencyKey(MARKERS, call)


@pytest.mark.parametrize(
    ("once", "expected"),
    [
        (IdempotencyConfig(MARKERS, ""), key_call("r#m1#1")),
        (IdempotencyConfig(MARKERS, "gone_at"), key_call("r#m1#1", gone_at={"N": str(1767323045 + 15 * 86400)})),
        (IdempotencyConfig(MARKERS, "", lambda data: data["order"]), key_call("r#o7#1")),
    ],
)
def test_an_update_has_its_idempotency_key(once: Any, expected: Any) -> None:
    """Route, message id or `once_key`, and the index of the item; kept longer than SQS keeps a message."""
    assert write(ITEM, "update", {"order": "o7"}, once=once).idempotency_key == expected


def test_an_idempotency_key_without_sent_timestamp_has_no_ttl() -> None:
    """There is no time to count from."""
    config = WriteConfig("r", THINGS, MODES["update"], once=IdempotencyConfig(MARKERS, "gone_at"))

    assert plan(config, ITEM, Message({}, "m1"), 1).idempotency_key == key_call("r#m1#1")


@pytest.mark.parametrize("key", [None, "", 5])
def test_an_idempotency_key_is_text(key: Any) -> None:
    """Otherwise keys could not be distinguished."""
    with pytest.raises(Rejection, match="'once_key' does not evaluate to text"):
        write(ITEM, "update", once=IdempotencyConfig(MARKERS, "", lambda data: key))


@pytest.mark.parametrize("key", ["k" * 2100, "half \ud800"])
def test_an_idempotency_key_is_a_valid_key(key: Any) -> None:
    """Otherwise no table could store it, and no client could send it."""
    with pytest.raises(Rejection, match="'once_key' finds a text that is too long for a key, or not valid") as raised:
        write(ITEM, "update", once=IdempotencyConfig(MARKERS, "", lambda data: key))

    assert raised.value.code.id == "RT804"


def test_idempotency_keys_of_two_routes_differ() -> None:
    """Whatever the names of the routes and the keys of the messages."""
    once = IdempotencyConfig(MARKERS, "", lambda data: data)
    given = [("a", "b#c"), ("a#b", "c"), ("a%23b", "c"), ("a", "b"), ("a", "b#0")]
    shapes = [(WriteConfig(route, THINGS, MODES["update"], once=once), data) for route, data in given]

    made = [plan(config, ITEM, Message(data, "m"), 0).idempotency_key.call["Item"]["m"]["S"] for config, data in shapes]

    assert made == ["a#b#c#0", "a%23b#c#0", "a%2523b#c#0", "a#b#0", "a#b#0#0"]

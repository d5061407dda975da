"""Keys, versions and shapes that samples suggest, and why."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest

from router.errors import UsageError
from router.tools.dev.new.fields import choose_key, rank_keys
from router.tools.dev.new.shapes import find_shapes
from router.tools.dev.new.versions import choose_version, find_version

ONE = "one sample does not show whether it is unique"
TIME = (("updated_at",), {"format": "date-time"}, "to_epoch_ns")


@pytest.mark.parametrize(
    ("messages", "entity", "found"),
    [
        (
            [{"order_id": "o-1", "event_id": "e-1"}, {"order_id": "o-2", "event_id": "e-2"}],
            "orders",
            [
                ("order_id", "S", ("named like the id of 'orders'", "unique in 2 samples")),
                ("event_id", "S", ("named like an id", "unique in 2 samples")),
            ],
        ),
        (
            [{"orderId": 1, "total": 5}, {"orderId": 2, "total": 6}],
            "order-events",
            [("orderId", "N", ("named like the id of 'order-events'", "unique in 2 samples"))],
        ),
        (
            [{"company": {"id": "c"}, "order": {"id": "o-1"}}, {"company": {"id": "c2"}, "order": {"id": "o-2"}}],
            "companies",
            [
                ("company.id", "S", ("named like the id of 'companies'", "unique in 2 samples")),
                ("order.id", "S", ("named like the id of 'order'", "unique in 2 samples")),
            ],
        ),
        (
            [{"id": "123e4567-e89b-42d3-a456-426614174000", "link": "https://example.com/1", "name": "Ann B"}],
            "things",
            [
                ("id", "S", ("named like an id", ONE, "a UUID")),
                ("link", "S", (ONE, "a URI may change")),
                ("name", "S", (ONE, "text with spaces may change")),
            ],
        ),
        (
            [{"action": "opened", "number": 7, "pull_request": {"id": 991}}],
            "github",
            [
                ("pull_request.id", "N", ("named like the id of 'pull_request'", ONE)),
                ("number", "N", ("perhaps an id, by its name", ONE)),
                ("action", "S", (ONE,)),
            ],
        ),
        (
            [
                {"a_id": "", "b_id": "x" * 513, "c_id": None, "d_id": 1.5, "e_id": "same", "version": 1, "f": ["x"]},
                {"a_id": "1", "b_id": "x", "c_id": "c", "d_id": "d", "e_id": "same", "version": 2, "f": ["y"]},
            ],
            "things",
            [("e_id", "S", ("named like an id", "the same in all 2 samples"))],
        ),
        (
            [
                {"action": "opened", "number": 7, "pull_request": {"id": 991, "title": "One", "head": "abc"}},
                {"action": "closed", "number": 7, "pull_request": {"id": 991, "title": "Two", "head": "def"}},
            ],
            "github",
            [
                ("pull_request.id", "N", ("named like the id of 'pull_request'", "the same in all 2 samples")),
                ("number", "N", ("perhaps an id, by its name", "the same in all 2 samples")),
                ("action", "S", ("unique in 2 samples",)),
                ("pull_request.title", "S", ("unique in 2 samples",)),
                ("pull_request.head", "S", ("unique in 2 samples",)),
            ],
        ),
        (
            [{"account_id": "a", "sensor": f"s{number}"} for number in range(10)],
            "readings",
            [
                ("sensor", "S", ("unique in 10 samples",)),
                ("account_id", "S", ("named like an id", "the same in all 10 samples", "perhaps of something else")),
            ],
        ),
        (
            [{"order_id": "a", "note": f"n{number}"} for number in range(2)],
            "events",
            [
                ("order_id", "S", ("named like an id", "the same in all 2 samples")),
                ("note", "S", ("unique in 2 samples",)),
            ],
        ),
        # What looks like an id is one, though it repeats; a place, a status, a version or a date is none.
        (
            [
                {
                    "parcel": "P-1",
                    "depot": "VIE",
                    "status": "s1",
                    "format": "3",
                    "day": "2026-01",
                    "eu": "1.0",
                    "n": "7",
                },
                {
                    "parcel": "P-1",
                    "depot": "LNZ",
                    "status": "s1",
                    "format": "3",
                    "day": "2026-01",
                    "eu": "1.0",
                    "n": "7",
                },
            ],
            "scans",
            [
                ("parcel", "S", ("values like those of an id", "the same in all 2 samples")),
                ("depot", "S", ("unique in 2 samples",)),
            ],
        ),
        (
            [{"at": "2026-01-02T03:04:05+0000", "code": 1}, {"at": "2026-01-02T03:04:06+0000", "code": 2}],
            "things",
            [("code", "N", ("perhaps an id, by its name", "unique in 2 samples"))],
        ),
        (
            [{"id": "a", "at": "2026-01-02T03:04:05Z"}, {"id": "a", "at": "2026-01-02T03:04:06Z"}, {"id": "b"}],
            "things",
            [("id", "S", ("named like an id", "2 values in 3 samples"))],
        ),
    ],
)
def test_candidates(messages: list[dict[str, Any]], entity: str, found: list[Any]) -> None:
    """By name, uniqueness and stability; what DynamoDB does not accept as a key in some sample is none."""
    assert [(each.name, each.type, each.reasons) for each in rank_keys(messages, entity)] == found


def test_a_given_key() -> None:
    """A partition key, and a sort key behind a comma, in an object too."""
    messages = [{"user": {"id": "u"}, "line": 1}, {"user": {"id": "u"}, "line": 2}]

    found = choose_key(messages, "user.id, line")

    assert [(each.path, each.type, each.unique) for each in found] == [
        (("user", "id"), "S", False),
        (("line",), "N", True),
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("b", "--key b: no sample has a value at 'b'"),
        ("a,", "--key a,: give the partition key, or with a comma the partition key and the sort key"),
        ("a,a,a", "--key a,a,a: give the partition key, or with a comma the partition key and the sort key"),
        ("a, a", "--key a, a: the sort key must be another field than the partition key"),
        ("n", "--key n: 'n' cannot be a key: it is missing or null in 1 of 2 samples"),
        ("f", "--key f: 'f' cannot be a key: it is neither text nor a whole number in all samples"),
        ("e", "--key e: 'e' cannot be a key: it is empty in some sample"),
        ("a,l", "--key a,l: 'l' cannot be a key: it is longer than 256 characters in some sample"),
    ],
)
def test_a_given_key_that_is_none(given: str, sentence: str) -> None:
    """It is said why, by the samples."""
    one: dict[str, Any] = {"a": "1", "n": 1, "f": True, "e": "", "l": "x" * 257}
    messages = [one, {"a": "2", "n": None, "f": 1, "e": "", "l": "y"}]

    with pytest.raises(UsageError) as error:
        choose_key(messages, given)

    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (
            [{"version": 1, "seq": 1, "updated_at": "2026-01-02T03:04:05Z"}],
            (("seq",), {}, ""),
        ),
        ([{"version": 1, "n": 1}, {"version": 2, "n": 2}], (("version",), {}, "")),
        ([{"version": 2}], None),
        ([{"version": 2, "n": 1}, {"version": 2, "n": 2}], None),
        ([{"id": "a", "version": 2}, {"id": "b", "version": 2}], None),
        ([{"id": "a", "version": 2, "ts": 1}, {"id": "b", "version": 2, "ts": 2}], (("ts",), {}, "")),
        ([{"updatedAt": "2026-01-02T03:04:05.678+00:00"}], (("updatedAt",), {"format": "date-time"}, "to_epoch_ns")),
        ([{"updated_at": "2026-01-02T03:04:05Z"}, {"updated_at": "2026-01-02T03:04:05.5+02:00"}], TIME),
        ([{"updated_at": "2026-01-02t03:04:05z"}], TIME),
        ([{"updated_at": "2026-01-02"}], None),
        ([{"created_at": "2026-01-02T03:04:05Z"}], None),
        ([{"version": "v1"}], None),
        ([{"version": True}], None),
        ([{"version": 1.5}], None),
        ([{"id": "a", "version": 1, "n": 1}, {"id": "a", "version": 1, "n": 2}], None),
        ([{"id": "a", "seq": 1, "n": 1}] * 2, (("seq",), {}, "")),
        ([{"order": {"seq": 1}}], (("order", "seq"), {}, "")),
    ],
)
def test_version(messages: list[dict[str, Any]], found: Any) -> None:
    """A number or a time orders messages, unless two that differ have the same, or all have."""
    version = find_version([{"id": "x", **message} for message in messages], [("id",)])

    assert (version and (version.path, version.keywords, version.transform)) == found


def test_a_given_version() -> None:
    """Whatever its name, a number or a text that sorts; times are compared as numbers."""
    messages = [
        {"n": Decimal("1.5"), "u": "01J", "at": "2026-01-02T03:04:05Z"},
        {"n": 2, "u": "01K", "at": "2026-01-02T03:04:06+01:00"},
    ]

    found = [choose_version(messages, given) for given in ("n", "u", "at")]

    assert [(each.path, each.reason) for each in found] == [
        (("n",), "chosen with --version"),
        (("u",), "chosen with --version"),
        (("at",), "chosen with --version; a time, as nanoseconds"),
    ]
    assert [each.transform for each in found] == ["", "", "to_epoch_ns"]


def test_the_time_of_sending_as_the_version() -> None:
    """Each message has one; a field of this name counts first."""
    found = [choose_version([message], "meta.sent_at") for message in ({"n": 1}, {"meta": {"sent_at": 1}})]

    assert [(each.path, each.name, each.needs) for each in found] == [
        ((), "meta.sent_at", {}),
        (("meta", "sent_at"), "meta.sent_at", {("meta", "sent_at"): {}}),
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("b", "--version b: no sample has a value at 'b'"),
        ("n", "--version n: 'n' cannot order messages: it is missing or null in 1 of 2 samples"),
        ("f", "--version f: 'f' cannot order messages: it is neither text nor a number in all samples"),
    ],
)
def test_a_given_version_that_is_none(given: str, sentence: str) -> None:
    """It is said why, by the samples."""
    messages: list[dict[str, Any]] = [{"n": 1, "f": True}, {"n": None, "f": 1}]

    with pytest.raises(UsageError) as error:
        choose_version(messages, given)

    assert str(error.value) == sentence


A, B = {"type": "a", "x": 1}, {"type": "b", "y": {"z": 1}}


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([A, A], ((), [("", 2)])),
        ([A, B, A], (("type",), [("a", 2), ("b", 1)])),
        ([{"data": A}, {"data": B}], (("data", "type"), [("a", 1), ("b", 1)])),
        ([A, {"type": "b"}, {"type": "a"}], ((), [("", 3)])),
        ([{**A, "type": f"t{number}"} for number in range(30)] + [B], ((), [("", 31)])),
        ([{"colour": "red", "x": 1}, {"colour": "blue"}], ((), [("", 2)])),
        (
            [*[{"colour": "red", "x": 1}] * 5, *[{"colour": "blue"}] * 5],
            (("colour",), [("red", 5), ("blue", 5)]),
        ),
        ([{"type": "a", "x": 1}, {"type": 1}], ((), [("", 2)])),
        ([{"event": f"e-{n}", **({"x": 1} if n else {})} for n in range(3)], ((), [("", 3)])),
        ([{"payment_type": each, each: 1} for each in ("card", "cash", "debit")], ((), [("", 3)])),
        ([{"user": {"type": each}, each: 1} for each in ("bot", "human")], ((), [("", 2)])),
        ([{"type": "a", "x": None}, {"type": "b", "x": {"y": 1}}], ((), [("", 2)])),
        ([{"name": "Ann", "x": 1}, {"name": "Bob"}], ((), [("", 2)])),
        ([{"event": "evt_1001", "x": 1}, {"event": "evt_1002"}], ((), [("", 2)])),
        ([{"kind": f"{letter}a", "x": 1} for letter in "abc"] + [{"kind": "da"}], ((), [("", 4)])),
        (
            [{"kind": f"{letter}a", letter: 1} for letter in "abcd"],
            (("kind",), [("aa", 1), ("ba", 1), ("ca", 1), ("da", 1)]),
        ),
    ],
)
def test_shapes(messages: list[dict[str, Any]], found: Any) -> None:
    """A text of few values that decides which other fields are there tells shapes apart."""
    shapes = find_shapes(messages)

    assert (shapes.discriminator, [(each.value, len(each.messages)) for each in shapes.shapes]) == found


@pytest.mark.parametrize(
    ("times", "pattern"),
    [
        (["2026-01-02T03:04:05+0000", "2026-01-02T03:04:06+0000"], "[+]0000$"),
        (["2026-01-02T03:04:05.123-0800", "2026-01-02T03:04:06.000-0800"], ":[0-9]{2}[.][0-9]{3}-0800$"),
        (["2026-01-02T03:04:05+00", "2026-01-02T03:04:06+00"], "[+]00$"),
        (["2026-01-02T03:04:05+0000", "2026-01-02T03:04:06+0100"], None),
        (["2026-01-02T03:04:05.1+0000", "2026-01-02T03:04:06.12+0000"], None),
        (["2026-01-02T03:04:05+0000", 7], None),
    ],
)
def test_times_whose_offset_has_no_colon(times: list[Any], pattern: str | None) -> None:
    """They order messages as text, if all are in one format, which the schema then requires."""
    messages = [{"id": "a", "StateChangeTime": each} for each in times]
    version = find_version(messages, [("id",)])

    if pattern is None:
        assert version is None
        return
    assert version is not None
    assert (version.transform, version.keywords["pattern"][-len(pattern) :]) == ("", pattern)
    assert all(re.fullmatch(version.keywords["pattern"], each) for each in times)
    assert choose_version(messages, "StateChangeTime").keywords == version.keywords


@pytest.mark.parametrize(
    ("message", "changes", "key"),
    [
        ({"AWSAccountId": "1", "AlarmArn": "arn:a"}, {"NewStateReason": "r{}"}, ("AlarmArn",)),
        ({"AccountSid": "AC1", "MessageSid": "SM1"}, {"MessageStatus": "s{}"}, ("MessageSid",)),
        ({"id": 7}, {"email": "a{}@example.com", "contact_email": "b{}@example.com"}, ("id",)),
        ({"run": {"id": 7}}, {"sender": {"node_id": "U{}"}}, ("run", "id")),
        ({"run": {"id": 7}}, {"run": {"id": 7, "head": {"tree_id": "t{}"}}}, ("run", "id")),
        ({"parcel": "P-1"}, {"error_code": "{}", "done_date": "26032{}"}, ("parcel",)),
        # Where there is no other one, it is the key.
        ({}, {"account_id": "A{}"}, ("account_id",)),
        ({}, {"email": "a{}@example.com"}, ("email",)),
    ],
)
def test_ids_of_something_else(message: dict[str, Any], changes: dict[str, Any], key: tuple[str, ...]) -> None:
    """That few samples have different ones does not make a key of them."""
    messages = [message | json.loads(json.dumps(changes).replace("{}", str(number))) for number in range(3)]
    assert rank_keys(messages, "things")[0].path == key


def test_accounts_with_an_id_each() -> None:
    """Many samples show that an id is one of each thing, whatever it is called."""
    messages = [{"account_id": f"A{number}", "iban": f"DE{number}"} for number in range(12)]
    assert rank_keys(messages, "things")[0].path == ("account_id",)

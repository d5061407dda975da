"""Where the value of an attribute comes from."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.runtime.sources.hash import hash_values

FIFO = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "SenderId": "AIDAEXAMPLE",
    "MessageGroupId": "group-1",
    "MessageDeduplicationId": "deduplication-1",
    "SequenceNumber": "18849496460467696128",
}
MESSAGE = {"id": "1", "device": {"model": "iPhoneX"}, "n": 7, "at": "2026-01-02T03:04:05.678Z"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("abc"), inside, max_size=3),
    max_leaves=6,
)


def sha(canonical: str) -> str:
    return hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("device.model", "iPhoneX"),
        ({"from": "device.model"}, "iPhoneX"),
        ({"from": "n > `5` && device.model"}, "iPhoneX"),
        ({"meta": "message_id"}, "m-1"),
        ({"meta": "sent_at"}, "2026-01-02T03:04:05.678Z"),
        ({"meta": "sent_at", "type": "N"}, 1767323045678),
        ({"meta": "sent_at", "type": "S"}, "2026-01-02T03:04:05.678Z"),
        ({"meta": "first_received_at"}, "2026-01-02T03:04:06.789Z"),
        ({"meta": "first_received_at", "type": "N"}, 1767323046789),
        ({"meta": "group_id"}, "group-1"),
        ({"meta": "sequence_number"}, "18849496460467696128"),
        ({"meta": "sequence_number", "type": "N"}, 18849496460467696128),
        ({"meta": "deduplication_id"}, "deduplication-1"),
        ({"meta": "sender_id"}, "AIDAEXAMPLE"),
        ({"meta": "queue"}, "q"),
        ({"meta": "route"}, "r"),
        ({"value": "mobile"}, "mobile"),
        ({"value": 0}, 0),
        ({"value": 1.10}, Decimal("1.1")),
        ({"value": False}, False),
        ({"value": ""}, ""),
        ({"value": [1, {"b": None}]}, [1, {"b": None}]),
        ({"template": "USER#{id}#{device.model}"}, "USER#1#iPhoneX"),
        ({"hash": ["id", "device"]}, sha('["1",{"model":"iPhoneX"}]')),
        ({"ttl": "90d"}, 1767323045 + 90 * 86_400),
        ({"ttl": {"from": "at", "after": "2w"}}, 1767323045 + 2 * 604_800),
    ],
)
def test_sources(attribute: Any, source: Any, value: Any) -> None:
    """Each source gives its value."""
    assert attribute(source).send(MESSAGE, system=FIFO) == [{"id": "1", "a": value}]


@pytest.mark.parametrize(
    "source",
    [
        "nowhere",
        {"from": "device.nowhere"},
        {"from": "id.model"},
        {"meta": "sent_at"},
        {"meta": "sent_at", "type": "N"},
        {"meta": "first_received_at"},
        {"meta": "group_id"},
        {"meta": "sender_id"},
        {"meta": "attribute.trace"},
        {"value": None},
        {"template": "USER#{nowhere}"},
        {"ttl": "90d"},
        {"ttl": {"from": "nowhere", "after": "1d"}},
    ],
)
def test_sources_without_a_value(attribute: Any, source: Any) -> None:
    """What is not there leaves the attribute out."""
    assert attribute(source).send(MESSAGE, system={}) == [{"id": "1"}]


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        ({"DataType": "String", "StringValue": "7"}, "7"),
        ({"DataType": "Number", "StringValue": "7.10"}, Decimal("7.1")),
        ({"DataType": "Number.int", "StringValue": "7"}, 7),
        ({"DataType": "Binary", "BinaryValue": b"\x00"}, b"\x00"),
    ],
)
def test_message_attributes(attribute: Any, sent: Any, value: Any) -> None:
    """`attribute.NAME` is a message attribute, of its own type."""
    assert attribute({"meta": "attribute.trace"}).send(MESSAGE, trace=sent) == [{"id": "1", "a": value}]


def test_a_message_attribute_with_dots(attribute: Any) -> None:
    """All after `attribute.` is the name."""
    trace = {"DataType": "String", "StringValue": "x"}
    assert attribute({"meta": "attribute.acme.trace"}).send(MESSAGE, **{"acme.trace": trace}) == [{"id": "1", "a": "x"}]


@pytest.mark.parametrize(
    ("sqs", "value"), [({}, "sns"), ({"trace": {"DataType": "String", "StringValue": "sqs"}}, "sqs")]
)
def test_attributes_of_sqs_come_before_those_of_sns(attribute: Any, sqs: Any, value: str) -> None:
    """`attribute.NAME` is the SQS message attribute, else the SNS envelope's."""
    notification = {
        "Type": "Notification",
        "Message": json.dumps(MESSAGE),
        "MessageAttributes": {"trace": {"Type": "String", "Value": "sns"}},
    }
    flow = attribute({"meta": "attribute.trace"}, queue={"envelope": ["sns"]})

    assert flow.send(notification, **sqs) == [{"id": "1", "a": value}]


def test_meta_queue_is_the_name_in_the_config(attribute: Any) -> None:
    """Not what AWS calls it, which differs by stage."""
    assert attribute({"meta": "queue"}, queue={"name": "dev-events"}).send(MESSAGE) == [{"id": "1", "a": "q"}]


def test_one_delivery_maps_as_the_next(attribute: Any) -> None:
    """The receive count and the receipt change nothing."""
    flow = attribute({"meta": "sent_at"})

    assert flow.send(MESSAGE, system={**FIFO, "ApproximateReceiveCount": "7"}) == flow.send(MESSAGE, system=FIFO)


def test_hash_never_changes() -> None:
    """Items of earlier releases are found again by it: this value stays the same."""
    values = ["ü\n", 1, Decimal("1.50"), Decimal("1E+3"), True, None, {"b": [], "a": {}}]
    assert (sha('["ü\\n",1,1.5,1000,true,null,{"a":{},"b":[]}]'), hash_values(values)) == (
        "fb0b0ca85fb4b5ebeed3bec95cb0ea9ead768b803acfdaa57a90ef9a5f08baf1",
    ) * 2


@pytest.mark.parametrize(
    "body", ['{"id":"1","n":1}', '{"n":1.0,"id":"1"}', '{"id":"1","n":1e0}', '{"id":"1","n":10E-1}']
)
def test_equal_values_have_one_hash(attribute: Any, body: str) -> None:
    """However their numbers are written, and in whatever order their keys are."""
    assert attribute({"hash": ["@"]}).send(body=body) == [{"id": "1", "a": sha('[{"id":"1","n":1}]')}]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(JSON.filter(lambda value: value is not None), min_size=2, max_size=2))
def test_hashes_are_equal_exactly_where_values_are(attribute: Any, pair: list[Any]) -> None:
    """1 and true are not equal, nor are "1" and 1, nor a list and its element."""
    flow = attribute({"hash": ["v"]})
    [[left], [right]] = [flow.send({"id": "1", "v": value}) for value in pair]

    assert (left == right) == (json.dumps(pair[0], sort_keys=True) == json.dumps(pair[1], sort_keys=True))


def test_a_hash_with_a_missing_value(attribute: Any) -> None:
    """Two messages would share it: an error, whatever `missing` says."""
    assert attribute({"hash": ["id", "nowhere"], "missing": "omit"}).send(MESSAGE) == (
        "rejected",
        "RT807",
        "attribute 'a' cannot be hashed: a value is missing",
        "",
    )


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        ("2026-01-02T03:04:05Z", 1767323045),
        ("2026-01-02T03:04:05.999Z", 1767323045),
        ("2026-01-02T05:04:05+02:00", 1767323045),
        (1767323045, 1767323045),
        (1767323045.999, 1767323045),
        (0, 0),
    ],
)
def test_ttl_from_a_time(attribute: Any, at: Any, seconds: int) -> None:
    """ISO text with an offset, or seconds since 1970; fractions are cut off."""
    flow = attribute({"ttl": {"from": "at", "after": "90d"}})

    assert flow.send({"id": "1", "at": at}) == [{"id": "1", "a": seconds + 90 * 86_400}]


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (1767323045678, "is no time in seconds since 1970; milliseconds are not taken"),
        (-1, "is no time in seconds since 1970; milliseconds are not taken"),
        ("2026-01-02T03:04:05", "is a time without offset; add Z or +00:00"),
        ("yesterday", "is no ISO 8601 time"),
        (True, "is no time"),
        ([], "is no time"),
    ],
)
def test_ttl_from_what_is_no_time(attribute: Any, at: Any, reason: str) -> None:
    """Rejected, with the place in the message and without the value."""
    flow = attribute({"ttl": {"from": "at", "after": "90d"}})

    assert flow.send({"id": "1", "at": at}) == ("rejected", "RT807", f"attribute 'a' {reason}", "/at")


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)])
def test_units_of_time(attribute: Any, unit: str, seconds: int) -> None:
    """From seconds to weeks."""
    assert attribute({"ttl": f"2{unit}"}).send(MESSAGE) == [{"id": "1", "a": 1767323045 + 2 * seconds}]


@pytest.mark.parametrize(
    ("source", "pointer"),
    [({"from": "a.b_1"}, "/a/b_1"), ({"from": "a[0]"}, ""), ({"from": '"a-b"'}, ""), ({"template": "{a}"}, "")],
)
def test_the_pointer_of_a_fault(attribute: Any, source: Any, pointer: str) -> None:
    """A plain path tells where in the message it is; anything else does not."""
    flow = attribute({**source, "missing": "error"})

    assert flow.send({"id": "1"}) == ("rejected", "RT807", "attribute 'a' is missing", pointer)


@pytest.mark.parametrize(
    "source",
    [
        {"from": "length(n)"},
        {"hash": ["length(n)"]},
        {"template": "{length(n)}"},
        {"ttl": {"from": "length(n)", "after": "1d"}},
    ],
)
def test_an_expression_that_fails(attribute: Any, source: Any) -> None:
    """Is a mapping error, without any value."""
    assert attribute(source).send(MESSAGE) == (
        "rejected",
        "RT807",
        "the expression of attribute 'a' fails on the message",
        "",
    )


def test_faulty_expressions(flow: Any) -> None:
    """Each is found where it stands, several in one attribute too."""
    item = {
        "id": "sum(",
        "a": {"from": "sum("},
        "b": {"hash": ["ok", "sum(", "max("]},
        "c": {"ttl": {"from": "sum(", "after": "1d"}},
        "d": {"template": "{sum(} {max(} {ok}"},
    }
    assert flow({"item": item}).sentences == [
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
        "RT401 'max(' is not a JMESPath expression: it ends too early",
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
        "RT401 'sum(' is not a JMESPath expression: it ends too early",
        "RT401 'max(' is not a JMESPath expression: it ends too early",
    ]

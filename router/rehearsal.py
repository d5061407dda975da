"""Runs the `tests:` of a route through the engine, without any AWS: what `router test` does.

What SQS would say about a message has fixed values here (`META`), so that a test's items are always the same.
"""

import base64
import gzip
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from router.compile.load import Program
from router.config import spec
from router.engine.attributes import decode_item
from router.engine.engine import Trace, plan
from router.engine.ticket import Ticket
from router.model import WRITTEN, Item, Outcome, Record

META: Mapping[str, str] = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "ApproximateReceiveCount": "1",
    "SenderId": "AIDAEXAMPLE",
    "MessageGroupId": "group-1",
    "MessageDeduplicationId": "deduplication-1",
    "SequenceNumber": "18849496460467696128",
}
"""SQS's attributes of a message in a test: sent at 2026-01-02T03:04:05.678Z, received at …06.789Z."""
MESSAGE_ID = "11111111-2222-4333-8444-555555555555"
"""The id of a message in a test."""

_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_JSON = msgspec.json.Encoder(decimal_format="number")


class Difference(Struct, frozen=True):
    """One thing that is not as the test says: what (an attribute, or e.g. "outcome"), expected, found."""

    what: str
    expected: Any
    found: Any


class Verdict(Struct, frozen=True):
    """What a test came to; it passed if there are no differences."""

    route: str
    name: str
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as the test says."""
        return not self.differences


def rehearse(program: Program) -> list[Verdict]:
    """Run the tests of all routes, in the order of the file."""
    return [
        run_test(program, name, test, index)
        for name, route in program.config.routes.items()
        for index, test in enumerate(route.tests)
    ]


def run_test(program: Program, route: str, test: spec.Test, index: int = 0) -> Verdict:
    """Run one test of a route."""
    queue = program.config.routes[route].queue
    ticket = rehearse_record(program, queue, make_record(test, program.config.queues.get(queue) or spec.Queue()))
    outcome = ticket.outcome or WRITTEN
    items = [decode_item(write.item) for write in ticket.writes if write.route == route]
    found = items if outcome.kind == "written" else []
    differences = (*_compare_outcome(test, outcome), *_compare_items(test, found))
    return Verdict(route, test.name or f"test {index + 1}", differences)


def rehearse_record(program: Program, queue: str, record: Record, trace: Trace | None = None) -> Ticket:
    """What the engine plans for a record of a queue."""
    return plan(program.engine.queues[queue], record, trace)


def make_record(test: spec.Test, queue: spec.Queue) -> Record:
    """The record of a test, its message wrapped as the queue unwraps it."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in test.attributes.items()}
    body = make_body(test.message, queue) if isinstance(test.body, UnsetType) else test.body
    return Record(MESSAGE_ID, "receipt-handle", body, META, attributes)


def make_body(message: Any, queue: spec.Queue) -> str:
    """The body that a queue would hold for a message: encoded, then put into its envelopes, the innermost first."""
    return wrap_text(_JSON.encode(message).decode(), queue)


def wrap_text(text: str, queue: spec.Queue) -> str:
    """The body that a queue would hold for a message that is JSON text already (or is meant to be)."""
    payload = _ENCODE[queue.encoding](text.encode())
    for envelope in reversed(queue.envelope):
        wrap = _WRAP.get(envelope)
        payload = wrap(payload, queue.encoding == "json") if wrap else payload
    return payload


def _compare_outcome(test: spec.Test, outcome: Outcome) -> list[Difference]:
    differences = []
    if outcome.kind != test.outcome:
        said = f"{outcome.kind} ({outcome.code} {outcome.reason})" if outcome.code else outcome.kind
        differences.append(Difference("outcome", test.outcome, said))
    elif test.code not in (UNSET, outcome.code):
        differences.append(Difference("code", test.code, outcome.code))
    return differences


def _compare_items(test: spec.Test, found: list[Item]) -> list[Difference]:
    if not isinstance(test.items, UnsetType):
        if len(found) != len(test.items):
            return [Difference("number of items", len(test.items), len(found))]
        return [
            Difference(f"items[{index}].{each.what}", each.expected, each.found)
            for index, (expected, item) in enumerate(zip(test.items, found, strict=True))
            for each in _compare_item(expected, item, whole=True)
        ]
    whole = not isinstance(test.item, UnsetType)
    expected = test.item if whole else test.item_contains
    if isinstance(expected, UnsetType):
        return []
    if len(found) != 1:
        return [Difference("number of items", 1, len(found))]
    return _compare_item(expected, found[0], whole)


def _compare_item(expected: Mapping[str, Any], item: Item, whole: bool) -> list[Difference]:
    names = [*expected, *(name for name in item if name not in expected)] if whole else [*expected]
    absent = "(no such attribute)"
    return [
        Difference(name, expected.get(name, absent), item.get(name, absent))
        for name in names
        if name not in expected or name not in item or not same(expected[name], item[name])
    ]


def same(expected: Any, found: Any) -> bool:
    """Whether a value of a test is what was stored: sets are written as lists, binaries as base64."""
    if isinstance(found, set):
        listed = expected if isinstance(expected, list) else []
        return len(listed) == len(found) and all(any(same(each, other) for each in listed) for other in found)
    if isinstance(found, bytes):
        return bool(expected == base64.b64encode(found).decode())
    if isinstance(found, bool) or isinstance(expected, bool):
        return found is expected
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(expected[name], found[name]) for name in found)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, expected, found))
    if isinstance(found, int | Decimal) != isinstance(expected, int | Decimal):
        return False
    return bool(found == expected)


def _sns(payload: str, is_json: bool) -> str:
    return _JSON.encode(
        {
            "Type": "Notification",
            "MessageId": MESSAGE_ID,
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
            "Message": payload,
            "Timestamp": "2026-01-02T03:04:05.678Z",
        }
    ).decode()


def _eventbridge(payload: str, is_json: bool) -> str:
    event = {
        "version": "0",
        "id": MESSAGE_ID,
        "detail-type": "test",
        "source": "test",
        "account": "000000000000",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail": _embed(payload, is_json),
    }
    return _JSON.encode(event).decode()


def _cloudevents(payload: str, is_json: bool) -> str:
    event = {
        "specversion": "1.0",
        "id": MESSAGE_ID,
        "source": "/test",
        "type": "test",
        "data": _embed(payload, is_json),
    }
    return _JSON.encode(event).decode()


def _embed(payload: str, is_json: bool) -> Any:
    if not is_json:
        return payload
    try:
        value = _EXACT.decode(payload)
    except (msgspec.DecodeError, DecimalException):
        # What is no JSON cannot stand in JSON but as text.
        return payload
    # Text inside is read as JSON text.
    return payload if isinstance(value, str) else value


def _text(data: bytes) -> str:
    return data.decode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _gzip(data: bytes) -> str:
    return _base64(gzip.compress(data, mtime=0))


_ENCODE: Mapping[str, Callable[[bytes], str]] = {"json": _text, "base64": _base64, "base64+gzip": _gzip}
_WRAP: Mapping[str, Callable[[str, bool], str]] = {
    "sns": _sns,
    "eventbridge": _eventbridge,
    "cloudevents": _cloudevents,
}

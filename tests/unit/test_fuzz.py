"""Bytes as bodies, attributes and envelopes: never an exception out of the Lambda handler."""

import base64
import gzip
import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.aws import Aws, WriteResponse
from tests.support.deliver import LOGGER, Delivery

ARN = "arn:aws:sqs:eu-west-1:123456789012:"
CASES = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CONFIG = """
version: 1
queues:
  plain: {dead_letter: letters}
  wrapped: {envelope: [sns], encoding: base64+gzip}
  event: {envelope: [eventbridge], dead_letter: letters.fifo, retry: {lambda: true}}
  cloud.fifo: {envelope: [cloudevents], encoding: base64, dead_letter: letters}
  whole: {dead_letter: letters, atomic: true}
tables:
  things: {key: {id: S, at: N}}
  markers: {key: {id: S}, ttl: gone}
routes:
  plain:
    queue: plain
    table: things
    when: kind != 'other' && length(id) > `0`
    schema: {properties: {id: {type: string}, kind: {format: date-time}, list: {items: {pattern: "^[^b]*$"}}}}
    item:
      id: {from: id, transform: [strip, lower, {truncate: 5}]}
      at: {from: at, type: N, default: 1}
      id-version: id
      seen: {meta: sent_at}
      who: {meta: attribute.who}
      hash: {hash: [id, at]}
      label: {template: "{id}/{at}"}
      gone: {ttl: {from: at, after: 1d}}
      set: {from: list, type: SS}
      raw: {from: raw, type: B}
      text: {from: list, type: json}
    write: {mode: newest, version: id-version}
  plain-lines:
    queue: plain
    table: things
    for_each: list
    item: {id: message.id, at: {from: element, type: N}}
    write: {mode: delete}
  wrapped: {queue: wrapped, table: things}
  event: {queue: event, table: things, write: {mode: insert}}
  cloud: {queue: cloud.fifo, table: things, item: {id: id, at: at, list: list, n: {from: at, type: N}},
          write: {mode: update, add: [n], append: [list], once: markers, once_key: kind}}
  whole: {queue: whole, table: things, write: {mode: update}}
"""


NAMES = ["id", "at", "list", "raw", "kind", "Type", "Message", "MessageAttributes", "detail", "data", "data_base64"]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
TEXT = st.one_of(
    ANY_TEXT, st.sampled_from(["", "2026-01-02T03:04:05Z", "aaaa!", "1e999", "e30=", "user", "half \ud800"])
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**38, -(10**40), 1e300, -0.0]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(NAMES), TEXT), inner, max_size=5)
    ),
    max_leaves=12,
)
GOOD = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=6), "at": st.one_of(st.integers(0, 10**12), NUMBERS)},
    optional={"list": st.lists(st.one_of(TEXT, VALUES), max_size=3), "raw": TEXT, "kind": TEXT},
)
TEXTS_OF_JSON = st.one_of(VALUES, GOOD, GOOD).map(json.dumps)


@st.composite
def mangled(draw: Any) -> str:
    """JSON with a piece cut out, or something put in."""
    text: str = draw(TEXTS_OF_JSON)
    at = draw(st.integers(0, len(text)))
    put_in: str = draw(st.one_of(TEXT, st.sampled_from(["[" * 2000, "{", "\\u", "9" * 5000])))
    return text[:at] + put_in + text[at + draw(st.integers(0, 3)) :]


def packed(data: bytes) -> str:
    """As base64 of gzip."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


BYTES = st.binary(max_size=40)
PAYLOADS = st.one_of(
    TEXTS_OF_JSON,
    mangled(),
    TEXT,
    BYTES.map(lambda data: data.decode("latin-1")),
    BYTES.map(lambda data: base64.b64encode(data).decode()),
    BYTES.map(packed),
    TEXTS_OF_JSON.map(lambda text: packed(text.encode())),
    TEXTS_OF_JSON.map(lambda text: packed(text.encode())[:-6]),
    TEXTS_OF_JSON.map(lambda text: base64.b64encode(text.encode()).decode()),
)
ENVELOPES = st.one_of(
    st.tuples(PAYLOADS, VALUES).map(
        lambda given: {"Type": "Notification", "Message": given[0], "MessageAttributes": given[1]}
    ),
    st.tuples(VALUES, TEXT).map(lambda given: {"detail": given[0], "detail-type": given[1], "source": given[1]}),
    st.tuples(st.sampled_from(["data", "data_base64"]), st.one_of(VALUES, PAYLOADS), TEXT).map(
        lambda given: {"specversion": "1.0", "id": given[2], "source": given[2], "type": given[2], given[0]: given[1]}
    ),
)
WRAPPED: dict[str, Callable[[str], Any]] = {
    "plain": lambda text: text,
    "whole": lambda text: text,
    "wrapped": lambda text: json.dumps({"Type": "Notification", "Message": packed(text.encode())}),
    "event": lambda text: json.dumps({"detail": json.loads(text), "detail-type": "t", "source": "s"}),
    "cloud.fifo": lambda text: json.dumps(
        {"specversion": "1.0", "id": "i", "source": "s", "type": "t", "data": base64.b64encode(text.encode()).decode()}
    ),
    "unknown": lambda text: text,
}
BODIES = st.one_of(PAYLOADS, ENVELOPES.map(json.dumps))


def record_of(queue: str) -> st.SearchStrategy[dict[str, Any]]:
    """A record of a queue, whose body is as the queue expects it every second time."""
    proper = GOOD.map(json.dumps).map(WRAPPED[queue])
    return st.fixed_dictionaries(
        {
            "messageId": st.sampled_from("abcdefgh"),
            "receiptHandle": st.just("handle"),
            "body": st.booleans().flatmap(lambda as_expected: proper if as_expected else BODIES),
            "eventSourceARN": st.just(ARN + queue),
        },
        optional={"attributes": SYSTEM, "messageAttributes": ATTRIBUTES},
    )


SYSTEM = st.fixed_dictionaries(
    {},
    optional={
        "SentTimestamp": st.sampled_from(["1767323045678", "", "x", "9" * 30, "-1"]),
        "ApproximateReceiveCount": st.sampled_from(["1", "7", "", "x", "1000000"]),
        "MessageGroupId": st.sampled_from(["g", "h"]),
    },
)
ATTRIBUTES = st.dictionaries(
    st.one_of(st.sampled_from(["who", "router"]), TEXT),
    st.one_of(
        st.tuples(st.sampled_from(["String", "Number", "String.x", "Number.y"]), TEXT).map(
            lambda given: {"dataType": given[0], "stringValue": given[1]}
        ),
        BYTES.map(lambda data: {"dataType": "Binary.z", "binaryValue": base64.b64encode(data).decode()}),
    ),
    max_size=12,
)
RECORDS = st.lists(st.sampled_from(list(WRAPPED)).flatmap(record_of), min_size=1, max_size=5)


class Silent:
    """Tables and queues that take everything that can be sent."""

    def batch_write(self, table: str, requests: Any, timeout: float, measured: bool = False) -> WriteResponse:
        msgspec.json.encode(requests)
        return WriteResponse()

    def write(self, operation: str, parameters: Any, timeout: float, measured: bool = False) -> WriteResponse:
        msgspec.json.encode(parameters)
        return WriteResponse()

    def transact(self, actions: Any, timeout: float, measured: bool = False) -> WriteResponse:
        msgspec.json.encode(actions)
        return WriteResponse()

    def url(self, reference: str, timeout: float) -> str:
        return reference

    def send(self, url: str, letters: Any, timeout: float) -> dict[str, Any]:
        assert all(letter.size >= 0 for letter in letters)
        return {}

    def change_visibility(self, url: str, messages: Any, timeout: float) -> dict[str, Any]:
        return {}


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """The function as Lambda loads it, with queues of all kinds; its log lines are made, and go nowhere."""
    path = tmp_path_factory.mktemp("fuzz") / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    before = vars(LOGGER).copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROUTER_CONFIG", str(path))
        patch.delitem(sys.modules, "router.lambda_handler", raising=False)
        module = importlib.import_module("router.lambda_handler")
        silent: Any = Silent()
        aws = Aws(silent, silent)
        delivery = Delivery(module.PROGRAM, aws)
        patch.setattr(module, "_aws", lambda: aws)
        patch.setattr(module, "_delivery", lambda: delivery)
        patch.setattr(LOGGER.handlers[0], "stream", io.StringIO())
        yield module.handler
        del sys.modules["router.lambda_handler"]
    vars(LOGGER).update(before)


def test_the_handler_never_raises(handler: Callable[..., Any]) -> None:
    """And its answer names messages of the batch only."""

    @CASES
    @given(RECORDS)
    def run(records: list[dict[str, Any]]) -> None:
        answer = handler({"Records": records}, None)

        failures = answer.pop("batchItemFailures")
        ids = [{"itemIdentifier": id_} for id_ in sorted({record["messageId"] for record in records})]
        assert (answer, [each for each in failures if each not in ids]) == ({}, [])

    run()

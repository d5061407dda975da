"""Answers that are HTTP and JSON, but contradict the request: nothing is confirmed by them, and no batch fails."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from router.runtime.aws.protocols import Aws
from tests.support.aws import boottime
from tests.support.deliver import Delivery, FixedDeadline, Writer
from tests.support.program import load_program

CONFIG = """\
version: 1
queues:
  puts: {dead_letter: "http://127.0.0.1/1/letters"}
  versions: {dead_letter: "http://127.0.0.1/1/letters"}
  sums: {dead_letter: "http://127.0.0.1/1/letters"}
  sets: {dead_letter: "http://127.0.0.1/1/letters"}
tables: {things: {key: {id: S}}, effects: {key: {id: S}}}
routes:
  puts: {queue: puts, table: things}
  versions:
    queue: versions
    table: things
    item: {id: id, v: {from: v, type: N}}
    write: {mode: newest, version: v}
  sums:
    queue: sums
    table: things
    item: {id: id, n: {from: n, type: N}}
    write: {mode: update, add: [n], once: effects}
  sets:
    queue: sets
    table: things
    item: {id: id, n: {from: n, type: N}}
    write: {mode: update}
"""
DEEP = b'{"UnprocessedItems": {}, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
Deliver = Callable[..., list[str]]


@pytest.fixture
def deliver(tmp_path: Path, scripted_aws: Aws) -> Deliver:
    """Delivers messages with these bodies from a queue, with two tries; returns the outcomes of those acknowledged."""
    (tmp_path / "routes.yaml").write_text(CONFIG)
    program = load_program(tmp_path / "routes.yaml", {})
    writer = Writer(scripted_aws.tables, jitter=lambda low, high: 0.0, max_tries=2)
    delivery = Delivery(program, scripted_aws, writer=writer)

    def run(queue: str, *bodies: Any) -> list[str]:
        records = [Record(f"m{number}", "h", json.dumps(body)) for number, body in enumerate(bodies)]
        delivered = delivery.deliver(program.engine.queues[queue], records, FixedDeadline(boottime() + 20))
        assert len(delivered) == len(bodies)
        return [each.outcome.kind for each in delivered if each.acknowledged]

    return run


def put(id_: Any, **more: Any) -> Any:
    return {"PutRequest": {"Item": {"id": id_, **more}}}


@pytest.mark.parametrize(
    "unprocessed",
    [
        pytest.param({"things": [put({"S": "z"})]}, id="another item"),
        pytest.param({"things": [put({"S": "a"}), put({"S": "z"})]}, id="one of the batch, and another"),
        pytest.param({"things": [{}]}, id="no request"),
        pytest.param({"things": [None]}, id="null"),
        pytest.param({"things": None}, id="no list"),
        pytest.param({"things": "text"}, id="text"),
        pytest.param({"things": [{"PutRequest": {"Item": {"x": {"S": "a"}}}}]}, id="no key"),
        pytest.param({"things": [put({"N": "1"})]}, id="a key of another type"),
        pytest.param({"things": [put({"S": 1})]}, id="a key that is no text"),
    ],
)
def test_unprocessed_items_that_are_not_of_the_batch(scripted: Any, deliver: Deliver, unprocessed: Any) -> None:
    """Which writes were made is not known: none is confirmed."""
    scripted.answers({"UnprocessedItems": unprocessed})

    assert deliver("puts", {"id": "a"}, {"id": "b"}) == []


def test_a_batch_is_sent_again_after_such_an_answer(scripted: Any, deliver: Deliver) -> None:
    """All of it, and the next answer confirms it."""
    scripted.first({"UnprocessedItems": {"things": [put({"S": "z"})]}})
    scripted.answers({"UnprocessedItems": {}})

    outcomes = deliver("puts", {"id": "a"}, {"id": "b"})

    assert (outcomes, [len(each["RequestItems"]["things"]) for each in scripted.asked]) == (["written"] * 2, [2, 2])


FAILED = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
CANCELED = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"


@pytest.mark.parametrize(
    "stored",
    [
        pytest.param({"id": {"S": "a"}, "v": {"N": "5"}}, id="a lesser version"),
        pytest.param({"id": {"S": "a"}}, id="no version"),
        pytest.param({"id": {"S": "z"}, "v": {"N": "9"}}, id="another key"),
        pytest.param({"id": {"S": "a"}, "v": {"N": "text"}}, id="a number that is none"),
        pytest.param({"id": {"S": "a"}, "v": {"N": "sNaN"}}, id="not a number"),
        pytest.param({"id": 5}, id="no attribute value"),
        pytest.param([1], id="a list"),
    ],
)
def test_a_failed_condition_that_the_stored_item_contradicts(scripted: Any, deliver: Deliver, stored: Any) -> None:
    """The condition holds for such an item: the message is not outdated, and stays on its queue."""
    scripted.answers({"__type": FAILED, "Item": stored}, 400)

    assert deliver("versions", {"id": "a", "v": 7}) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"__type": FAILED}, id="no transaction"),
        pytest.param({"__type": CANCELED, "CancellationReasons": [None]}, id="null"),
        pytest.param({"__type": CANCELED, "CancellationReasons": [{"Code": 5}]}, id="a code that is no text"),
        pytest.param({"__type": CANCELED, "CancellationReasons": {"a": 1}}, id="no list"),
        pytest.param(
            {"__type": CANCELED, "CancellationReasons": [{"Code": "None"}] * 5 + [{"Code": "ConditionalCheckFailed"}]},
            id="more reasons than actions",
        ),
        pytest.param(
            {"__type": CANCELED, "CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]},
            id="the action without condition",
        ),
        pytest.param({"__type": 5}, id="a type that is no text"),
    ],
)
def test_a_canceled_transaction_whose_reasons_do_not_fit(scripted: Any, deliver: Deliver, answer: Any) -> None:
    """It does not say that the update was applied before."""
    scripted.answers(answer, 400)

    assert deliver("sums", {"id": "a", "n": 7}, {"id": "b", "n": 7}) == []


def test_a_failed_condition_of_a_write_without_one(scripted: Any, deliver: Deliver) -> None:
    """An update without a version cannot be outdated."""
    scripted.answers({"__type": FAILED}, 400)

    assert deliver("sets", {"id": "a", "n": 7}) == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"__type": "ThrottlingException", "message": "m"}, id="an error with status 200"),
        pytest.param(b"<html>a proxy's page</html>", id="a page"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(DEEP, id="nested deeply"),
    ],
)
@pytest.mark.parametrize("queue", ["sets", "sums", "puts"])
def test_an_answer_that_is_none_with_status_200(scripted: Any, deliver: Deliver, queue: str, answer: Any) -> None:
    """It confirms no write."""
    scripted.answers(answer)

    assert deliver(queue, {"id": "a", "n": 7}) == []


@pytest.mark.parametrize("table", [{}, [1], {"KeySchema": None, "AttributeDefinitions": None}, None])
def test_a_description_of_a_table_that_is_none(scripted: Any, deliver: Deliver, table: Any) -> None:
    """Whether the item or the config is at fault is not known: the message stays."""
    scripted.answers({"__type": "ValidationException", "Table": table}, 400)
    scripted.status_of = {"DescribeTable": 200}

    assert deliver("puts", {"id": "a"}) == []


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def sent(number: int, **more: Any) -> Any:
    return {"Id": str(number), "MessageId": "m", **more}


def unsent(number: int) -> Any:
    return {"Id": str(number), "Code": "InternalError", "SenderFault": False}


@pytest.mark.parametrize(
    ("answer", "confirmed"),
    [
        pytest.param({"Successful": [sent(0), sent(1)], "Failed": [unsent(0)]}, 1, id="sent and failed"),
        pytest.param({"Successful": [sent(1), {}], "Failed": [{}, None]}, 1, id="entries without id"),
        pytest.param({"Successful": [sent(1)], "Failed": [{"Id": "0"}]}, 1, id="a fault without code"),
        pytest.param({"Successful": None, "Failed": None}, 0, id="null"),
        pytest.param({"Successful": "01", "Failed": 5}, 0, id="no lists"),
        pytest.param({"Successful": [{"Id": []}, {"Id": 0}, {"Id": 1}]}, 0, id="ids that are no text"),
        pytest.param({"Successful": [sent(7), sent(8)]}, 0, id="other ids"),
        pytest.param(
            {"Successful": [sent(0, MD5OfMessageBody=md5("[1]")), sent(1, MD5OfMessageBody=md5("[1]"))]},
            1,
            id="the digest of another text",
        ),
        pytest.param({"Successful": [sent(0, MD5OfMessageBody=5), sent(1)]}, 1, id="a digest that is no text"),
    ],
)
def test_dead_letters_that_an_answer_does_not_confirm(
    scripted: Any, deliver: Deliver, answer: Any, confirmed: int
) -> None:
    """Only messages whose dead letter is confirmed, and not reported as failed too, are acknowledged."""
    scripted.answers(answer)

    assert deliver("puts", [1], [2]) == ["rejected"] * confirmed


def test_a_message_that_cannot_be_read(scripted: Any, scripted_aws: Aws) -> None:
    """It stays on its queue, and the others of the answer are received."""
    good = {"MessageId": "good", "ReceiptHandle": "h", "Body": "b"}
    bad = [
        good | {"MessageAttributes": {"a": {}}},
        good | {"MessageAttributes": {"a": {"DataType": "String", "StringValue": 5}}},
        good | {"Attributes": {"SentTimestamp": 5}},
        good | {"Body": None},
        {},
        None,
    ]
    for each in bad:
        scripted.answers({"Messages": [each, good]})

        received = scripted_aws.queues.receive("http://127.0.0.1/1/q", 10, 0, 30)

        assert isinstance(received, list), each
        assert [record.message_id for record in received] == ["good"], each

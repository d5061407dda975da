"""Messages that the Lambda function postpones: in an outage, while many are in flight."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from router.model import Outcome
from router.runtime.deliver.postponing import postpone
from router.runtime.deliver.visibility import Delivered
from tests.support.aws import AwsFault, QueueAttributes, WriteResponse, boottime

Handler = Callable[[Any, Any], dict[str, Any]]
GONE = WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400))
ARN = "arn:aws:sqs:eu-west-1:1:q"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
SENT = 1_767_323_045_678
FAILED = {"batchItemFailures": [{"itemIdentifier": "m1"}]}
DONE: dict[str, Any] = {"batchItemFailures": []}
MOST = 30_000


def event(id_: str = "m1", arn: str = ARN, body: str = '{"id":"a"}', **attributes: str) -> dict[str, Any]:
    """An event with one message, which has attributes of text."""
    record = {
        "messageId": id_,
        "receiptHandle": "h",
        "body": body,
        "eventSourceARN": arn,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(SENT),
            "SenderId": "AIDASENDER",
            "MessageGroupId": "tenant",
            "AWSTraceHeader": TRACE,
        },
        "messageAttributes": {name: {"dataType": "String", "stringValue": value} for name, value in attributes.items()},
    }
    return {"Records": [record]}


@pytest.fixture
def fail(handler: Handler, tables: Any, queues: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Invoke the function so many seconds later with an event whose writes fail, while many messages are in flight."""
    now = boottime()
    monkeypatch.setattr("router.lambda_handler.boottime", lambda: now)

    def invoke(event_: dict[str, Any], in_flight: int = MOST + 1, seconds: float = 60.0) -> dict[str, Any]:
        nonlocal now
        now += seconds
        queues.found = QueueAttributes(30, 10, in_flight)
        tables.answers.append(GONE)
        return handler(event_, None)

    return invoke


Fail = Callable[..., dict[str, Any]]


def test_a_copy_replaces_a_message(fail: Fail, queues: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It is sent with a delay and with what the message was, and the message is deleted, not hidden."""
    assert fail(event(colour="red")) == DONE

    (copy,) = queues.letters
    was = json.loads(copy.message_attributes["router"]["StringValue"])
    measured = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (copy.body, copy.group_id, copy.trace_header) == ('{"id":"a"}', "tenant", TRACE)
    assert 675 <= copy.delay <= 900
    assert copy.message_attributes["colour"] == {"DataType": "String", "StringValue": "red"}
    assert [was[name] for name in ("message_id", "sent_at", "sender_id", "code", "source")] == [
        "m1",
        "2026-01-02T03:04:05.678Z",
        "AIDASENDER",
        "RT816",
        ARN,
    ]
    assert (queues.released, measured["queue"], measured["router_postponed_total"]) == ([], "q", 1)


def test_few_messages_in_flight(fail: Fail, queues: Any) -> None:
    """As long as there is room, a message is hidden: it returns sooner, and stays the message that it is."""
    assert fail(event(), MOST) == FAILED

    assert (len(queues.released), queues.letters) == (1, [])


def test_a_copy_that_fails(fail: Fail, queues: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is postponed again, however few are in flight, within `outlast`; it remains the first message."""
    fail(event())
    (copy,) = queues.letters
    router = copy.message_attributes["router"]["StringValue"]
    first = json.loads(router)

    assert fail(event("m2", router=router), 0) == DONE

    again = json.loads(queues.letters[1].message_attributes["router"]["StringValue"])
    assert [again[name] for name in ("message_id", "sent_at", "first_failed_at", "attempt")] == [
        "m1",
        "2026-01-02T03:04:05.678Z",
        first["first_failed_at"],
        2,
    ]
    failed_at = datetime.fromisoformat(first["first_failed_at"]).timestamp()
    monkeypatch.setattr("router.runtime.deliver.postponing.time.time", lambda: failed_at + 12 * 3600 + 2)
    assert fail(event("m2", router=router), 0) == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert len(queues.letters) == 2


def test_a_dead_letter_that_was_redriven(fail: Fail, queues: Any) -> None:
    """It was rejected, not postponed, so that it is hidden while there is room."""
    fail(event())
    router = queues.letters.pop().message_attributes["router"]["StringValue"].replace("RT816", "RT806")

    fail(event("m2", router=router), 0)

    assert (len(queues.released), queues.letters) == (1, [])


def test_a_copy_that_is_not_sent(fail: Fail, queues: Any) -> None:
    """The message stays on the queue, hidden, as without the permission to send."""
    queues.faults["m1"] = AwsFault("configuration", "AccessDenied", 403)

    assert fail(event()) == FAILED

    assert (len(queues.released), queues.letters) == (1, [])


@pytest.mark.parametrize(
    ("handler", "event_"),
    [
        ({"queue": "name: q.fifo, dead_letter: letters.fifo"}, event(arn=f"{ARN}.fifo")),
        ({"queue": ""}, event()),
        ({"route": "{queue: q, table: things, item: {id: id, by: {meta: sender_id}}}"}, event()),
        ({}, event(**{f"a{number}": "x" for number in range(10)})),
        (
            {"route": "{queue: q, table: things, item: {id: id}}"},
            event(body=json.dumps({"id": "a", "more": "x" * 1_048_500})),
        ),
    ],
    ids=["fifo", "no dead-letter queue", "stores the sender", "ten attributes", "too large"],
    indirect=["handler"],
)
def test_what_is_not_postponed(fail: Fail, queues: Any, event_: dict[str, Any]) -> None:
    """A copy would be refused, or would not be the message that it was."""
    assert fail(event_) == FAILED

    assert (len(queues.released), queues.letters) == (1, [])


def test_a_copy_is_not_redacted(compile_: Any, queues: Any, arrive: Any) -> None:
    """What dead letters of its queue hide would be lost with the message."""
    program = compile_(queue="dead_letter: letters, redact: [secret]")
    record = arrive(
        '{"id": "a", "secret": "s"}', SentTimestamp=str(SENT), AWSTraceHeader="Root=1-5759e988-bd862e3fe1be46a994272793"
    )
    failed = [Delivered(record, Outcome("retry", "RT814"), acknowledged=False)]

    postponed = postpone(queues, program.engine.queues["q"], "https://queues/q", failed, MOST + 1, 60, "hash")

    (copy,) = queues.letters
    assert (postponed, copy.body) == (frozenset({"m1"}), record.body)
    assert copy.trace_header == "Root=1-5759e988-bd862e3fe1be46a994272793"
    assert "redacted" not in json.loads(copy.message_attributes["router"]["StringValue"])


@pytest.mark.parametrize(("seconds", "reads"), [(15.0, 1), (15.1, 2)])
def test_the_count_grows_old(fail: Fail, queues: Any, seconds: float, reads: int) -> None:
    """It is read anew after a quarter of a minute."""
    fail(event())

    fail(event("m2"), 0, seconds)

    assert (queues.attributes_read, len(queues.letters)) == (reads, 3 - reads)


def test_the_count_cannot_be_read_any_more(fail: Fail, queues: Any) -> None:
    """The one before is used."""
    fail(event())
    queues.attributes = lambda url, timeout: AwsFault("retry", "Throttled", 503)

    assert fail(event("m2"), 0) == DONE


def test_messages_that_are_well(handler: Handler, queues: Any) -> None:
    """Nothing is read for them."""
    assert handler(event(), None) == DONE

    assert (queues.attributes_read, queues.letters) == (0, [])

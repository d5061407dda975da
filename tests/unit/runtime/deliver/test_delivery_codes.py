"""Each code of run time has an example message that produces it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct

from router.errors import UsageError
from router.model import Record
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault, WriteResponse
from tests.support.check import known_codes

REFUSED = WriteResponse(fault=AwsFault("refused", "ValidationException", 400))
THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))
NO_TABLE = WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400))
THERE = AwsFault("condition", "ConditionalCheckFailedException", 400)
MOOD = """
@hookimpl
def router_transform_message(message):
    raise {}
"""


class Case(Struct, frozen=True):
    """A message, its configuration, and its expected outcome."""

    outcome: str
    body: str = '{"id":"a"}'
    route: str = "{queue: q, table: things}"
    queue: str = "dead_letter: letters"
    plugin: str = ""
    answers: tuple[WriteResponse, ...] = ()
    no_letter: bool = False
    seconds: float = 10


NEWEST = "{queue: q, table: things, write: {mode: newest, version: v}}"
CASES = {
    "RT801": Case("rejected", body="{"),
    "RT802": Case("rejected", queue="dead_letter: letters, envelope: [sns]"),
    "RT803": Case("rejected", body="[" * 65 + "]" * 65),
    "RT804": Case("rejected", route=NEWEST),
    "RT805": Case("rejected", route="{queue: q, table: things, when: \"type == 'a'\"}"),
    "RT806": Case("rejected", route="{queue: q, table: things, schema: {required: [name]}}"),
    "RT807": Case("rejected", route="{queue: q, table: things, item: {id: id, n: {from: id, type: N}}}"),
    "RT808": Case("rejected", body='{"id":""}'),
    "RT809": Case("rejected", body='{"id":"a","n":1e126}'),
    "RT810": Case("rejected", plugin=MOOD.format("Reject('no')")),
    "RT811": Case("dropped", plugin=MOOD.format("Drop('no')")),
    "RT812": Case("retry", plugin=MOOD.format("Retry('later')")),
    "RT813": Case("retry", plugin=MOOD.format("LookupError")),
    "RT814": Case("retry", answers=(THROTTLED,) * 8),
    "RT815": Case("rejected", answers=(REFUSED,)),
    "RT816": Case("retry", answers=(NO_TABLE,)),
    "RT818": Case("retry", body="{", no_letter=True),
    "RT819": Case("retry", body="{", seconds=0),
    "RT820": Case(
        "duplicate",
        route="{queue: q, table: things, write: {mode: insert}}",
        answers=(WriteResponse(fault=THERE, stored={"id": {"S": "a"}}),),
    ),
    "RT821": Case(
        "stale",
        body='{"id":"a","v":1}',
        route=NEWEST,
        answers=(WriteResponse(fault=THERE, stored={"id": {"S": "a"}, "v": {"N": "2"}}),),
    ),
    "RT822": Case(
        "rejected",
        body='{"ids":["a","a"]}',
        route="{queue: q, table: things, for_each: ids, item: {id: element}}",
        queue="dead_letter: letters, atomic: true",
    ),
    "RT823": Case(
        "rejected",
        body='["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"other","s3Key":"k"}]',
        queue="dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [payloads]}",
    ),
    "RT825": Case(
        "rejected", body=f'{{"id":"redacted:string:{"0" * 32}"}}', queue="dead_letter: letters, redact: [id]"
    ),
}
"""By code; `test_unknown_queue` and `test_foreign_event` have those that only Lambda uses."""
OF_LAMBDA = {"RT817", "RT824"}


@pytest.mark.parametrize(("code", "case"), CASES.items(), ids=CASES)
def test_case(code: str, case: Case, aws: Aws, tables: Any, queues: Any, compile_: Any) -> None:
    """The message has that outcome and code, with a reason; it is acknowledged only if that is safe."""
    tables.answers.extend(case.answers)
    if case.no_letter:
        queues.faults["url"] = AwsFault("configuration", "NonExistentQueue", 400)
    program = compile_(case.route, case.queue, **({"mood": case.plugin} if case.plugin else {}))
    writer = Writer(aws.tables, lambda: 1.0, jitter=lambda low, high: 0.0)
    delivery = Delivery(program, aws, clock=lambda: 1.0, writer=writer)
    deadline = FixedDeadline(1.0 + case.seconds)

    (delivered,) = delivery.deliver(program.engine.queues["q"], [Record("m1", "h", case.body)], deadline)

    outcome = delivered.outcome
    assert (outcome.code, outcome.kind, bool(outcome.reason), delivered.acknowledged) == (
        code,
        case.outcome,
        True,
        case.outcome != "retry",
    )
    assert [letter.id for letter in queues.letters] == (["m1"] if case.outcome == "rejected" else [])


OF_THE_MESSAGE = {"RT801", "RT802", "RT803", "RT805", "RT818", "RT819", "RT822", "RT823"}
"""What happens before a route is chosen, or to all writes of the message."""
NAMED = {
    "table 'things'": {"RT808", "RT809", "RT814", "RT815", "RT816", "RT820", "RT821"},
    "attribute '": {"RT807", "RT808", "RT809"},
    "'v'": {"RT804", "RT821"},
}


@pytest.mark.parametrize("code", CASES)
def test_what_a_reason_names(code: str, aws: Aws, tables: Any, queues: Any, compile_: Any) -> None:
    """An outcome names its route, and its reason the table or attribute that it is about."""
    case = CASES[code]
    tables.answers.extend(case.answers)
    if case.no_letter:
        queues.faults["url"] = AwsFault("configuration", "NonExistentQueue", 400)
    program = compile_(case.route, case.queue, **({"mood": case.plugin} if case.plugin else {}))
    writer = Writer(aws.tables, lambda: 1.0, jitter=lambda low, high: 0.0)
    delivery = Delivery(program, aws, clock=lambda: 1.0, writer=writer)
    deadline = FixedDeadline(1.0 + case.seconds)

    (delivered,) = delivery.deliver(program.engine.queues["q"], [Record("m1", "h", case.body)], deadline)

    outcome = delivered.outcome
    names = {name for name, codes in NAMED.items() if code in codes}
    assert outcome.route == ("" if code in OF_THE_MESSAGE else "r")
    assert [name for name in names if name not in outcome.reason] == []


def test_unknown_queue(
    handler: Callable[[Any, Any], dict[str, Any]],
    queues: Any,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """RT817: messages of an unknown queue are reported as failed, with the wait of an outage, and measured."""
    record = {"messageId": "m1", "receiptHandle": "h", "body": "{}", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:other"}

    with caplog.at_level("INFO", "router"):
        answer = handler({"Records": [record]}, None)

    lines = [entry.__dict__["fields"] for entry in caplog.records]
    (line,) = [each for each in lines if "outcome" in each]
    assert (line["message_id"], line["queue"], line["reason"]) == (
        "m1",
        record["eventSourceARN"],
        "the config does not know the queue",
    )
    assert [len(each["config"]) for each in lines if "config" in each] == [16]
    metrics, by_code, by_cause = map(json.loads, capsys.readouterr().out.splitlines())
    assert (by_code["code"], by_code["router_outcomes_total"]) == ("RT817", 1)
    assert (by_cause["cause"], by_cause["router_retries_total"]) == ("configuration", 1)
    measured = [metrics[f"router_{name}_total"] for name in ("configuration_errors", "batch_seconds")]
    assert (measured, metrics["queue"]) == ([1, 0], record["eventSourceARN"])
    (((id_, handle, seconds),),) = queues.released
    assert (answer, line["code"], line["outcome"], id_, handle, 30 <= seconds <= 38) == (
        {"batchItemFailures": [{"itemIdentifier": "m1"}]},
        "RT817",
        "retry",
        "m1",
        "h",
        True,
    )


def test_record_without_a_receipt_handle(handler: Callable[[Any, Any], dict[str, Any]], queues: Any) -> None:
    """It may be missing in an event that somebody wrote to try the function."""
    answer = handler({"Records": [{"messageId": "m1", "body": "{}", "eventSourceARN": "other"}]}, None)

    (((_, handle, _),),) = queues.released
    assert (answer, handle) == ({"batchItemFailures": [{"itemIdentifier": "m1"}]}, "")


START = "@hookimpl\ndef router_start(router):\n    assert [route.name for route in router.routes] == ['r']"


@pytest.mark.parametrize("handler", [{"acme": START}], indirect=True)
def test_plugins_start_with_the_routes(handler: Callable[[Any, Any], dict[str, Any]]) -> None:
    """A plugin that cannot start would stop the function when it is loaded."""
    record = {"messageId": "m1", "receiptHandle": "h", "body": '{"id": "a"}', "eventSourceARN": "arn:aws:sqs:eu:1:q"}

    assert handler({"Records": [record]}, None) == {"batchItemFailures": []}


def test_several_queues(handler: Callable[[Any, Any], dict[str, Any]], tables: Any) -> None:
    """Each queue of an event, as of a test, is handled by itself; all failures are reported."""
    tables.answers.append(WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400)))
    records = [
        {
            "messageId": id_,
            "receiptHandle": "h",
            "body": f'{{"id":"{id_}"}}',
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:1:{queue}",
        }
        for id_, queue in (("m1", "other"), ("m2", "q"), ("m3", "another"))
    ]

    answer = handler({"Records": records}, None)

    assert (tables.calls, answer) == (
        [["m2"]],
        {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ("m1", "m2", "m3")]},
    )


@pytest.mark.parametrize(
    ("event", "source"),
    [
        ({}, ""),
        ({"key1": "value1"}, ""),
        ([], ""),
        ("text", ""),
        ({"Records": None}, ""),
        ({"Records": ["text"]}, ""),
        ({"Records": {"key1": "value1"}}, ""),
        ({"Records": [{"messageId": "m1", "receiptHandle": "h", "body": "{}"}]}, ""),
        ({"Records": [{"messageId": 5, "body": None, "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q"}]}, ""),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m1", "Message": "{}"}}]}, " of aws:sns"),
        ({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {}}}]}, " of aws:s3"),
        ({"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "e30="}}]}, " of aws:kinesis"),
        ({"Records": [{"eventSource": "a value"}]}, ""),
        ({"source": "aws.scheduler", "detail": {}}, " of aws.scheduler"),
    ],
)
def test_foreign_event(
    handler: Callable[[Any, Any], dict[str, Any]], caplog: pytest.LogCaptureFixture, event: Any, source: str
) -> None:
    """RT824: an event that is not from SQS fails, with the reason and what to do, and nothing is acknowledged."""
    with pytest.raises(UsageError) as raised:
        handler(event, None)

    text = str(raised.value)
    assert text == (
        f"RT824 the event{source} has no records of SQS: invoke the function by an event source mapping of a queue; "
        "to try it, use the event of the console's template 'SQS'"
    )
    assert [(entry.levelname, entry.getMessage()) for entry in caplog.records] == [("ERROR", text)]


@pytest.mark.parametrize(
    "record",
    [
        {"eventSource": "aws:s3"},
        {"messageId": ["m2"], "body": "{}", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q"},
        {"messageId": None, "body": "{}", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q"},
        {"messageId": "m2", "body": "{}", "eventSourceARN": None},
        {"messageId": "m2", "body": "{}", "eventSourceARN": ["q"]},
    ],
)
def test_malformed_record(handler: Callable[[Any, Any], dict[str, Any]], queues: Any, record: Any) -> None:
    """RT824: if one record is not of SQS, none of the event is processed."""
    good = {"messageId": "m1", "body": "{}", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q"}

    with pytest.raises(UsageError, match=r"^RT824 "):
        handler({"Records": [good, record]}, None)

    assert (queues.letters, queues.released) == ([], [])


ARN = "arn:aws:sqs:eu-west-1:1:q"
READABLE: dict[str, Any] = {"messageId": "good", "body": '{"id": "good"}', "eventSourceARN": ARN}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"body": None}, id="no body"),
        pytest.param({"body": {"id": "a"}}, id="a body that is no text"),
        pytest.param({"attributes": ["SentTimestamp"]}, id="attributes in a list"),
        pytest.param({"attributes": {"SentTimestamp": 5}}, id="an attribute of SQS that is no text"),
        pytest.param({"messageAttributes": {"a": {"dataType": "Binary", "binaryValue": "x"}}}, id="no Base64"),
        pytest.param(
            {"messageAttributes": {"a": {"dataType": "Binary", "binaryValue": "!!!!"}}}, id="characters not of Base64"
        ),
        pytest.param({"messageAttributes": {"a": {"dataType": "Binary"}}}, id="no value"),
        pytest.param({"messageAttributes": {"a": {"stringValue": "x"}}}, id="no type"),
        pytest.param(
            {"messageAttributes": {"a": {"dataType": "String", "stringValue": 5}}}, id="a value that is no text"
        ),
        pytest.param({"messageAttributes": {"a": None}}, id="null for an attribute"),
        pytest.param({"messageAttributes": ["a"]}, id="message attributes in a list"),
    ],
)
def test_unreadable_record(
    handler: Callable[[Any, Any], dict[str, Any]],
    tables: Any,
    caplog: pytest.LogCaptureFixture,
    damage: dict[str, Any],
) -> None:
    """A record that cannot be read is reported as failed; the others of the event are delivered."""
    damaged = {**READABLE, "messageId": "bad", **damage}

    answer = handler({"Records": [damaged, READABLE]}, None)

    assert (answer, tables.calls) == ({"batchItemFailures": [{"itemIdentifier": "bad"}]}, [["good"]])
    warnings = [(entry.getMessage(), entry.fields) for entry in caplog.records if entry.levelname == "WARNING"]  # type: ignore[attr-defined]
    assert warnings == [("the record cannot be read", {"queue": ARN, "message_id": "bad"})]


def test_text_attribute_without_a_value(handler: Callable[[Any, Any], dict[str, Any]], tables: Any) -> None:
    """Null stands for an absent value."""
    record = {**READABLE, "messageAttributes": {"a": {"dataType": "String", "stringValue": None}}}

    answer = handler({"Records": [record]}, None)

    assert (answer, tables.calls) == ({"batchItemFailures": []}, [["good"]])


def test_unreadable_record_of_a_fifo_queue(handler: Callable[[Any, Any], dict[str, Any]], tables: Any) -> None:
    """Those after it in the event may be of its message group: they wait."""
    records = [
        READABLE,
        {**READABLE, "messageId": "bad", "eventSourceARN": f"{ARN}.fifo", "body": None},
        {**READABLE, "messageId": "after", "eventSourceARN": f"{ARN}.fifo"},
    ]

    answer = handler({"Records": records}, None)

    failures = [{"itemIdentifier": "bad"}, {"itemIdentifier": "after"}]
    assert (answer, tables.calls) == ({"batchItemFailures": failures}, [["good"]])


def test_each_code_has_a_case() -> None:
    """Each code of run time has a case, and each case a code."""
    assert {code for code in known_codes() if code.startswith("RT8")} == CASES.keys() | OF_LAMBDA

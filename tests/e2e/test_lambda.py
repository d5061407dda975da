"""The Lambda function, in a process of its own, with events as AWS sends them, on both servers."""

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parent / "lambda_driver.py"
SENT = "1767323045678"


class FunctionProcess:
    """The function's process, and the log lines that it wrote."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def invoke(self, *records: dict[str, Any], milliseconds: int = 30_000) -> dict[str, Any]:
        """What it answers to an event of these records, with so much time."""
        assert self._process.stdin
        assert self._process.stdout
        invocation = {"event": {"Records": records}, "milliseconds": milliseconds}
        self._process.stdin.write(json.dumps(invocation) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def warned(self) -> list[str]:
        """The queues for whose messages it could not set the visibility timeout, in order."""
        lines = map(json.loads, self._log.read_text().splitlines())
        return [line["queue"] for line in lines if line.get("message") == "cannot set the visibility timeout"]

    def logged(self, message_id: str) -> tuple[str, str, str]:
        """Outcome, code and reason of a message, as logged."""
        lines = map(json.loads, self._log.read_text().splitlines())
        line = next(line for line in lines if line.get("message_id") == message_id)
        return line["outcome"], line["code"], line["reason"]


@pytest.fixture(scope="module")
def function(flows: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionProcess]:
    """The function with the flows as its config."""
    log = tmp_path_factory.mktemp("lambda") / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, str(DRIVER)],
            env=flows.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        yield FunctionProcess(process, log)
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.fixture
def make(flows: Any) -> Any:
    """Makes a record as it is documented: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""

    def record(queue: str, message: Any, attributes: Any = None, **system: str) -> dict[str, Any]:
        return {
            "messageId": str(uuid.uuid4()),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": message if isinstance(message, str) else json.dumps(message),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": SENT,
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1767323045690",
                **system,
            },
            "messageAttributes": attributes or {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{flows.prefix}-{queue}",
            "awsRegion": "us-east-1",
        }

    return record


def failed(*records: dict[str, Any]) -> dict[str, Any]:
    """The answer that reports these records."""
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}


def test_standard_event(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """The documented event is written, with attributes of each type, times and exact numbers."""
    attributes = {
        "colour": {"stringValue": "grün", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "weight": {"stringValue": "1.50", "stringListValues": [], "binaryListValues": [], "dataType": "Number.kg"},
        "picture": {
            "binaryValue": base64.b64encode(b"\x00\xff").decode(),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "Binary",
        },
    }
    body = f'{{"id": "{name}", "text": "é \\ud83d\\ude00", "number": 0.12345678901234567890123456789012345678}}'

    answer = function.invoke(make("plain", body, attributes))

    assert (answer, flows.item(name)) == (
        failed(),
        {
            "id": {"S": name},
            "text": {"S": "é 😀"},
            "number": {"N": "0.12345678901234567890123456789012345678"},
            "queue": {"S": "plain"},
            "colour": {"S": "grün"},
            "weight": {"N": "1.5"},
            "picture": {"B": b"\x00\xff"},
            "sent_at": {"S": "2026-01-02T03:04:05.678Z"},
        },
    )


def test_whole_batch(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """More messages than one call takes are all written."""
    records = [make("loose", {"id": f"{name}-{n}", "n": n}) for n in range(60)]

    answer = function.invoke(*records)

    assert (answer, [flows.item(f"{name}-{n}") for n in range(60)]) == (
        failed(),
        [{"id": {"S": f"{name}-{n}"}, "n": {"N": str(n)}} for n in range(60)],
    )


def test_one_item_several_times(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Of several messages for one item in one batch the last one stays."""
    records = [make("loose", {"id": name, "n": n}) for n in range(3)]

    answer = function.invoke(*records)

    assert (answer, flows.item(name)) == (failed(), {"id": {"S": name}, "n": {"N": "2"}})


def test_fifo_event(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """The documented FIFO event is written in the order of its groups, each with what SQS says of it."""

    def ordered(id_: str, number: int, group: str) -> dict[str, Any]:
        record: dict[str, Any] = make(
            "ordered.fifo",
            {"id": id_, "number": number},
            MessageGroupId=group,
            SequenceNumber=f"1885349639{number}",
            MessageDeduplicationId=f"{number}",
        )
        return record

    records = [
        ordered(f"{name}-a", 1, "a"),
        ordered(f"{name}-b", 2, "b"),
        ordered(f"{name}-a", 3, "a"),
        ordered(f"{name}-b", 4, "b"),
    ]

    answer = function.invoke(*records)

    assert (answer, flows.item(f"{name}-a"), flows.item(f"{name}-b")) == (
        failed(),
        {
            "id": {"S": f"{name}-a"},
            "number": {"N": "3"},
            "queue": {"S": "ordered"},
            "group": {"S": "a"},
            "sequence": {"S": "18853496393"},
        },
        {
            "id": {"S": f"{name}-b"},
            "number": {"N": "4"},
            "queue": {"S": "ordered"},
            "group": {"S": "b"},
            "sequence": {"S": "18853496394"},
        },
    )


def test_fifo_group_stops(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """After the first of a group that stays on its queue the rest of it stays too, unwritten; other groups go on."""

    def ordered(number: int, group: str, mood: str = "") -> dict[str, Any]:
        body = {"id": f"{name}-{number}", "mood": mood}
        record: dict[str, Any] = make("ordered.fifo", body, MessageGroupId=group)
        return record

    records = [ordered(1, "a"), ordered(2, "a", "retry"), ordered(3, "a"), ordered(4, "b"), ordered(5, "a", "reject")]

    answer = function.invoke(*records)

    written = [number for number in range(1, 6) if flows.item(f"{name}-{number}")]
    assert (answer, written) == (failed(records[1], records[2], records[4]), [1, 4])


def test_fifo_letter(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A rejected message of a FIFO queue goes to a FIFO dead-letter queue in its group, and the group goes on."""
    bad = make("ordered.fifo", {"id": f"{name}-1", "mood": "reject"}, MessageGroupId="a group")
    good = make("ordered.fifo", {"id": f"{name}-2"}, MessageGroupId="a group")

    answer = function.invoke(bad, good)

    letter, details = flows.letter_about(bad["messageId"], "ordered-dlq.fifo")
    assert (answer, letter["Attributes"]["MessageGroupId"], letter["Attributes"]["MessageDeduplicationId"]) == (
        failed(),
        "a group",
        bad["messageId"],
    )
    assert (details["reason"], flows.item(f"{name}-2") is not None) == ("not this one", True)


def notification(message: Any, attributes: Any) -> dict[str, Any]:
    """An SNS notification: https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html"""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:orders",
        "Subject": "My First Message",
        "Message": json.dumps(message),
        "Timestamp": "2026-01-02T03:04:05.678Z",
        "SignatureVersion": "1",
        "Signature": "c6lrxTzRNnuyVRUpMd",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": attributes,
    }


def test_sns(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A notification without raw delivery is unwrapped, its attributes too."""
    body = notification({"id": name, "number": 1.5}, {"colour": {"Type": "String", "Value": "red"}})

    answer = function.invoke(make("topic", body))

    assert (answer, flows.item(name)) == (
        failed(),
        {"id": {"S": name}, "number": {"N": "1.5"}, "queue": {"S": "topic"}, "colour": {"S": "red"}},
    )


def test_sns_raw(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """With raw delivery there is no envelope, and the topic's attributes are the message's own."""
    attributes = {"colour": {"stringValue": "red", "dataType": "String"}}

    answer = function.invoke(make("plain", {"id": name}, attributes))

    assert (answer, flows.item(name)) == (
        failed(),
        {
            "id": {"S": name},
            "queue": {"S": "plain"},
            "colour": {"S": "red"},
            "sent_at": {"S": "2026-01-02T03:04:05.678Z"},
        },
    )


def test_sns_raw_by_mistake(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Raw delivery to a queue that is configured for envelopes is a dead letter that says so."""
    bad = make("topic", {"id": name})

    answer = function.invoke(bad)

    _, details = flows.letter_about(bad["messageId"])
    assert (answer, details["code"], details["reason"]) == (
        failed(),
        "RT802",
        "the payload is not an SNS notification: its Type is not Notification; with raw delivery there is no envelope",
    )


def test_eventbridge(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """An event of EventBridge is unwrapped: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""
    body = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "acme.orders",
        "account": "111122223333",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::amzn-s3-demo-bucket1"],
        "detail": {"id": name, "number": 12},
    }

    answer = function.invoke(make("bus", body))

    assert (answer, flows.item(name)) == (
        failed(),
        {"id": {"S": name}, "number": {"N": "12"}, "queue": {"S": "bus"}, "source": {"S": "acme.orders"}},
    )


def test_several_queues(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Each record of one event goes the way of its own queue; those of a queue that nobody knows are reported."""
    stranger = make("stranger", {"id": f"{name}-3"})
    records = [make("plain", {"id": f"{name}-1"}), stranger, make("topic", notification({"id": f"{name}-2"}, {}))]

    answer = function.invoke(*records)

    queues = [(flows.item(f"{name}-{n}") or {}).get("queue") for n in (1, 2, 3)]
    assert (answer, queues, function.logged(stranger["messageId"])) == (
        failed(stranger),
        [{"S": "plain"}, {"S": "topic"}, None],
        ("retry", "RT817", "the config does not know the queue"),
    )


@pytest.mark.parametrize(
    ("mood", "outcome"),
    [
        ("retry", ("retry", "RT812", "not now")),
        ("break", ("retry", "RT813", "plugin 'moods': router_transform_message raised LookupError (moods.py:20)")),
    ],
)
def test_retry(flows: Any, function: FunctionProcess, make: Any, name: str, mood: str, outcome: Any) -> None:
    """What may succeed later is reported, alone; nothing of it is written."""
    later = make("plain", {"id": f"{name}-1", "mood": mood})

    answer = function.invoke(later, make("plain", {"id": f"{name}-2"}))

    assert (answer, function.logged(later["messageId"])) == (failed(later), outcome)
    assert (flows.item(f"{name}-1"), flows.item(f"{name}-2") is not None) == (None, True)


@pytest.mark.parametrize(
    ("queue", "message", "set_"),
    [
        ("plain", {"mood": "retry"}, False),
        ("plain", {}, False),
        ("loose", {"mood": "retry"}, True),
        ("loose", {}, False),
        ("lost", {}, True),
        ("lost", {"mood": "retry"}, False),
    ],
)
def test_visibility(
    function: FunctionProcess, flows: Any, make: Any, name: str, queue: str, message: Any, set_: bool
) -> None:
    """The visibility timeout is set of messages that met an outage, and where the queue says so of all that failed.

    The server refuses it for the receipt handle of a record that it did not send, which is logged.
    """
    before = len(function.warned())

    function.invoke(make(queue, {"id": name, **message}))

    assert function.warned()[before:] == ([queue] if set_ else [])


def test_drop(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A dropped message is acknowledged, and not written."""
    dropped = make("plain", {"id": name, "mood": "drop"})

    answer = function.invoke(dropped)

    assert (answer, flows.item(name), function.logged(dropped["messageId"])) == (
        failed(),
        None,
        ("dropped", "RT811", "nobody wants it"),
    )


def test_letter(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A dead letter has the untouched body and attributes, and says all about why and when."""
    body = f' {{"id":"{name}", "number": "é"}}\n'
    attributes = {
        "colour": {"stringValue": "grün", "dataType": "String"},
        "weight": {"stringValue": "1.50", "dataType": "Number"},
        "picture": {"binaryValue": base64.b64encode(b"\x00\xff").decode(), "dataType": "Binary"},
    }
    bad = make("plain", body, attributes, ApproximateReceiveCount="2")
    before = time.time()

    answer = function.invoke(bad)

    letter, details = flows.letter_about(bad["messageId"])
    failed_at = details.pop("failed_at")
    moment = datetime.strptime(failed_at, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
    assert (answer, details) == (
        failed(),
        {
            "code": "RT806",
            "reason": "fails 'type' at /properties/number/type",
            "queue": "plain",
            "route": "plain",
            "pointer": "/number",
            "message_id": bad["messageId"],
            "receive_count": 2,
            "source": bad["eventSourceARN"],
            "config": details["config"],
            "sent_at": "2026-01-02T03:04:05.678Z",
            "first_received_at": "2026-01-02T03:04:05.690Z",
            "sender_id": bad["attributes"]["SenderId"],
            "first_failed_at": failed_at,
        },
    )
    kept = {name: attribute for name, attribute in letter["MessageAttributes"].items() if name != "router"}
    assert (letter["Body"], kept, before - 1 < moment <= time.time()) == (
        body,
        {
            "colour": {"StringValue": "grün", "DataType": "String"},
            "weight": {"StringValue": "1.50", "DataType": "Number"},
            "picture": {"BinaryValue": b"\x00\xff", "DataType": "Binary"},
        },
        True,
    )


BAD = {
    "not JSON": ("plain", "user_1,iPhoneX", "RT801"),
    "a list": ("plain", "[1, 2]", "RT806"),
    "a text": ("plain", '"text"', "RT806"),
    "null, and no schema": ("loose", "null", "RT807"),
    "a number, and no schema": ("loose", "7", "RT807"),
    "invalid UTF-8": ("packed", base64.b64encode(b'{"id": "\xff\xfe"}').decode(), "RT801"),
    "a lone surrogate": ("plain", r'{"id": "\ud800"}', "RT801"),
    "NaN": ("plain", '{"id": "x", "number": NaN}', "RT801"),
    "Infinity": ("plain", '{"id": "x", "number": -Infinity}', "RT801"),
    "10,000 brackets": ("plain", "[" * 10_000 + "]" * 10_000, "RT803"),
    "10,000 brackets open": ("plain", '{"id":' * 10_000, "RT803"),
    "a number of 39 digits": ("plain", '{"id": "x", "number": 123456789012345678901234567890123456789}', "RT809"),
    "a number out of range": ("plain", '{"id": "x", "number": 1e126}', "RT809"),
    "a number of 5,000 digits": ("plain", f'{{"id": "x", "number": {"7" * 5000}}}', "RT803"),
    "an endless exponent": ("plain", '{"id": "x", "number": 1e99999999999999999999}', "RT803"),
    "an empty key": ("plain", '{"id": ""}', "RT808"),
    "an over-long key": ("plain", json.dumps({"id": "x" * 2049}), "RT808"),
    "a missing field": ("plain", "{}", "RT806"),
    "a wrong type": ("plain", '{"id": 7}', "RT806"),
    "a key of another type": ("loose", '{"id": 7}', "RT808"),
    "no route": ("plain", '{"id": "x", "kind": "unwanted"}', "RT805"),
    "no base64": ("packed", "{}", "RT802"),
    "a plugin's no": ("plain", '{"id": "x", "mood": "reject"}', "RT810"),
    "an item too large": ("plain", json.dumps({"id": "x", "text": "x" * 500_000}), "RT809"),
}
"""Queue, body, and the code of its dead letter."""


def test_bad_input(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Whatever comes in, the good messages are written and the bad ones are dead letters, each with its code."""
    bad = {what: make(queue, body) for what, (queue, body, _) in BAD.items()}
    good = [make("plain", {"id": f"{name}-{n}"}) for n in range(3)]
    records = list(bad.values())

    answer = function.invoke(good[0], *records[:9], good[1], *records[9:], good[2])

    letters = {what: flows.letter_about(record["messageId"]) for what, record in bad.items()}
    assert (answer, [flows.item(f"{name}-{n}") is not None for n in range(3)]) == (failed(), [True] * 3)
    assert {what: (details["code"], letter["Body"]) for what, (letter, details) in letters.items()} == {
        what: (code, body) for what, (_, body, code) in BAD.items()
    }


@pytest.mark.parametrize("body", ["", '{"id": "\ud800"}'], ids=["empty", "half a surrogate pair"])
def test_impossible_body(flows: Any, function: FunctionProcess, make: Any, name: str, body: str) -> None:
    """A body that SQS takes from nobody is a dead letter, or stays on its queue if its letter is not taken."""
    empty = make("impossible", body)

    answer = function.invoke(empty, make("impossible", {"id": name}))

    outcome, code, _ = function.logged(empty["messageId"])
    assert (answer, outcome, code) in (
        (failed(), "rejected", "RT801"),
        (failed(empty), "retry", "RT818"),
    )
    assert flows.item(name) is not None


def test_largest_body(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A body of 1 MiB leaves no room for a reason: its letter is the body alone, and the log has the reason."""
    text = f'{{"id": "{name}", "text": "'
    body = text + "x" * (1024 * 1024 - len(text) - 2) + '"}'
    large = make("plain", body)

    answer = function.invoke(large, make("plain", {"id": f"{name}-good"}))

    letter = flows.letter_of(body)
    assert (answer, letter.get("MessageAttributes", {})) == (failed(), {})
    assert (function.logged(large["messageId"]), flows.item(f"{name}-good") is not None) == (
        ("rejected", "RT809", f"table '{flows.prefix}-items': the item has more than 409600 bytes"),
        True,
    )


def test_ten_attributes(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A message with ten attributes has no room for another: its letter has those ten."""
    attributes = {f"a{n}": {"stringValue": str(n), "dataType": "String"} for n in range(10)}
    body = f"not JSON: {name}"

    answer = function.invoke(make("plain", body, attributes))

    letter = flows.letter_of(body)
    assert (answer, letter["MessageAttributes"]) == (
        failed(),
        {f"a{n}": {"StringValue": str(n), "DataType": "String"} for n in range(10)},
    )


def test_duplicate_in_one_event(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Two records with one message id count as one message, with one outcome."""
    twice = make("plain", {"id": name, "mood": "retry"})

    assert function.invoke(twice, twice) == failed(twice)


def test_no_dead_letter_queue(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Without a dead-letter queue in the config a rejected message stays on its queue, for its own redrive policy."""
    bad = make("unwatched", "{}")

    answer = function.invoke(bad, make("unwatched", {"id": name}))

    assert (answer, function.logged(bad["messageId"])[:2]) == (failed(bad), ("rejected", "RT806"))
    assert flows.item(name) is not None


def test_dead_letter_queue_is_gone(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """A rejected message whose dead letter nobody takes stays on its queue."""
    bad = make("undeliverable", "{}")

    answer = function.invoke(bad, make("undeliverable", {"id": name}))

    assert (answer, function.logged(bad["messageId"])) == (
        failed(bad),
        ("retry", "RT818", f"queue '{flows.prefix}-no-such-dlq' did not accept the dead letter: NonExistentQueue"),
    )
    assert flows.item(name) is not None


def test_table_is_gone(flows: Any, function: FunctionProcess, make: Any) -> None:
    """A table that is not there is nobody's fault: no message is dead-lettered, but one that is bad by itself."""
    before = flows.left("plain-dlq")
    good, bad = make("lost", {"id": "x"}), make("lost", "{}")

    answer = function.invoke(good, bad)

    _, details = flows.letter_about(bad["messageId"])
    assert (answer, function.logged(good["messageId"])[:2], details["code"], flows.left("plain-dlq") - before) == (
        failed(good),
        ("retry", "RT816"),
        "RT806",
        0,
    )


def test_no_time_left(flows: Any, function: FunctionProcess, make: Any, name: str) -> None:
    """Without time nothing is begun: all is reported, and nothing is written or dead-lettered."""
    records = [make("plain", {"id": name}), make("plain", "{}")]

    answer = function.invoke(*records, milliseconds=100)

    codes = [function.logged(record["messageId"])[:2] for record in records]
    assert (answer, flows.item(name), codes) == (failed(*records), None, [("retry", "RT819"), ("retry", "RT819")])


SMALL = """\
version: 1
tables: {items: {name: "%s-items", key: {id: S}}}
routes: {plain: {queue: "%s-plain", table: items}}
"""


@pytest.mark.parametrize("file", ["routes.yaml", "routes.compiled.json", "other.yaml"])
def test_where_the_config_is(flows: Any, make: Any, router: Any, name: str, tmp_path: Path, file: str) -> None:
    """The config is the compiled one in the folder of the code, else `routes.yaml`, unless a variable names a file."""
    source = tmp_path / file.replace(".compiled.json", ".yaml")
    source.write_text(SMALL % (flows.prefix, flows.prefix))
    environment = {key: value for key, value in flows.environment.items() if key not in ("PREFIX", "ROUTER_CONFIG")}
    environment["LAMBDA_TASK_ROOT"] = str(tmp_path)
    if file == "routes.compiled.json":
        assert router("compile", "-o", file).returncode == 0
        source.write_text("version: 2\n")
    elif file == "other.yaml":
        environment["ROUTER_CONFIG"] = str(source)
    event = {"event": {"Records": [make("plain", {"id": name})]}, "milliseconds": 30_000}

    done = subprocess.run(
        [sys.executable, str(DRIVER)], env=environment, input=json.dumps(event), capture_output=True, text=True
    )

    assert (json.loads(done.stdout), flows.item(name)) == (failed(), {"id": {"S": name}})


def test_config_beside_the_code(repo: Path) -> None:
    """Outside Lambda's folders the config is the one beside the package."""
    environment = {key: value for key, value in os.environ.items() if key not in ("LAMBDA_TASK_ROOT", "ROUTER_CONFIG")}
    code = "from router.lambda_handler import PROGRAM; print(*PROGRAM.routes, sep='\\n')"

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd="/")

    assert (repo / "routes.yaml").exists()
    assert done.stdout.count("Route(name=") == 4


@pytest.mark.parametrize(
    ("kind", "opened"), [("on-demand", 1), ("provisioned-concurrency", 0), ("snap-start", 0), ("", 0)]
)
def test_the_first_connection(flows: Any, kind: str, opened: int) -> None:
    """It is opened while the function is loaded, if an invocation follows at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = flows.environment | {"AWS_ENDPOINT_URL": endpoint, "AWS_LAMBDA_INITIALIZATION_TYPE": kind}

        done = subprocess.run([sys.executable, str(DRIVER)], env=environment, capture_output=True, text=True, input="")

        listener.settimeout(0)
        found = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                found += 1
    assert (done.returncode, found) == (0, opened)


def test_settings_that_do_not_work(flows: Any) -> None:
    """The function is loaded: what is wrong is the error of its invocations."""
    environment = flows.environment | {"AWS_ENDPOINT_URL": "nowhere", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}

    done = subprocess.run([sys.executable, str(DRIVER)], env=environment, capture_output=True, text=True, input="")

    assert (done.returncode, done.stderr) == (0, "")


def test_faulty_config(tmp_path: Path) -> None:
    """A faulty config stops the function before it takes a message; each fault is a line of its log.

    The error is in ASCII: AWS's runtime client cannot report a text that is not Latin-1.
    """
    file = tmp_path / "routes-€.yaml"
    file.write_text("version: 2\nroutes: {}\n")
    environment = os.environ | {"ROUTER_CONFIG": str(file)}

    done = subprocess.run([sys.executable, str(DRIVER)], env=environment, capture_output=True, text=True, input="")

    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    faults = [
        f"{file}:1:10: error RT104 'version' must be 1, not 2",
        f"{file}:2:9: error RT105 'routes' must not be empty",
    ]
    error = "\n".join(faults).replace("€", "\\u20ac")
    assert (done.returncode, [(line["level"], line["message"]) for line in lines]) == (
        1,
        [("ERROR", fault) for fault in faults],
    )
    assert done.stderr.endswith(f"\nrouter.errors.ConfigError: {error}\n")


def test_config_of_another_version(router: Any, tmp_path: Path) -> None:
    """A compiled config that another version made stops the function too, with one line that says what to do."""
    (tmp_path / "routes.yaml").write_text(SMALL % ("a", "a"))
    router("compile", "-o", "routes.compiled.json")
    file = tmp_path / "routes.compiled.json"
    file.write_text(re.sub(r'"router":"[^"]+"', '"router":"0.0.1"', file.read_text()))
    environment = os.environ | {"ROUTER_CONFIG": str(file)}

    done = subprocess.run([sys.executable, str(DRIVER)], env=environment, capture_output=True, text=True, input="")

    (line,) = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert (done.returncode, line["level"]) == (1, "ERROR")
    assert line["message"].startswith(f"{file} was compiled by router 0.0.1, and this is router ")

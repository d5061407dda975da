"""`redact` as a user sees it: no value is in a letter, a log, an output or a file, of worker, function and commands."""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_dlq import SECONDS, OnCall
from tests.support.dev import LocalAws

CONFIG = """
version: 1
queues:
  orders:
    name: PREFIX-orders
    dead_letter: PREFIX-dlq
    redact: [customer.email, "lines[*].card", {meta: attribute.mail}]
tables:
  orders: {name: PREFIX-orders, key: {id: S}}
routes:
  orders:
    queue: orders
    table: orders
    schema:
      type: object
      required: [id, customer]
      properties:
        id: {type: string, minLength: 1, maxLength: 99}
        total: {type: TYPE}
        customer: {type: object, properties: {email: {type: string}}}
        lines: {items: {properties: {card: {}}}}
        visits: {type: object}
    item: {id: id, total: total, at: {meta: sent_at}}
    write: {mode: newest, version: at}
"""
DRIVER = Path(__file__).parent / "lambda_driver.py"
CANARY = "jane.canary@example.com"
VISITS = {"visits": {"ann.visitor": 1}}
ATTRIBUTES = {"mail": {"DataType": "String", "StringValue": CANARY}}


def message(id_: str, total: Any = "7") -> dict[str, Any]:
    return {
        "id": id_,
        "total": total,
        "customer": {"email": CANARY, "name": "n"},
        "lines": [{"card": CANARY}],
        **VISITS,
    }


class RedactingOnCall(OnCall):
    """A queue with `redact`; all that the programs print is kept."""

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any, folder: Path) -> None:
        super().__init__(server, dynamodb, sqs, folder)
        self.environment |= {"ROUTER_REDACT_KEY": uuid.uuid4().hex, "ROUTER_CONFIG": str(self.config)}
        self.printed = ""

    def use(self, type_: str, extra: str = "") -> None:
        config = CONFIG.replace("PREFIX", self.prefix).replace("TYPE", type_)
        self.config.write_text(config.replace("total: total,", f"total: total,{extra}"))

    def start(self, program: list[str], event: Any = None) -> None:
        """Run the worker, or the function with an event, until four dead letters are there."""
        before = sum(self.count("dlq"))
        with subprocess.Popen(
            program,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            if event:
                assert process.stdin
                process.stdin.write(json.dumps(event) + "\n")
                process.stdin.close()
                process.stdin = None
            end = time.monotonic() + SECONDS
            while sum(self.count("dlq")) < before + 2 and time.monotonic() < end:
                time.sleep(0.05)
            if not event:
                process.terminate()
            self.printed += process.communicate(timeout=SECONDS)[0]

    def run(self, *words: str, code: int = 0) -> str:
        printed = super().run(*words, code=code)
        self.printed += printed
        return printed

    def letters(self) -> list[dict[str, Any]]:
        """The messages on the dead-letter queue."""
        found: dict[str, dict[str, Any]] = {}
        for _ in range(5):
            answer = self.sqs.receive_message(
                QueueUrl=self.urls[f"{self.prefix}-dlq"],
                MaxNumberOfMessages=10,
                VisibilityTimeout=0,
                MessageAttributeNames=["All"],
            )
            found |= {each["MessageId"]: each for each in answer.get("Messages", [])}
        return list(found.values())


@pytest.fixture
def redacting(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> RedactingOnCall:
    return RedactingOnCall(server, dynamodb, sqs, tmp_path)


def test_nothing_is_revealed(redacting: RedactingOnCall) -> None:
    """Not by the worker, the function or a command, with all options that show values."""
    for body in (message("worker"), f"not JSON: {CANARY}"):
        redacting.send(body, MessageAttributes=ATTRIBUTES)
    redacting.start([sys.executable, "-m", "router", "worker", "-c", str(redacting.config), "--wait", "1"])
    records = [
        {
            "messageId": str(uuid.uuid4()),
            "receiptHandle": "h",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678"},
            "messageAttributes": {"mail": {"dataType": "String", "stringValue": CANARY}},
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{redacting.prefix}-orders",
        }
        for body in (json.dumps(message("function")), CANARY)
    ]
    redacting.start([sys.executable, str(DRIVER)], {"event": {"Records": records}, "milliseconds": 30_000})
    assert ("RT806" in redacting.printed, CANARY in redacting.printed) == (True, False)
    letters = redacting.letters()
    assert (len(letters), CANARY in json.dumps(letters, default=str)) == (4, False)
    failures = [json.loads(each["MessageAttributes"]["router"]["StringValue"]) for each in letters]
    attribute, paths = "{meta: attribute.mail}", ["customer.email", "lines[*].card"]
    assert sorted(failed["redacted"] for failed in failures) == [[attribute, "@"]] * 2 + [[attribute, *paths]] * 2

    moved = redacting.send(message("moved"), "dlq", MessageAttributes=ATTRIBUTES)
    redacting.run("list", code=1)
    ids = {each["Body"].partition(":")[0]: each["MessageId"] for each in redacting.letters()}
    assert len(ids) == 2
    for id_ in ids.values():
        redacting.run("show", id_, "--values")
    redacting.run("show", moved, "--values", "--json")
    hidden = redacting.run("show", moved) + redacting.run("rehearse", "--diff", code=1)
    assert ("ann.visitor" in hidden, '"(name 1, 11 characters)": "(number)"' in hidden) == (False, True)
    redacting.run("rehearse", "--diff", "--values", code=1)
    redacting.run("export", "-o", "export.jsonl")
    redacting.use("string")
    redacting.run("redrive", "--yes", "--json", code=1)
    assert [redacting.item(id_) is not None for id_ in ("worker", "function", "moved")] == [True] * 3
    redacting.run("drop", "--yes", "-o", "dropped.jsonl")
    files = "".join(file.read_text() for file in redacting.folder.iterdir() if file.name != redacting.config.name)
    assert (CANARY in redacting.printed, CANARY in files, files.count("redacted:")) == (False, False, 17)


def test_a_route_that_needs_the_value(redacting: RedactingOnCall) -> None:
    """A rehearsal and a redrive refuse the dead letter of the router, and deliver the message that SQS moved."""
    redacting.send(message("letter"))
    redacting.work(lambda: redacting.count("dlq")[0] == 1)
    redacting.send(message("moved"), "dlq")
    redacting.use("string", " email: customer.email,")

    (rehearsed,) = redacting.json("rehearse", "--diff", "--values", code=1)
    (redriven,) = redacting.json("redrive", "--yes", code=1)

    refused = [each["now"]["code"] for each in rehearsed["rehearsed"] if each["now"]["kind"] == "rejected"]
    assert (refused, redriven["redriven"]) == (["RT825"], {"written": 1})
    assert (CANARY in redacting.printed, (redacting.item("moved") or {})["email"]) == (False, {"S": CANARY})
    assert (redacting.item("letter"), redacting.count("dlq")) == (None, (1, 0))


def test_a_letter_that_is_moved_by_hand_is_refused_by_the_worker(redacting: RedactingOnCall) -> None:
    """As AWS's console moves it: no redacted value gets into a table."""
    redacting.send(message("letter"))
    redacting.work(lambda: redacting.count("dlq")[0] == 1)
    redacting.use("string", " email: customer.email,")
    (letter,) = redacting.letters()
    attributes = letter["MessageAttributes"]
    redacting.send(letter["Body"], MessageAttributes=attributes)

    redacting.work(lambda: redacting.count("dlq")[0] == 2)

    codes = {json.loads(each["MessageAttributes"]["router"]["StringValue"])["code"] for each in redacting.letters()}
    assert (codes, redacting.stored()) == ({"RT806", "RT825"}, 0)

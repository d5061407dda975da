"""The built package under AWS's own runtime client, with an event source mapping by AWS's rules, on both servers."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.model import Table
from tests.e2e.event_source import EventSource
from tests.e2e.runtime_api import EmulatedFunction, running
from tests.support.dev import create_table
from tests.support.ops import NO_RECORDS, FunctionError

VISIBILITY_SECONDS = 5
"""Longer than a busy machine stops: a message that is received twice for one invocation is no longer what is tested."""
ANSWERS = """
import json

def answer(event, context):
    said = json.loads(event["Records"][0]["body"])["answer"]
    if said == "raise":
        raise RuntimeError("the function fails")
    return said.replace("FIRST", event["Records"][0]["messageId"]).encode()
"""


class Deployed:
    """The queues and the table of the package's config on one server, with a short visibility timeout."""

    def __init__(self, server: Any, dynamodb: Any, sqs: Any) -> None:
        self.prefix = f"packed-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment() | {"PREFIX": self.prefix}
        # What a process of the function has, and no more.
        self.environment = {name: value for name, value in self.environment.items() if name.startswith(("AWS", "PREF"))}
        self._dynamodb, self._sqs = dynamodb, sqs
        create_table(dynamodb, Table(f"{self.prefix}-readings", (("id", "S"),)))
        self.urls = {name: self.queue(name) for name in ("readings", "readings-dlq", "steps.fifo")}

    def queue(self, name: str) -> str:
        """Make a queue under the prefix; its URL."""
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS)}
        if name.endswith(".fifo"):
            attributes |= {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        url: str = self._sqs.create_queue(QueueName=f"{self.prefix}-{name}", Attributes=attributes)["QueueUrl"]
        return url

    def source(self, queue: str, function: EmulatedFunction, milliseconds: int = 30_000) -> EventSource:
        """The mapping of a queue to the function, whose invocations have so much time."""
        return EventSource(self._sqs, self.urls[queue], lambda event: function.invoke(event, milliseconds))

    def send(self, queue: str, *bodies: str, **settings: Any) -> None:
        """Send messages, one after the other."""
        for body in bodies:
            self._sqs.send_message(QueueUrl=self.urls[queue], MessageBody=body, **settings)

    def bodies(self, queue: str) -> list[str]:
        """What a queue gives now."""
        answer = self._sqs.receive_message(QueueUrl=self.urls[queue], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", ())]

    def item(self, id_: str) -> dict[str, Any] | None:
        """An item of the table, in DynamoDB's JSON."""
        key = {"id": {"S": id_}}
        answer = self._dynamodb.get_item(TableName=f"{self.prefix}-readings", Key=key, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item


@pytest.fixture(scope="module")
def deployed(server: Any, dynamodb: Any, sqs: Any) -> Deployed:
    """The queues and the table that the package's config names."""
    return Deployed(server, dynamodb, sqs)


@pytest.fixture(scope="module")
def function(package: Any, deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedFunction]:
    """The package, unpacked, with the variables that its config names."""
    with running(package.code, tmp_path_factory.mktemp("function") / "log", deployed.environment) as running_function:
        # Its start is no part of the time of a message, which is visible again soon.
        running_function.invoke({"Records": []})
        yield running_function


@pytest.fixture
def source(deployed: Deployed, function: EmulatedFunction) -> EventSource:
    """The mapping of the queue of readings."""
    return deployed.source("readings", function)


def reading(id_: str, value: str = "1.50") -> str:
    """A message of the queue of readings."""
    return json.dumps({"id": id_, "value": value, "place": "ccu", "at": "2026-01-02T03:04:05+05:30"})


def test_written(deployed: Deployed, source: EventSource, name: str) -> None:
    """A message goes from a queue through the package, its plugin and that one's packages into the table."""
    attributes = {"sensor": {"DataType": "String", "StringValue": "s-1"}}
    deployed.send("readings", reading(name), MessageAttributes=attributes)

    polled = source.poll(5)

    assert (polled, deployed.item(name), source.poll()) == (
        {reading(name): True},
        {
            "id": {"S": name},
            "value": {"N": "1.5"},
            "place": {"S": "Kolkata"},
            "at": {"S": "2026-01-01T21:34:05+00:00"},
            "sensor": {"S": "s-1"},
        },
        {},
    )


def test_several_queues(deployed: Deployed, function: EmulatedFunction, source: EventSource, name: str) -> None:
    """One function serves a standard queue and a FIFO queue; the record says which queue it came from."""
    step = json.dumps({"id": f"{name}-step"})
    deployed.send("readings", reading(name))
    deployed.send("steps.fifo", step, MessageGroupId="g")

    polled = source.poll(5) | deployed.source("steps.fifo", function).poll(5)

    stored = deployed.item(f"{name}-step")
    assert (polled, stored) == ({reading(name): True, step: True}, {"id": {"S": f"{name}-step"}, "group": {"S": "g"}})


def test_redelivery(deployed: Deployed, source: EventSource, name: str, wait: Any) -> None:
    """A message that is reported comes again when its visibility timeout is over; the others of its batch do not."""
    good, late = reading(name), reading(f"late-{name}")
    deployed.send("readings", good, late)

    first = source.poll(5)
    before = deployed.item(f"late-{name}")
    again = wait(source.poll, "the redelivery")

    after = deployed.item(f"late-{name}")
    assert (first, before, again, after is not None) == ({good: True, late: False}, None, {late: True}, True)


def test_rejected(deployed: Deployed, source: EventSource, name: str, wait: Any) -> None:
    """A message that fails its schema is dead-lettered by the function, and then deleted."""
    bad = reading(name, value="much")
    deployed.send("readings", bad)

    polled = source.poll(5)

    assert (polled, wait(lambda: deployed.bodies("readings-dlq"), "the letter")) == ({bad: True}, [bad])


def test_fifo_order(deployed: Deployed, function: EmulatedFunction, name: str, wait: Any) -> None:
    """What comes after a failed message of its group is reported too, and is written after it."""
    late, after = (json.dumps({"id": each}) for each in (f"late-{name}", f"after-{name}"))
    deployed.send("steps.fifo", late, after, MessageGroupId=name)
    steps = deployed.source("steps.fifo", function)

    first = wait(steps.poll, "the group")
    early = deployed.item(f"after-{name}")
    again: dict[str, bool] = {}
    while len(again) < 2:
        again |= wait(steps.poll, "the redelivery")

    assert (first, early, again) == ({late: False, after: False}, None, {late: True, after: True})


def test_no_time(deployed: Deployed, function: EmulatedFunction, name: str, wait: Any) -> None:
    """With no time left nothing is begun: everything is reported, and is written by the next invocation."""
    deployed.send("readings", reading(name))

    hasty = deployed.source("readings", function, milliseconds=0).poll(5)
    before = deployed.item(name)
    again = wait(deployed.source("readings", function).poll, "the redelivery")

    assert (hasty, before, again) == ({reading(name): False}, None, {reading(name): True})


def test_log(deployed: Deployed, source: EventSource, function: EmulatedFunction, name: str, wait: Any) -> None:
    """All that the function prints is lines of JSON, each once: of messages, batches, and metrics by their labels."""
    deployed.send("readings", reading(f"late-{name}"))
    printed = len(function.lines())

    source.poll(5)

    kinds = [line.get("message", "metrics") for line in function.lines()[printed:]]
    assert sorted(kinds) == ["batch done", "message retry", *["metrics"] * 3]
    wait(source.poll, "the redelivery")  # which no other test is to receive


def test_no_records(function: EmulatedFunction) -> None:
    """What a deployment invokes a new version with is answered, and nothing is logged or measured for it."""
    printed = len(function.lines())

    answer = function.invoke(json.loads(NO_RECORDS))

    assert (answer.kind, json.loads(answer.body), function.lines()[printed:]) == (
        "response",
        {"batchItemFailures": []},
        [],
    )


def test_no_variable(package: Any, deployed: Deployed, tmp_path: Path) -> None:
    """A variable that is not set stops the function before it takes a message; the log says which."""
    environment = {name: value for name, value in deployed.environment.items() if name != "PREFIX"}

    with running(package.code, tmp_path / "log", environment) as stopped:
        answer = stopped.invoke({"Records": []})
        lines = (tmp_path / "log").read_text()

    assert answer.kind == "init/error"
    assert "environment variable 'PREFIX' is not set" in lines
    error = msgspec.json.decode(answer.body, type=FunctionError)
    assert (error.type, error.place) == ("ConfigError", "")
    assert "environment variable 'PREFIX' is not set" in error.text({})


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedFunction]:
    """A function that answers what the first message says, for the mapping's own rules."""
    code = tmp_path_factory.mktemp("answers")
    (code / "answers.py").write_text(ANSWERS)
    with running(code, tmp_path_factory.mktemp("answering") / "log", {}, "answers.answer") as function:
        yield function


ALL = {"first": False, "second": False}
NONE = {"first": True, "second": True}
DOCUMENTED = [
    ("raise", ALL),
    ("{not json", ALL),
    ('{"batchItemFailures": [{"itemIdentifier": ""}]}', ALL),
    ('{"batchItemFailures": [{"itemIdentifier": null}]}', ALL),
    ('{"batchItemFailures": [{"identifier": "FIRST"}]}', ALL),
    ('{"batchItemFailures": [{"itemIdentifier": "of another batch"}]}', ALL),
    ('{"batchItemFailures": [{"itemIdentifier": "FIRST"}, {"itemIdentifier": ""}]}', ALL),
    ('{"batchItemFailures": [{"itemIdentifier": "FIRST"}]}', {"first": False, "second": True}),
    ('{"batchItemFailures": []}', NONE),
    ('{"batchItemFailures": null}', NONE),
    ("{}", NONE),
    ("null", NONE),
]


@pytest.mark.parametrize(("answer", "deleted"), DOCUMENTED, ids=[case[0] for case in DOCUMENTED])
def test_rules(sqs: Any, deployed: Deployed, answering: EmulatedFunction, name: str, answer: str, deleted: Any) -> None:
    """The mapping of these tests does with each answer what AWS documents, as the runtime client hands it on."""
    url = deployed.queue(name)
    bodies = {json.dumps({"name": each, "answer": answer}): each for each in ("first", "second")}
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body)

    polled = EventSource(sqs, url, answering.invoke, batch_size=2).poll()

    left = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )["Attributes"]
    names = {bodies[body]: done for body, done in polled.items()}
    assert (names, sum(map(int, left.values()))) == (deleted, sum(not done for done in deleted.values()))

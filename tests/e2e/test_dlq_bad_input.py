"""`router dlq` where something is missing or strange: a sentence or a line in the table, and the letter stays."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from router.model import Table
from tests.support.dev import LocalAws, clients_of, create_queues, create_table, in_batches, local_aws

CONFIG = """
version: 1
queues:
  puts: {name: PREFIX-puts, dead_letter: PREFIX-dlq}
  inserts: {name: PREFIX-inserts, dead_letter: PREFIX-dlq}
  updates: {name: PREFIX-updates, dead_letter: PREFIX-dlq}
  larges:
    name: PREFIX-larges
    dead_letter: PREFIX-dlq
    envelope: [s3_pointer]
    s3_pointer: {buckets: [PREFIX]}
  moved: {name: PREFIX-moved}
tables: {items: {name: PREFIX-items, key: {id: S}}}
routes:
  puts: {queue: puts, table: items, when: "id != 'other'"}
  inserts: {queue: inserts, table: items, write: {mode: insert}}
  updates: {queue: updates, table: items, write: {mode: update}}
  larges: {queue: larges, table: items}
  moved: {queue: moved, table: items}
"""
ACTIONS = (
    "sqs:GetQueueUrl",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:SendMessage",
    "dynamodb:GetItem",
    "dynamodb:DescribeTable",
    "dynamodb:BatchWriteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "s3:GetObject",
)
SECONDS = 120


class Site:
    """A config with letters, and the commands."""

    def __init__(self, server: LocalAws, folder: Path) -> None:
        self.prefix = f"bad-{uuid.uuid4().hex[:8]}"
        self.folder = folder
        self.environment = server.environment()
        self.clients = {name: clients_of(server)(name) for name in ("sqs", "dynamodb", "s3", "iam")}
        sources = {f"{self.prefix}-{name}": f"{self.prefix}-dlq" for name in ("puts", "inserts", "updates", "larges")}
        self.urls = create_queues(self.clients["sqs"], sources | {f"{self.prefix}-moved": f"{self.prefix}-moved-dlq"})
        create_table(self.clients["dynamodb"], Table(f"{self.prefix}-items", (("id", "S"),)))
        (folder / "routes.yaml").write_text(CONFIG.replace("PREFIX", self.prefix))

    def allow(self, *actions: str) -> None:
        """Run the commands with these permissions only."""
        iam = self.clients["iam"]
        iam.create_user(UserName=self.prefix)
        allowed = [each for action in actions for each in in_batches(action)]
        statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=self.prefix, PolicyName="operator", PolicyDocument=policy)
        key = iam.create_access_key(UserName=self.prefix)["AccessKey"]
        keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        self.environment = self.environment | keys

    def send(self, body: str, router: str | None = None) -> str:
        """Put a letter on the dead-letter queue; its id."""
        attributes = {} if router is None else {"router": {"DataType": "String", "StringValue": router}}
        url = self.urls[f"{self.prefix}-dlq"]
        sent = self.clients["sqs"].send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
        return str(sent["MessageId"])

    def fail(self, queue: str, body: str | None = None) -> str:
        """Put a letter of a queue on the dead-letter queue; its id."""
        failure = {"code": "RT806", "reason": "fails", "queue": queue, "route": queue, "pointer": "", "message_id": "m"}
        router = json.dumps({**failure, "receive_count": 1, "failed_at": None})
        return self.send(json.dumps({"id": "a", "total": 1}) if body is None else body, router)

    def left(self) -> int:
        """The letters, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.urls[f"{self.prefix}-dlq"]
        found = self.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def run(self, *words: str) -> tuple[int, str]:
        """Run `router dlq …`; the exit code and all output, in which each blank is one space."""
        done = subprocess.run(
            [sys.executable, "-m", "router", "dlq", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        output = " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in output
        return done.returncode, output


class Denied(NamedTuple):
    """A command without the permission for one action: the queue of its letter, and what it says and returns."""

    queue: str
    words: str
    code: int
    sentence: str


REDRIVE = "redrive --yes"
DENIED = {
    "sqs:GetQueueUrl": Denied("puts", "list", 2, ": AccessDenied; the command needs sqs:GetQueueUrl"),
    "sqs:GetQueueAttributes": Denied("puts", "list", 1, "were not received; that needs sqs:GetQueueAttributes"),
    "sqs:ReceiveMessage": Denied("puts", "list", 2, "the command needs sqs:ReceiveMessage"),
    "sqs:ChangeMessageVisibility": Denied("puts", "list", 1, "the command needs sqs:ChangeMessageVisibility"),
    "sqs:DeleteMessage": Denied("puts", REDRIVE, 1, "not deleted: AccessDenied"),
    "sqs:DeleteMessage by drop": Denied("puts", "drop --yes -o x.jsonl", 1, "the command needs sqs:DeleteMessage"),
    "sqs:SendMessage": Denied("puts", f"{REDRIVE} --to-queue", 2, "cannot be sent: AccessDenied"),
    "dynamodb:GetItem": Denied("puts", "rehearse", 2, "these credentials may not do dynamodb:GetItem"),
    "dynamodb:BatchWriteItem": Denied("puts", REDRIVE, 2, "AccessDeniedException"),
    "dynamodb:PutItem": Denied("inserts", REDRIVE, 2, "AccessDeniedException"),
    "dynamodb:UpdateItem": Denied("updates", REDRIVE, 2, "AccessDeniedException"),
    "s3:GetObject": Denied("larges", "rehearse", 1, "AccessDenied"),
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[LocalAws]:
    """Ministack with IAM policies enforced."""
    with local_aws(enforces_iam=True) as local:
        yield local


@pytest.mark.parametrize("action", DENIED)
def test_no_permission(guarded: LocalAws, tmp_path: Path, action: str) -> None:
    """The command says what is missing."""
    site, case = Site(guarded, tmp_path), DENIED[action]
    pointer = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": site.prefix, "s3Key": "key"}]
    site.clients["s3"].create_bucket(Bucket=site.prefix)
    site.clients["s3"].put_object(Bucket=site.prefix, Key="key", Body=b'{"id": "large"}')
    site.fail(case.queue, json.dumps(pointer) if case.queue == "larges" else None)
    site.allow(*(each for each in ACTIONS if each != action.split(maxsplit=1)[0]))

    code, output = site.run(*case.words.split(), "--queue", case.queue)

    assert (code, case.sentence in output, site.left()) == (case.code, True, 1), output


def test_no_permission_to_delete(guarded: LocalAws, tmp_path: Path) -> None:
    """No further message is delivered; the next run only deletes the one that is."""
    site = Site(guarded, tmp_path)
    before = site.environment
    for _ in range(3):
        site.fail("puts")
    site.allow(*(each for each in ACTIONS if each != "sqs:DeleteMessage"))

    denied = site.run("redrive", "--queue", "puts", "--rate", "1", "--yes")
    left = site.left()
    site.environment = before
    allowed = site.run("redrive", "--queue", "puts", "--yes")

    queue = f"{site.prefix}-dlq"
    sentences = (
        f"{queue}: written 1 1 delivered, but not deleted: AccessDenied; the command needs sqs:DeleteMessage "
        "Run the same command again: what was delivered is only deleted. Stopped: further messages could not be deleted"
    )
    assert (denied[0], sentences in denied[1], left) == (1, True, 3), denied
    assert "become visible" not in denied[1]
    only = "delivered by an earlier run, and only deleted now: 1 message"
    assert (allowed[0], only in allowed[1], site.left()) == (0, True, 0), allowed


def test_no_permission_to_read_a_redrive_policy(guarded: LocalAws, tmp_path: Path) -> None:
    """A queue without `dead_letter` has the dead-letter queue of its redrive policy, which is not known then."""
    site = Site(guarded, tmp_path)
    site.allow(*(each for each in ACTIONS if each != "sqs:GetQueueAttributes"))

    code, output = site.run("list", "--queue", "moved")

    assert (code, "the command needs sqs:GetQueueAttributes on it" in output) == (2, True), output


@pytest.fixture
def site(server: LocalAws, tmp_path: Path) -> Site:
    """On both servers."""
    return Site(server, tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("list", 0, "no message that is visible and selected"),
        ("rehearse", 0, "no message that is visible and selected"),
        ("redrive --yes", 0, "no message that is visible and selected"),
        ("drop --yes", 0, "no message that is visible and selected"),
        ("list --dead-letter nowhere", 2, "the dead-letter queue 'nowhere' cannot be opened in us-east-1 at "),
        ("list --where a[", 2, "--where: 'a[' is not a JMESPath expression"),
    ],
)
def test_an_empty_queue(site: Site, words: str, code: int, sentence: str) -> None:
    """There is nothing to do, or nothing that can be done."""
    found, output = site.run(*words.split(), "--queue", "puts")

    assert (found, sentence in output) == (code, True), output


STRANGE = {
    "of another program": (None, "moved by SQS, or of another program"),
    "not JSON": ("{", "its attribute 'router' is not one of the router"),
    "no object": ('["x"]', "its attribute 'router' is not one of the router"),
    "other members": ('{"code": 5}', "its attribute 'router' is not one of the router"),
}


@pytest.mark.parametrize("case", STRANGE)
def test_strange_letters(site: Site, case: str) -> None:
    """They are listed and shown, and stay: no queue is known that they failed on."""
    attribute, reason = STRANGE[case]
    id_ = site.send("a strange body", attribute)

    listed, shown, redriven = site.run("list"), site.run("show", id_), site.run("redrive", "--yes")

    assert (listed[0], reason in listed[1]) == (1, True), listed
    assert (shown[0], id_ in shown[1]) == (0, True), shown
    assert (redriven[0], "unknown queue" in redriven[1], site.left()) == (1, True, 1), redriven


def test_a_letter_of_1_mib(site: Site) -> None:
    """It is listed, shown and rehearsed; its item would be too large, and it stays."""
    room = 1024 * 1024 - len(json.dumps({"id": "a", "text": ""})) - 300
    id_ = site.fail("puts", json.dumps({"id": "a", "text": "x" * room}))

    listed, shown, redriven = site.run("list"), site.run("show", id_), site.run("redrive", "--yes")

    assert (listed[0], shown[0], f"(text, {room} characters)" in shown[1]) == (1, 0, True)
    assert (redriven[0], "more than 409600 bytes" in redriven[1], site.left()) == (1, True, 1), redriven


def test_a_redrive_policy_of_its_own(site: Site) -> None:
    """Looking counts as a receive, which the command says before it looks."""
    url, sqs = site.urls[f"{site.prefix}-dlq"], site.clients["sqs"]
    found = sqs.get_queue_attributes(QueueUrl=site.urls[f"{site.prefix}-moved-dlq"], AttributeNames=["QueueArn"])
    policy = json.dumps({"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": 7})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})

    _, output = site.run("list", "--queue", "puts")

    assert "has a redrive policy of its own" in output
    assert "counts as one of 7 receives" in output


def test_letters_in_flight_elsewhere(site: Site) -> None:
    """They are counted, and no command says that there is nothing to do."""
    for _ in range(2):
        site.fail("puts")
    url, queue = site.urls[f"{site.prefix}-dlq"], f"{site.prefix}-dlq"
    hold = {"QueueUrl": url, "MaxNumberOfMessages": 1, "VisibilityTimeout": 600}
    site.clients["sqs"].receive_message(**hold)

    code, output = site.run("list", "--queue", "puts")
    as_json = json.loads(site.run("list", "--queue", "puts", "--json")[1].partition("[")[2].rpartition("]")[0])

    assert (code, f"about 1 message of {queue} could not be looked at: in flight elsewhere" in output) == (1, True)
    assert (as_json["messages"], as_json["not_received"]) == (1, 1)

    site.clients["sqs"].receive_message(**hold)
    commands = ("list", "rehearse", "redrive --yes", "drop --yes", "export -o x.jsonl", "show m")
    found = {words: site.run(*words.split(), "--queue", "puts") for words in commands}

    none = f"{queue}: no message that is visible and selected; about 2 in flight"
    assert {words: (code, none in output) for words, (code, output) in found.items()} == {
        "list": (1, True),
        "rehearse": (1, True),
        "redrive --yes": (1, True),
        "drop --yes": (1, True),
        "export -o x.jsonl": (1, False),
        "show m": (2, False),
    }, found
    assert "about 2 messages could not be looked at" in found["show m"][1]


def test_payloads_in_s3(site: Site) -> None:
    """A rehearsal fetches them; a message whose payload is gone does not pass."""
    s3 = site.clients["s3"]
    s3.create_bucket(Bucket=site.prefix)
    for number in range(10):
        s3.put_object(Bucket=site.prefix, Key=str(number), Body=json.dumps({"id": f"l{number}"}).encode())
    for number in range(11):
        pointer = {"s3BucketName": site.prefix, "s3Key": str(number)}
        site.fail("larges", json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", pointer]))

    code, output = site.run("rehearse", "--queue", "larges")
    redriven = site.run("redrive", "--queue", "larges", "--yes")

    assert (code, "10 of 11 messages pass now, 1 do not" in output) == (1, True), output
    assert (redriven[0], "written 10" in redriven[1], site.left()) == (1, True, 1), redriven


def test_a_table_that_does_not_exist(site: Site) -> None:
    """The error names it, and where it was looked for; so does that of a queue."""
    site.fail("puts")
    site.clients["dynamodb"].delete_table(TableName=f"{site.prefix}-items")

    rehearsed = site.run("rehearse", "--queue", "puts")
    listed = site.run("list", "--dead-letter", "nowhere")
    create_table(site.clients["dynamodb"], Table(f"{site.prefix}-items", (("id", "S"),)))
    site.clients["sqs"].delete_queue(QueueUrl=site.urls[f"{site.prefix}-puts"])
    sent = site.run("redrive", "--to-queue", "--yes", "--queue", "puts")

    place = f"in us-east-1 at {site.environment['AWS_ENDPOINT_URL']}"
    assert (rehearsed[0], f"the table '{site.prefix}-items' cannot be read {place}: " in rehearsed[1]) == (2, True)
    assert (listed[0], f"the dead-letter queue 'nowhere' cannot be opened {place}: " in listed[1]) == (2, True)
    assert (sent[0], f"cannot send to the queue '{site.prefix}-puts' {place}: " in sent[1]) == (2, True)

"""Random letters on dead-letter queues, and what must become of them, whoever redrives them and is killed."""

import json
import random
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from router.model import Outcome, Record
from tests.faults.fault_model import by_id
from tests.faults.fault_proxy import Call
from tests.faults.fault_rig import BATCH, Rig, wait_until
from tests.faults.fifo_history import find_violations, read_history
from tests.support.aws import OutgoingMessage
from tests.support.deliver import describe_failure, with_failure
from tests.support.program import load_program

KEYS = 3
GROUPS = 3
HOUR_MS = 3_600_000
_TOKEN = re.compile(r'token-\d+|(?<=")n\d(?=\\*")')
"""What identifies a message in a call; of `newest` the item, as lesser versions of one batch need no call."""
_WRITES = ("TransactWriteItems", "PutItem", "UpdateItem", "BatchWriteItem")
_QUEUE = {"counts": "dead", "newest": "dead", "groups.fifo": "dead.fifo"}


class Letter(NamedTuple):
    """A letter: the queue it failed on, its body, when it was sent there, and its group.

    `moved` is whether SQS moved it; `applied`, whether its write was made before.
    """

    queue: str
    body: Mapping[str, Any]
    sent_ms: int
    group: str = ""
    moved: bool = False
    applied: bool = False

    @property
    def token(self) -> str:
        """What identifies it in each call."""
        return str(self.body["token"])

    @property
    def bad(self) -> bool:
        """Whether it fails again."""
        return "bad" in self.body


class LetterModel:
    """The letters, and the expected contents of all tables and queues when everything was redriven."""

    def __init__(self, seed: int, size: int) -> None:
        """Choose about `size` letters."""
        self._random = random.Random(seed)
        self._now = time.time_ns() // 1_000_000
        self._tokens = 0
        self.letters = [
            *(self._count() for _ in range(size // 2)),
            *(self._newest() for _ in range(size // 6)),
            *self._grouped(size // 3),
        ]
        # Messages that come after the letters were sent: what is stored is newer than some letters.
        self.newer = [self._letter("newest", {"id": f"n{key}"}, 0) for key in range(KEYS - 1)]

    def _letter(self, queue: str, body: dict[str, Any], age_ms: int, group: str = "") -> Letter:
        self._tokens += 1
        return Letter(queue, {**body, "token": f"token-{self._tokens}"}, self._now - age_ms, group)

    def _count(self) -> Letter:
        body = {"id": f"c{self._random.randrange(KEYS)}", "amount": self._random.randint(1, 99)}
        kind = self._random.choice(["good", "good", "good", "bad", "moved", "moved", "applied"])
        letter = self._letter("counts", body | ({"bad": True} if kind == "bad" else {}), self._age())
        return letter._replace(moved=kind == "moved", applied=kind == "applied")

    def _newest(self) -> Letter:
        return self._letter("newest", {"id": f"n{self._random.randrange(KEYS)}"}, self._age())

    def _grouped(self, count: int) -> Iterator[Letter]:
        """Yield the letters of the groups, each in order; the last group has a bad one in its middle."""
        for number in range(count // GROUPS):
            for group in range(GROUPS):
                bad = {"bad": True} if (group, number) == (GROUPS - 1, count // GROUPS // 2) else {}
                body = {"id": f"g{group}", "number": number, **bad}
                yield self._letter("groups.fifo", body, HOUR_MS - self._tokens, f"g{group}")

    def _age(self) -> int:
        return self._random.randrange(1, HOUR_MS)

    def fill(self, rig: Rig) -> None:
        """Put the letters on their dead-letter queues; `rig` has a worker that applies what is to be applied."""
        queues = load_program(rig.config, rig.environment).engine.queues
        for name, dead in _QUEUE.items():
            ours = [each for each in self.letters if each.queue == name and not each.moved]
            entries = [_entry(queues[name.removesuffix(".fifo")], each) for each in ours]
            _send(rig, dead, entries)
            _send(rig, name, [entry for entry, each in zip(entries, ours, strict=True) if each.applied])
        _send(rig, "newest", [{"MessageBody": json.dumps(each.body)} for each in self.newer])
        wait_until(lambda: not rig.left(), 60, "the end of the messages beside the letters")

    def move(self, rig: Rig) -> None:
        """Let SQS move letters to their dead-letter queue; before a worker runs."""
        moved = [each for each in self.letters if each.moved]
        source, dead = rig.urls[f"{rig.prefix}-counts"], rig.urls[f"{rig.prefix}-dead"]
        attributes: Any = ["QueueArn"]
        arn = rig.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=attributes)["Attributes"]["QueueArn"]
        for receives in (1, 1000):
            policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": receives})
            rig.sqs.set_queue_attributes(QueueUrl=source, Attributes={"RedrivePolicy": policy})
            if receives == 1:
                _send(rig, "counts", [{"MessageBody": json.dumps(each.body)} for each in moved])
                wait_until(lambda: _count(rig, "dead") == (len(moved), 0), 60, "the moves", lambda: _look(rig))

    @property
    def stays(self) -> set[str]:
        """The tokens of the letters that must stay: what fails again, and what is behind it in its group."""
        blocked: set[str] = set()
        found = set()
        for each in self.letters:
            if each.bad or each.group in blocked:
                found.add(each.token)
                blocked |= {each.group} if each.group else set()
        return found

    def check(self, rig: Rig, calls: Sequence[Call], writers: Sequence[Call] | None = None) -> None:
        """Assert that each letter is gone with its effect, or on its dead-letter queue and visible.

        `writers` are the calls of those that wrote the messages of groups, if others sent them back.
        """
        done = [each for each in self.letters if each.token not in self.stays]
        early = find_early_deletes(calls)
        assert not early, early
        assert (_count(rig, "dead")[1], _count(rig, "dead.fifo")[1], rig.left()) == (0, 0, 0)
        counts = by_id(rig.items("counts"))
        logs = sorted(token for item in counts.values() for token in item["log"])
        assert logs == sorted(each.token for each in done if each.queue == "counts")
        for id_, item in counts.items():
            assert item["total"] == sum(each.body["amount"] for each in done if each.body["id"] == id_)
        # The last one sent is the newest; the letters are older than `newer`.
        newest = {
            each.body["id"]: each for each in sorted(done, key=lambda each: each.sent_ms) if each.queue == "newest"
        }
        newest |= {each.body["id"]: each for each in self.newer}
        stored = {item["id"]: item["token"] for item in rig.items("newest")}
        assert stored == {id_: each.token for id_, each in newest.items()}
        sent: dict[str, list[int]] = {}
        for each in done:
            if each.group:
                sent.setdefault(each.group, []).append(each.body["number"])
        for table in ("groups", "latest"):
            violations = find_violations(read_history(sent, calls if writers is None else writers, table))
            assert not violations, violations
        assert {item["id"]: item["number"] for item in rig.items("latest")} == {g: n[-1] for g, n in sent.items()}
        letters = [*rig.letters("dead"), *rig.letters("dead.fifo")]
        assert sorted(json.loads(each["Body"])["token"] for each in letters) == sorted(self.stays)


def find_early_deletes(calls: Sequence[Call]) -> list[str]:
    """Return a sentence for each delete of a message that was not at its target by then.

    Its target is the table, or, if it is sent back, its queue. A write is confirmed by a response that the program has
    read: that it is made, or that a condition says that it was made before, or is too old.
    """
    tokens: dict[str, str] = {}
    settled: dict[str, float] = {}
    found = []
    for call in sorted(calls, key=lambda call: call.ended):
        if call.operation == "ReceiveMessage":
            for message in (call.answer or {}).get("Messages", ()):
                body = json.loads(message["Body"])
                tokens[message["ReceiptHandle"]] = body["id"] if body["id"].startswith("n") else body["token"]
        for token in _settled(call):
            settled.setdefault(token, call.ended)
    for call in calls:
        if call.operation == "DeleteMessageBatch":
            for entry in call.request["Entries"]:
                token = tokens[entry["ReceiptHandle"]]
                if settled.get(token, float("inf")) > call.began:
                    found.append(f"{token} was deleted from {call.request['QueueUrl']} and was in no other place")
    return found


def _settled(call: Call) -> set[str]:
    answer = json.dumps(call.answer)
    if call.answer is None or not call.read:
        return set()
    if call.operation == "SendMessageBatch":
        done = {each["Id"] for each in call.answer.get("Successful", ())}
        return {token for each in call.request["Entries"] if each["Id"] in done for token in _tokens(each)}
    if call.operation not in _WRITES or (call.status != 200 and "ConditionalCheckFailed" not in answer):
        return set()
    return _tokens(call.request) - _tokens(call.answer.get("UnprocessedItems", {}))


def _tokens(part: Any) -> set[str]:
    return set(_TOKEN.findall(json.dumps(part)))


def _entry(queue: Any, letter: Letter) -> dict[str, Any]:
    """Return the letter that the router would have sent."""
    id_ = str(uuid.uuid4())
    attributes = {"SentTimestamp": str(letter.sent_ms), "ApproximateFirstReceiveTimestamp": str(letter.sent_ms)}
    if letter.group:
        attributes["MessageGroupId"] = letter.group
    record = Record(id_, "", json.dumps(letter.body), attributes)
    failed = describe_failure(queue, record, Outcome("rejected", "RT806", "fails 'type' at /type"))
    outgoing = with_failure(OutgoingMessage(id_, record.body), failed)
    fifo = {"MessageGroupId": letter.group, "MessageDeduplicationId": id_} if letter.group else {}
    return {"MessageBody": record.body, "MessageAttributes": outgoing.message_attributes, **fifo}


def _send(rig: Rig, queue: str, entries: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(entries), BATCH):
        batch: Any = [{"Id": str(number), **each} for number, each in enumerate(entries[start : start + BATCH])]
        answer = rig.sqs.send_message_batch(QueueUrl=rig.urls[f"{rig.prefix}-{queue}"], Entries=batch)
        assert len(answer["Successful"]) == len(batch)


def _look(rig: Rig) -> None:
    rig.sqs.receive_message(QueueUrl=rig.urls[f"{rig.prefix}-counts"], MaxNumberOfMessages=BATCH, VisibilityTimeout=0)


def _count(rig: Rig, queue: str) -> tuple[int, int]:
    """Return the visible and the invisible messages of a queue."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer: Any = rig.sqs.get_queue_attributes(QueueUrl=rig.urls[f"{rig.prefix}-{queue}"], AttributeNames=names)
    return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])

"""`router dlq` on dead letters of a real worker and of SQS itself, as an on-call engineer uses it."""

import json
import re
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_queues, create_table, local_aws

CONFIG = """
version: 1
queues:
  orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}
tables:
  orders: {name: PREFIX-orders, key: {id: S}}
routes:
  orders:
    queue: orders
    table: orders
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1}, total: {type: TYPE}}}
    item: {id: id, total: total, at: {meta: sent_at}}
    write: {mode: newest, version: at}
"""
SECONDS = 60


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond a size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class OnCall:
    """A queue with dead letters, the config before and after the fix, and the commands."""

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any, folder: Path) -> None:
        self.prefix = f"dlq-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment()
        self.room = 0
        """If not 0, no file of a command grows beyond so many bytes, as on a full disk."""
        self.folder = folder
        self.config = folder / "routes.yaml"
        self.dynamodb, self.sqs = dynamodb, sqs
        self.urls = create_queues(sqs, {f"{self.prefix}-orders": f"{self.prefix}-dlq"})
        create_table(dynamodb, Table(f"{self.prefix}-orders", (("id", "S"),)))
        self.use("integer")

    def use(self, type_: str) -> None:
        """Write the config with this type of `total`."""
        self.config.write_text(CONFIG.replace("PREFIX", self.prefix).replace("TYPE", type_))

    def send(self, message: Any, queue: str = "orders", **settings: Any) -> str:
        body = message if isinstance(message, str) else json.dumps(message)
        return str(
            self.sqs.send_message(QueueUrl=self.urls[f"{self.prefix}-{queue}"], MessageBody=body, **settings)[
                "MessageId"
            ]
        )

    def count(self, queue: str) -> tuple[int, int]:
        """The visible and the invisible messages of a queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.urls[f"{self.prefix}-{queue}"], AttributeNames=names)
        return int(answer["Attributes"][names[0]]), int(answer["Attributes"][names[1]])

    def work(self, until: Callable[[], bool]) -> None:
        """Run the worker until something is true."""
        command = [sys.executable, "-m", "router", "worker", "-c", str(self.config), "--wait", "1"]
        with subprocess.Popen(command, env=self.environment) as process:
            end = time.monotonic() + SECONDS
            while not until() and time.monotonic() < end:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
        assert until()

    def run(self, *words: str, code: int = 0) -> str:
        """Run `router dlq …`; its standard output."""
        command = [sys.executable, "-m", "router", "dlq", *words]
        if words[0] != "--help":
            command += ["-c", str(self.config)]
        done = subprocess.run(
            command,
            preexec_fn=partial(limit_files, self.room) if self.room else None,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS * 2,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if "--json" in words else done.stdout + done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code))

    def item(self, id_: str) -> dict[str, Any] | None:
        answer = self.dynamodb.get_item(TableName=f"{self.prefix}-orders", Key={"id": {"S": id_}}, ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        return item

    def stored(self) -> int:
        """The number of items."""
        return int(self.dynamodb.scan(TableName=f"{self.prefix}-orders", ConsistentRead=True)["Count"])


@pytest.fixture
def on_call(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> OnCall:
    return OnCall(server, dynamodb, sqs, tmp_path)


def test_a_night_on_call(on_call: OnCall) -> None:
    """From the alarm to the stored items: list, show, rehearse, fix, rehearse, redrive."""
    bad = [on_call.send({"id": f"o-{number}", "total": f"{number} euros"}) for number in range(3)]
    on_call.send("not JSON")
    on_call.work(lambda: on_call.count("dlq")[0] == 4)

    (listed,) = on_call.json("list", code=1)
    assert [(each["messages"], each["code"]) for each in listed["causes"]] == [(3, "RT806"), (1, "RT801")]
    assert listed["causes"][0]["example"] in bad
    assert f"SQS deletes the first at {listed['first_deleted_at'][:19].replace('T', ' ')} UTC\n" in on_call.run(
        "list", code=1
    )
    shown = on_call.run("show", bad[1], "--values")
    assert ("fails 'type' at /properties/total/type" in shown, "1 euros" in shown) == (True, True)
    assert "1 euros" not in on_call.run("show", bad[1])
    assert "0 of 4 messages pass now, 4 do not" in on_call.run("rehearse", code=1)

    on_call.use("string")

    (rehearsed,) = on_call.json("rehearse", "--diff", code=1)
    assert (rehearsed["messages"], rehearsed["passing"], len(rehearsed["rehearsed"])) == (4, 3, 4)
    assert on_call.item("o-1") is None
    (redriven,) = on_call.json("redrive", "--yes", code=1)
    assert redriven["redriven"] == {"written": 3}
    assert [on_call.item(f"o-{number}") is not None for number in range(3)] == [True] * 3
    assert on_call.count("dlq") == (1, 0)
    assert not list(on_call.folder.glob("*.journal"))
    assert on_call.json("export", "-o", "all.jsonl") == {"file": "all.jsonl", "messages": 1}
    (dropped,) = on_call.json("drop", "--code", "RT801", "--yes", "-o", "dropped.jsonl")
    assert (dropped["file"], dropped["dropped"]) == ("dropped.jsonl", 1)
    assert on_call.count("dlq") == (0, 0)
    assert json.loads((on_call.folder / "dropped.jsonl").read_text())["Body"] == "not JSON"


@pytest.mark.parametrize("way", [(), ("--to-queue",)])
def test_an_old_message_does_not_replace_a_newer_item(on_call: OnCall, way: tuple[str, ...]) -> None:
    """It was sent before the newer one, so it is stale, whichever way it is redriven."""
    on_call.send({"id": "o", "total": "old"})
    on_call.work(lambda: on_call.count("dlq")[0] == 1)
    on_call.use("string")
    on_call.send({"id": "o", "total": "new"})
    on_call.work(lambda: on_call.item("o") is not None)

    (redriven,) = on_call.json("redrive", "--yes", *way)

    assert redriven["redriven"] == ({"sent": 1} if way else {"stale": 1})
    on_call.work(lambda: on_call.count("orders") == (0, 0))
    assert (on_call.item("o") or {})["total"] == {"S": "new"}
    assert on_call.count("dlq") == (0, 0)


def test_a_rehearsal_counts_what_the_redrive_does(on_call: OnCall) -> None:
    """Of two messages for one item the older is stale; the counts come before the differences."""
    ids = [on_call.send({"id": "o", "total": total}, "dlq") for total in range(2)]

    shown = on_call.run("rehearse", "--diff")
    (rehearsed,) = on_call.json("rehearse")
    (redriven,) = on_call.json("redrive", "--yes")

    assert shown.index("2 of 2 messages pass now") < min(shown.index(id_) for id_ in ids)
    counts = {each["now"].partition(" (")[0]: each["messages"] for each in rehearsed["results"]}
    assert counts == redriven["redriven"] == {"stale": 1, "written": 1}


def test_messages_that_sqs_moved_have_a_reason_after_a_rehearsal(on_call: OnCall) -> None:
    """They have no attribute of the router."""
    on_call.send({"id": "o", "total": "1"}, "dlq")

    (listed,) = on_call.json("list", code=1)
    (rehearsed,) = on_call.json("rehearse", "--diff", code=1)

    assert listed["causes"][0]["code"] == "-"
    assert rehearsed["rehearsed"][0]["now"]["code"] == "RT806"


def test_an_export_is_redriven_after_it_was_dropped(on_call: OnCall) -> None:
    """The file has everything that a redrive needs."""
    on_call.send({"id": "o", "total": "1"})
    on_call.work(lambda: on_call.count("dlq")[0] == 1)
    on_call.run("drop", "--yes", "-o", "dropped.jsonl")
    on_call.use("string")

    (redriven,) = on_call.json("redrive", "--from", "dropped.jsonl", "--yes")

    assert redriven["redriven"] == {"written": 1}
    assert on_call.item("o") is not None


def test_an_interrupted_command_releases_the_messages(on_call: OnCall) -> None:
    """They are visible again after SIGINT, while the command asks for confirmation or works."""
    for number in range(30):
        on_call.send({"id": f"o-{number}", "total": 1}, "dlq")
    command = [sys.executable, "-m", "router", "dlq", "redrive", "-c", str(on_call.config), "--yes", "--rate", "1"]
    with subprocess.Popen(command, env=on_call.environment, cwd=on_call.folder, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + SECONDS
        while not on_call.stored() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)

    visible, invisible = on_call.count("dlq")
    assert (invisible, visible > 0) == (0, True)
    (redriven,) = on_call.json("redrive", "--yes")
    # A message may have been written, and the command interrupted before it was deleted.
    assert (sum(redriven["redriven"].values()), on_call.stored()) == (visible, 30)
    assert redriven["redriven"].keys() <= {"written", "duplicate"}
    assert on_call.count("dlq") == (0, 0)


class TestFifo:
    """A FIFO dead-letter queue with two groups of 15 messages: SQS returns the first ones of a group only."""

    @pytest.fixture
    def fifo(self, on_call: OnCall) -> OnCall:
        config = on_call.config.read_text()
        for name in ("orders", "dlq"):
            config = config.replace(f": {on_call.prefix}-{name}", f": {on_call.prefix}-{name}.fifo", 1)
        on_call.config.write_text(config.replace("TYPE", "integer"))
        on_call.urls |= create_queues(on_call.sqs, {f"{on_call.prefix}-orders.fifo": f"{on_call.prefix}-dlq.fifo"})
        return on_call

    def fill(self, fifo: OnCall, bad: int = -1) -> None:
        for number in range(30):
            total = "bad" if number == bad else number
            settings = {"MessageGroupId": f"g{number % 2}", "MessageDeduplicationId": str(number)}
            fifo.send({"id": f"f-{number}", "total": total}, "dlq.fifo", **settings)

    def test_all_of_a_group(self, fifo: OnCall) -> None:
        """Those that follow are delivered too, which completes the command."""
        self.fill(fifo)
        (redriven,) = fifo.json("redrive", "--yes")
        assert (redriven["redriven"], redriven["messages"]) == ({"written": 30}, 30)
        assert fifo.count("dlq.fifo") == (0, 0)

    def test_list(self, fifo: OnCall) -> None:
        """It says how many it could not look at."""
        self.fill(fifo)
        shown = fifo.run("list", code=1)
        (listed,) = fifo.json("list", code=1)
        # moto's counts are approximate too.
        assert listed["not_received"] >= 30 - listed["messages"] > 0
        queue = f"{fifo.prefix}-dlq.fifo"
        assert re.search(rf"about \d+ messages of {queue} could not be looked at: behind others of their", shown)

    def test_limit(self, fifo: OnCall) -> None:
        """Not more are delivered."""
        self.fill(fifo)
        (redriven,) = fifo.json("redrive", "--yes", "--limit", "14")
        assert (redriven["redriven"], fifo.count("dlq.fifo")) == ({"written": 14}, (16, 0))

    def test_a_message_that_stays_keeps_the_rest_of_its_group(self, fifo: OnCall) -> None:
        """Message 4 does not pass: 6, 8 ... stay too, and the other group is delivered."""
        self.fill(fifo, bad=4)
        (redriven,) = fifo.json("redrive", "--yes", code=1)
        assert (redriven["redriven"], fifo.count("dlq.fifo")) == ({"written": 17}, (13, 0))
        assert [fifo.item(f"f-{number}") is not None for number in (2, 4, 6, 29)] == [True, False, False, True]
        assert "stay behind one of their group" in fifo.run("redrive", "--dry-run", code=1)


def test_a_journal_outlasts_a_run_that_does_not_see_all_of_it(on_call: OnCall) -> None:
    """A message of a command that was killed is not visible yet; it must not be delivered again later."""
    on_call.send({"id": "o", "total": 1}, "dlq")
    journal = on_call.folder / f"router-dlq-{on_call.prefix}-dlq.journal"
    journal.write_text('{"id": "invisible", "result": "written"}\n')

    on_call.run("redrive", "--yes")

    assert (on_call.stored(), on_call.count("dlq")) == (1, (0, 0))
    assert '"invisible"' in journal.read_text()


def test_what_an_earlier_run_delivered_is_only_deleted(on_call: OnCall) -> None:
    """Also if the config at hand would reject it now; a dry run leaves it."""
    message_id = on_call.send({"id": "o", "total": "text"}, "dlq")
    journal = on_call.folder / f"router-dlq-{on_call.prefix}-dlq.journal"
    journal.write_text(json.dumps({"id": message_id, "result": "written"}) + "\n")

    shown = on_call.run("redrive", "--dry-run")
    before = on_call.count("dlq")
    (redriven,) = on_call.json("redrive", "--yes")

    assert ("delivered by an earlier run, and only deleted now: 1 message" in shown, before) == (True, (1, 0))
    assert (redriven["messages"], redriven["confirmed"], redriven["redriven"]) == (0, 1, {"written": 1})
    assert (on_call.stored(), on_call.count("dlq"), journal.exists()) == (0, (0, 0), False)


def test_a_stopped_redrive_of_a_file_goes_on(on_call: OnCall) -> None:
    """What it has delivered is in the file still, and is not delivered again."""
    first, _ = (on_call.send({"id": id_, "total": 1}, "dlq") for id_ in "ab")
    on_call.run("drop", "--yes", "-o", "dropped.jsonl")
    journal = on_call.folder / "dropped.jsonl.journal"
    journal.write_text(json.dumps({"id": first, "result": "written"}) + "\n")

    (redriven,) = on_call.json("redrive", "--from", "dropped.jsonl", "--yes")

    assert (redriven["redriven"], redriven["confirmed"], redriven["complete"]) == ({"written": 1}, 1, True)
    assert [on_call.item(id_) is not None for id_ in "ab"] == [False, True]


def test_a_file_is_redriven_once(on_call: OnCall) -> None:
    """Its journal stays beside it; --again redrives all that is in it, and goes on after it was stopped."""
    for id_ in "ab":
        on_call.send({"id": id_, "total": 1}, "dlq")
    on_call.run("drop", "--yes", "-o", "dropped.jsonl")
    words = ("redrive", "--from", "dropped.jsonl", "--yes")

    (first,) = on_call.json(*words)
    second = on_call.run(*words)
    (again,) = on_call.json(*words, "--again")
    (after,) = on_call.json(*words)

    assert [each["redriven"] for each in (first, again, after)] == [{"written": 2}, {"duplicate": 2}, {}]
    assert [(each["confirmed"], each["complete"]) for each in (first, again, after)] == [
        (0, True),
        (0, True),
        (2, True),
    ]
    assert "already redriven: 2 messages; --again delivers them again\n" in second
    assert "dropped.jsonl: nothing to redrive" in second
    assert "--again is for --from FILE" in on_call.run("redrive", "--again", code=2)


ROOM = 240
"""Bytes of a journal: for the lines of one message, and not for those of a second one besides."""


@pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
def test_a_journal_that_cannot_grow(on_call: OnCall) -> None:
    """It reports what was redriven, redrives no more, and the next run delivers the rest: nothing twice."""
    for id_ in "abc":
        on_call.send({"id": id_, "total": 1}, "dlq")
    words = ("redrive", "--yes", "--rate", "1.9")

    on_call.room = ROOM
    reply = on_call.run(*words, code=2)
    on_call.room = 0
    assert f"{on_call.prefix}-dlq: written 1\n" in reply
    assert "file too large; make room there, and run the same command again\n" in reply
    assert (on_call.count("dlq"), on_call.stored()) == ((2, 0), 1)
    (rest,) = on_call.json("redrive", "--yes")

    assert (rest["redriven"], rest["complete"]) == ({"written": 2}, True)
    assert (on_call.count("dlq"), on_call.stored()) == ((0, 0), 3)
    assert not list(on_call.folder.glob("*.journal"))


@pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
def test_a_file_on_a_full_disk(on_call: OnCall) -> None:
    """`drop` deletes nothing without room for its export; a part of it that was redriven is not redriven again."""
    for id_ in "abc":
        on_call.send({"id": id_, "total": 1}, "dlq")
    on_call.room = 10
    refused = on_call.run("drop", "--yes", "-o", "dropped.jsonl", code=2)
    assert "router: cannot write dropped.jsonl: file too large\n" in refused
    assert (on_call.count("dlq"), (on_call.folder / "dropped.jsonl").exists()) == ((3, 0), False)
    on_call.room = 0
    on_call.run("drop", "--yes", "-o", "dropped.jsonl")
    words = ("redrive", "--from", "dropped.jsonl", "--yes")

    on_call.room = ROOM - 60
    (stopped,) = on_call.json(*words, "--rate", "1.9", code=2)
    on_call.room = 0
    (rest,) = on_call.json(*words)

    assert (stopped["redriven"], stopped["complete"]) == ({"written": 1}, False)
    assert (rest["redriven"], rest["confirmed"]) == ({"written": 2}, 1)


BAD_INPUT = {
    "no such queue": (("list", "--dead-letter", "nowhere"), "'nowhere' cannot be opened"),
    "no such source": (("list", "--queue", "nowhere"), "the config has no such queue; there are orders"),
    "no such route": (
        ("list", "--route", "ordrs"),
        "no message that could be looked at has the route 'ordrs', and the config has no such route; did you mean",
    ),
    "no such code": (
        ("list", "--code", "RT8066"),
        "no message that could be looked at has the code 'RT8066', and the router has no such code; did you mean",
    ),
    "no JMESPath": (("list", "--where", "a["), "--where: 'a[' is not a JMESPath expression"),
    "no time": (("list", "--since", "yesterday"), "--since is 'yesterday'"),
    "no message": (("show", "m-1"), "there is no visible message with the id 'm-1'"),
    "no terminal": (("redrive",), "standard input is not a terminal"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input(on_call: OnCall, case: str) -> None:
    """Each is a sentence, and exit code 2."""
    words, sentence = BAD_INPUT[case]
    on_call.send({"id": "o", "total": 1}, "dlq")

    assert sentence in on_call.run(*words, code=2)
    assert on_call.count("dlq") == (1, 0)

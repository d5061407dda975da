"""`router replay` on a local AWS: sources, what is refused, and runs that are killed."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import uuid
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn

import boto3
import pytest

from router.model import Table
from tests.support.cli import app, replay_run
from tests.support.dev import LocalAws, create_table, local_aws

pytestmark = pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
CONFIG = """
version: 1
queues:
  orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}
  clicks: {name: PREFIX-clicks, dead_letter: PREFIX-dlq}
tables:
  orders: {name: PREFIX-orders, key: {id: S}}
  plain: {name: PREFIX-plain, key: {id: S}}
  totals: {name: PREFIX-totals, key: {id: S}}
  keys: {name: PREFIX-keys, key: {id: S}, ttl: gone_at}
routes:
  orders:
    queue: orders
    table: orders
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1}}}
    item: {id: id, total: total, at: {meta: sent_at}}
    write: {mode: newest, version: at}
  MORE
  clicks:
    queue: clicks
    table: totals
    item: {id: id, clicks: {from: n, type: N}}
    write: {mode: update, add: [clicks], ONCE}
"""
PLAIN = "plain: {queue: orders, table: plain, item: {id: id, total: total}}"
SECONDS = 300
assert replay_run  # imported before the command is run, as each run is a copy of this process
HOUR = "2026-01-02T03:00:00Z"


class Replayer:
    """Tables, the config, sources, and the command."""

    def __init__(self, server: LocalAws, dynamodb: Any, folder: Path) -> None:
        self.prefix = f"replay-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment()
        self.folder = folder
        self.dynamodb = dynamodb
        for name in ("orders", "plain", "totals", "keys"):
            create_table(dynamodb, Table(self.name(name), (("id", "S"),)))
        self.use()

    def name(self, table: str) -> str:
        return f"{self.prefix}-{table}"

    def use(self, more: str = "", once: str = "once: keys") -> None:
        """Write the config, with one more route."""
        text = CONFIG.replace("PREFIX", self.prefix).replace("MORE", more).replace("ONCE", once)
        (self.folder / "routes.yaml").write_text(text, encoding="utf-8")

    def source(self, messages: Iterable[Any], name: str = "orders.jsonl") -> str:
        """Write a source."""
        lines = [each if isinstance(each, str) else json.dumps(each) for each in messages]
        content = "".join(f"{line}\n" for line in lines).encode()
        (self.folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return name

    def start(self, *words: str, **settings: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "router", "replay", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **settings,
        )

    def run(self, *words: str, code: int = 0, given: str = "") -> str:
        """Run `router replay …` in a process that has imported what it needs; what it prints."""
        with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
            stdin.write(given.encode())
            stdin.seek(0)
            child = os.fork()
            if child == 0:
                self._become_command(words, (stdin, stdout, stderr))
            _, status = os.waitpid(child, 0)
            out, err = (_content(file) for file in (stdout, stderr))
        assert os.waitstatus_to_exitcode(status) == code, out + err
        assert "Traceback" not in err
        return out if "--json" in words else out + err

    def _become_command(self, words: Iterable[str], files: Iterable[IO[bytes]]) -> NoReturn:
        code = 99
        try:
            os.chdir(self.folder)
            os.environ.clear()
            os.environ.update(self.environment)
            for number, file in enumerate(files):
                os.dup2(file.fileno(), number)
            for number, name in enumerate(("stdin", "stdout", "stderr")):
                mode = "r" if number == 0 else "w"
                setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
            try:
                app(["replay", *words], prog_name="router")
            except SystemExit as error:
                code = int(error.code or 0)
            except BaseException:  # in a copy of this process, pytest would report it
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", "--yes", code=code))

    def items(self, table: str = "orders") -> dict[str, dict[str, Any]]:
        """The items of a table by id, in DynamoDB's JSON."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name(table), ConsistentRead=True)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def put(self, table: str, **item: Any) -> None:
        self.dynamodb.put_item(TableName=self.name(table), Item={name: {"S": text} for name, text in item.items()})


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@pytest.fixture
def replayer(server: LocalAws, dynamodb: Any, tmp_path: Path) -> Replayer:
    return Replayer(server, dynamodb, tmp_path)


def orders(count: int) -> list[dict[str, Any]]:
    """Messages of which three write each item, one after the other."""
    return [
        {"id": f"o-{number // 3}", "total": number, "at": f"2026-01-02T{number // 60:02}:{number % 60:02}:00Z"}
        for number in range(count)
    ]


SENT = ("--queue", "orders", "--sent-at", "at")


def test_an_archive_fills_a_table(replayer: Replayer) -> None:
    """A dry run says what would become of the messages; the replay does that once; what it rejects is a source."""
    source = replayer.source([*orders(9), "not JSON", {"total": 1, "at": HOUR}], "orders.jsonl.gz")
    replayer.put("orders", id="o-1", at="2026-01-03T00:00:00.000Z")

    dry = replayer.run(source, *SENT, "--dry-run", code=1)
    assert "9 of 11 messages pass now, 2 do not" in dry
    for row in (
        "│ 2        │ orders │ written (new)",
        "│ 7        │ orders │ stale",
        "rejected RT801",
        "rejected RT806",
    ):
        assert row in dry, dry
    assert [*replayer.items()] == ["o-1"]

    done = replayer.json(source, *SENT, code=1)
    assert (done["messages"], done["complete"], done["before"]) == (11, True, 0)
    assert done["results"] == {"rejected": 2, "stale": 7, "written": 2}
    assert {id_: item.get("total") for id_, item in replayer.items().items()} == {
        "o-0": {"N": "2"},
        "o-1": None,
        "o-2": {"N": "8"},
    }

    again = replayer.run(source, *SENT, "--yes", code=1)
    assert "All were replayed by an earlier run; --again replays them again." in again
    rejected = done["rejected"]
    assert replayer.json(rejected, "--dry-run", code=1)["passing"] == 0
    # The config is corrected.
    text = (replayer.folder / "routes.yaml").read_text().replace("item: {id: id, total", "item: {id: {value: x}, total")
    (replayer.folder / "routes.yaml").write_text(text.replace("required: [id], ", ""))
    assert replayer.json(rejected, code=1)["results"] == {"rejected": 1, "written": 1}
    assert replayer.items()["x"] == {"id": {"S": "x"}, "total": {"N": "1"}, "at": {"S": "2026-01-02T03:00:00.000Z"}}


def test_messages_are_selected(replayer: Replayer) -> None:
    """By time, route and expression; the same selection goes on with the same journal only."""
    replayer.use(PLAIN)
    source = replayer.source(orders(9))
    selected = ("--since", "2026-01-02T00:03:00Z", "--until", "2026-01-02T00:08:00Z", "--where", "id != 'o-1'")

    done = replayer.json(source, *SENT, *selected, "--route", "orders")

    assert (done["results"], [*replayer.items()], replayer.items("plain")) == ({"stale": 1, "written": 1}, ["o-2"], {})
    assert replayer.items()["o-2"]["total"] == {"N": "7"}
    other = replayer.run(source, *SENT, "--yes", code=2)
    assert "is of another replay: its --route was 'orders'; call the command as before" in other
    assert "the config has no route 'other'; there are orders, plain, clicks" in replayer.run(
        source, *SENT, "--route", "other", code=2
    )
    for words, error in (
        (("--where", "a ="), "--where: "),
        (("--until", "soon"), "--until is 'soon'; give 90s"),
        (("--queue", "other"), "no route reads the queue 'other'"),
    ):
        assert error in replayer.run(source, *SENT, *words, "--journal", "new", code=2)
    assert "orders.jsonl:1 has no time of sending, which the route 'orders' stores; --sent-at EXPR" in replayer.run(
        source, "--queue", "orders", "--journal", "new", "--yes", code=2
    )


def test_standard_input(replayer: Replayer) -> None:
    """It cannot be asked, and is not kept; the journal knows it by what it says."""
    lines = "".join(f"{json.dumps(each)}\n" for each in orders(6))
    assert "standard input is not a terminal; --yes continues" in replayer.run("-", *SENT, given=lines, code=2)
    assert "written 2" in replayer.run("-", *SENT, "--yes", given=lines)
    more = lines + json.dumps({"id": "new", "at": HOUR}) + "\n"
    assert "Of these, 6 messages by an earlier run." in replayer.run("-", *SENT, "--yes", given=more)
    assert replayer.items().keys() == {"o-0", "o-1", "new"}
    changed = replayer.run("-", *SENT, "--yes", given="{}\n" * 9, code=2)
    assert "the source is not the one that the journal is of" in changed


def test_objects_of_s3(replayer: Replayer, server: LocalAws) -> None:
    """A prefix, by the credentials of the environment."""
    s3 = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    bucket = replayer.prefix
    s3.create_bucket(Bucket=bucket)
    for name, part in (("a/1.jsonl", orders(9)[:4]), ("a/2.jsonl.gz", orders(9)[4:]), ("b", [{"id": "no"}])):
        content = "".join(f"{json.dumps(each)}\n" for each in part).encode()
        s3.put_object(Bucket=bucket, Key=name, Body=gzip.compress(content) if name.endswith("gz") else content)

    done = replayer.json(f"s3://{bucket}/a/", *SENT)

    assert (done["results"], len(replayer.items())) == ({"stale": 6, "written": 3}, 3)
    assert (replayer.folder / f"router-replay-{bucket}-a.journal").exists()
    assert "there is no object whose name begins with" in replayer.run(f"s3://{bucket}/c", *SENT, code=2)
    assert "AWS refuses s3:ListObjectsV2" in replayer.run("s3://gone-away-bucket/c", *SENT, code=2)


def exported(count: int, sent: float) -> list[dict[str, Any]]:
    """Clicks with ids of their own, a second apart, as an export has them: three for each item."""
    return [
        {
            "MessageId": f"click-{number}",
            "Body": json.dumps({"id": f"t-{number // 3}", "n": 1}),
            "Attributes": {"SentTimestamp": str(int((sent + number) * 1000))},
            "MessageAttributes": {},
        }
        for number in range(count)
    ]


CLICKS = ("--queue", "clicks")
DAY = 24 * 60 * 60


class TestRefused:
    """What could lose or repeat data is refused; with `--allow` it does."""

    def refused(self, replayer: Replayer, name: str, *words: str) -> str:
        """Run a replay that is refused, though nobody is asked."""
        before = {table: replayer.items(table) for table in ("orders", "plain", "totals")}
        found = replayer.run(*words, "--yes", code=2)
        assert f"type --allow {name}" in found
        assert {table: replayer.items(table) for table in before} == before
        dry = replayer.run(*words, "--dry-run", code=2)
        assert f"type --allow {name}" in dry
        return found

    def test_overwrite(self, replayer: Replayer) -> None:
        """An old message would replace a newer item."""
        replayer.use(PLAIN)
        source = replayer.source(orders(1))
        replayer.put("plain", id="o-0", total="newer")
        found = self.refused(replayer, "overwrite", source, *SENT)
        assert "orders.jsonl:1: route 'plain' writes without a version to table" in found

        replayer.run(source, *SENT, "--yes", "--allow", "overwrite")
        assert replayer.items("plain")["o-0"]["total"] == {"N": "0"}

    def test_a_table_that_was_empty(self, replayer: Replayer) -> None:
        """Nothing can be replaced; what the replay itself wrote does not count when it goes on."""
        replayer.use(PLAIN)
        replayer.run(replayer.source(orders(3)), *SENT, "--yes")
        replayer.run(replayer.source(orders(6)), *SENT, "--yes")
        assert replayer.items("plain")["o-1"]["total"] == {"N": "5"}

    @pytest.mark.parametrize("once", ["", "once: keys"])
    def test_repeat(self, replayer: Replayer, once: str) -> None:
        """What was added is added again: without a key, and with one that is expired."""
        replayer.use(once=once)
        age = 0 if not once else 16 * DAY
        source = replayer.source(exported(3, time.time() - age), "clicks")
        found = self.refused(replayer, "repeat", source, *CLICKS)
        assert ("without 'once'" in found, "expires 15 days after" in found) == (not once, bool(once))

        for _ in range(2):
            replayer.run(source, *CLICKS, "--yes", "--again", "--allow", "repeat")
            for key in replayer.items("keys"):
                # As DynamoDB does with what is expired.
                replayer.dynamodb.delete_item(TableName=replayer.name("keys"), Key={"id": {"S": key}})
        assert replayer.items("totals")["t-0"]["clicks"] == {"N": "6"}

    def test_keys_of_the_same_messages(self, replayer: Replayer) -> None:
        """They are what `once` is for: nothing is added again, whether it was a replay or not that added it."""
        source = replayer.source(exported(3, time.time()), "clicks")
        for _ in range(2):
            replayer.run(source, *CLICKS, "--yes", "--again")
        assert replayer.items("totals")["t-0"]["clicks"] == {"N": "3"}

    def test_repeat_of_messages_without_ids(self, replayer: Replayer) -> None:
        """The key of a body is none of what its message had."""
        replayer.run(replayer.source(exported(3, time.time()), "clicks"), *CLICKS, "--yes")
        bodies = replayer.source([{"id": "t-0", "n": 1, "own": f"click-{number}"} for number in range(3)])
        assert "which the source does not have" in self.refused(replayer, "repeat", bodies, *CLICKS)

        replayer.run(bodies, *CLICKS, "--yes", "--message-id", "own")
        assert replayer.items("totals")["t-0"]["clicks"] == {"N": "3"}
        replayer.run(bodies, *CLICKS, "--yes", "--again", "--allow", "repeat")
        assert replayer.items("totals")["t-0"]["clicks"] == {"N": "6"}

    def test_keys(self, replayer: Replayer) -> None:
        """Those of the messages are still there: none would be stored in the new table."""
        source = replayer.source(exported(3, time.time()), "clicks")
        replayer.run(source, *CLICKS, "--yes")
        replayer.dynamodb.delete_item(TableName=replayer.name("totals"), Key={"id": {"S": "t-0"}})
        assert "still has idempotency keys" in self.refused(replayer, "keys", source, *CLICKS, "--again")

        done = replayer.json(source, *CLICKS, "--again", "--allow", "keys")
        assert (done["results"], replayer.items("totals")) == ({"duplicate": 3}, {})

    def test_delete(self, replayer: Replayer) -> None:
        """The message that deleted the item is not in the source: the item comes back."""
        replayer.use(
            "closed: {queue: orders, table: orders, when: closed, item: {id: id, at: {meta: sent_at}}, "
            "write: {mode: delete, version: at}}"
        )
        source = replayer.source(orders(1))
        found = self.refused(replayer, "delete", source, *SENT)
        assert "from which the route 'closed' deletes: an item whose delete is not in the source comes back" in found

        replayer.run(source, *SENT, "--yes", "--allow", "delete")
        assert "o-0" in replayer.items()


@pytest.mark.slow
def test_a_replay_that_is_killed(replayer: Replayer) -> None:
    """At several moments: it ends as one that was not, with nothing twice and nothing left out."""
    replayer.use(PLAIN)
    count = 900
    lines: list[Any] = []
    for order, click in zip(orders(count), exported(count, time.time() - 3600), strict=True):
        order_line = {
            "MessageId": f"order-{order['total']}",
            "Body": json.dumps(order),
            "Attributes": {"SentTimestamp": str(1767312000000 + order["total"])},
            "MessageAttributes": failure("orders", f"order-{order['total']}"),
        }
        lines += [order_line, click | {"MessageAttributes": failure("clicks", click["MessageId"])}]
        if order["total"] % 100 == 7:
            lines.append({**order_line, "MessageId": f"bad-{order['total']}", "Body": "{}"})
    source = replayer.source(lines, "mixed.jsonl")
    words = (source, "--rate", "300", "--yes", "--json")
    journal = replayer.folder / "router-replay-mixed.jsonl.journal"
    for size in (1, 2000, 5000, 9000):
        with replayer.start(*words) as process:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and (not journal.exists() or len(journal.read_bytes().split(b"\0")[0]) < size):
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)

    done = json.loads(replayer.run(*words, code=1))

    assert (done["messages"], done["complete"], done["results"]["rejected"]) == (2 * count + 9, True, 9)
    last = {id_: item["total"]["N"] for id_, item in replayer.items("plain").items()}
    assert last == {f"o-{number}": str(number * 3 + 2) for number in range(count // 3)}
    assert {id_: item["total"]["N"] for id_, item in replayer.items().items()} == last
    totals = {id_: item["clicks"]["N"] for id_, item in replayer.items("totals").items()}
    assert totals == {f"t-{number}": "3" for number in range(count // 3)}
    rejected = [json.loads(line)["MessageId"] for line in (replayer.folder / done["rejected"]).read_text().splitlines()]
    assert rejected == [f"bad-{number}" for number in range(7, count, 100)]


def failure(queue: str, id_: str) -> dict[str, Any]:
    """The attribute of a dead letter."""
    value = {
        "code": "RT806",
        "reason": "",
        "queue": queue,
        "route": queue,
        "pointer": "",
        "message_id": id_,
        "receive_count": 1,
        "failed_at": None,
    }
    return {"router": {"DataType": "String", "StringValue": json.dumps(value)}}


def test_a_replay_that_is_stopped(replayer: Replayer) -> None:
    """What is under way is finished, and said; the next run goes on."""
    source = replayer.source(orders(600))
    words = (source, *SENT, "--rate", "100", "--yes", "--json")
    with replayer.start(*words) as process:
        end = time.monotonic() + SECONDS
        while not replayer.items() and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    stopped = json.loads(out)
    assert (stopped["complete"], 0 < stopped["messages"] < 600) == (False, True), err
    done = json.loads(replayer.run(*words))
    assert (done["messages"], done["before"], done["complete"]) == (600, stopped["messages"], True)


PLUGIN = """
from pathlib import Path

from router import hookimpl


@hookimpl
def router_transform_item(item):
    if item.get("total") == 1 and not Path(__file__).with_name("fixed").exists():
        raise KeyError("total")
    return item
"""


def test_a_message_on_which_a_plugin_fails(replayer: Replayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with what to do; what may not follow it waits, and messages of other tables are written."""
    monkeypatch.setattr("router.tools.replay.delivery.LONGEST_WAIT", 0.0)
    (replayer.folder / "hooks.py").write_text(PLUGIN, encoding="utf-8")
    config = replayer.folder / "routes.yaml"
    config.write_text(config.read_text() + "plugins: [hooks.py]\n", encoding="utf-8")
    clicks = [each | {"MessageAttributes": failure("clicks", each["MessageId"])} for each in exported(3, time.time())]
    source = replayer.source([*orders(4), *clicks])

    dry = replayer.run(source, *SENT, "--dry-run", code=1)
    named = "orders.jsonl:2 (message "
    assert "4 of 7 messages pass now, 3 do not" in dry
    assert "1 message cannot be written, and 2 that came later wait, as they may write the same item:" in dry
    assert named in dry
    assert "RT813 plugin 'hooks': router_transform_item raised KeyError (hooks.py:10)" in dry

    done = replayer.json(source, *SENT, code=1)
    assert (done["results"], done["blocked"], done["waiting"], done["complete"]) == ({"written": 4}, 1, 2, False)
    (message,) = done["blocked_messages"]
    assert (message["place"], message["code"]) == ("orders.jsonl:2", "RT813")
    assert ([*replayer.items()], replayer.items("totals")["t-0"]["clicks"]) == (["o-0"], {"N": "3"})
    text = replayer.run(source, *SENT, "--yes", code=1)
    option = f"--leave-out {message['message_id']}"
    assert f"{named}{message['message_id']}): RT813" in text
    assert "run the same command again: it goes on with these messages. Or leave out those" in text
    assert f"with {option}, as rejected messages" in text

    left_out = replayer.run(source, *SENT, *option.split(), "--dry-run", code=1)
    assert "rejected RT813" in left_out
    assert "cannot be written" not in left_out
    other = replayer.json(source, *SENT, *option.split(), "--journal", "other", "--rejected", "out.jsonl", code=1)
    assert (other["results"], other["complete"]) == (
        {"duplicate": 3, "rejected": 1, "stale": 1, "written": 2},
        True,
    )

    (replayer.folder / "fixed").touch()
    last = replayer.json(source, *SENT, "--again")
    assert last["complete"]


def test_nothing_after_a_blocked_message_is_of_use(replayer: Replayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables are held: the rest of the source is not read."""
    monkeypatch.setattr("router.tools.replay.delivery.LONGEST_WAIT", 0.0)
    (replayer.folder / "hooks.py").write_text(PLUGIN, encoding="utf-8")
    config = replayer.folder / "routes.yaml"
    config.write_text(config.read_text() + "plugins: [hooks.py]\n", encoding="utf-8")
    source = replayer.source(orders(9))
    text = replayer.run(source, *SENT, "--route", "orders", "--rate", "2", "--yes", code=1)
    assert "What comes after these in the source was not tried: it would wait, too." in text
    (replayer.folder / "fixed").touch()
    assert replayer.json(source, *SENT, "--route", "orders")["complete"]


def test_nothing_listens(replayer: Replayer) -> None:
    """It is said within seconds, by a dry run, too."""
    replayer.environment |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    source = replayer.source(orders(1))
    for words in ("--yes", "--dry-run"):
        text = replayer.run(source, *SENT, words, code=2)
        assert "AWS did not answer dynamodb:DescribeTable: Could not connect to the endpoint URL" in text


def test_options_are_completed(replayer: Replayer) -> None:
    """Names of queues and routes, and what can be allowed."""

    def complete(*words: str) -> list[str]:
        environment = {
            **replayer.environment,
            "_ROUTER_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("router", "replay", *words)),
            "COMP_CWORD": str(len(words) + 1),
        }
        done = subprocess.run(
            [sys.executable, "-m", "router"], cwd=replayer.folder, env=environment, capture_output=True, text=True
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("--queue", "cl") == ["clicks"]
    assert complete("--route", "o") == ["orders"]
    assert complete("--allow", "") == ["delete", "keys", "overwrite", "repeat"]


def test_items_that_lack_a_version(replayer: Replayer) -> None:
    """The newest message of each key gives its item the version, so that a late message is stale from then on."""
    replayer.put("orders", id="o-0", total="of before")
    assert replayer.json(replayer.source(orders(3)), *SENT)["results"] == {"stale": 2, "written": 1}
    assert replayer.items()["o-0"]["at"] == {"S": "2026-01-02T00:02:00.000Z"}
    late = replayer.source(orders(1), "late.jsonl")
    assert replayer.json(late, *SENT)["results"] == {"stale": 1}
    assert replayer.items()["o-0"]["total"] == {"N": "2"}

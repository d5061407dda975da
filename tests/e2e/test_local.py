"""`router local` and `router send`, as a user starts them: an embedded AWS that is kept up, and messages for it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev import LocalAws, clients, scan_table

Run = Callable[..., Any]
Wait = Callable[..., Any]

CONFIG = """\
version: 1
queues:
  users: {name: "arn:aws:sqs:eu-west-1:123456789012:users", envelope: [sns], dead_letter: users-dlq}
  plays: {name: plays.fifo}
tables:
  users: {key: {id: S}}
  plays: {key: {id: S}}
routes:
  users: {queue: users, table: users, item: {id: id, n: n, trace: {meta: attribute.trace}}}
  plays: {queue: plays, table: plays, item: {id: id, group: {meta: group_id}}}
"""
SECONDS = 200
"""For a command, on a machine that has much else to do."""
MORE = "  others: {queue: others, table: others}\n"


class Local:
    """A running `router local`, and what it has printed."""

    def __init__(self, process: "subprocess.Popen[str]", output: Path, wait: Wait) -> None:
        self.process = process
        self._output = output
        self._wait = wait

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def prints(self, text: str) -> None:
        """Wait until a text is printed."""
        self._wait(lambda: text in self.printed, text)

    @property
    def aws(self) -> LocalAws:
        self.prints("Ctrl-C ends it")
        return LocalAws(re.findall(r"http://127\.0\.0\.1:\d+", self.printed)[0])

    def items(self, table: str, count: int) -> list[Any]:
        """Wait until a table has so many items; return them in the order of their ids."""
        client, _ = clients(self.aws)
        found = self._wait(
            lambda: items if len(items := scan_table(client, table)) >= count else None, f"{count} items of {table}"
        )
        return sorted(found, key=lambda item: str(item["id"]))

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path: Path, wait: Wait) -> Callable[..., Any]:
    """Start `router local` in the folder of a test."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")

    @contextmanager
    def run(*words: str) -> Iterator[Local]:
        output = tmp_path / "output"
        command = [sys.executable, "-m", "router", "local", "--port", "0", *words]
        with (
            output.open("w") as file,
            subprocess.Popen(
                command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=file, text=True
            ) as process,
        ):
            try:
                yield Local(process, output, wait)
            finally:
                process.kill()

    return run


def test_sending(start: Any, router: Run) -> None:
    """Messages from files and standard input are wrapped, grouped, and stored by the worker."""
    with start() as local:
        endpoint = ("--endpoint-url", local.aws.endpoint)
        lines = "".join(json.dumps({"id": f"u{number:02}", "n": 1}) + "\n" for number in range(25))
        many = router("send", "users", "-", *endpoint, "--attribute", "trace=x", input=lines)
        one = router("send", "plays", "-", *endpoint, "--group-from", "id", input='{\n  "id": "p1"\n}\n')
        detailed = '{"message": {"id": "p2"}, "group": "g"}\n{"body": "no JSON"}\n'
        two = router("send", "plays", "-", *endpoint, "--detailed", "--json", input=detailed)

        users, plays = local.items("users", 25), local.items("plays", 2)

    # Some SDKs read the one, and some the other.
    assert " AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n" in local.printed
    assert (many.returncode, many.stdout.partition(" (")[0], one.returncode, json.loads(two.stdout)["sent"]) == (
        0,
        "sent 25 of 25 messages to users",
        0,
        2,
    )
    assert (users, plays) == (
        [{"id": f"u{number:02}", "n": 1, "trace": "x"} for number in range(25)],
        [{"id": "p1", "group": "p1"}, {"id": "p2", "group": "g"}],
    )


SETTINGS = """\
version: 1
queues:
  orders: {max_receive_count: 7, retention: 1d, dead_letter: orders-dlq}
  orders-dlq: {retention: 10d}
  plays: {name: plays.fifo}
tables:
  orders: {key: {id: S}, ttl: gone_at, indexes: {by_day: {key: {day: S}}}}
routes:
  orders:
    queue: orders
    table: orders
    schema:
      type: object
      required: [id, day]
      properties: {id: &text {type: string, minLength: 1, maxLength: 40}, day: *text}
    item: {id: id, day: day, gone_at: {ttl: 30d}}
  plays: {queue: plays, table: orders, item: {id: id}}
"""


def test_settings(start: Any, router: Run, tmp_path: Path, wait: Wait) -> None:
    """Queues and tables have the settings of the config, as in an account, also when these change."""
    config = tmp_path / "routes.yaml"
    config.write_text(SETTINGS)
    with start() as local:
        dynamodb, sqs = clients(local.aws)
        checked = router("check", "--live", cwd=tmp_path, env=local.aws.environment())

        def settings(queue: str) -> tuple[str, int, str]:
            url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
            policy = json.loads(found.get("RedrivePolicy", "{}"))
            return found["MessageRetentionPeriod"], int(policy.get("maxReceiveCount", 0)), found["VisibilityTimeout"]

        names = ("orders", "orders-dlq", "plays.fifo", "plays-dlq.fifo")
        before = {name: settings(name) for name in names}
        ttl = dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
        config.write_text(SETTINGS.replace("retention: 1d", "retention: 2d"))
        wait(lambda: settings("orders")[0] == "172800", "the changed retention")

    assert before == {
        "orders": ("86400", 7, "60"),
        "orders-dlq": ("864000", 0, "30"),
        "plays.fifo": ("345600", 10, "60"),
        "plays-dlq.fifo": ("1209600", 0, "30"),
    }
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "gone_at"}
    assert not re.findall("(?:error|warning) RT7..", checked.stdout), checked.stdout


def test_saving_the_config(start: Any, router: Run, tmp_path: Path) -> None:
    """A saved config is used at once: new queues and tables are made; one with errors is reported."""
    with start() as local:
        local.prints("worker started")
        changed = CONFIG.replace("routes:\n", "  others: {key: {id: S}}\nroutes:\n") + MORE
        (tmp_path / "routes.yaml").write_text(changed, encoding="utf-8")
        local.prints("config reloaded")
        (tmp_path / "routes.yaml").write_text(changed + "  broken: {queue: q}\n", encoding="utf-8")
        # A file that is read while it is written may have other errors.
        local.prints("RT102 missing key 'table'")
        local.prints("the config has errors: the worker keeps the one before")
        (tmp_path / "routes.yaml").write_text(changed, encoding="utf-8")
        sent = router("send", "others", "-", "--endpoint-url", local.aws.endpoint, input='{"id": "o1"}')

        stored = local.items("others", 1)
        printed, code = local.printed, local.stop()

    assert (sent.returncode, stored, "RT102 missing key 'table'" in printed, code) == (0, [{"id": "o1"}], True, 0)


def test_keeping_state(start: Any, router: Run, tmp_path: Path) -> None:
    """With a folder, the next start has the items of the one before; that they are saved does not depend on Ctrl-C."""
    with start("--keep", "state") as local:
        router("send", "users", "-", "--endpoint-url", local.aws.endpoint, input='{"id": "u1"}')
        local.items("users", 1)
        code = local.stop(signal.SIGHUP)

    with start("--keep", "state") as local:
        stored = local.items("users", 1)

    assert (code, stored) == (0, [{"id": "u1"}])


def test_two_that_keep_one_folder(start: Any, router: Run, tmp_path: Path) -> None:
    """The one that ends last would save over what the other has saved."""
    with start("--keep", "state") as local:
        local.prints("Ctrl-C ends it")
        second = router("local", "--port", "0", "--keep", "state")
        code = local.stop()

    with start("--keep", "state") as after:
        after.prints("Ctrl-C ends it")

    assert (second.returncode, code) == (2, 0)
    assert "another embedded AWS keeps its messages and items in state: end it first" in second.stderr


ALONE = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 9}}}
"""


def test_deploying_to_an_empty_one(start: Any, tmp_path: Path, wait: Wait) -> None:
    """The commands that it prints build and deploy the config, and send to what is deployed."""
    with start("--empty") as local:
        (tmp_path / "routes.yaml").write_text(ALONE, encoding="utf-8")
        (tmp_path / "user.json").write_text('{"id": "u1"}', encoding="utf-8")
        local.prints("Ctrl-C ends it")
        export, *commands = [line.strip() for line in local.printed.splitlines() if line.startswith("  ")]
        variables = dict(word.split("=", 1) for word in export.split()[1:])

        done = [_run(command, tmp_path, variables) for command in commands if "plays" not in command]
        items = local.items("users", 1)
        code = local.stop()

    assert [each.returncode for each in done] == [0, 0, 0], done
    assert (sorted(variables)[0], items, code) == ("AWS_ACCESS_KEY_ID", [{"id": "u1"}], 0)


def _run(command: str, folder: Path, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    yes = ["--yes"] if "deploy" in command else []
    words = [sys.executable, "-m", *command.replace("FILE", "user.json").split(), *yes]
    return subprocess.run(words, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=SECONDS)


def test_leaves_nothing_behind(start: Any, wait: Wait, tmp_path: Path) -> None:
    """Killed, it takes its AWS, its worker and its files with it."""
    with start() as local:
        port = int(local.aws.endpoint.rpartition(":")[2])
        local.prints("worker started")
        local.process.kill()

        wait(lambda: not list(tmp_path.glob("router-aws-*")), "the end of its files")
        wait(lambda: not _listens(port), "the end of its AWS")


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_in_use(router: Run, tmp_path: Path) -> None:
    """The sentence says what to do."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        done = router("local", "--port", str(port))

    advice = "address already in use; choose another with --port, or 0 for a free one"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"router: port {port} of 127.0.0.1: {advice}\n")


@pytest.mark.parametrize(
    ("words", "sent", "sentence"),
    [
        (("user", "-"), "{}", "no route reads the queue 'user'; there are users, plays"),
        (("users", "-"), "", "there is nothing to send: the file is empty"),
        (
            ("users", "-"),
            '{}\n{"a"',
            "line 2: it is not JSON at column 5: expecting ':' delimiter; --raw sends lines as they are",
        ),
        (("users", "-", "--attribute", "trace"), "{}", "--attribute trace must be NAME=TEXT"),
        (("users", "-", "--group-from", "a["), "{}", "--group-from: "),
        (
            ("users", "-", "--endpoint-url", "http://127.0.0.1:9"),
            "{}",
            "the queue 'users' cannot be used: EndpointConnectionError: nothing answered; AWS_ENDPOINT_URL, ",
        ),
    ],
)
def test_what_cannot_be_sent(router: Run, tmp_path: Path, words: Any, sent: str, sentence: str) -> None:
    """Nothing is sent if a line, the queue or the endpoint cannot be used."""
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")

    done = router("send", *words, input=sent)

    assert (done.returncode, done.stdout, done.stderr[: len(sentence) + 8]) == (2, "", f"router: {sentence}")

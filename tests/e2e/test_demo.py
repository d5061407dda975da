"""The demo as a user starts it: the real worker on an embedded AWS, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
"""


def rows(printed: str, title: str) -> list[list[str]]:
    """The rows of a printed table, its head first."""
    lines = iter(printed.splitlines())
    assert any(line.strip() == title for line in lines), printed
    found = []
    for line in lines:
        if line.startswith(("┃", "│")):
            found.append([cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")])
        elif line.startswith("└"):
            break
    return found


def test_sample(router: Run, repo: Path) -> None:
    """The sample flows: the sample message is an item, each message ended as its test says, and nothing is coloured."""
    done = router("demo", cwd=repo)

    head, item = rows(done.stdout, "table user-metadata")
    stored = dict(zip(head, item, strict=True))
    sent_at = stored.pop("sent_at")
    assert (done.returncode, done.stderr, stored) == (
        0,
        "",
        {"user_id": "user_1", "device": "iPhoneX", "location": "Kolkata", "platform": "ios"},
    )
    letters = [row[:3] for row in rows(done.stdout, "dead letters")]
    assert (sent_at.endswith("Z"), letters, done.stdout.splitlines()[-1], "\x1b" in done.stdout) == (
        True,
        [
            ["code", "reason", "queue"],
            ["RT806", "fails 'required' at /required: 'user_id' is missing", "user-metadata-dlq"],
            ["RT806", "fails 'type' at /properties/at/type", "playback-events-dlq"],
        ],
        "7 of 7 messages had the expected outcome",
        False,
    )


def test_arns_and_fifo(router: Run, tmp_path: Path) -> None:
    """Queues and tables of real accounts, also FIFO, run on the embedded AWS, whatever is in their messages."""
    (tmp_path / "routes.yaml").write_text(
        """\
version: 1
plugins: [later.py]
queues:
  users:
    name: arn:aws:sqs:eu-west-1:123456789012:users.fifo
    dead_letter: https://sqs.eu-west-1.amazonaws.com/123456789012/users-dlq.fifo
  unwatched: {name: "https://sqs.eu-west-1.amazonaws.com/123456789012/unwatched"}
tables:
  users: {name: "arn:aws:dynamodb:eu-west-1:123456789012:table/real-users", key: {id: S, n: N}}
routes:
  users:
    queue: users
    table: users
    tests:
      - {name: "markup [/] of the terminal", message: {id: "[/bold]", n: 1, "[red]": "[x]"}, item_contains: {n: 1}}
      - {name: the same again, message: {id: "[/bold]", n: 1.0, last: true}, item: {id: "[/bold]", n: 1, last: true}}
      - {name: no key, message: {id: u1}, outcome: rejected, code: RT808}
  unwatched:
    queue: unwatched
    table: users
    tests:
      - {name: no dead-letter queue, message: [], outcome: rejected}
      - {name: not now, message: {id: u1, n: 1, later: true}, outcome: retry}
"""
    )
    (tmp_path / "later.py").write_text(
        """\
from router import Retry, hookimpl

@hookimpl
def router_transform_item(item):
    if "later" in item:
        raise Retry("not now")
"""
    )

    done = router("demo")

    assert (done.returncode, done.stderr, rows(done.stdout, "table real-users")) == (
        0,
        "",
        [["id", "n", "last"], ["[/bold]", "1", "true"]],
    )
    assert [row[:3] for row in rows(done.stdout, "dead letters")[1:]] == [
        ["RT808", "table 'real-users': key attribute 'n' is missing", "users-dlq.fifo"]
    ]
    assert [row[:4] for row in rows(done.stdout, "messages")[1:]] == [
        ["ok", "users", "users: markup [/] of the terminal", "written"],
        ["ok", "users", "users: the same again", "written"],
        ["ok", "users", "users: no key", "rejected"],
        ["ok", "unwatched", "unwatched: no dead-letter queue", "rejected"],
        ["ok", "unwatched", "unwatched: not now", "retry"],
    ]


def test_not_as_expected(router: Run, tmp_path: Path) -> None:
    """A test with another result, and a missing dead letter, are reported with exit code 1."""
    (tmp_path / "routes.yaml").write_text(
        SMALL.replace("queues:", "plugins: [thief.py]\nqueues:")
        + """\
    tests:
      - {name: another name, message: {id: u1, name: Ann}, item: {id: u1, name: Bob}}
      - {name: written after all, message: {id: u2}, outcome: rejected}
      - {name: a letter that is gone, message: {}, outcome: rejected}
      - {name: right, message: {id: u3}, item: {id: u3}}
"""
    )
    (tmp_path / "thief.py").write_text(
        """\
import boto3
from router import hookimpl

@hookimpl
def router_outcome(outcome):
    if outcome.outcome.kind == "rejected":
        queues = boto3.client("sqs")
        queues.purge_queue(QueueUrl=queues.get_queue_url(QueueName="users-dlq")["QueueUrl"])
"""
    )

    done = router("demo")

    assert (done.returncode, rows(done.stdout, "messages")[1:], done.stdout.splitlines()[-1]) == (
        1,
        [
            ["NO", "users", "users: another name", "written", "router test: name"],
            ["NO", "users", "users: written after all", "written", "router test: outcome"],
            ["NO", "users", "users: a letter that is gone", "rejected", "its dead letter is not in users-dlq"],
            ["ok", "users", "users: right", "written", ""],
        ],
        "1 of 4 messages had the expected outcome",
    )


def test_messages(router: Run, tmp_path: Path) -> None:
    """Messages of a file, or from standard input, instead of the tests; one that is rejected is not as it should be."""
    (tmp_path / "routes.yaml").write_text(SMALL)

    done = router("demo", "--queue", "users", "--messages", "-", input='{"id": "u1"}\n\nno JSON\n{"id": "é"}\n')

    assert (done.returncode, done.stderr, rows(done.stdout, "table users")[1:]) == (1, "", [["u1"], ["é"]])
    assert rows(done.stdout, "messages")[1:] == [
        ["ok", "users", "line 1", "written", ""],
        ["NO", "users", "line 3", "rejected", "RT801 the payload is not JSON"],
        ["ok", "users", "line 4", "written", ""],
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "there is nothing to send: no route has tests; add some under 'tests:', or use --messages"),
        (("--messages", "m.jsonl"), "--messages needs --queue, one of users"),
        (("--messages", "m.jsonl", "--queue", "user"), "no route reads the queue 'user'; there are users"),
        (("--queue", "users"), "--queue needs --messages: the tests say themselves which queue they are for"),
    ],
)
def test_nothing_to_send(router: Run, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    """Without anything to send it says so, and starts no AWS."""
    (tmp_path / "routes.yaml").write_text(SMALL)
    (tmp_path / "m.jsonl").write_text('{"id": "u1"}\n')

    done = router("demo", *words)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"router: {sentence}\n")


def test_worker_that_cannot_start(router: Run, tmp_path: Path) -> None:
    """If the worker ends by itself, the demo says what the worker said."""
    (tmp_path / "routes.yaml").write_text(
        SMALL.replace("queues:", "plugins: [once.py]\nqueues:") + "    tests: [{message: {id: u1}}]\n"
    )
    # Loads in the demo's own process, and no more in the worker's.
    (tmp_path / "once.py").write_text(
        "from pathlib import Path\nmark = Path(__file__).with_suffix('.mark')\nif mark.exists(): raise LookupError\n"
        "mark.touch()\n"
    )

    done = router("demo")

    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (2, "", False)
    assert done.stderr.startswith("router: the worker ended by itself:\n")
    assert "RT501 plugin 'once' cannot be loaded: LookupError" in done.stderr


def test_what_a_plugin_raises(router: Run, tmp_path: Path) -> None:
    """Its traceback is printed for each message that should be written, of a test with stored items, too."""
    tests = (
        "    tests:\n      - {name: plain, message: {id: u1}}\n      - {name: odd, message: {id: u1}, outcome: retry}\n"
    )
    stored = "      - {name: stored, given: {users: [{id: u2}]}, message: {id: u1}}\n"
    (tmp_path / "routes.yaml").write_text(SMALL.replace("queues:", "plugins: [own.py]\nqueues:") + tests + stored)
    (tmp_path / "own.py").write_text(
        "from router import hookimpl\n\n\n@hookimpl\ndef router_transform_item(item):\n    return item['nmae']\n"
    )

    done = router("demo")

    trace = f'Traceback (most recent call last):\n  File "{tmp_path}/own.py", line 6, in router_transform_item\n'
    assert [f"users: {name}\n{trace}" in done.stdout for name in ("plain", "stored", "odd")] == [True, True, False]
    assert (done.returncode, done.stdout.count("KeyError: 'nmae'")) == (1, 2)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run, and theirs."""
    direct = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*direct, *(each for child in direct for each in children(child))]


def settings(pid: int) -> dict[str, str]:
    """The environment of a process."""
    return dict(line.split("=", 1) for line in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in line)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_leaves_nothing_behind(tmp_path: Path, wait: Callable[..., Any], how: signal.Signals) -> None:
    """Killed or interrupted, the demo takes its AWS, its worker and its files with it."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "routes.yaml").write_text(
        SMALL.replace("queues:", "plugins: [slow.py]\nqueues:") + "    tests: [{message: {id: u1}}]\n"
    )
    (tmp_path / "slow.py").write_text(
        """\
import time
from pathlib import Path
from router import hookimpl

@hookimpl
def router_outcome(outcome):
    Path(__file__).with_suffix(".mark").touch()
    time.sleep(60)
"""
    )
    command = [sys.executable, "-m", "router", "demo", "-c", str(tmp_path / "routes.yaml")]
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as demo:
        try:
            # A worker that has not begun yet would end by itself for want of its AWS.
            wait((tmp_path / "slow.mark").exists, "the worker at work")
            # The guard's environment knows no endpoint; the worker's does.
            worker = next(pid for pid in children(demo.pid) if "AWS_ENDPOINT_URL" in settings(pid))
            endpoint = urlsplit(settings(worker)["AWS_ENDPOINT_URL"])
            started = children(demo.pid)
        finally:
            demo.send_signal(how)

    def listens() -> bool:
        with socket.socket() as client:
            return client.connect_ex((str(endpoint.hostname), endpoint.port or 0)) == 0

    def is_gone(pid: int) -> bool:
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"

    assert len(started) == 3  # the guard, its AWS, and the worker
    wait(lambda: not listens() and all(map(is_gone, started)), "the end of all that it started")
    wait(lambda: not list((tmp_path / "temporary").iterdir()), "the end of its files")


def test_attributes_and_environments(router: Run, tmp_path: Path) -> None:
    """Message attributes keep their types, files are found, and a test's own variables reach the worker."""
    (tmp_path / "first.json").write_text('{"id": "f"}', encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(
        """\
version: 1
queues: {users: {dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes:
  users:
    queue: users
    table: users
    item: {id: id, n: {meta: attribute.n, type: N}, stage: {value: "${STAGE:-dev}"}}
    tests:
      - record:
          Records: [{body: {id: r}, messageAttributes: {n: {dataType: Number, stringValue: "7"}}}]
        item: {id: r, n: 7, stage: dev}
      - {file: first.json, attributes: {n: "8"}, item: {id: f, n: 8, stage: dev}}
      - {message: {id: e}, env: {STAGE: prod}, item: {id: e, stage: prod}}
""",
        encoding="utf-8",
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    done = router("demo", "--config", str(tmp_path / "routes.yaml"), cwd=elsewhere)

    usual, prod = done.stdout.split("with STAGE=prod")
    assert (rows(usual, "table users")[1:], rows(prod, "table users")[1:], done.stdout.splitlines()[-1]) == (
        [["f", "8", "dev"], ["r", "7", "dev"]],
        [["e", "prod"]],
        "3 of 3 messages had the expected outcome",
    )

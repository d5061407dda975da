"""`router dlq` and `router replay` at a terminal of 80 columns: the prompt, the bar, Ctrl-C; and in a pipe."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_queues, create_table, local_aws

CONFIG = """
version: 1
queues: {orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}}
tables: {orders: {name: PREFIX-orders, key: {id: S}}}
routes:
  orders: {queue: orders, table: orders, schema: {type: object, properties: {number: {type: integer}}}}
"""
AT_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "router", *sys.argv[1:]])
"""
"""Makes the terminal that of the process, so that Ctrl-C is a signal."""
SECONDS = 120
COLUMNS = 80
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Letters:
    """Letters on a dead-letter queue: those with a number pass."""

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any, folder: Path) -> None:
        prefix = f"tty-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment() | {"TERM": "xterm"}
        self.folder = folder
        self.queue = f"{prefix}-dlq"
        self._table = f"{prefix}-orders"
        self._dynamodb, self._sqs = dynamodb, sqs
        self._url = create_queues(sqs, {f"{prefix}-orders": self.queue})[self.queue]
        create_table(dynamodb, Table(self._table, (("id", "S"),)))
        (folder / "routes.yaml").write_text(CONFIG.replace("PREFIX", prefix))

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def counts(self) -> tuple[int, int, int]:
        """The visible and the invisible letters, and the items."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        items = self._dynamodb.scan(TableName=self._table, ConsistentRead=True)["Count"]
        return int(attributes[names[0]]), int(attributes[names[1]]), int(items)


@pytest.fixture
def letters(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> Letters:
    """Three letters that pass."""
    found = Letters(server, dynamodb, sqs, tmp_path)
    found.send(*(f'{{"id": "o-{number}", "number": {number}}}' for number in range(3)))
    return found


class Terminal:
    """A terminal with a command; `text` is what it has shown, without control sequences."""

    def __init__(self, letters: Letters, *words: str) -> None:
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_TERMINAL, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=letters.folder,
            env=letters.environment,
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = b""

    @property
    def text(self) -> str:
        text = _CONTROL.sub("", self._shown.decode(errors="replace"))
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def wait_for(self, *texts: str) -> None:
        """Read until texts are shown, one after the other."""
        end = time.monotonic() + SECONDS
        shown = re.compile(".*".join(map(re.escape, texts)), re.DOTALL)
        while not shown.search(self.text):
            assert self._read(end), f"no '{texts}' in: {self.text}"

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until it ends: right before Python waits for a line, it notices that with the next key only."""
        for _ in range(SECONDS // 20):
            self.type("\x03")
            try:
                # Longer than it takes on a busy machine: a second key interrupts the release of the letters.
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                continue
            return

    def end(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + SECONDS
        while self._read(end):
            pass
        return self.process.wait(SECONDS)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)

    def _read(self, end: float) -> bool:
        """Read what is shown next; False at the end, or of the time."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
        try:
            data = os.read(self._terminal, 65_536) if ready else b""
        except OSError:  # Linux's way to say that the other side is closed
            data = b""
        self._shown += data
        return bool(data)


@pytest.fixture
def terminal(letters: Letters) -> Iterator[Callable[..., Terminal]]:
    """Start a command at a terminal."""
    opened: list[Terminal] = []

    def start(*words: str, command: str = "dlq") -> Terminal:
        opened.append(Terminal(letters, command, *words))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


QUESTION = "Deliver 3 messages, and delete them from"


def test_no(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """Nothing is redriven without a yes."""
    shown = terminal("redrive")
    shown.wait_for(QUESTION)
    shown.type("n\n")

    assert (shown.end(), "nothing was redriven" in shown.text, letters.counts()) == (1, True, (3, 0, 0))


def test_yes(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """The bars, the plan, the question and the results."""
    shown = terminal("redrive")
    shown.wait_for(QUESTION)
    shown.type("y\n")

    assert (shown.end(), letters.counts()) == (0, (0, 0, 3))
    for text in (f"receiving from {letters.queue}", "rehearsing", "3 of 3 messages pass now", "redriving", "3/3"):
        assert text in shown.text
    assert f"{letters.queue}: written 3" in shown.text


def test_a_replay(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """The question, the bar of what is read with an estimate, and the results."""
    lines = [f'{{"id": "o-{number}", "number": {number}}}\n' for number in range(3)]
    (letters.folder / "source.jsonl").write_text("".join(lines))
    shown = terminal("source.jsonl", command="replay")
    shown.wait_for("Replay source.jsonl into orders?")
    shown.type("n\n")
    assert (shown.end(), "nothing was replayed" in shown.text, letters.counts()[2]) == (1, True, 0)

    shown = terminal("source.jsonl", "--rate", "1", command="replay")
    shown.wait_for("Replay source.jsonl into orders?")
    shown.type("y\n")
    assert (shown.end(), letters.counts()[2]) == (0, 3)
    for text in ("replaying source.jsonl", f"{sum(map(len, lines))} bytes", "source.jsonl: written 3"):
        assert text in shown.text, shown.text


def test_ctrl_c_at_the_prompt(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """The letters are visible again at once."""
    shown = terminal("redrive")
    shown.wait_for(QUESTION)
    shown.interrupt()

    assert (shown.end(), "Aborted!" in shown.text, letters.counts()) == (1, True, (3, 0, 0))
    assert "Traceback" not in shown.text


def test_ctrl_c_while_it_delivers(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """It says what was done by then; the rest is visible at once."""
    shown = terminal("redrive", "--yes", "--rate", "0.02")
    # The receives before may be shown as 1/3, too.
    shown.wait_for("redriving", "1/3")
    shown.type("\x03")

    assert (shown.end(), letters.counts()) == (1, (2, 0, 1))
    assert (f"{letters.queue}: written 1" in shown.text, "Traceback" in shown.text) == (True, False)


@pytest.mark.parametrize("server", [local_aws], ids=["ministack"], indirect=True)
def test_ctrl_c_within_a_batch(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """Each letter that is delivered is deleted, too: the next run would deliver it again.

    Not on moto, which loses deletes that overlap: each writes the list of messages that it has read before.
    """
    more = 300
    letters.send(*[f'{{"id": "m{number}", "number": 1}}' for number in range(more)])
    shown = terminal("redrive", "--yes")
    shown.wait_for("redriving")
    shown.type("\x03")

    shown.end()
    visible, invisible, items = letters.counts()
    assert (visible + items, invisible) == (more + 3, 0)
    result = f"written {items}" if items else "nothing was redriven"
    assert f"{letters.queue}: {result}\n" in shown.text


def test_drop(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """The number is to be typed."""
    shown = terminal("drop", "-o", "dropped.jsonl")
    shown.wait_for("Type '3' to continue")
    shown.type("3\n")

    assert (shown.end(), letters.counts()) == (0, (0, 0, 0))
    assert f"deleted 3 messages of {letters.queue}" in shown.text


def test_all_is_readable(letters: Letters, terminal: Callable[..., Terminal]) -> None:
    """Nothing is cut off at 80 columns."""
    letters.send('{"id": "o", "number": "text"}')

    listed, rehearsed = terminal("list"), terminal("rehearse", "--help")
    codes = (listed.end(), rehearsed.end())

    assert codes == (1, 0)
    assert re.search(r"example [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\s", listed.text)
    assert "moved by SQS, or of another program" in listed.text
    assert "…" not in listed.text
    assert max(len(line.rstrip()) for line in (listed.text + rehearsed.text).splitlines()) <= COLUMNS


def test_in_a_pipe(letters: Letters) -> None:
    """There is no bar, no colour, and nothing on standard output but the result."""
    command = [sys.executable, "-m", "router", "dlq"]
    settings: dict[str, Any] = {"cwd": letters.folder, "env": letters.environment, "capture_output": True, "text": True}

    listed = subprocess.run([*command, "list"], timeout=SECONDS, check=False, **settings)
    redriven = subprocess.run([*command, "redrive"], timeout=SECONDS, check=False, stdin=subprocess.DEVNULL, **settings)

    assert (listed.returncode, listed.stderr, "\x1b" in listed.stdout) == (1, "", False)
    assert [line for line in listed.stdout.splitlines() if line != line.rstrip()] == []
    assert listed.stdout.startswith(f"{letters.queue}: 3 messages of 1 cause\n")
    assert (redriven.returncode, letters.counts()) == (2, (3, 0, 0))
    assert "standard input is not a terminal; --yes continues without asking" in redriven.stderr


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("router dlq re", {"redrive", "rehearse"}),
        ("router dlq redrive --to", {"--to-queue"}),
        ("router dlq rehearse --d", {"--diff", "--dead-letter"}),
        ("router dlq list --queue o", {"orders", "others"}),
        ("router dlq list -c shop.yaml --queue s", {"shop"}),
        ("router dlq list -c missing.yaml --queue o", set()),
        ("router dlq rehearse --route new-", {"new-orders"}),
        ("router dlq redrive --dead-letter orders-", {"orders-dlq"}),
        ("router dlq drop --code RT80", {f"RT80{number}" for number in range(1, 10)}),
    ],
)
def test_completion(tmp_path: Path, typed: str, found: set[str]) -> None:
    """Of the commands, their options, and the names in the config."""
    config = "version: 1\nqueues: {orders: {dead_letter: orders-dlq}}\ntables: {t: {key: {id: S}}}\nroutes:\n"
    routes = "  new-orders: {queue: orders, table: t}\n  others: {queue: others, table: t}\n"
    (tmp_path / "routes.yaml").write_text(config + routes)
    (tmp_path / "shop.yaml").write_text(config.replace("orders:", "shop:", 1) + routes)
    words = typed.split()
    environment = os.environ | {
        "_ROUTER_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }

    done = subprocess.run(
        [sys.executable, "-m", "router"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert {line.partition(",")[2] for line in done.stdout.splitlines() if line} == found

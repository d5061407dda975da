"""The demo through the deployed function, as a user starts it: package, stack, role, log, and nothing left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

TIMEOUT = 200
"""Seconds for a package to be built and deployed, on a machine that has much else to do."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_sample(repo: Path) -> None:
    """The sample flows through the function: the same items, letters and last line as with the worker, and its log."""
    command = [sys.executable, "-m", "router", "demo", "--lambda"]

    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=TIMEOUT)

    lines = [line for line in done.stdout.splitlines() if line.startswith(("stack ", "table ", "dead", "log", "mess"))]
    logged = {word for word in done.stdout.split() if word.startswith('outcome="')}
    assert (done.returncode, done.stderr, lines, logged, done.stdout.splitlines()[-1]) == (
        0,
        "",
        [
            (
                "stack demo: 18 alarms, 1 dashboard, 3 event source mappings, 1 function, 1 log group, "
                "1 managed policy, 6 queues, 6 queue policies, 1 role, 4 tables"
            ),
            "log of the function",
            "table user-metadata",
            "table playback-events",
            "table orders",
            "table order-lines",
            "dead letters",
            "messages",
        ],
        {'outcome="rejected"', 'outcome="dropped"'},
        "7 of 7 messages had the expected outcome",
    )


FOREIGN = """\
version: 1
queues: {users: {name: "arn:aws:sqs:eu-west-1:123456789012:users", dead_letter: users-dlq}}
tables: {users: {key: {id: S}}}
routes: {users: {queue: users, table: users, tests: [{message: {id: u1}}]}}
"""


def test_queue_of_a_real_account(router: Run, tmp_path: Path) -> None:
    """A queue that the function cannot reach is reported at once."""
    (tmp_path / "routes.yaml").write_text(FOREIGN)

    done = router("demo", "--lambda")

    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        (
            "router: 'arn:aws:sqs:eu-west-1:123456789012:users' is in another account, which a function on the "
            "embedded AWS cannot reach; 'router demo' supports such routes\n"
        ),
    )


UNMANAGED = """\
version: 1
plugins: [slow.py]
queues: {users: {managed: false, dead_letter: users-dlq}}
tables: {users: {managed: false, key: {id: S}}}
routes: {users: {queue: users, table: users, tests: [{message: {id: u1}}]}}
"""
SLOW = """\
import os, time
from pathlib import Path
from router import hookimpl

@hookimpl
def router_outcome(outcome):
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        Path("MARK").write_text(f"{os.getpid()} {os.environ['AWS_ENDPOINT_URL']}")
        time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_leaves_nothing_behind(tmp_path: Path, wait: Callable[..., Any]) -> None:
    """Killed, the demo takes its AWS with it, the function at its work, and their files."""
    temporary, mark = tmp_path / "temporary", tmp_path / "mark"
    temporary.mkdir()
    (tmp_path / "routes.yaml").write_text(UNMANAGED)
    (tmp_path / "slow.py").write_text(SLOW.replace("MARK", str(mark)))
    command = [sys.executable, "-m", "router", "demo", "--lambda", "-c", str(tmp_path / "routes.yaml")]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as demo:
        try:
            end = time.monotonic() + TIMEOUT
            while time.monotonic() < end and not (mark.exists() and " " in mark.read_text()):
                time.sleep(0.05)
        finally:
            demo.send_signal(signal.SIGKILL)
    function, endpoint = mark.read_text().split()

    def is_gone() -> bool:
        address = urlsplit(endpoint)
        with socket.socket() as client:
            refused = client.connect_ex((str(address.hostname), address.port or 0)) != 0
        status = Path("/proc", function, "stat")
        ended = not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"
        return refused and ended and not list(temporary.iterdir())

    wait(is_gone, "the end of all that it started")

"""A worker whose log nobody reads: it delivers, tells that in its health, and stops."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

PIPE_BYTES = 4096
LINES = 100
"""So many lines of a batch or a message do not fit into the pipe."""


class PipedWorker:
    """A worker that logs into a small pipe, which is read only up to the line `listening`."""

    def __init__(self, process: "subprocess.Popen[bytes]", reader: Any) -> None:
        self.process = process
        self.reader = reader
        self.port = next(line["port"] for line in map(json.loads, reader) if line["message"] == "listening")

    def get(self, path: str) -> str:
        """The body of a page; raises HTTPError unless its status is 200."""
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            body: bytes = answer.read()
            return body.decode()

    def dropped(self) -> float:
        """The metric of lines that were dropped, of all processes."""
        found = re.findall(r"^router_log_lines_dropped_total\{.*\} (\S+)$", self.get("/metrics"), re.M)
        return sum(map(float, found))


@contextmanager
def piped(flows: Any, *more: str) -> Iterator[PipedWorker]:
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    # A grace period that no busy machine uses up.
    options = ["--wait", "1", "--grace", "50", "--listen", "127.0.0.1:0", "--queue", "plain", *more]
    command = [sys.executable, "-m", "router", "worker", "-c", str(flows.config), *options]
    with os.fdopen(ours, "rb") as reader:
        process = subprocess.Popen(command, env=flows.environment, stderr=theirs)
        os.close(theirs)
        try:
            yield PipedWorker(process, reader)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("more", [[], ["--processes", "2"]], ids=["one process", "two processes"])
def test_full_pipe(flows: Any, wait: Callable[..., Any], name: str, more: list[str]) -> None:
    """Messages are written behind more lines than the pipe takes; the worker is healthy, says so, and stops in time."""
    with piped(flows, *more) as worker:
        for number in range(LINES):
            flows.send("plain", {"id": f"{name}-{number}", "mood": "drop"})
        wait(lambda: flows.left("plain") == 0, "an empty queue")
        flows.send("plain", {"id": name})
        wait(lambda: flows.item(name), "the item")
        wait(lambda: "the log is not read" in worker.get("/healthz"), "the state of the log")
        worker.process.send_signal(signal.SIGTERM)

        assert worker.process.wait(60) == 0


def test_pipe_that_is_read_again(flows: Any, wait: Callable[..., Any], name: str) -> None:
    """Once it is read again, no line of those that were queued is missing, and the worker is well."""
    with piped(flows) as worker:
        for number in range(LINES):
            flows.send("plain", {"id": f"{name}-{number}", "mood": "drop"})
        wait(lambda: "the log is not read" in worker.get("/healthz"), "the state of the log")
        lines: list[dict[str, Any]] = []
        reading = threading.Thread(target=lambda: lines.extend(map(json.loads, worker.reader)))
        reading.start()
        wait(lambda: flows.left("plain") == 0, "an empty queue")
        wait(lambda: "the log is not read" not in worker.get("/healthz"))
        dropped = worker.dropped()
        worker.process.send_signal(signal.SIGTERM)
        code = worker.process.wait(60)
        reading.join(60)

    outcomes = [line["outcome"] for line in lines if line["message"] == "message dropped"]
    assert (code, dropped, outcomes, lines[-1]["message"]) == (0, 0.0, ["dropped"] * LINES, "worker stopped")

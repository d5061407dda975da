"""The log of a function on the embedded AWS: all that it writes before it answers, however late that is read."""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev import ACCOUNT, clients_of, local_aws

LATE = """\
import queue, runpy, sys, threading, time

put = queue.Queue.put

def put_late(self, *args, **kwargs):
    if threading.current_thread().name == "stderr-writer":
        open(MARK, "a").close()
        time.sleep(0.3)
    put(self, *args, **kwargs)

queue.Queue.put = put_late
sys.argv = sys.argv[sys.argv.index("router.tools.dev.guard"):]
runpy.run_module("router.tools.dev.guard", run_name="__main__", alter_sys=True)
"""
"""Runs the embedded AWS so that it reads each line of a function late, as on a machine that has much else to do."""

FUNCTION = """\
import sys

def handler(event, context):
    for line in event["lines"]:
        print(line)
    sys.stderr.write(event.get("unfinished", ""))
    sys.stderr.flush()
    if "error" in event:
        raise ValueError(event["error"])
    return len(event["lines"])
"""


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Embedded AWSs read lines late from now on; the file exists when one has."""
    mark, script, interpreter = tmp_path / "mark", tmp_path / "late.py", tmp_path / "python"
    script.write_text(LATE.replace("MARK", repr(str(mark))))
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{script}" "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    return mark


class Writer:
    """A function that writes the lines of its event."""

    def __init__(self, make: Any) -> None:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("writer.py", FUNCTION)
        self._lambda, self._logs = make("lambda"), make("logs")
        self._lambda.create_function(
            FunctionName="writer",
            Runtime="python3.11",
            Role=f"arn:aws:iam::{ACCOUNT}:role/writer",
            Handler="writer.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=60,
        )

    def invoke(self, *lines: str, **more: str) -> Any:
        """Return its answer."""
        answer = self._lambda.invoke(FunctionName="writer", Payload=json.dumps({"lines": lines, **more}))
        return json.loads(answer["Payload"].read())

    def log(self) -> list[list[str]]:
        """Return the lines of each invocation, without those of Lambda itself."""
        found: list[list[str]] = []
        for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/writer"):
            for event in page["events"]:
                if event["message"].startswith("START RequestId"):
                    found.append([])
                elif not event["message"].startswith(("END RequestId", "REPORT RequestId")):
                    found[-1].append(event["message"])
        return found


def test_lines_are_read_late(late: Path) -> None:
    """An invocation's log has all of its lines, and no others."""
    with local_aws() as local:
        writer = Writer(clients_of(local))
        answers = [writer.invoke("a", "b", "c"), writer.invoke(), writer.invoke("d", "e")]
        log = writer.log()

    assert (answers, log, late.exists()) == ([3, 0, 2], [["a", "b", "c"], [], ["d", "e"]], True)


def test_unfinished_line(late: Path) -> None:
    """A line without an end is logged as it is, and apart from the next ones."""
    with local_aws() as local:
        writer = Writer(clients_of(local))
        writer.invoke("a", unfinished="b")
        writer.invoke("c")
        log = writer.log()

    assert (log, late.exists()) == ([["a", "b"], ["c"]], True)


def test_error(late: Path) -> None:
    """A function that fails has its lines in the log too, before the traceback."""
    with local_aws() as local:
        writer = Writer(clients_of(local))
        writer.invoke("a", "b", error="no luck today")
        log = writer.log()

    assert (log[0][:2], log[0][-1], late.exists()) == (["a", "b"], "ValueError: no luck today", True)


def test_more_than_a_pipe_takes() -> None:
    """As many lines as a pipe does not hold are logged in their order."""
    lines = [f"{number} {'x' * 100}" for number in range(2000)]

    with local_aws() as local:
        writer = Writer(clients_of(local))
        writer.invoke(*lines)
        log = writer.log()

    assert log == [lines]

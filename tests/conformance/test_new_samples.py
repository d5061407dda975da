"""`router new` on messages of public shapes: the result accepts all samples, and 95 % of others of their kind."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from tests.conformance.messages import cloudevents, github, s3, stripe
from tests.support.dev import MESSAGE_ID, META
from tests.support.engine import plan
from tests.support.program import Program, load_program

SAMPLES, OTHERS = 200, 200
LEAST = 0.95
Make = Callable[[int], list[dict[str, Any]]]


def make(folder: Path, messages: list[dict[str, Any]]) -> Program:
    """The program that `router new` makes of messages, which it has verified; it asks nothing."""
    (folder / "samples.jsonl").write_text("\n".join(map(json.dumps, messages)), encoding="utf-8")
    command = [sys.executable, "-m", "router", "new", "samples.jsonl", "--queue", "events", "--yes"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return load_program(folder / "routes.yaml", {})


def accepted(program: Program, messages: list[dict[str, Any]]) -> int:
    """How many messages are written."""
    records = [Record(MESSAGE_ID, "receipt", json.dumps(message), META) for message in messages]
    return sum(plan(program.engine.queues["events"], record).outcome is None for record in records)


def verify(folder: Path, messages: list[dict[str, Any]]) -> None:
    program = make(folder, messages[:SAMPLES])
    found = accepted(program, messages[:SAMPLES]), accepted(program, messages[SAMPLES:]) >= LEAST * OTHERS
    assert found == (SAMPLES, True)


@pytest.mark.parametrize("messages", [s3, stripe, cloudevents], ids=["s3", "stripe", "cloudevents"])
def test_messages_of(messages: Make, tmp_path: Path) -> None:
    """Notifications of Amazon S3, and events of Stripe and in CloudEvents, as their documentation describes them."""
    verify(tmp_path, messages(SAMPLES + OTHERS))


@pytest.mark.parametrize("event", ["issues", "pull_request", "issue_comment", "release", "check_run"])
def test_events_of_github(event: str, webhooks: Path, tmp_path: Path) -> None:
    """Events of GitHub, made from the examples that it publishes; one action of many is a shape of its own."""
    verify(tmp_path, github(webhooks, event, SAMPLES + OTHERS))

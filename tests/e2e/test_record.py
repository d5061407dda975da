"""`router record` on a real queue, and `router test --recorded` on what it kept."""

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.dev import LocalAws, create_queues
from tests.support.program import load_program

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIG = """\
version: 1
queues: {orders: {name: PREFIX-orders, dead_letter: PREFIX-dlq}}
tables: {orders: {key: {id: S}}}
routes:
  orders:
    queue: orders
    table: orders
    schema: {type: object, required: [id], properties: {id: {type: string, minLength: 1, maxLength: 40}, total: TYPE}}
    item: {id: id, total: total}
"""
NUMBER = "{type: number}"


@pytest.fixture
def prefix() -> str:
    return f"rec-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def url(server: LocalAws, sqs: Any, prefix: str, tmp_path: Path) -> str:
    """A queue with a valid message and one that its schema refuses."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("PREFIX", prefix).replace("TYPE", NUMBER))
    found = create_queues(sqs, {f"{prefix}-orders": f"{prefix}-dlq"})[f"{prefix}-orders"]
    for message in ({"id": "ann@example.com", "total": 59.70}, {"id": "ann@example.com", "total": "much"}):
        sqs.send_message(QueueUrl=found, MessageBody=json.dumps(message))
    return str(found)


def recording(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / "orders.jsonl").read_text().splitlines()]


def test_a_sample_is_masked_and_the_queue_keeps_it(
    server: LocalAws, sqs: Any, url: str, prefix: str, tmp_path: Path, router: Run
) -> None:
    """What was received is visible again at once."""
    done = router("record", "orders", "-o", "orders.jsonl", env=server.environment())

    head, *messages = recording(tmp_path)
    left = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "recorded 2 of 2 messages in orders.jsonl")
    hash_ = load_program(tmp_path / "routes.yaml", {}).hash
    assert (head["queue"], head["config"], head["left_out"]) == ("orders", hash_, 0)
    assert sorted((each["outcome"], each["code"]) for each in messages) == [("rejected", "RT806"), ("written", "")]
    assert len({each["message"]["id"] for each in messages}) == 1
    written = (tmp_path / "orders.jsonl").read_text()
    # What replaces them is random, and can have three of the same letters.
    assert ("ann@example.com" in written, "example" in written) == (False, False)
    assert len(left) > 0


def test_no_message_is_received_for_a_file_that_cannot_be_written(
    server: LocalAws, sqs: Any, url: str, router: Run
) -> None:
    """A receive would count: of a few, SQS moves a message to the dead-letter queue."""
    done = router("record", "orders", "-o", "none/orders.jsonl", env=server.environment())

    received = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, AttributeNames=["ApproximateReceiveCount"]
    )["Messages"]
    assert (done.returncode, done.stderr) == (
        2,
        "router: cannot write none/orders.jsonl: there is no folder none; create it\n",
    )
    assert {each["Attributes"]["ApproximateReceiveCount"] for each in received} == {"1"}


def test_a_file_that_exists_is_overwritten_on_request_alone(
    server: LocalAws, url: str, tmp_path: Path, router: Run
) -> None:
    """Nothing is received without it."""
    (tmp_path / "orders.jsonl").write_text("of before\n")

    done = router("record", "orders", "-o", "orders.jsonl", env=server.environment())
    kept = (tmp_path / "orders.jsonl").read_text()
    forced = router("record", "orders", "-o", "orders.jsonl", "--force", "--keep", "none", env=server.environment())

    assert (done.returncode, done.stderr, kept) == (
        2,
        "router: orders.jsonl exists; choose another file, or overwrite it with --force\n",
        "of before\n",
    )
    assert (forced.returncode, forced.stdout.splitlines()[0]) == (0, "recorded 2 of 2 messages in orders.jsonl")
    assert forced.stderr.splitlines()[-1] == "--keep none: no recorded message has a value there"


def test_a_recording_is_a_regression_test(server: LocalAws, url: str, prefix: str, tmp_path: Path, router: Run) -> None:
    """Each message ends as it did, until the config changes; the version before shows the items too."""
    router("record", "orders", "-o", "orders.jsonl", env=server.environment())
    (tmp_path / "old.yaml").write_text((tmp_path / "routes.yaml").read_text())
    same = router("test", "--recorded", "orders.jsonl")
    changed = CONFIG.replace("PREFIX", prefix).replace("TYPE", "{type: string}").replace("total: total", "sum: total")
    (tmp_path / "routes.yaml").write_text(changed)

    outcomes = router("test", "--recorded", "orders.jsonl", "--json")
    against = router("test", "--recorded", "orders.jsonl", "--against", "old.yaml")

    assert (same.returncode, same.stdout) == (0, "2 recorded messages, no differences\n")
    found = [(each["before"], each["after"]) for each in json.loads(outcomes.stdout)["differences"]]
    assert sorted(found) == [("rejected RT806", "written by orders"), ("written by orders", "rejected RT806")]
    assert (outcomes.returncode, against.returncode) == (1, 1)
    assert "FAIL  route orders: no longer taken (1)" in against.stdout
    assert "FAIL  route orders: newly taken (1)" in against.stdout


def test_dead_letters_are_recorded_with_what_would_become_of_them_now(
    server: LocalAws, sqs: Any, url: str, prefix: str, tmp_path: Path, router: Run
) -> None:
    """By the config at hand, not by the one that rejected them."""
    body = json.dumps({"id": "ann@example.com", "total": 1.5})
    sqs.send_message(QueueUrl=url.replace(f"{prefix}-orders", f"{prefix}-dlq"), MessageBody=body)

    done = router("record", "orders", "--dead-letters", "-o", "orders.jsonl", env=server.environment())

    assert (done.returncode, [each["outcome"] for each in recording(tmp_path)[1:]]) == (0, ["written"])


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("test", "--against", "git:HEAD"), "--against needs --recorded"),
        (("test", "--recorded", "routes.yaml"), "router: routes.yaml is no recording; router record makes one"),
        (
            ("test", "--recorded", "empty.jsonl"),
            "router: empty.jsonl has no messages: nothing was compared; record again",
        ),
        (("record", "orders", "-o", "x.jsonl", "--keep", "[[["), "router: --keep '[[[' is no path; write it as "),
        (("record", "others", "-o", "x.jsonl"), "router: no route reads the queue 'others'; there are orders"),
    ],
)
def test_what_cannot_be_run(prefix: str, tmp_path: Path, router: Run, words: tuple[str, ...], reason: str) -> None:
    """Exit code 2, with a sentence."""
    (tmp_path / "routes.yaml").write_text(CONFIG.replace("PREFIX", prefix).replace("TYPE", NUMBER))
    (tmp_path / "empty.jsonl").write_text('{"recording": 1, "queue": "orders", "config": "c"}\n')

    done = router(*words)

    assert (done.returncode, reason in done.stderr) == (2, True)

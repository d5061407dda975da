"""Replay, redrive and verify together: an effect happens once, and an older message never replaces a newer one."""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_queues, create_table

CONFIG = """
version: 1
queues: {events: {name: PREFIX-events, dead_letter: PREFIX-dlq}}
tables:
  latest: {name: PREFIX-latest, key: {id: S}}
  totals: {name: PREFIX-totals, key: {id: S}}
  effects: {name: PREFIX-effects, key: {id: S}, ttl: gone_at}
routes:
  latest:
    queue: events
    table: latest
    item: {id: id, n: n, at: {meta: sent_at}}
    write: {mode: newest, version: at}
  totals: {queue: events, table: totals, item: {id: id, n: n}, write: {mode: update, add: [n], once: effects}}
"""
SENT = ("2026-11-28T10:00:00.000Z", "2026-11-28T11:00:00.000Z")
NEWER = "2026-11-28T10:30:00.000Z"
SECONDS = 300


class Redriven:
    """A dead-letter queue with a letter for each of two items, and the commands."""

    def __init__(self, server: LocalAws, dynamodb: Any, sqs: Any, folder: Path) -> None:
        self.prefix = f"redriven-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment()
        self.folder = folder
        self.dynamodb = dynamodb
        self.urls = create_queues(sqs, {self.name("events"): self.name("dlq")})
        for name in ("latest", "totals", "effects"):
            create_table(dynamodb, Table(self.name(name), (("id", "S"),)))
        (folder / "routes.yaml").write_text(CONFIG.replace("PREFIX", self.prefix), encoding="utf-8")
        for number, sent_at in enumerate(SENT):
            failed = {
                "code": "RT807",
                "reason": "attribute 'n' is missing",
                "queue": "events",
                "route": "totals",
                "pointer": "",
                "message_id": f"original-{number}",
                "receive_count": 1,
                "failed_at": sent_at,
                "sent_at": sent_at,
            }
            attribute = {"DataType": "String", "StringValue": json.dumps(failed)}
            body = json.dumps({"id": f"i-{number}", "n": number + 1})
            url = self.urls[self.name("dlq")]
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes={"router": attribute})

    def name(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def run(self, *words: str, code: int = 0) -> str:
        """Run `router …`; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "router", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def item(self, table: str, id_: str) -> Any:
        return self.dynamodb.get_item(TableName=self.name(table), Key={"id": {"S": id_}}, ConsistentRead=True)["Item"]

    def items(self) -> Any:
        """What the letters write."""
        return [self.item(table, id_) for table in ("latest", "totals") for id_ in ("i-0", "i-1")]


@pytest.fixture
def redriven(server: LocalAws, dynamodb: Any, sqs: Any, tmp_path: Path) -> Redriven:
    return Redriven(server, dynamodb, sqs, tmp_path)


def test_dead_letters_that_were_replayed(redriven: Redriven) -> None:
    """They are recognised on their queue: a redrive has no effect. A newer item stays, and `verify` agrees."""
    newer = {"id": {"S": "i-0"}, "n": {"N": "9"}, "at": {"S": NEWER}}
    redriven.dynamodb.put_item(TableName=redriven.name("latest"), Item=newer)
    redriven.run("dlq", "export", "-o", "letters.jsonl")
    report = json.loads(redriven.run("verify", "letters.jsonl", "--json", code=1))
    assert {each["route"]: each["fates"] for each in report["routes"]} == {
        "latest": {"missing": 1, "superseded": 1},
        "totals": {"missing": 2},
    }
    redriven.run("replay", "letters.jsonl", "--yes")
    after = redriven.items()
    assert [item["n"]["N"] for item in after] == ["9", "2", "1", "2"]
    (rehearsed,) = json.loads(redriven.run("dlq", "rehearse", "--json"))
    assert {each["now"].partition(" ")[0] for each in rehearsed["results"]} == {"stale", "duplicate"}
    (done,) = json.loads(redriven.run("dlq", "redrive", "--yes", "--json"))
    assert done["redriven"] == {"duplicate": 1, "stale": 1}
    redriven.run("replay", "letters.jsonl", "--yes", "--again")
    assert redriven.items() == after
    report = json.loads(redriven.run("verify", "letters.jsonl", "--json"))
    assert {each["route"]: each["fates"] for each in report["routes"]} == {
        "latest": {"stored": 1, "superseded": 1},
        # Other messages may have added to the sums.
        "totals": {"not decidable": 2},
    }

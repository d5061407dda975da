"""`router replay` on a local AWS: sources, what is refused, and runs that are killed."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_table

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

    def run(self, *words: str, code: int = 0, given: str | None = None) -> str:
        """Run `router replay …`; what it prints."""
        with self.start(*words, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(given, timeout=SECONDS)
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return out if "--json" in words else out + err

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", "--yes", code=code))

    def items(self, table: str = "orders") -> dict[str, dict[str, Any]]:
        """The items of a table by id, in DynamoDB's JSON."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.name(table), ConsistentRead=True)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}

    def put(self, table: str, **item: Any) -> None:
        self.dynamodb.put_item(TableName=self.name(table), Item={name: {"S": text} for name, text in item.items()})


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
    """A dry run says what would become of the messages; the replay does that, once; rejected ones are a source again."""
    source = replayer.source([*orders(9), "not JSON", {"total": 1, "at": HOUR}], "orders.jsonl.gz")
    replayer.put("orders", id="o-1", at="2026-01-03T00:00:00.000Z")

    dry = replayer.run(source, *SENT, "--dry-run", code=1)
    assert "9 of 11 messages pass now, 2 do not" in dry
    for row in ("written (new)", "written (replaced)", "stale", "rejected RT801", "rejected RT806"):
        assert row in dry
    assert [*replayer.items()] == ["o-1"]

    done = replayer.json(source, *SENT, code=1)
    assert (done["messages"], done["complete"]) == (11, True)
    assert done["results"] == {"rejected": 2, "stale": 3 + 4, "written": 2}
    assert {id_: item.get("total") for id_, item in replayer.items().items()} == {
        "o-0": {"N": "2"},
        "o-1": None,
        "o-2": {"N": "8"},
    }

    again = replayer.run(source, *SENT, "--yes", code=1)
    assert "All were replayed by an earlier run; --again replays them again." in again
    rejected = done["rejected"]
    assert replayer.json(rejected, "--dry-run", code=1)["passing"] == 0

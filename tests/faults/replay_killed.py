"""A long replay that is killed (SIGKILL) many times: its tables are those of its source; `make soak ONLY=replay`."""

import argparse
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

from msgspec import Struct

from router.model import Table
from tests.support.dev import LocalAws, clients, create_table, local_aws

CONFIG = """
version: 1
queues: {events: {name: PREFIX-events, dead_letter: PREFIX-dlq}}
tables:
  plain: {name: PREFIX-plain, key: {id: S}}
  newest: {name: PREFIX-newest, key: {id: S}}
  totals: {name: PREFIX-totals, key: {id: S}}
  keys: {name: PREFIX-keys, key: {id: S}, ttl: gone_at}
routes:
  plain:
    queue: events
    table: plain
    when: kind == 'plain'
    item: {id: id, number: number}
  newest:
    queue: events
    table: newest
    when: kind != 'total'
    item: {id: id, number: number, at: {meta: sent_at}}
    write: {mode: newest, version: at}
  totals:
    queue: events
    table: totals
    when: kind == 'total'
    item: {id: id, sum: {from: number, type: N}}
    write: {mode: update, add: [sum], once: keys}
"""
TABLES = ("plain", "newest", "totals", "keys")
KINDS = ("plain",) * 6 + ("newest",) * 3 + ("total",)
SECONDS = 3600
_STILL_THERE = os.WEXITED | os.WNOHANG | os.WNOWAIT
"""Looks whether a process has ended, and leaves its status and usage to `wait4`."""


class Model(Struct):
    """What the tables hold after a source, and the ids of its rejected messages in order."""

    plain: dict[str, int] = {}
    newest: dict[str, tuple[int, int]] = {}
    totals: Counter[str] = Counter()
    rejected: list[str] = []

    def add(self, id_: str, body: dict[str, Any], sent: int) -> None:
        """Take the next message."""
        key, number = body["id"], body["number"]
        if not key:
            self.rejected.append(id_)
            return
        if body["kind"] == "total":
            self.totals[key] += number
            return
        if body["kind"] == "plain":
            self.plain[key] = number
        # Of two messages of one moment, the first stays.
        if key not in self.newest or self.newest[key][0] < sent:
            self.newest[key] = sent, number


def write_source(path: Path, messages: int, seed: int) -> Model:
    """Write an export of messages, of which about ten have one key; some were sent earlier than those before them."""
    chance = random.Random(seed)
    model = Model()
    start = int(time.time() * 1000) - messages
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        for number in range(messages):
            key = "" if number % 5000 == 17 else f"k-{chance.randrange(messages // 10)}"
            body = {"id": key, "kind": chance.choice(KINDS), "number": number}
            sent = start + number - (chance.randrange(20_000) if chance.random() < 0.2 else 0)
            id_ = str(uuid.UUID(int=number, version=4))
            line = {
                "MessageId": id_,
                "Body": json.dumps(body),
                "Attributes": {"SentTimestamp": str(sent)},
                "MessageAttributes": {},
            }
            file.write(json.dumps(line) + "\n")
            model.add(id_, body, sent)
    return model


class Cost(Struct):
    """What the runs took: the processor time in seconds, and the most memory in MiB."""

    runs: int = 0
    cpu: float = 0.0
    mebibytes: float = 0.0


class KilledReplay:
    """The runs of one replay."""

    def __init__(self, server: LocalAws, folder: Path) -> None:
        self.prefix = f"replay-{uuid.uuid4().hex[:8]}"
        self.cost = Cost()
        self._environment = server.environment()
        self._folder = folder
        (folder / "routes.yaml").write_text(CONFIG.replace("PREFIX", self.prefix), encoding="utf-8")
        self._journal = folder / "router-replay-events.jsonl.gz.journal"

    def run(self, kill_at: int | None = None, delay: float = 0.0) -> dict[str, Any]:
        """Run the command; kill it some time after so many messages are done. Return its report, or {}."""
        command = [sys.executable, "-m", "router", "replay", "events.jsonl.gz", "--yes", "--json"]
        with (self._folder / "report").open("w+") as output:
            process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=output)
            if kill_at is not None:
                while self._done() < kill_at and os.waitid(os.P_PID, process.pid, _STILL_THERE) is None:
                    time.sleep(0.01)
                time.sleep(delay)
                process.send_signal(signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            output.seek(0)
            report: dict[str, Any] = json.loads(output.read() or "{}")
        code = process.returncode = os.waitstatus_to_exitcode(status)
        assert code == (1 if kill_at is None else -signal.SIGKILL), f"a run ended with {code}"
        self.cost.runs += 1
        self.cost.cpu += usage.ru_utime + usage.ru_stime
        self.cost.mebibytes = max(self.cost.mebibytes, usage.ru_maxrss / 1024)
        return report

    def _done(self) -> int:
        """The messages that are done, by the last whole line of the journal that says so."""
        content = self._journal.read_bytes() if self._journal.exists() else b""
        found = 0
        for line in content.partition(b"\0")[0].split(b"\n")[:-1]:
            entry = json.loads(line)
            found = entry["message"] if entry["replay"] == "until" else found
        return found

    def check(self, dynamodb: Any, model: Model, report: dict[str, Any]) -> None:
        """Compare the tables and the rejected messages with the source; raises AssertionError."""

        def stored(table: str, attribute: str) -> dict[str, int]:
            found = {}
            for page in dynamodb.get_paginator("scan").paginate(TableName=f"{self.prefix}-{table}"):
                for item in page["Items"]:
                    found[item["id"]["S"]] = int(item[attribute]["N"])
            return found

        assert report["complete"]
        assert stored("plain", "number") == model.plain, "the items of 'put' differ"
        newest = {key: number for key, (_, number) in model.newest.items()}
        assert stored("newest", "number") == newest, "the items of 'newest' differ"
        assert stored("totals", "sum") == dict(model.totals), "the sums differ"
        lines = (self._folder / report["rejected"]).read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["MessageId"] for line in lines] == model.rejected, "rejected messages differ"


def replay_killed(server: LocalAws, messages: int, kills: int, seed: int) -> str:
    """Replay a source, killed so many times; return what to print of it. Raises AssertionError."""
    chance = random.Random(seed)
    dynamodb, _ = clients(server)
    with tempfile.TemporaryDirectory(prefix="router-replay-") as name:
        folder = Path(name)
        model = write_source(folder / "events.jsonl.gz", messages, seed)
        replay = KilledReplay(server, folder)
        for table in TABLES:
            create_table(dynamodb, Table(f"{replay.prefix}-{table}", (("id", "S"),)))
        started = time.monotonic()
        for number in range(kills):
            replay.run(messages * number // (kills + 1), chance.random())
        report = replay.run()
        seconds = time.monotonic() - started
        replay.check(dynamodb, model, report)
    counts = ", ".join(f"{kind} {number}" for kind, number in report["results"].items())
    return (
        f"{messages} messages, killed {kills} times: {counts}; all items and rejected messages are as the source says\n"
        f"{seconds:.0f} s, {replay.cost.cpu / messages * 1e6:.0f} µs of processor time a message, "
        f"at most {replay.cost.mebibytes:.0f} MiB"
    )


def main() -> None:
    """Run it as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with local_aws() as server:
        print(replay_killed(server, options.messages, options.kills, options.seed))


if __name__ == "__main__":
    main()

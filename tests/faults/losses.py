"""Nothing is lost under faults, and what is lost is found: `make soak ONLY=losses`.

Messages of all modes go in waves through a worker and through the Lambda handler, in turn, while some of their calls
fail. The worker is killed once in each wave, the function now and then; some batches of the function are delivered
again. The source is kept. `router verify` then says that no message is missing or different, and a replay to empty
tables ends with the same items. Then losses are planted in the tables, one of a kind after another, and `router verify`
finds each of them, by route and key, and nothing else.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import cycle, islice
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

from tests.faults.fault_model import KEYS, Model
from tests.faults.fault_proxy import FaultPlan, fault_proxy
from tests.faults.fault_rig import (
    FLOWS,
    Rig,
    RigFunction,
    lambda_record,
    running_function,
    running_worker,
    wait_until,
)
from tests.support.dev import local_aws

WAVE = 2000
WAVES = 200
"""The most waves of a run: each starts a worker or a function anew."""
WAVE_SECONDS = 600
MESSAGES_OF_A_KEY = 1000
"""Of all kinds, about: the list of a counter stays small."""
BATCH = 100
RATE = 0.03
"""The share of calls that fail."""
AGAIN = 0.05
"""The share of batches that are delivered once more."""
KILLED = 0.02
"""The share of batches in which the function is killed, within so many seconds."""
KILL_SECONDS = 0.1
MEASURED = """import atexit, runpy, sys
from pathlib import Path
status = Path("/proc/self/status")
atexit.register(lambda: sys.stderr.write(next(line for line in status.open() if line.startswith("VmHWM"))))
runpy.run_module("router", run_name="__main__")"""
"""Runs the router, and prints its memory at the end: that of `getrusage` counts the parent before the start, too."""
TABLES = ("puts", "inserts", "versions", "counts", "orders", "groups", "latest")
"""Those whose items do not depend on when a message was received."""
REGION, ACCOUNT = "us-east-1", "000000000000"
Key = dict[str, Any]
Record = dict[str, Any]


class Lost(NamedTuple):
    """What was planted: the route and the key, as they are reported."""

    route: str
    key: str


class Tables:
    """The tables of a run, with their items by key, and the losses that are planted in them."""

    def __init__(self, rig: Rig, source: Path, chance: random.Random) -> None:
        self._rig = rig
        self._source = source
        self._chance = chance
        self._used: set[str] = set()

    def plant(self) -> Iterator[Lost]:
        """Plant losses of all kinds in turn, each in an item of its own."""
        kinds: Sequence[Callable[[], Lost]] = (
            lambda: self._delete("puts"),
            lambda: self._change("puts"),
            lambda: self._delete("inserts"),
            self._older,
            lambda: self._delete("orders"),
            lambda: self._delete("groups"),
            self._unlisted,
            lambda: self._lose("puts"),
            self._unmarked,
            lambda: self._change("inserts"),
        )
        for kind in cycle(kinds):
            yield kind()

    def _name(self, table: str) -> str:
        return f"{self._rig.prefix}-{table}"

    def _pick(self, table: str) -> Any:
        """An item that no fault was planted in, in DynamoDB's JSON."""
        pages = self._rig.dynamodb.get_paginator("scan").paginate(TableName=self._name(table))
        items = [item for page in pages for item in page["Items"]]
        left = [item for item in items if self._key_text(table, item) not in self._used]
        item = self._chance.choice(left)
        self._used.add(self._key_text(table, item))
        return item

    def _key(self, table: str, item: Any) -> Any:
        names = {"orders": ("id", "line"), "groups": ("id", "number"), "markers": ("marker",)}.get(table, ("id",))
        return {name: item[name] for name in names}

    def _key_text(self, table: str, item: Any) -> str:
        return table + json.dumps(self._key(table, item), sort_keys=True)

    def _lost(self, table: str, item: Any) -> Lost:
        key = {name: int(value["N"]) if "N" in value else value["S"] for name, value in self._key(table, item).items()}
        return Lost(table, json.dumps(key, sort_keys=True))

    def _put(self, table: str, item: Any) -> None:
        self._rig.dynamodb.put_item(TableName=self._name(table), Item=item)

    def _delete(self, table: str) -> Lost:
        item = self._pick(table)
        self._rig.dynamodb.delete_item(TableName=self._name(table), Key=self._key(table, item))
        return self._lost(table, item)

    def _change(self, table: str) -> Lost:
        item = self._pick(table)
        self._put(table, {**item, "value": {"N": "-1"}})
        return self._lost(table, item)

    def _lose(self, table: str) -> Lost:
        """An attribute is gone."""
        item = self._pick(table)
        self._put(table, {name: value for name, value in item.items() if name != "value"})
        return self._lost(table, item)

    def _older(self) -> Lost:
        """An older version is restored."""
        item = self._pick("versions")
        self._put("versions", {**item, "version": {"N": str(int(item["version"]["N"]) - 1)}})
        return self._lost("versions", item)

    def _unlisted(self) -> Lost:
        """An element of a list is gone."""
        item = self._pick("counts")
        elements = item["log"]["L"]
        elements.pop(self._chance.randrange(len(elements)))
        self._put("counts", item)
        return self._lost("counts", item)

    def _unmarked(self) -> Lost:
        """An update was never made: neither is its idempotency key there, nor what it added."""
        marker = self._pick("markers")
        id_ = marker["marker"]["S"].split("#")[1]
        with self._source.open(encoding="utf-8") as file:
            body = next(json.loads(json.loads(line)["Body"]) for line in file if id_ in line)
        self._rig.dynamodb.delete_item(TableName=self._name("markers"), Key=self._key("markers", marker))
        key = {"id": {"S": body["id"]}}
        item = self._rig.dynamodb.get_item(TableName=self._name("counts"), Key=key)["Item"]
        total = int(item["total"]["N"]) - body["amount"]
        log = [each for each in item["log"]["L"] if each != {"N": str(body["number"])}]
        self._put("counts", {**item, "total": {"N": str(total)}, "log": {"L": log}})
        return Lost("counts", "")


class Feeder:
    """Sends waves through the worker and the function, and keeps what it sends."""

    def __init__(self, rig: Rig, folder: Path, source: Path, chance: random.Random) -> None:
        self.kills = 0
        self._rig = rig
        self._folder = folder
        self._source = source
        self._chance = chance

    def feed_worker(self, model: Model, size: int) -> None:
        """Send a wave to the queues, and kill the worker once, until all is acknowledged."""
        with running_worker(self._rig, self._folder / "worker.log") as worker:
            for queue, bodies, groups in model.wave(size):
                ids = self._rig.send(queue, bodies, groups)
                self._keep(self._message(queue, body, id_) for id_, body in zip(ids, bodies, strict=True))
            mark, killed = self._chance.randrange(size), False

            def look() -> bool:
                nonlocal killed
                left = self._rig.left()
                if not killed and left <= mark:
                    worker.restart()
                    killed = True
                return not left

            wait_until(look, WAVE_SECONDS, "the end of a wave")
        self.kills += killed

    def feed_function(self, model: Model, size: int) -> None:
        """Deliver a wave until all is acknowledged."""
        with ExitStack() as stack:
            function = self._start(stack)
            for queue, bodies, groups in model.wave(size):
                messages = [self._message(queue, body, str(uuid.uuid4())) for body in bodies]
                self._keep(messages)
                records = [lambda_record({"ReceiptHandle": "none", **each}, self._name(queue)) for each in messages]
                for record, group in zip(records, groups, strict=False):
                    record["attributes"] = {**record["attributes"], "MessageGroupId": group}
                while records:
                    batch, records = records[:BATCH], records[BATCH:]
                    if self._chance.random() < KILLED:
                        self._kill(function, batch)
                        function = self._start(stack)
                    failed = {*function.invoke(batch)}
                    # What failed comes first: a FIFO queue requires that order.
                    records = [each for each in batch if each["messageId"] in failed] + records
                    if not groups and self._chance.random() < AGAIN:
                        records += batch

    def _start(self, stack: ExitStack) -> RigFunction:
        return stack.enter_context(running_function(self._rig, self._folder / "function.log"))

    def _kill(self, function: RigFunction, batch: list[Record]) -> None:
        """Kill the function within an invocation, which Lambda then repeats as a whole."""
        Timer(self._chance.random() * KILL_SECONDS, function.kill).start()
        with suppress(AssertionError, OSError):
            while True:
                function.invoke(batch)
        self.kills += 1

    def _name(self, queue: str) -> str:
        return f"{self._rig.prefix}-{queue}"

    def _message(self, queue: str, body: str, id_: str) -> Record:
        now = str(time.time_ns() // 1_000_000)
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._name(queue)}"
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": now, "DeadLetterQueueSourceArn": arn}
        return {"MessageId": id_, "Body": body, "Attributes": attributes}

    def _keep(self, messages: Iterable[Record]) -> None:
        with self._source.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(message) + "\n" for message in messages)


def verify(rig: Rig, server: Any, source: Path) -> tuple[int, Any, str]:
    """Run `router verify`; its exit code, what it prints, and the most memory that it had."""
    words = ["verify", str(source), "--complete", "--json", "--show-values", "--examples", "1000", "--rate", "100000"]
    environment = server.environment() | {"PREFIX": rig.prefix}
    command = [sys.executable, "-c", MEASURED, *words, "-c", str(FLOWS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr)
    return done.returncode, json.loads(done.stdout), done.stderr.split("VmHWM:")[1].strip()


def replay(rig: Rig, server: Any, source: Path, folder: Path) -> Rig:
    """Replay the source to empty tables; return these."""
    other = Rig(server, server.endpoint, f"{rig.prefix}-again", FLOWS, 3, "direct")
    copy = folder / "again.jsonl"
    with source.open(encoding="utf-8") as lines, copy.open("w", encoding="utf-8") as file:
        file.writelines(line.replace(f":{rig.prefix}-", f":{other.prefix}-") for line in lines)
    command = [sys.executable, "-m", "router", "replay", str(copy), "--yes", "-c", str(FLOWS)]
    environment = server.environment() | {"PREFIX": other.prefix}
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    # Some messages are rejected.
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr)
    return other


def contents(rig: Rig, table: str) -> list[str]:
    """Return the items of a table, in order; a list that messages append to is in any order."""
    items = [{**item, "log": sorted(item.get("log", ()))} for item in rig.items(table)]
    return sorted(json.dumps(item, sort_keys=True, default=str) for item in items)


def found_in(report: Any) -> set[Lost]:
    """What a report calls missing or different."""
    found = set()
    for finding in report["findings"]:
        if finding["fate"] not in ("missing", "different"):
            continue
        for example in finding["examples"]:
            is_key = finding["reason"].startswith("its idempotency key")
            key = "" if is_key else json.dumps(example["key"], sort_keys=True)
            found.add(Lost(finding["route"], key))
    return found


def run(messages: int, losses: int, seed: int, folder: Path, minutes: float = 60) -> bool:
    """Run it once, with the messages of so many minutes at most; return whether all is as it should be."""
    chance, model = random.Random(seed), Model(seed, max(KEYS, messages // MESSAGES_OF_A_KEY))
    source = folder / "source.jsonl"
    started = time.monotonic()
    with local_aws() as server, fault_proxy(server.endpoint, FaultPlan(seed, RATE)) as proxy:
        rig = Rig(server, proxy.endpoint, f"losses-{uuid.uuid4().hex[:8]}", FLOWS, 3, "direct")
        feeder = Feeder(rig, folder, source, chance)
        end = started + minutes * 60
        ways = cycle((feeder.feed_worker, feeder.feed_function))
        wave = min(messages, max(WAVE, messages // WAVES))
        while model.sent < messages and time.monotonic() < end:
            next(ways)(model, wave)
        faults = proxy.journal.faults.total()
        text = f"{model.sent:,} messages, {faults:,} faults of calls, {feeder.kills} kills"
        print(f"{text}, {time.monotonic() - started:.0f} s", flush=True)
        fed = time.monotonic()
        code, report, memory = verify(rig, server, source)
        text = f"verify: {report['fates']}, {report['lost']} lost, exit code {code}"
        print(f"{text}, {time.monotonic() - fed:.0f} s, {memory}", flush=True)
        if code or report["lost"]:
            print(json.dumps(report["findings"], indent=1)[:5000])
            return False
        replayed = time.monotonic()
        again = replay(rig, server, source, folder)
        others = [table for table in TABLES if contents(again, table) != contents(rig, table)]
        print(f"replayed to empty tables: {len(others)} differ, {time.monotonic() - replayed:.0f} s", flush=True)
        if others:
            print(f"  {', '.join(others)}")
            return False
        planted = {*islice(Tables(rig, source, chance).plant(), losses)}
        code, report, _ = verify(rig, server, source)
    found = found_in(report)
    print(
        f"planted {len(planted)} losses: {len(planted & found)} found, {len(found - planted)} others, exit code {code}"
    )
    for lost in sorted(planted ^ found):
        print(f"  {'not found' if lost in planted else 'not planted'}: {lost}")
    return code == 1 and found == planted


def main() -> int:
    """Run it, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--losses", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return int(not run(options.messages, options.losses, options.seed, Path(folder), options.minutes))


if __name__ == "__main__":
    sys.exit(main())

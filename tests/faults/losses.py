"""Nothing is lost under faults, and what is lost is found: `make verify-losses`.

Messages of all modes go through the Lambda handler while a tenth of its calls fails, and are delivered again now and
then. The source is kept. `router verify` then says that no message is missing or different. Then losses are planted in
the tables, one of a kind after another, and `router verify` finds each of them, by route and key, and nothing else.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.fault_model import Model
from tests.faults.fault_proxy import FaultPlan, fault_proxy
from tests.faults.fault_rig import FLOWS, Rig, RigFunction, lambda_record, running_function
from tests.support.dev import local_aws

WAVE = 2000
BATCH = 50
RATE = 0.1
AGAIN = 0.05
"""The share of batches that are delivered once more."""
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
    """Sends waves through the function, and keeps what it sends."""

    def __init__(self, rig: Rig, function: RigFunction, source: Path, chance: random.Random) -> None:
        self._rig = rig
        self._function = function
        self._source = source
        self._chance = chance

    def feed(self, model: Model, size: int) -> None:
        """Deliver a wave until all is acknowledged."""
        with self._source.open("a", encoding="utf-8") as file:
            for queue, bodies, groups in model.wave(size):
                messages = [self._message(queue, body) for body in bodies]
                for message in messages:
                    file.write(json.dumps(message) + "\n")
                records = [lambda_record({"ReceiptHandle": "none", **each}, self._name(queue)) for each in messages]
                for record, group in zip(records, groups, strict=False):
                    record["attributes"] = {**record["attributes"], "MessageGroupId": group}
                self._deliver(records, again=not groups)

    def _name(self, queue: str) -> str:
        return f"{self._rig.prefix}-{queue}"

    def _message(self, queue: str, body: str) -> Record:
        now = str(time.time_ns() // 1_000_000)
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._name(queue)}"
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": now, "DeadLetterQueueSourceArn": arn}
        return {"MessageId": str(uuid.uuid4()), "Body": body, "Attributes": attributes}

    def _deliver(self, records: list[Record], *, again: bool) -> None:
        while records:
            batch, records = records[:BATCH], records[BATCH:]
            failed = {*self._function.invoke(batch)}
            # What failed comes first: a FIFO queue requires that order.
            records = [each for each in batch if each["messageId"] in failed] + records
            if again and self._chance.random() < AGAIN:
                records += batch


def verify(rig: Rig, server: Any, source: Path) -> tuple[int, Any]:
    """Run `router verify`; its exit code and what it prints."""
    words = ["verify", str(source), "--complete", "--json", "--show-values", "--examples", "1000", "--rate", "100000"]
    environment = server.environment() | {"PREFIX": rig.prefix}
    command = [sys.executable, "-m", "router", *words, "-c", str(FLOWS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(done.stderr)
    return done.returncode, json.loads(done.stdout)


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


def run(messages: int, losses: int, seed: int, folder: Path) -> bool:
    """Run it once; return whether all is as it should be, after a line about each part."""
    chance, model = random.Random(seed), Model(seed)
    source = folder / "source.jsonl"
    started = time.monotonic()
    with local_aws() as server, fault_proxy(server.endpoint, FaultPlan(seed, RATE)) as proxy:
        rig = Rig(server, proxy.endpoint, f"losses-{uuid.uuid4().hex[:8]}", FLOWS, 3, "direct")
        with running_function(rig, folder / "log") as function:
            feeder = Feeder(rig, function, source, chance)
            while model.sent < messages:
                feeder.feed(model, min(WAVE, messages))
        faults = proxy.journal.faults.total()
        print(f"{model.sent} messages, {faults} faults of calls, {time.monotonic() - started:.0f} s", flush=True)
        code, report = verify(rig, server, source)
        print(f"verify: {report['fates']}, {report['lost']} lost, exit code {code}", flush=True)
        if code or report["lost"]:
            print(json.dumps(report["findings"], indent=1)[:5000])
            return False
        planted = {*islice(Tables(rig, source, chance).plant(), losses)}
        code, report = verify(rig, server, source)
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return int(not run(options.messages, options.losses, options.seed, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())

"""The messages of a run under faults, and the model of their results that the tables are compared with."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.fault_proxy import Call
from tests.faults.fifo_history import find_violations, read_history

KEYS = 5
"""Items that many messages write: counters, versioned items, groups."""
LINES = 4
"""Items of an order, which are written together or not at all."""

Item = dict[str, Any]
QueueMessages = tuple[str, list[str], list[str]]
"""A queue, the bodies of messages for it, and their groups if it is a FIFO queue."""


class Model:
    """The messages sent so far, in waves, and the expected contents of all tables after their processing."""

    def __init__(self, seed: int, keys: int = KEYS) -> None:
        """Versioned items, counters and groups have so many `keys` each."""
        self._random = random.Random(seed)
        self._keys = keys
        self._wave = self._counted = 0
        self._inserted: list[str] = []
        self.sent = 0
        self.puts: dict[str, Item] = {}
        self.inserts: dict[str, Item] = {}
        self.versions: dict[str, Item] = {}
        self.totals: Counter[str] = Counter()
        self.logs: dict[str, list[int]] = {}
        self.orders: set[tuple[str, int]] = set()
        self.groups: dict[str, list[int]] = {}
        self.rejected: set[str] = set()

    def wave(self, size: int) -> Iterator[QueueMessages]:
        """Yield the next wave, about `size` messages in all; within a queue in random order."""
        share = max(1, size // 20)
        self._wave += 1
        groups = list(self._grouped(4 * share))
        for queue, bodies in (
            ("puts", [*self._puts(6 * share), *self._bad(share)]),
            ("inserts", [*self._inserts(2 * share)]),
            ("versions", [*self._versions(2 * share)]),
            ("counts", [*self._counts(4 * share)]),
            ("orders", [*self._orders(share)]),
        ):
            self._random.shuffle(bodies)
            self.sent += len(bodies)
            yield queue, [json.dumps(body) for body in bodies], []
        self.sent += len(groups)
        yield "groups.fifo", [json.dumps(body) for body in groups], [body["id"] for body in groups]

    def _puts(self, count: int) -> Iterator[Item]:
        for number in range(count):
            item: Item = {"id": f"p{self._wave}-{number}", "value": self._random.randrange(10**9)}
            self.puts[item["id"]] = item
            yield item

    def _bad(self, count: int) -> Iterator[Item]:
        """Yield messages that can never succeed."""
        for number in range(count):
            item = {"id": "", "bad": f"{self._wave}-{number}"}
            self.rejected.add(json.dumps(item))
            yield item

    def _inserts(self, count: int) -> Iterator[Item]:
        """Yield new items, and duplicates of items of earlier waves, which must not replace them."""
        for number in range(count):
            item: Item = {"id": f"i{self._wave}-{number}", "value": self._random.randrange(10**9)}
            if number % 2 and self._inserted:
                item["id"] = self._random.choice(self._inserted)
            if item["id"].startswith(f"i{self._wave}-"):
                if item["id"] in self.inserts:
                    continue
                self.inserts[item["id"]] = item
                self._inserted.append(item["id"])
            yield item

    def _versions(self, count: int) -> Iterator[Item]:
        for _ in range(count):
            id_ = f"v{self._random.randrange(self._keys)}"
            item = {"id": id_, "version": self._random.randrange(10**6), "value": id_}
            if item["version"] > self.versions.get(id_, {}).get("version", -1):
                self.versions[id_] = item
            yield item

    def _counts(self, count: int) -> Iterator[Item]:
        for _ in range(count):
            number, self._counted = self._counted, self._counted + 1
            id_ = f"c{self._random.randrange(self._keys)}"
            amount = self._random.randint(1, 99)
            self.totals[id_] += amount
            self.logs.setdefault(id_, []).append(number)
            yield {"id": id_, "amount": amount, "number": number}

    def _orders(self, count: int) -> Iterator[Item]:
        for number in range(count):
            id_ = f"o{self._wave}-{number}"
            self.orders |= {(id_, line) for line in range(LINES)}
            yield {"id": id_, "lines": list(range(LINES))}

    def _grouped(self, count: int) -> Iterator[Item]:
        for _ in range(count):
            id_ = f"g{self._random.randrange(self._keys)}"
            numbers = self.groups.setdefault(id_, [])
            numbers.append(len(numbers))
            yield {"id": id_, "number": numbers[-1]}

    def watch(self, rig: Any) -> "Watch":
        """Return a watch of the versioned items."""
        return Watch(rig, "versions")

    def count_lost(self, rig: Any) -> int:
        """Count the messages that are neither in their table, as expected, nor among the dead letters."""
        puts, inserts, counts = (by_id(rig.items(table)) for table in ("puts", "inserts", "counts"))
        orders = {(item["id"], item["line"]) for item in rig.items("orders")}
        groups = {(item["id"], item["number"]) for item in rig.items("groups")}
        letters = {letter["Body"] for letter in rig.letters("dead")}
        return (
            sum(puts.get(id_) != item for id_, item in self.puts.items())
            + sum(inserts.get(id_) != item for id_, item in self.inserts.items())
            + sum(len(set(log) - set(counts.get(id_, {}).get("log", ()))) for id_, log in self.logs.items())
            + len({id_ for id_, _ in self.orders - orders})
            + sum((id_, number) not in groups for id_, numbers in self.groups.items() for number in numbers)
            + len(self.rejected - letters)
        )

    def count_duplicates(self, rig: Any) -> int:
        """Count the messages that were added more than once."""
        return sum(len(item["log"]) - len(set(item["log"])) for item in rig.items("counts"))

    def find_disorder(self, calls: Sequence[Call]) -> list[str]:
        """Return what happened to the message groups that must not happen on a FIFO queue."""
        return [
            sentence
            for table in ("groups", "latest")
            for sentence in find_violations(read_history(self.groups, calls, table))
        ]


def by_id(items: Sequence[Item]) -> dict[str, Item]:
    """Map items by their `id`."""
    return {item["id"]: item for item in items}


def check_tables(model: Model, rig: Any) -> None:
    """Assert that each table equals the model: no message lost, no duplicate effect, no partial transaction."""
    assert by_id(rig.items("puts")) == model.puts
    assert by_id(rig.items("inserts")) == model.inserts
    assert by_id(rig.items("versions")) == model.versions
    counts = by_id(rig.items("counts"))
    assert {id_: sorted(item["log"]) for id_, item in counts.items()} == model.logs
    assert {id_: item["total"] for id_, item in counts.items()} == model.totals
    assert {(item["id"], item["line"]) for item in rig.items("orders")} == model.orders
    groups: dict[str, list[int]] = {}
    for item in rig.items("groups"):
        groups.setdefault(item["id"], []).append(item["number"])
    assert {id_: sorted(numbers) for id_, numbers in groups.items()} == model.groups
    latest = {item["id"]: item["number"] for item in rig.items("latest")}
    assert latest == {id_: numbers[-1] for id_, numbers in model.groups.items()}
    assert {letter["Body"] for letter in rig.letters("dead")} == model.rejected
    assert rig.letters("dead.fifo") == []


class Watch:
    """Reads the items of some tables repeatedly and asserts that no version decreases."""

    def __init__(self, rig: Any, *tables: str) -> None:
        self._rig = rig
        self._tables = tables
        self._seen: dict[str, int] = {}

    def look(self) -> None:
        """Read the items once."""
        for item in [item for table in self._tables for item in self._rig.items(table)]:
            before = self._seen.get(item["id"], -1)
            assert item["version"] >= before, f"{item['id']} went from {before} back to {item['version']}"
            self._seen[item["id"]] = item["version"]


def written_items(call: Call, table: str) -> Iterator[Item]:
    """Yield the items of a table in a BatchWriteItem; if it was answered, only the confirmed ones."""
    requested = call.request.get("RequestItems", {})
    left = (call.answer or {}).get("UnprocessedItems", {})
    for name, requests in requested.items():
        if name.endswith(f"-{table}"):
            unprocessed = left.get(name, [])
            yield from (request["PutRequest"]["Item"] for request in requests if request not in unprocessed)


def check_once(model: Model, calls: Sequence[Call]) -> None:
    """Assert that each put and each counted message was sent exactly once."""
    puts = Counter(item["id"]["S"] for call in calls for item in _requested_items(call, "puts"))
    assert puts == Counter(dict.fromkeys(model.puts, 1))
    markers = Counter(
        marker["Item"]["marker"]["S"]
        for call in calls
        if call.operation == "TransactWriteItems"
        for marker in (action.get("Put", {}) for action in call.request["TransactItems"])
        if "marker" in marker.get("Item", {})
    )
    assert len(markers) == sum(len(log) for log in model.logs.values())
    assert {marker: count for marker, count in markers.items() if count > 1} == {}


def _requested_items(call: Call, table: str) -> Iterator[Item]:
    for name, requests in call.request.get("RequestItems", {}).items():
        if name.endswith(f"-{table}"):
            yield from (request["PutRequest"]["Item"] for request in requests)


def check_acknowledged(calls: Sequence[Call]) -> int:
    """Assert that each delete follows a confirmed write or dead letter; return the number of deletes."""
    bodies: dict[str, str] = {}
    done: dict[str, float] = {}
    for call in sorted(calls, key=lambda call: call.ended):
        if call.operation == "ReceiveMessage":
            for message in (call.answer or {}).get("Messages", ()):
                bodies[message["ReceiptHandle"]] = message["Body"]
        elif call.confirmed and call.operation == "BatchWriteItem":
            for item in written_items(call, "puts"):
                done.setdefault(item["id"]["S"], call.ended)
        elif call.confirmed and call.operation == "SendMessageBatch":
            confirmed = {each["Id"] for each in (call.answer or {}).get("Successful", ())}
            for entry in call.request["Entries"]:
                if entry["Id"] in confirmed:
                    done.setdefault(entry["MessageBody"], call.ended)
    checked = 0
    for call in calls:
        if call.operation == "DeleteMessageBatch" and call.request["QueueUrl"].endswith("-puts"):
            for entry in call.request["Entries"]:
                body = bodies[entry["ReceiptHandle"]]
                known = json.loads(body)["id"] or body
                assert done.get(known, float("inf")) <= call.began, (
                    f"{known} was deleted before its write was confirmed"
                )
                checked += 1
    return checked

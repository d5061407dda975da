"""Any batches, any faults: acknowledged messages are applied, once, and in the end all are.

Random messages go through the real engine, `Delivery` and client into a DynamoDB in memory and queues in memory, which
fail at random for some rounds and then work; what was not acknowledged comes again. A reference model of a few lines
says what must be in the tables then. MODEL_CASES sets how many runs there are for each kind of queue.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.model import Record
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault
from tests.support.program import load_program

CASES = settings(
    max_examples=int(os.environ.get("MODEL_CASES", "400")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
URL = "https://queues/q"
ROUTES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    # mode: (table, write, more of the item), in the order of the file
    "put": ("puts", {}, {"index": "index"}),
    "again": ("puts", {}, {"index": "index", "twice": {"value": True}}),
    "erase": ("puts", {"mode": "delete"}, {}),
    "insert": ("inserts", {"mode": "insert"}, {}),
    "newest": ("newests", {"mode": "newest", "version": "v"}, {}),
    "forget": ("newests", {"mode": "delete", "version": "v"}, {}),
    "update": ("updates", {"mode": "update", "keep_first": ["first"]}, {"first": "t"}),
    "versioned": ("versions", {"mode": "update", "version": "v"}, {}),
    "once": ("counts", {"mode": "update", "add": ["n"], "append": ["log"], "once": "markers"}, {"n": "n", "log": "t"}),
    "reject": ("puts", {}, {}),
    "drop": ("puts", {}, {}),
}
INVALID = {"schema": {"required": ["nothing"]}}
MORE: dict[str, dict[str, Any]] = {"reject": INVALID, "drop": {**INVALID, "on_invalid": "drop"}}
TABLES = sorted({table for table, _, _ in ROUTES.values()})
NEVER = AwsFault("configuration", "QueueDoesNotExist", 400)


def config(kind: Any) -> Any:
    """All modes on one queue."""
    name = "q.fifo" if "fifo" in kind else "q"
    return {
        "version": 1,
        "queues": {"q": {"name": name, "dead_letter": "d.fifo", "atomic": "atomic" in kind}},
        "tables": {name: {"key": {"id": "S"}} for name in (*TABLES, "markers")},
        "routes": {
            mode: {
                "queue": "q",
                "table": table,
                "when": f"contains(modes, '{mode}')",
                "item": {"id": "id", "v": "v", "t": "t", **item},
                "write": write,
                **MORE.get(mode, {}),
            }
            for mode, (table, write, item) in ROUTES.items()
        },
    }


class Queues:
    """Takes dead letters, with scripted failures; keeps the confirmed ones and the visibility timeouts."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.letters: set[str] = set()
        self.hidden: list[tuple[str, int]] = []
        self.faults: list[str] = []

    def url(self, reference: Any, timeout: Any) -> Any:
        fault = self.faults.pop() if self.faults else ""
        return NEVER if fault == "url" else URL

    def send(self, url: Any, letters: Any, timeout: Any) -> Any:
        fault = self.faults.pop() if self.faults else ""
        failed = letters if fault == "all" else letters[::2] if fault == "some" else []
        self.letters |= {letter.id for letter in letters if letter not in failed}
        return {letter.id: AwsFault("retry", "InternalError", 500) for letter in failed}

    def change_visibility(self, url: Any, messages: Any, timeout: Any) -> Any:
        self.hidden += [(id_, seconds) for id_, _, seconds in messages]
        return {}


class Serial:
    """Calls one after the other, so that a case is the same each time."""

    def __init__(self, *_: Any) -> None:
        pass

    def map(self, work: Any, jobs: Any) -> Any:
        return [work(job) for job in jobs]


@pytest.fixture(scope="module", params=["standard", "fifo", "atomic", "atomic fifo"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dynamo_of: Any) -> Iterator[Any]:
    """A program, its one delivery for all cases, and in-memory AWS services."""
    path = tmp_path_factory.mktemp("model") / "routes.yaml"
    path.write_text(json.dumps(config(request.param)), encoding="utf-8")
    program = load_program(path, {})
    dynamo = dynamo_of(**dict.fromkeys((*TABLES, "markers"), (("id", "S"),)))
    queues: Any = Queues()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("concurrent.futures.ThreadPoolExecutor", Serial)
        patch.setattr(logging.getLogger("router"), "disabled", True)
        aws = Aws(dynamo.tables, queues)
        # Few tries, so that writes are left for the next delivery, too.
        writer = Writer(aws.tables, jitter=lambda low, high: 0.0, max_tries=2)
        delivery = Delivery(program, aws, writer=writer)
        yield SimpleNamespace(kind=request.param, delivery=delivery, dynamo=dynamo, queues=queues, program=program)


class Sent(SimpleNamespace):
    """A message: number, key, modes, version, and what is wrong with it."""

    @property
    def id(self) -> Any:
        return f"m{self.number}"

    @property
    def body(self) -> Any:
        index = {"index": 1} if self.bad == "index" else {}
        data = {"id": self.key, "modes": self.modes, "v": self.version, "t": self.id, "n": self.number + 1, **index}
        return json.dumps(data) + ("{" if self.bad == "json" else "")

    def writes(self, atomic: Any) -> Any:
        """Its modes in the order of the file; None if it is rejected before anything is written."""
        modes = [mode for mode in ROUTES if mode in self.modes]
        writing = [mode for mode in modes if mode != "drop"]
        twice = len({ROUTES[mode][0] for mode in writing}) < len(writing)
        if self.bad == "json" or not modes or "reject" in modes or (atomic and twice):
            return None
        return writing

    def refused(self, atomic: Any) -> Any:
        """Whether the table refuses what it would store last of all."""
        puts = [mode for mode in self.writes(atomic) or () if ROUTES[mode][0] == "puts"]
        return self.bad == "index" and puts[-1:] not in ([], ["erase"])


def messages(kind: Any) -> Any:
    """Messages of few keys."""
    # Updates more often than others: they show whether order is kept.
    modes = st.lists(st.sampled_from([*ROUTES, "update", "update", "update"]), max_size=3, unique=True)
    if kind == "standard":
        modes = modes.map(lambda chosen: [mode for mode in chosen if mode != "forget"])
    if kind == "atomic":
        # A failed condition takes the other writes with it, so that only the order would say what is stored.
        together = st.lists(st.sampled_from(["put", "update", "once", "drop", "reject"]), max_size=3, unique=True)
        modes = st.one_of(st.sampled_from([[mode] for mode in ROUTES if mode != "forget"]), together)
    good = st.just("")
    one = st.tuples(
        st.sampled_from("aabc"), modes, st.integers(1, 4), st.one_of(good, st.sampled_from(["index", "json"]))
    )
    return st.lists(one, min_size=1, max_size=12).map(
        lambda given: [
            Sent(number=number, key=key, modes=modes, version=version, bad=bad)
            for number, (key, modes, version, bad) in enumerate(given)
        ]
    )


FAULTS = st.lists(
    st.sampled_from(
        [
            *(None, None, None, "unprocessed", "lost", "lost", "ProvisionedThroughputExceededException"),
            *("AccessDeniedException", "InternalServerError", "TransactionConflictException"),
            "ResourceNotFoundException",
        ]
    ),
    max_size=12,
)
QUEUE_FAULTS = st.lists(st.sampled_from(["", "url", "all", "some"]), max_size=4)
ROUNDS = st.lists(st.tuples(FAULTS, QUEUE_FAULTS, st.integers(0, 12), st.integers(0, 40)), min_size=1, max_size=4)


class DeadlineAfter:
    """A deadline that has passed after so many readings; with 0 or more than 20, never."""

    def __init__(self, looks: int) -> None:
        self.left = looks if looks <= 20 else 0

    @property
    def end(self) -> float:
        self.left -= 1
        return float("-inf") if self.left == 0 else 1e18


class Run:
    """One case: deliver until no message is left, and check each step."""

    def __init__(self, world: Any, sent: Any) -> None:
        self.world, self.sent = world, sent
        self.fifo, self.atomic = "fifo" in world.kind, "atomic" in world.kind
        self.queue = world.program.engine.queues["q"]
        self.pending = list(sent)
        self.receives: Counter[str] = Counter()
        world.dynamo.clear()
        world.queues.clear()

    def batch(self, turn: Any) -> Any:
        """What SQS gives: on standard queues in any order, and some of it that was acknowledged before, or twice."""
        if self.fifo:
            return self.pending[:10]
        at = turn % (len(self.pending) + 1)
        again = [self.sent[turn % len(self.sent)]] if turn % 3 == 1 else []
        return (again + self.pending[at:] + self.pending[:at] + self.pending[:1])[:10]

    def deliver(self, turn: Any, looks: Any = 0) -> Any:
        """One batch; returns how many messages are now done."""
        batch = self.batch(turn)
        records: list[Record] = []
        for each in batch:
            self.receives[each.id] += 1
            system = {"ApproximateReceiveCount": str(self.receives[each.id]), "MessageGroupId": each.key}
            records.append(Record(each.id, f"{each.id}-{len(records)}", each.body, system))
        self.world.queues.hidden = []
        before = len(self.world.dynamo.made)

        results = self.world.delivery.deliver(self.queue, records, DeadlineAfter(looks))
        self.world.delivery.set_visibility(self.queue, URL, results, 60)

        distinct = list({each.id: each for each in batch}.values())
        assert [each.record.message_id for each in results] == [each.id for each in distinct]
        done = {each.record.message_id for each in results if each.acknowledged}
        for place, (message, result) in enumerate(zip(distinct, results, strict=True)):
            self.look_at(message, result, distinct[place + 1 :])
        self.look_at_groups(distinct, results)
        self.look_at_updates(distinct, self.world.dynamo.made[before:])
        assert {id_ for id_, _ in self.world.queues.hidden} == {each.id for each in distinct} - done
        left = len(self.pending)
        self.pending = [each for each in self.pending if each.id not in done]
        return left - len(self.pending)

    def look_at(self, message: Any, result: Any, later: Any) -> None:
        """No message is acknowledged without a reason to."""
        outcome = result.outcome
        assert result.acknowledged == (outcome.kind != "retry")
        assert not outcome.configuration_error or outcome.kind == "retry"
        if outcome.kind == "rejected":
            assert message.id in self.world.queues.letters
        elif outcome.kind == "dropped":
            assert message.writes(self.atomic) == []
        elif result.acknowledged:
            made = [self.is_made(mode, message, later) for mode in message.writes(self.atomic)]
            assert any(made) if self.atomic else all(made)

    def is_made(self, mode: Any, message: Any, later: Any) -> Any:
        """Whether a write was confirmed, or its verdict is true."""
        table = ROUTES[mode][0]
        made = self.world.dynamo.made
        stored = self.world.dynamo.items[table].get(message.key)
        if mode == "once":
            return f"once#{message.id}#0" in self.world.dynamo.items["markers"]
        if any(
            (name, key) == (table, message.key) and (item or {}).get("t") == {"S": message.id}
            for name, key, item in made
        ):
            return True
        if mode in ("erase", "forget") and (table, message.key, None) in made:
            return True
        if mode in ("put", "again"):  # one that came later, in the same message or another, stands for it
            return any(each.key == message.key and {"put", "again", "erase"} & {*each.modes} for each in later) or (
                "erase" in message.modes and (table, message.key, None) in made
            )
        # A duplicate, or stale; a `forget` that came later may have taken away what was found.
        return stored is not None or (table, message.key, None) in made

    def look_at_groups(self, distinct: Any, results: Any) -> None:
        """On FIFO queues the messages of a group are done in order, and those not begun are released at once."""
        if not self.fifo:
            return
        for group in {each.key for each in distinct}:
            of_group = [result for each, result in zip(distinct, results, strict=True) if each.key == group]
            done = [each.acknowledged for each in of_group]
            assert done == sorted(done, reverse=True)
            for result in of_group[done.count(True) + 1 :]:
                assert (result.outcome.code, (result.record.message_id, 0) in self.world.queues.hidden) == (
                    "RT819",
                    True,
                )

    def look_at_updates(self, distinct: Any, made: Any) -> None:
        """In a batch the updates of an item are made in order, and none before the one that it comes after."""
        ever = {item["t"]["S"] for table, _, item in self.world.dynamo.made if table == "updates"}
        ids = [each.id for each in distinct]
        for key in "abc":
            places = [ids.index(item["t"]["S"]) for table, of, item in made if (table, of) == ("updates", key)]
            assert places == sorted(places)
            earlier = [each for each in distinct[: max(places, default=0)] if each.key == key]
            due = [each for each in earlier if "update" in (each.writes(self.atomic) or ())]
            conditional = {"insert", "newest", "forget", "versioned", "once"}
            assert all(
                each.id in ever or (self.atomic and (each.bad == "index" or conditional & {*each.modes}))
                for each in due
            )

    def look_at_the_end(self) -> None:
        """Every message is done, and the tables are as the reference model says."""
        assert self.pending == []
        lost = {each.id for each in self.sent if each.writes(self.atomic) is None}
        refused = {each.id for each in self.sent if each.refused(self.atomic)}
        letters = self.world.queues.letters
        if self.fifo:
            self.look_at_order()
            expected, doomed = reference(self.sent, self.atomic)
            assert (self.stored(), letters) == (expected, doomed)
            return
        # A refused put may have been replaced by one that came after it, in the same batch.
        assert lost <= letters <= lost | refused
        kept = [each for each in self.sent if each.id not in lost and not (self.atomic and each.refused(True))]
        stored = self.stored()
        for key in "abc":
            of_key = {mode: [each for each in kept if each.key == key and mode in each.modes] for mode in ROUTES}
            counts = stored["counts"].get(key, {"n": 0, "log": []})
            assert counts["n"] == sum(each.number + 1 for each in of_key["once"])
            assert sorted(counts["log"]) == sorted(each.id for each in of_key["once"])
            for table, mode in (("newests", "newest"), ("versions", "versioned")):
                assert stored[table].get(key, {}).get("v") == max((each.version for each in of_key[mode]), default=None)
            for table, modes in (("inserts", ["insert"]), ("updates", ["update"]), ("puts", ["put", "again"])):
                reported = {each.id for mode in modes for each in of_key[mode]}
                erased = table == "puts" and bool(of_key["erase"] or refused)
                assert stored[table].get(key, {"t": ""})["t"] in (reported or {""}) | ({""} if erased else set())

    def look_at_order(self) -> None:
        """What was written for one key was written in the order of its messages."""
        order: dict[str, list[int]] = {}
        for table, key, item in self.world.dynamo.made:
            if item and table != "markers":
                order.setdefault(key, []).append(int(item["t"]["S"][1:]))
        assert all(numbers == sorted(numbers) for numbers in order.values())

    def stored(self) -> Any:
        """The tables in plain values."""
        return {
            table: {
                key: {
                    name: int(value["N"])
                    if "N" in value
                    else [each["S"] for each in value["L"]]
                    if "L" in value
                    else next(iter(value.values()))
                    for name, value in item.items()
                }
                for key, item in self.world.dynamo.items[table].items()
            }
            for table in TABLES
        }


def reference(sent: Any, atomic: Any) -> Any:
    """The expected items and dead letters, if each message is applied completely, in order, once."""
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    letters: set[str] = set()
    for message in sent:
        writes = message.writes(atomic)
        holds = {mode: condition(mode, tables[ROUTES[mode][0]].get(message.key), message) for mode in writes or ()}
        if writes is None or (message.refused(atomic) and not (atomic and not all(holds.values()))):
            letters.add(message.id)
        if writes is None or (atomic and (message.refused(True) or not all(holds.values()))):
            continue
        for mode in writes:
            table = tables[ROUTES[mode][0]]
            old = table.get(message.key)
            refused = message.bad == "index" and mode in ("put", "again")
            if refused or not condition(mode, old, message):
                continue
            if mode in ("erase", "forget"):
                table.pop(message.key, None)
            else:
                table[message.key] = effect(mode, old, message)
    return tables, letters


def condition(mode: Any, old: Any, message: Any) -> Any:
    """Whether a mode changes anything, given the stored item."""
    if old is None or mode in ("put", "again", "erase", "update", "once"):
        return True
    return mode != "insert" and message.version > old["v"]


def effect(mode: Any, old: Any, message: Any) -> Any:
    """The item that a mode leaves."""
    item = {"id": message.key, "v": message.version, "t": message.id}
    if mode == "again":
        item["twice"] = True
    if mode == "update":
        return {**item, "first": (old or {"first": message.id})["first"]}
    if mode == "once":
        before = old or {"n": 0, "log": []}
        return {**item, "n": before["n"] + message.number + 1, "log": [*before["log"], message.id]}
    return item


def test_nothing_is_lost_and_nothing_is_done_twice(world: Any) -> None:
    """Whatever calls fail, and whatever messages are received again."""

    @CASES
    @given(messages(world.kind), ROUNDS)
    def run(sent: Any, rounds: Any) -> None:
        case = Run(world, sent)
        for faults, queue_faults, turn, looks in rounds:
            left = list(faults)
            world.dynamo.fault = lambda operation, left=left: left.pop(0) if left else None
            world.queues.faults = list(queue_faults)
            case.deliver(turn, looks)
        world.dynamo.fault = lambda operation: None
        world.queues.faults = []
        while case.pending:
            assert case.deliver(0) > 0
        case.look_at_the_end()

    run()

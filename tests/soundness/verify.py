"""What `router verify` says, compared with every order of receipt: `make soundness ONLY=verify`.

A case is a random config of one to three routes, a few random messages, and a table that they made in a random order,
with redeliveries, other messages, and items that expired. Then something may be lost: a message is dropped, an item is
deleted, an attribute is changed or removed, an older item is restored.

- What no fault touched is never `missing` or `different`.
- If the source is complete, every state that its messages can leave is computed: each order, redeliveries, expiry. A
  state that can be reached is never `missing` or `different`, and one that cannot is never all right: at least one
  message is `missing`, `different` or `not decidable`. If a message was dropped, the others that are called right must
  be able to leave the state, whether those that are not were received or not.
- Where no route deletes or sets an end, a deleted item is always found. So is a changed attribute of a route that alone
  writes its table, in the mode `newest`.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import yaml
from msgspec import Struct, structs

from router.errors import ConfigError
from router.model import Record, Table
from tests.support.aws import Aws
from tests.support.dev import write_together
from tests.support.engine import PlannedMessage, plan
from tests.support.memory import MemoryQueues
from tests.support.program import Program, load_program
from tests.support.replay import SourceMessage
from tests.support.testing import MemoryTables
from tests.support.verify import KeptSource, Verifier

NOW = 1_800_000_000
PAST, FUTURE = 1_700_000_000, 1_900_000_000
KEYS = ("k1", "k2")
FAULTS = ("none", "dropped", "deleted", "changed", "removed", "restored")
MOST_STATES = 20_000


def random_route(random: Random, number: int) -> dict[str, Any]:
    """A route of any mode: what it writes under its own names and under common ones."""
    mode = random.choice(("put", "insert", "newest", "newest", "update", "update", "update", "delete"))
    version = random.choice(("v", "v", f"v{number}"))
    item: dict[str, Any] = {"id": random.choice(("id", "id", "id", "other"))}
    write: dict[str, Any] = {"mode": mode}
    names = random.choice(([f"a{number}"], ["c"], [f"a{number}", "c"]))
    if mode != "delete":
        item |= {name: name for name in names}
    if mode == "newest" or (mode in ("update", "delete") and random.random() < 0.5):
        item[version] = "v"
        write["version"] = version
    if mode == "update":
        choose_ways(random, names, item, write)
    if mode != "delete" and random.random() < 0.15:
        item["end"] = "end"
    return split(random, _routed(random, number, item, write))


def choose_ways(random: Random, names: Sequence[str], item: dict[str, Any], write: dict[str, Any]) -> None:
    """Choose what an update does with each of its attributes."""
    for name in names:
        way = random.choice(("set", "set", "remove", "add", "add set", "append", "keep_first"))
        if way == "remove":
            item[name] = {"from": name, "missing": "remove"}
        elif way == "add":
            item[name] = "number"
            write.setdefault("add", []).append(name)
        elif way == "add set":
            item[name] = {"from": "words", "type": "SS"}
            write.setdefault("add", []).append(name)
        elif way in ("append", "keep_first"):
            write.setdefault(way, []).append(name)
    if ("add" in write or "append" in write) and random.random() < (0.3 if "version" in write else 0.6):
        write["once"] = "effects"
        if random.random() < 0.2:
            write["once_key"] = "word"
    for name in (*write.get("add", ()), *write.get("append", ()), *write.get("keep_first", ())):
        if random.random() < 0.2:
            given = item[name] if isinstance(item[name], dict) else {"from": item[name]}
            item[name] = given | {random.choice(("missing", "null")): "remove"}


def split(random: Random, route: dict[str, Any]) -> dict[str, Any]:
    """A route, or one that writes each element of a message, or messages as they are."""
    item = route["item"]
    if random.random() < 0.1:
        paths = {name: each if isinstance(each, dict) else {"from": each} for name, each in item.items()}
        whole = {name: each | {"from": f"element.{each['from']}"} for name, each in paths.items()}
        return route | {"for_each": "elements", "item": whole}
    is_whole = route["write"]["mode"] in ("put", "insert", "newest") and random.random() < 0.1
    if is_whole and item["id"] == "id" and item.keys().isdisjoint(("v0", "v1", "v2")):
        return {name: each for name, each in route.items() if name != "item"}
    return route


def _routed(random: Random, number: int, item: dict[str, Any], write: dict[str, Any]) -> dict[str, Any]:
    return {
        "queue": random.choice(("q", "q", "p")),
        "table": "things",
        "when": f"contains(routes, '{number}')",
        "item": item,
        "write": write,
    }


def random_config(random: Random) -> dict[str, Any]:
    """A config of one to three routes that write one table."""
    routes = {f"r{number}": random_route(random, number) for number in range(random.choice((1, 1, 2, 2, 3)))}
    used = {route["queue"] for route in routes.values()}
    return {
        "version": 1,
        "queues": {name: {"dead_letter": f"{name}-dead", "atomic": random.random() < 0.2} for name in used},
        "tables": {
            "things": {"key": {"id": "S"}, **({"ttl": "end"} if random.random() < 0.7 else {})},
            "effects": {"key": {"id": "S"}, **({"ttl": "gone_at"} if random.random() < 0.4 else {})},
        },
        "routes": routes,
    }


def random_message(random: Random, routes: Sequence[str]) -> dict[str, Any]:
    """A message for some of the routes, of few different values, so that equal ones are frequent."""
    elements = [random_element(random) for _ in range(random.choice((0, 1, 2)))]
    chosen = random.sample(routes, random.choice((1, 1, len(routes))))
    return random_element(random) | {"routes": chosen, "elements": elements}


def random_element(random: Random) -> dict[str, Any]:
    """What a message, or an element of one, has for an item."""
    message: dict[str, Any] = {
        "id": random.choice(KEYS),
        "other": random.choice(KEYS),
        "v": random.randrange(1, 6),
        "number": random.choice((1, 1, 2, 5)),
        "words": random.sample(("x", "y", "z"), 1),
        "word": random.choice(("w1", "w2", "w3", "w4")),
        "end": random.choice((PAST, FUTURE)),
    }
    for name in ("a0", "a1", "a2", "c"):
        if random.random() < 0.8:
            message[name] = random.choice(("one", "two", "three"))
    for name in ("number", "words"):
        if random.random() < 0.1:
            message[name] = None
    return message


def other_message(random: Random, routes: Sequence[str]) -> dict[str, Any]:
    """A message that is not in the source: its version and its `once_key` are none of those that are."""
    message = random_message(random, routes)
    for each in (message, *message["elements"]):
        each |= {"v": random.choice((0, 2.5, 4.5, 7)) + random.random() / 3, "word": "other"}
    return message


class Sent(Struct, frozen=True, eq=False):
    """A message as it is sent, and what is planned for it."""

    queue: str
    record: Record
    planned: PlannedMessage


class World:
    """The tables of a program, and what happens to them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.tables = MemoryTables.of(program)
        self.table = next(each.write.table for each in program.engine.queues[program.queues[0]].routes)

    def deliver(self, sent: Sent) -> None:
        """Make the writes of a message."""
        if sent.planned.writes:
            write_together([sent.planned], self.tables, self.program.queue(sent.queue).atomic)

    def item(self, key: str) -> Any:
        """A stored item, or None."""
        return self.tables.get("things", {"id": {"S": key}})

    def store(self, key: str, item: Any) -> None:
        """Store an item, or delete it."""
        target = {"TableName": "things"}
        if item is None:
            self.tables.write("Delete", {**target, "Key": {"id": {"S": key}}})
        else:
            self.tables.write("Put", {**target, "Item": item})

    def expired(self) -> list[str]:
        """The keys of items whose end has passed."""
        ttl = self.program.config.tables["things"].ttl
        found = []
        for key in KEYS:
            end = (self.item(key) or {}).get(ttl, {}).get("N")
            if ttl and end is not None and int(end) <= NOW:
                found.append(key)
        return found

    def read(self, table: Table, keys: Sequence[Any]) -> list[Any]:
        """Read items, as a verifier does."""
        return [self.tables.get(table.name, key) for key in keys]

    def end(self, table: str) -> str:
        """The attribute by which items expire, as the config has it."""
        return next(each.ttl for name, each in self.program.config.tables.items() if name == table)

    def snapshot(self) -> str:
        """The state of all tables as text."""
        found = {
            name: sorted(map(_canonical, items.values())) for name, items in vars(self.tables)["_store"].items.items()
        }
        return json.dumps(found, sort_keys=True)

    def outcome(self) -> str:
        """The state of all tables as text, without idempotency keys that have expired."""
        found = self.copy()
        found.forget()
        return found.snapshot()

    def forget(self) -> None:
        """Delete the idempotency keys that have expired."""
        effects = vars(self.tables)["_store"].items["effects"]
        for name, item in [*effects.items()]:
            if int(item.get("gone_at", {"N": FUTURE})["N"]) <= NOW:
                del effects[name]

    def copy(self) -> "World":
        """Another world in the same state."""
        other = World(self.program)
        mine, theirs = vars(self.tables)["_store"], vars(other.tables)["_store"]
        for name, items in mine.items.items():
            theirs.items[name] = dict(items)
        return other


def _canonical(item: Mapping[str, Any]) -> str:
    return json.dumps({name: _sorted(value) for name, value in item.items()}, sort_keys=True)


def _sorted(value: Any) -> Any:
    return {"SS": sorted(value["SS"])} if "SS" in value else value


class Step(Struct, frozen=True, eq=False):
    """What is made at once: the writes of an atomic message, or one write, after an earlier one of the same item."""

    sent: Sent
    after: int | None = None


def steps(program: Program, messages: Sequence[Sent]) -> list[Step]:
    """All steps of messages. Another message may come between two of them."""
    found = []
    for sent in messages:
        if program.queue(sent.queue).atomic:
            found.append(Step(sent))
            continue
        last: dict[object, int] = {}
        for write in sent.planned.writes:
            one = structs.replace(sent, planned=structs.replace(sent.planned, writes=[write]))
            found.append(Step(one, last.get(write.identity)))
            last[write.identity] = len(found) - 1
    return found


def states(
    start: World, messages: Sequence[Sent], redeliveries: int, optional: frozenset[str] = frozenset()
) -> Iterator[str]:
    """All states that messages can leave, in any order, with redeliveries and expiry, as text.

    Those with the ids `optional` may not have been received.
    """
    seen = set()
    made = steps(start.program, messages)
    waived = {number for number, step in enumerate(made) if step.sent.record.message_id in optional}
    left = [(start, frozenset(range(len(made))), frozenset[int](), redeliveries)]
    while left:
        world, waiting, done, again = left.pop()
        place = (world.snapshot(), waiting, again)
        if place in seen:
            continue
        seen.add(place)
        if len(seen) > MOST_STATES:
            raise TooManyError
        if waiting <= waived:
            yield world.outcome()
        for key in world.expired():
            other = world.copy()
            other.store(key, None)
            left.append((other, waiting, done, again))
        for number in waiting:
            if made[number].after in waiting:
                continue
            other = world.copy()
            other.deliver(made[number].sent)
            left.append((other, waiting - {number}, done | {number}, again))
        for number in done if again else ():
            other = world.copy()
            other.deliver(made[number].sent)
            left.append((other, waiting, done, again - 1))


class TooManyError(Exception):
    """A case has too many states to look at each."""


def things(world: World) -> str:
    """The items of the table as text."""
    return json.dumps([item and _canonical(item) for item in map(world.item, KEYS)])


class Case(Struct, frozen=True):
    """A case and what was said of it: the fates, and whether the state could be reached; None if that is not known."""

    config: Any
    messages: Any
    fault: str
    complete: bool
    fates: tuple[tuple[str, str, str], ...]
    before: str
    after: str

    def show(self) -> str:
        """The case, to be understood by a person."""
        return "\n".join(
            [
                yaml.safe_dump(self.config, sort_keys=False),
                *map(json.dumps, self.messages),
                f"fault: {self.fault}, complete: {self.complete}",
                f"was: {self.before}",
                f"is:  {self.after}",
                *map(repr, self.fates),
            ]
        )


def load(config: Any, folder: Path) -> Program | None:
    """The program of a config; None if it has errors."""
    path = folder / "routes.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    try:
        return load_program(path, {})
    except ConfigError:
        return None


def run_case(seed: int, folder: Path) -> Case | None:
    """Make and check a case; raises AssertionError with the case, if what is said of it is wrong."""
    random = Random(seed)
    config = random_config(random)
    program = load(config, folder)
    if program is None:
        return None
    routes = [name.removeprefix("r") for name in config["routes"]]
    sent = [make(program, random_message(random, routes), number, random) for number in range(random.randrange(1, 5))]
    complete = random.random() < 0.6
    world = World(program)
    others = (
        [] if complete else [make(program, other_message(random, routes), 100 + number, random) for number in range(2)]
    )
    fault = random.choice(FAULTS)
    received = [*sent, *others]
    random.shuffle(received)
    dropped = random.choice(sent) if fault == "dropped" else None
    received = [each for each in received if each is not dropped]
    if received and random.random() < 0.4:
        received.insert(random.randrange(len(received) + 1), random.choice(received))
    older: dict[str, list[Any]] = {key: [] for key in KEYS}
    for each in received:
        world.deliver(each)
        for key in world.expired():
            if random.random() < 0.3:
                world.store(key, None)
        for key in KEYS:
            older[key].append(world.item(key))
    if random.random() < 0.5:
        world.forget()
    before = things(world)
    planted = plant(random, fault, world, older)
    after = things(world)
    fates = verify(program, sent, world, complete)
    shown = [{"queue": each.queue, "id": each.record.message_id, **json.loads(each.record.body)} for each in sent]
    case = Case(config, shown, fault, complete, tuple(fates), before, after)
    check(case, program, sent, world)
    if planted is not None and before != after:
        check_found(case, program, sent, world, *planted)
    return case


def make(program: Program, message: Any, number: int, random: Random) -> Sent:
    """A message on one of the queues, as planned."""
    queue = program.config.routes[f"r{message['routes'][0]}"].queue
    # The idempotency key of an old message may have expired.
    sent_at = random.choice((1_767_323_045_000, (NOW - 86_400) * 1000))
    record = Record(f"m{number}", "", json.dumps(message), {"SentTimestamp": str(sent_at + number)})
    return Sent(queue, record, plan(program.queue(queue), record))


def plant(random: Random, fault: str, world: World, older: Mapping[str, Sequence[Any]]) -> tuple[str, str] | None:
    """Lose something of one item; return its key and the attribute, "" for the whole item, or None for nothing."""
    stored = [key for key in KEYS if world.item(key)]
    if fault in ("none", "dropped") or not stored:
        return None
    key = random.choice(stored)
    item = dict(world.item(key))
    names = [name for name in item if name not in ("id", "end")]
    if fault == "deleted":
        world.store(key, None)
        return key, ""
    if fault == "restored":
        world.store(key, random.choice(older[key]))
        return None
    if not names:
        return None
    name = random.choice(names)
    if fault == "removed":
        item.pop(name)
    else:
        item[name] = random.choice(({"S": "one"}, {"S": "other"}, {"N": "3"}))
    world.store(key, item)
    return key, name


def verify(program: Program, sent: Sequence[Sent], world: World, complete: bool) -> list[tuple[str, str, str]]:
    """What `router verify` says of each message: its id, its fate, and why."""
    messages = [
        SourceMessage(each.record, None, queue=program.queue(each.queue), place="source:1", has_own_id=True)
        for each in sent
    ]
    found: list[tuple[str, str, str]] = []
    with KeptSource() as kept:
        aws = Aws(world.tables, MemoryQueues())
        verifier = Verifier(program, aws, world, kept, lambda: float(NOW), complete=complete)
        verifier.take(messages, lambda done: None)
        verifier.look(lambda done: None)
        for decided in verifier.messages():
            verdict = decided.verdict
            found.append((decided.message.id, verdict.fate, verdict.reason))
    return found


def check(case: Case, program: Program, sent: Sequence[Sent], world: World) -> None:
    """Raise AssertionError if what is said of a case is wrong."""
    fates = {fate for _, fate, _ in case.fates}
    lost = bool(fates & {"missing", "different"})
    if case.fault != "dropped" and case.before == case.after:
        assert not lost, f"a false alarm\n{case.show()}"
    if not case.complete or {config["queue"] for config in case.config["routes"].values()} - {
        each.queue for each in sent
    }:
        return
    try:
        reached = world.outcome()
        reachable = reached in set(states(World(program), sent, 1))
        if lost:
            assert not reachable, f"a false alarm: an order leaves this\n{case.show()}"
        elif conflict(sent):
            return
        elif not reachable and "not decidable" not in fates and not repeats(program):
            reachable = reached in set(states(World(program), sent, 2))
            assert reachable, f"not noticed: no order leaves this\n{case.show()}"
        doubted = frozenset(id_ for id_, fate, _ in case.fates if fate in ("missing", "different", "not decidable"))
        is_decided = not (repeats(program) or has_equal_keys(program) or conflict(sent))
        if case.fault == "dropped" and doubted and is_decided and not lost:
            reachable = any(reached in set(states(World(program), sent, count, doubted)) for count in (1, 2))
            assert reachable, f"a lost message is called right\n{case.show()}"
    except TooManyError:
        return


def conflict(sent: Sequence[Sent]) -> bool:
    """Whether two writes of one item have one version, and other content: it is assumed that there are none."""
    found: dict[Any, Any] = {}
    for write in (write for each in sent for write in each.planned.writes if write.version):
        content = write.item, (write.call or {}).get("UpdateExpression")
        if found.setdefault((write.identity, write.version_name, write.version_order), content) != content:
            return True
    return False


def has_equal_keys(program: Program) -> bool:
    """Whether two messages may have one idempotency key, and other content: then none of them is decided."""
    return any(route.write.once_key for route in program.config.routes.values())


def repeats(program: Program) -> bool:
    """Whether a redelivery adds again, so that a sum may be right by chance."""
    return any(route.write.add and not route.write.once for route in program.config.routes.values())


def check_found(case: Case, program: Program, sent: Sequence[Sent], world: World, key: str, attribute: str) -> None:
    """Raise AssertionError if a fault that can be decided is not found."""
    routes = program.config.routes.values()
    atomic = any(queue.atomic for queue in program.engine.queues.values())
    ends = bool(program.config.tables["things"].ttl) and any("end" in (route.item or {}) for route in routes)
    if any(route.for_each or route.item is None for route in routes):
        # DynamoDB may have refused more: another route's attribute may have any type.
        return
    if atomic or ends or any(route.write.mode == "delete" or route.write.once_key for route in routes):
        return
    fates = {
        "rejected" if reason.startswith("DynamoDB refuses") else fate
        for (_, fate, reason), each in zip(case.fates, sent, strict=True)
        if stores(each, key)
    }
    alone = [(route.write.mode, route.write.version) for route in routes]
    is_found = bool(fates & {"missing", "different"})
    if not attribute:
        assert is_found or not fates or "rejected" in fates, f"a deleted item is not found\n{case.show()}"
    elif case.complete and len(alone) == 1 and alone[0][0] == "newest" and attribute != alone[0][1]:
        is_equal = world.outcome() in set(states(World(program), sent, 1))
        assert is_found or is_equal, f"a changed attribute is not found\n{case.show()}"


def stores(sent: Sent, key: str) -> bool:
    """Whether a message stores something under a key."""
    return any(
        write.identity == ("things", key) and not (write.call or {}).get("UpdateExpression", "").startswith("REMOVE ")
        for write in sent.planned.writes
    )


def main() -> int:
    """Run cases until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    end = monotonic() + options.minutes * 60
    counts: Counter[tuple[str, str]] = Counter()
    failures = cases = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seed * 1_000_000, options.seed * 1_000_000 + options.cases):
            if monotonic() > end:
                break
            try:
                case = run_case(seed, Path(folder))
            except AssertionError as error:
                failures += 1
                sys.stdout.write(f"seed {seed}: {error}\n")
                continue
            if case is not None:
                cases += 1
                counts.update((case.fault, fate) for _, fate, _ in case.fates)
    for (fault, fate), count in sorted(counts.items()):
        sys.stdout.write(f"{fault:10} {fate:14} {count}\n")
    sys.stdout.write(f"{cases} cases, {failures} wrong\n")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())

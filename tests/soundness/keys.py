"""Random pairs of routes that share a table, compared with what their messages do: `make soundness ONLY=keys`.

Two messages that `router check` shows are run again, on tables in memory and on a local AWS, and must write one item,
of which something is lost. Keys that it proves to be apart are attacked by messages that change towards keys of the
other route: by pieces of these, the literals and the constants of the config, and not by what the proof assumed. Where
it says nothing of a pair, two messages with one key are sought in the same way, and run in both orders: nothing may be
lost.
"""

import argparse
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from router.model import Table
from tests.aws.conftest import connected
from tests.support.check import Meeting, MeetingExample, Subject, losses, writes_of
from tests.support.dev import clients, create_table, local_aws, write_together
from tests.support.memory import PairMessage, plan_alone, run_pair
from tests.support.program import Program, load

KEYS: Sequence[Mapping[str, Any]] = (
    {"k": "S"},
    {"k": "N"},
    {"k": "S", "s": "S"},
    {"k": "S", "s": "N"},
)
"""The keys of tables; the first is chosen twice as often."""
FIELDS = ("a", "b", "c.d")
_LITERALS = ("", "x", "x#", "X#", "#", "-", "1", "é", "{{", "\n", "x.y", "true")
_TEXTS: Sequence[Any] = (
    {"type": "string"},
    {"type": "string", "minLength": 1, "maxLength": 8},
    {"type": "string", "pattern": "^[0-9]+$"},
    {"type": "string", "pattern": "^x"},
    {"type": "string", "pattern": "x$"},
    {"type": "string", "pattern": "^[a-z]{2,3}$"},
    {"type": "string", "pattern": "^(a|b)#"},
    {"type": "string", "pattern": r"^\w\d?$"},
    {"type": "string", "pattern": "[^x]"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"enum": ["x", "y", "x#1"]},
    {"enum": ["y", "z", 1, True]},
    {"const": "x"},
    {"anyOf": [{"const": "y"}, {"type": "string", "pattern": "^y#"}]},
    {"type": "string", "not": {"const": "x"}},
)
_NUMBERS: Sequence[Any] = (
    {"type": "integer"},
    {"type": "integer", "minimum": 0, "maximum": 9},
    {"type": "integer", "minimum": 10},
    {"type": "number", "exclusiveMaximum": 0},
    {"type": "number", "minimum": 0, "maximum": 10},
    {"enum": [1, 2.5, 10]},
    {"const": 10},
    {"type": ["number", "string"]},
)
_OTHERS: Sequence[Any] = ({"type": "boolean"}, {}, {"type": ["string", "null"]}, {"type": ["boolean", "integer"]})
_TRANSFORMS = ("lower", "upper", "strip", {"truncate": 3})
_JSON = msgspec.json.Encoder(decimal_format="number")
_META = ("message_id", "sent_at", "route", "queue", "group_id", "sender_id", "attribute.kind")
_MODES = ("put", "insert", "newest", "update", "delete")
_ODD: Sequence[Any] = (
    "",
    " ",
    "\n",
    "x\n",
    "\uff11",
    "X",
    "é",
    "e\u0301",
    "true",
    "null",
    1,
    Decimal("1.0"),
    Decimal("1e1"),
)


def table_name(key: Mapping[str, str]) -> str:
    """The name of the table with a key."""
    return "-".join(["things", *(f"{name}-{kind}" for name, kind in key.items())])


class RandomPair:
    """A config of two routes of one table, of which nothing else is known."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        chance = self._random
        self.key = dict(chance.choice((KEYS[0], *KEYS)))
        queues = [{"name": f"{name}{'.fifo' * chance.choice((0, 0, 1))}"} for name in "qp"]
        self.config: dict[str, Any] = {
            "version": 1,
            "queues": dict(zip("qp", queues, strict=True)),
            "tables": {"things": {"name": table_name(self.key), "key": self.key}},
            "routes": {name: self._route(queue) for name, queue in zip(("one", "other"), "qp", strict=True)},
        }
        more = Random(-seed)
        for name, own in zip(("one", "other"), "xy", strict=True):
            if more.random() < 0.3:
                self.config["routes"][name]["item"][own] = more.choice(("a", "b"))

    def _route(self, queue: str) -> dict[str, Any]:
        chance = self._random
        schemas = {name: self._schema() for name in FIELDS}
        item = {name: self._attribute(kind) for name, kind in self.key.items()}
        item[chance.choice("vw")] = "v"
        mode = chance.choice(_MODES)
        write: dict[str, Any] = {"mode": mode}
        if mode in ("newest", "update", "delete") and chance.random() < (2 if mode == "newest" else 0.4):
            write["version"] = [*item][-1]
        route = {"queue": queue, "table": "things", "item": item, "write": write}
        if chance.random() < 0.8:
            inner = {"d": schemas["c.d"]}
            route["schema"] = {
                "type": "object",
                "required": ["a", "b", "c", "v"],
                "properties": {
                    "a": schemas["a"],
                    "b": schemas["b"],
                    "c": {"type": "object", "required": ["d"], "properties": inner},
                    "v": {"type": "integer"},
                },
            }
        if chance.random() < 0.3:
            route["when"] = self._condition()
        return route

    def _schema(self) -> Any:
        return self._random.choice(self._random.choice((_TEXTS, _TEXTS, _NUMBERS, _OTHERS)))

    def _condition(self) -> str:
        field = self._random.choice(FIELDS)
        form = self._random.choice(
            ("{} == 'x'", "{} != 'x'", "starts_with({}, 'x')", "{} == 'x' || {} == 'y'", "{} > `5`", "!{}", "{}")
        )
        return form.replace("{}", field)

    def _attribute(self, kind: str) -> Any:
        chance = self._random
        field = chance.choice(FIELDS)
        if kind == "N":
            number: dict[str, Any] = {"from": field, "type": "N"}
            return chance.choice((field, number, {"value": 10}, number | {"default": 1}))
        pieces = "".join(
            chance.choice(_LITERALS) + (f"{{{chance.choice(FIELDS)}}}" if chance.random() < 0.7 else "")
            for _ in range(chance.choice((1, 2, 2)))
        )
        attribute: dict[str, Any] = chance.choice(
            (
                {"from": field},
                {"template": pieces or "{a}"},
                {"template": pieces or "{a}"},
                {"from": field, "type": "S"},
                {"value": chance.choice(("x", "x#1", "10"))},
                {"hash": chance.sample(FIELDS, chance.choice((1, 2)))},
                {"meta": chance.choice(_META)},
            )
        )
        if chance.random() < 0.2:
            attribute = {**attribute, "transform": chance.choice(_TRANSFORMS)}
        if chance.random() < 0.15 and "hash" not in attribute:
            attribute = {**attribute, "default": chance.choice(("x", "none"))}
        return attribute


class Verdict(Struct, frozen=True):
    """What is said of a pair, and what is wrong with it, or ""; `keys` are those that were made to collide.

    `on_server` is how often two messages were run in both orders on a local AWS.
    """

    answer: str
    wrong: str = ""
    keys: int = 0
    on_server: int = 0


class Server:
    """A local AWS with tables for all keys of random pairs."""

    def __init__(self, tables: Any, dynamodb: Any) -> None:
        self._tables = tables
        self._dynamodb = dynamodb

    @classmethod
    @contextmanager
    def started(cls) -> Iterator["Server"]:
        """Start a server with the tables."""
        with local_aws() as server, connected(server) as aws:
            dynamodb, _ = clients(server)
            for key in KEYS:
                create_table(dynamodb, Table(table_name(key), tuple(key.items())))
            yield cls(aws.tables, dynamodb)

    def differs(self, program: Program, first: PairMessage, second: PairMessage) -> str:
        """Return the item after two messages if it is another one than in memory, in one of both orders; else ""."""
        run = run_pair(program, first, second)
        for known, messages in ((run.first_then_second, (first, second)), (run.second_then_first, (second, first))):
            found = self._after(program, messages)
            if found != {identity: known.after.get(identity) for identity in found}:
                return f"on a local AWS {found}, in memory {known.after}"
        return ""

    def _after(self, program: Program, messages: Sequence[PairMessage]) -> dict[Any, Any]:
        planned = [plan_alone(program, each) for each in messages]
        writes = {write.identity: write for each in planned for write in each.writes}
        keys = {}
        for identity, write in writes.items():
            attributes = dict(write.table.key)
            keys[identity] = {name: value for name, value in write.item.items() if name in attributes}
            self._dynamodb.delete_item(TableName=write.table.name, Key=keys[identity])
        for each in planned:
            if each.writes:
                write_together([each], self._tables, False)
        found = {}
        for identity, write in writes.items():
            stored = self._dynamodb.get_item(TableName=write.table.name, Key=keys[identity], ConsistentRead=True)
            found[identity] = stored.get("Item")
        return found


def judge(seed: int, keys: int, folder: Path, server: Server | None = None) -> Verdict | None:
    """Return what became of a random pair; None for a config with errors. Up to so many keys attack a proof."""
    file = folder / "routes.yaml"
    text = yaml.safe_dump(RandomPair(seed).config, sort_keys=False, allow_unicode=True)
    file.write_text(text, encoding="utf-8")
    loaded = load(file, {})
    if loaded.program is None or loaded.config is None or loaded.plugins is None or loaded.schemas is None:
        return None
    subject = Subject(loaded.config, loaded.plugins, loaded.schemas, program=loaded.program)
    answer = _answer(subject.meetings)
    if answer is None:
        # Keys that differ at once are left out, as are routes that lose nothing.
        answer = "left out"
    if isinstance(answer, MeetingExample):
        wrong = _wrong_example(loaded.program, answer)
        if server is not None and not wrong:
            wrong = server.differs(loaded.program, *answer.messages)
        return Verdict("may meet", f"seed {seed}: {wrong}\n{text}" if wrong else "", on_server=int(server is not None))
    if answer == "not decided":
        return Verdict(answer)
    may_lose = _may_lose(subject)
    found, count = collide(loaded.program, Random(seed), keys)
    if not found:
        return Verdict(answer, "", count)
    if answer == "apart" or may_lose:
        return Verdict(answer, f"seed {seed}: both write {found[0]}\n{text}", count)
    wrong = lost_silently(loaded.program, subject, *found)
    if server is not None and not wrong:
        wrong = server.differs(loaded.program, *found)
    return Verdict(answer, f"seed {seed}: {wrong}\n{text}" if wrong else "", count, int(server is not None))


def lost_silently(program: Program, subject: Subject, first: PairMessage, second: PairMessage) -> str:
    """Return what two messages lose of the attributes that only one of the routes writes, or has of both; else ""."""
    run = run_pair(program, first, second)
    one, other = (writes_of(each.name, each.route, {"k", "s"}) for each in subject.routes)
    if one.deletes or other.deletes:
        return ""
    sides = {one.name: one, other.name: other}
    mine, theirs = (sides[each.route] for each in (first, second))
    for identity in run.shared:
        before = [each.before.get(identity, {}) for each in (run.first_then_second, run.second_then_first)]
        for order in (run.first_then_second, run.second_then_first):
            after = order.after.get(identity, {})
            for writes, others, alone in ((mine, theirs, before[0]), (theirs, mine, before[1])):
                own = {name: alone.get(name) for name in writes.attributes - others.attributes}
                if any(after.get(name) != value for name, value in own.items()):
                    return f"{own} of '{writes.name}' is not in {after}, and nothing is said"
            for name in mine.attributes & theirs.attributes:
                if after.get(name) not in [each.get(name) for each in before]:
                    return f"'{name}' in {after} has neither value, and nothing is said"
    return ""


def _answer(meetings: Sequence[Meeting]) -> str | MeetingExample | None:
    return next((each.example or each.verdict for each in meetings), None)


def _may_lose(subject: Subject) -> bool:
    """Whether the two routes would be compared if their keys were equal."""
    one, other = (writes_of(each.name, each.route, {"k", "s"}) for each in subject.routes)
    return bool(losses(one, other))


def _wrong_example(program: Program, example: MeetingExample) -> str:
    run = run_pair(program, *example.messages)
    if not run.shared:
        return "the messages of the example write no item both"
    mine, theirs = (each.before.get(run.shared[0], {}) for each in (run.first_then_second, run.second_then_first))
    after = [each.after.get(run.shared[0]) for each in (run.first_then_second, run.second_then_first)]
    deletes = any(route.write.mode == "delete" for route in program.config.routes.values())
    if not deletes and after == [{**mine, **theirs}, {**mine, **theirs}] == [{**theirs, **mine}] * 2:
        return "nothing is lost of the messages of the example"
    return ""


def collide(program: Program, random: Random, count: int) -> tuple[tuple[PairMessage, PairMessage] | None, int]:
    """Make messages of both routes whose keys change towards those of the other.

    Return two messages with one key, or None, and how many messages were made.
    """
    pool: list[Any] = [*_ODD, *_constants(program)]
    names = tuple(program.config.routes)
    keyed: dict[str, dict[tuple[str, ...], PairMessage]] = {name: {} for name in names}
    nearest: dict[str, list[tuple[int, Any]]] = {name: [] for name in names}
    for number in range(count):
        name, other = names[number % 2], names[1 - number % 2]
        target = random.choice([*keyed[other]]) if keyed[other] and len(keyed[other]) < 500 else ()
        parents = nearest[name]
        data = _data(pool, random)
        if target and parents and random.random() < 0.6:
            data = mutated(random.choice(parents)[1], random.choice(target[1:]), random)
        message = _message(program, name, data, pool, random)
        for write in plan_alone(program, message).writes:
            if write.identity in keyed[other]:
                return (message, keyed[other][write.identity]), number
            if write.identity not in keyed[name] and len(keyed[name]) < 500:
                pool += _pieces(write.identity[1:], random)
                keyed[name][write.identity] = message
            if target:
                parents.append((closeness(write.identity, target), data))
                parents.sort(key=lambda each: each[0], reverse=True)
                del parents[20:]
        if len(pool) > 2000:
            pool = random.sample(pool, 1000)
    return None, count


def closeness(key: Sequence[str], target: Sequence[str]) -> int:
    """Return how many characters two keys have in common at their beginnings and their ends."""
    count = 0
    for one, other in zip(key, target, strict=True):
        count += _common(one, other) + _common(one[::-1], other[::-1])
    return count


def _common(one: str, other: str) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


def mutated(data: Any, target: str, random: Random) -> Any:
    """Return values of which one has changed towards a key of the other route."""
    name = random.choice([each for each in ("a", "b", "c") if each in data])
    value = data[name]["d"] if name == "c" else data[name]
    text = value if isinstance(value, str) else str(value)
    start, end = sorted((random.randrange(len(target) + 1), random.randrange(len(target) + 1)))
    place = random.randrange(len(text) + 1)
    changed: Any = random.choice(
        (
            target,
            target[start:end],
            text[:place] + target[start:end] + text[place:],
            text[:place] + target[start : start + 1] + text[place + 1 :],
            text[:place] + text[place + 1 :],
            text.swapcase(),
        )
    )
    if random.random() < 0.3 and re.fullmatch(r"-?[0-9]{1,9}", changed, re.ASCII):
        changed = int(changed)
    return {**data, name: {"d": changed} if name == "c" else changed}


def _data(pool: Sequence[Any], random: Random) -> dict[str, Any]:
    data: dict[str, Any] = {"a": random.choice(pool), "b": random.choice(pool), "v": 1}
    if random.random() < 0.9:
        data["c"] = {"d": random.choice(pool)}
    if random.random() < 0.1:
        del data[random.choice("ab")]
    return data


def _message(program: Program, name: str, data: Any, pool: Sequence[Any], random: Random) -> PairMessage:
    text = str(random.choice(pool)) or "x"
    system = {"SentTimestamp": str(random.randrange(10**12)), "MessageGroupId": text, "SenderId": text}
    sent = {"kind": {"DataType": "String", "StringValue": text}}
    content = _JSON.encode(data).decode()
    queue = program.config.routes[name].queue
    return PairMessage(queue, content, name, f"{name}-{random.randrange(10**9)}", system, sent)


def _constants(program: Program) -> Iterator[Any]:
    """Yield the texts and numbers of the config, and what they are made of."""
    text = msgspec.json.encode(program.config, enc_hook=str).decode()
    yield from re.findall(r'"([^"\\]{1,12})"', text)
    for number in re.findall(r"-?\d+(?:\.\d+)?", text):
        yield from (Decimal(number), Decimal(number) + 1, Decimal(number) - 1, number)
    yield from ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z", "6f2c1d7e-1b3a-4c5d-8e9f-0a1b2c3d4e5f")
    yield from (True, False, None, "xy", "ab", "a#1", "b#", "y#z", "x#1", "9", "99", Decimal("2.5"))


def _pieces(key: Sequence[str], random: Random) -> Iterator[Any]:
    """Yield a key attribute, parts of it, and values that look like it."""
    for text in key:
        yield text
        for _ in range(3):
            start, end = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
            yield text[start:end]
        yield text.swapcase()
        if re.fullmatch(r"-?[0-9]{1,9}", text):
            yield int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many pairs are said to be what, and return 1 if something of it is wrong."""
    parser = argparse.ArgumentParser(description="What `router check` says of the keys of two routes.")
    parser.add_argument("--pairs", type=int, default=1000, help="random pairs of routes")
    parser.add_argument("--keys", type=int, default=1_000_000, help="keys that attack all proofs together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60, help="for all together (default: 60)")
    parser.add_argument("--aws", action="store_true", help="run the messages on a local AWS, too")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    tally = Tally()
    until = monotonic() + 60 * options.minutes
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server.started()) if options.aws else None
        for number in range(options.pairs):
            if monotonic() > until:
                break
            each = 4 * options.keys // options.pairs
            tally.add(judge(options.seed * 1_000_000 + number, each, folder, server))
    print(f"{dict(tally.answers)}; {tally.keys} keys; on a local AWS: {tally.on_server}; wrong: {len(tally.wrong)}")
    if tally.wrong:
        print(*tally.wrong, sep="\n")
    return 1 if tally.wrong else 0


class Tally:
    """How many pairs are said to be what, and what is wrong with it."""

    def __init__(self) -> None:
        self.answers = Counter[str]()
        self.wrong: list[str] = []
        self.keys = self.on_server = 0

    def add(self, verdict: Verdict | None) -> None:
        """Count a pair."""
        self.answers["with errors" if verdict is None else verdict.answer] += 1
        if verdict is not None:
            self.keys += verdict.keys
            self.on_server += verdict.on_server
            self.wrong += [verdict.wrong] if verdict.wrong else []


if __name__ == "__main__":
    sys.exit(main())

"""Random pairs of routes that share a table, compared with what their messages do: `make keys`.

Two messages that `router check` shows are run again, and must write one item, of which something is lost. Keys that it
proves to be apart are attacked: by messages whose values are made of pieces of the keys, the literals and the constants
of the other route, and not of what the proof assumed.
"""

import argparse
import logging
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from tests.support.check import Meeting, MeetingExample, Subject, losses, writes_of
from tests.support.memory import PairMessage, plan_alone, run_pair
from tests.support.program import Program, load

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


class RandomPair:
    """A config of two routes of one table, of which nothing else is known."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        chance = self._random
        self.key = chance.choice(({"k": "S"}, {"k": "S"}, {"k": "N"}, {"k": "S", "s": "S"}, {"k": "S", "s": "N"}))
        queues = [{"name": f"{name}{'.fifo' * chance.choice((0, 0, 1))}"} for name in "qp"]
        self.config: dict[str, Any] = {
            "version": 1,
            "queues": dict(zip("qp", queues, strict=True)),
            "tables": {"things": {"key": self.key}},
            "routes": {name: self._route(queue) for name, queue in zip(("one", "other"), "qp", strict=True)},
        }

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
    """What is said of a pair, and what is wrong with it, or ""; `keys` are those that were made to collide."""

    answer: str
    wrong: str = ""
    keys: int = 0


def judge(seed: int, keys: int, folder: Path) -> Verdict | None:
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
        return Verdict("may meet", f"seed {seed}: {wrong}\n{text}" if wrong else "")
    if answer == "not decided":
        return Verdict(answer)
    found, count = collide(loaded.program, Random(seed), keys)
    is_wrong = found and (answer == "apart" or _may_lose(subject))
    return Verdict(answer, f"seed {seed}: both write {found}\n{text}" if is_wrong else "", count)


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


def collide(program: Program, random: Random, count: int) -> tuple[str, int]:
    """Make messages of both routes whose keys grow towards those of the other; return a common key, or ""."""
    pool: list[Any] = [*_ODD, *_constants(program)]
    found: dict[str, set[tuple[str, ...]]] = {name: set() for name in program.config.routes}
    for number in range(count):
        name = ("one", "other")[number % 2]
        for write in plan_alone(program, _message(program, name, pool, random)).writes:
            if write.identity in found["other" if name == "one" else "one"]:
                return str(write.identity), number
            if write.identity not in found[name] and len(found[name]) < 500:
                pool += _pieces(write.identity[1:], random)
            found[name].add(write.identity)
        if len(pool) > 2000:
            pool = random.sample(pool, 1000)
    return "", count


def _message(program: Program, name: str, pool: Sequence[Any], random: Random) -> PairMessage:
    data: dict[str, Any] = {"a": random.choice(pool), "b": random.choice(pool), "v": 1}
    if random.random() < 0.9:
        data["c"] = {"d": random.choice(pool)}
    if random.random() < 0.1:
        del data[random.choice("ab")]
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
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    tally = Counter[str]()
    wrong: list[str] = []
    attacked = 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.pairs):
            verdict = judge(options.seed * 1_000_000 + number, 4 * options.keys // options.pairs, Path(folder))
            tally["with errors" if verdict is None else verdict.answer] += 1
            if verdict is not None:
                attacked += verdict.keys
                wrong += filter(None, [verdict.wrong])
    print(f"{dict(tally)}; {attacked} keys; wrong: {len(wrong)}", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

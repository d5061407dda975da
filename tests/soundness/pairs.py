"""What two routes that write one key lose of each other: `make soundness ONLY=pairs`.

Events happen at the times 1, 2, ... Each is written by one of the two routes or, as `match: all` does it, by both. The
messages are received in some order, by compiled routes, on a table. An order **loses** an attribute if the final item
differs in it from what each route alone would have left, merged:

- *Alone* means: the same messages in the same order of receipt, without those of the other route. So what a route loses
  of its own by a wrong order is no loss of the pair.
- An attribute that one route writes has the value that this route alone leaves.
- An attribute that both set has the newer one of the two values that the routes alone leave: by the version, if both
  routes write with the same one, else by time. One that is `keep_first` in both has either of the two; one that is
  `keep_first` in one of them has the value of the other, if there is one.
- An attribute to which one route adds or appends has all that both contribute, in any order.
- A delete and what is older than it leave nothing. If it is the newest event, there is no item.

A loss is **in order** if the messages are received in the order of time; it is **out of order** if the same messages in
order do not lose the attribute. Two routes that `put` the same attributes are as one route, and are left out.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain, combinations_with_replacement, product
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Literal

from msgspec import Struct

from router.model import Table
from tests.aws.conftest import connected
from tests.support.check import Loss, RouteWrites, losses, writes_of
from tests.support.config import spec
from tests.support.dev import clients, create_table, local_aws, make_record, write_together
from tests.support.engine import PlannedMessage, plan
from tests.support.program import load_program
from tests.support.testing import MemoryTables

Side = Literal[0, 1]
SIDES: tuple[Side, Side] = (0, 1)
KEY = {"id": {"S": "k"}}
MOST_EVENTS = 6
ENOUGH_EVENTS = 3
"""So many show all that is lost: no pair loses more with more of them."""
OWN = ("a", "b")
"""The attribute that only one of the two routes writes, by side."""
COMMON = "c"
VERSION = "v"
KINDS = ("set", "unset", "add", "append", "keep")
_LISTS = {"add": "add", "append": "append", "keep": "keep_first"}
Ways = dict[str, str]


class Setting(Struct, frozen=True):
    """How a route writes. `own` and `common` are how it writes these attributes, "" for not at all.

    `unset` removes an attribute that a message does not have, as every third does. `version` is the one that both
    routes use, one of its own, or none; with `stored`, the route stores the common one and does not use it.
    """

    mode: str
    own: str = ""
    common: str = ""
    version: Literal["", "shared", "own"] = ""
    stored: bool = False

    def version_name(self, side: Side) -> str:
        """The attribute that is its version, or ""."""
        return {"": "", "shared": VERSION, "own": VERSION + OWN[side]}[self.version]

    def kinds(self, side: Side) -> Ways:
        """How it writes each attribute."""
        ways = {OWN[side]: self.own, COMMON: self.common, self.version_name(side): "set"}
        ways |= {VERSION: "set"} if self.stored else {}
        return {name: kind for name, kind in ways.items() if name and kind and self.mode != "delete"}

    def route(self, side: Side) -> Any:
        """Its route in the config."""
        names = [*self.kinds(side)] or [*filter(None, [self.version_name(side)])]
        item: dict[str, Any] = {name: name for name in ("id", *names)}
        for name, kind in self.kinds(side).items():
            if kind == "unset":
                item[name] = {"from": name, "missing": "remove"}
        write: dict[str, Any] = {"mode": self.mode}
        write |= {"version": self.version_name(side)} if self.version else {}
        for kind, setting in _LISTS.items():
            write |= {setting: [name for name, each in self.kinds(side).items() if each == kind]}
        return {"queue": self.name(side), "table": "things", "item": item, "write": write}

    def name(self, side: Side) -> str:
        """The name of its route."""
        return "-".join(
            each or "no" for each in (self.mode, self.own, self.common, self.version, "stored" * self.stored, OWN[side])
        )


def all_settings() -> list[Setting]:
    """All modes, with and without attributes of their own and common ones, and all kinds of versions."""
    found = [Setting("delete", version=version) for version in ("", "shared", "own")]
    for own, common in (("set", ""), ("", "set"), ("set", "set")):
        for stored in (False, True):
            found += [Setting(mode, own, common, "", stored) for mode in ("put", "insert")]
        found += [Setting("newest", own, common, version) for version in ("shared", "own")]
    ways = [(own, common) for own in ("", "set") for common in ("", *KINDS) if own or common]
    ways += [(own, "") for own in ("keep", "add", "append", "unset")]
    for own, common in ways:
        found += [Setting("update", own, common, version) for version in ("", "shared", "own")]
        found += [Setting("update", own, common, "", True)]
    return found


def plain_settings() -> list[Setting]:
    """The modes, each with an attribute of its own and a common one that it sets: the rows of the table."""
    return [
        each for each in all_settings() if (each.own, each.common) in (("set", "set"), ("", "")) and not each.stored
    ]


State = str
"""An item as JSON; "" for none."""
Clock = Literal["exact", "coarse"]
"""Whether each event has a version of its own, or two that follow each other have the same."""


class Message(Struct, frozen=True):
    """The message of an event for one route."""

    setting: Setting
    side: Side
    time: int
    clock: Clock
    lists: bool
    """Whether the attribute that both routes write is a list."""

    def data(self) -> dict[str, Any]:
        """Its content: each value tells of which event it is."""
        found: dict[str, Any] = {"id": "k"}
        kinds = self.setting.kinds(self.side) or {self.setting.version_name(self.side): "set"}
        for name, kind in kinds.items():
            if name and not (kind == "unset" and self.time % 3 == 0):
                found[name] = self._value(name, kind)
        return found

    def _value(self, name: str, kind: str) -> Any:
        if name.startswith(VERSION):
            return version_at(self.time, self.clock)
        if kind == "add":
            return 1000 * 2 ** (self.time + MOST_EVENTS * self.side)
        value = 100 * (self.side + 1) + self.time
        return [value] if name == COMMON and self.lists else value


def version_at(time: int, clock: Clock) -> int:
    """Return the version of an event."""
    return time if clock == "exact" else (time + 1) // 2


class Tables:
    """What a message makes of an item, by compiled routes on tables in memory."""

    def __init__(self, settings: Iterable[Setting], folder: Path) -> None:
        routes = {each.name(side): each.route(side) for each in settings for side in SIDES}
        config = {
            "version": 1,
            "queues": {name: {"dead_letter": "dead"} for name in routes},
            "tables": {"things": {"key": {"id": "S"}}},
            "routes": {name: {"queue": name, **route} for name, route in routes.items()},
        }
        file = folder / "routes.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")
        self.program = load_program(file, {})
        self._memory = MemoryTables.of(self.program)
        self._after: dict[tuple[State, int], State] = {}
        self._numbers: dict[Message, int] = {}
        self._planned: list[PlannedMessage] = []

    def writes(self, setting: Setting, side: Side) -> RouteWrites:
        """What `router check` knows of a route."""
        name = setting.name(side)
        return writes_of(name, self.program.config.routes[name], ("id",))

    def number(self, message: Message) -> int:
        """The number of a message, whose writes are planned once."""
        if message not in self._numbers:
            record = make_record(spec.ReceivedMessage(message=message.data()), spec.Queue())
            queue = self.program.engine.queues[message.setting.name(message.side)]
            self._numbers[message] = len(self._planned)
            self._planned.append(plan(queue, record))
        return self._numbers[message]

    def after(self, state: State, number: int) -> State:
        """The item after a message."""
        step = (state, number)
        known = self._after.get(step)
        if known is None:
            known = self._after[step] = run(self._memory, state, self._planned[number], self._memory.get)
        return known

    @property
    def steps(self) -> list[tuple[State, PlannedMessage, State]]:
        """All steps that were made: items, writes and the items after them."""
        return [(state, self._planned[number], after) for (state, number), after in self._after.items()]


def run(tables: Any, state: State, planned: PlannedMessage, get: Callable[[str, Any], Any]) -> State:
    """Return the item after the writes of a message, from another item or none."""
    before = {"Item": json.loads(state)} if state else {"Key": KEY}
    assert tables.write("Put" if state else "Delete", {"TableName": "things", **before}, 60).fault is None
    write_together([planned], tables, False)
    item = get("things", KEY)
    return json.dumps(item, sort_keys=True) if item else ""


Lost = frozenset[str]
_NO_AGES = ((0, 0), (0, 0))


class Pair:
    """Two routes with one key, and the orders of events that lose something."""

    def __init__(self, tables: Tables, one: Setting, other: Setting) -> None:
        self._tables = tables
        self.settings = (one, other)
        self._kinds = tuple(setting.kinds(side) for setting, side in zip(self.settings, SIDES, strict=True))
        self._lists = any(kinds.get(COMMON) == "append" for kinds in self._kinds)
        self._by_version = "shared" in (one.version, other.version) and all(VERSION in each for each in self._kinds)
        self._deletes = tuple(setting.mode == "delete" for setting in self.settings)
        self._removes = any(kinds.get(COMMON) == "unset" for kinds in self._kinds)
        self._known: dict[Any, Lost] = {}
        self.lost: dict[str, dict[str, str]] = {"in order": {}, "out of order": {}}
        """For each order the attributes that are lost, each with the first example."""

    @property
    def is_left_out(self) -> bool:
        """Whether both put the same attributes, or neither stores anything."""
        same = set(self._kinds[0]) == set(self._kinds[1])
        return all(self._deletes) or (same and {each.mode for each in self.settings} == {"put"})

    def search(self, most: int) -> None:
        """Find what any order of so many events loses."""
        takers = ((0,), (1,)) if any(self._deletes) else ((0,), (1,), (0, 1))
        clocks: Sequence[Clock] = ("exact", "coarse")
        for count in range(2, most + 1):
            for kinds in product(takers, repeat=count):
                if len({side for kind in kinds for side in kind}) == 2:
                    for clock in clocks if any(each.version for each in self.settings) else clocks[:1]:
                        self._search(kinds, clock)

    def _search(self, kinds: Sequence[tuple[int, ...]], clock: Clock) -> None:
        numbers = [
            [
                (side, self._tables.number(Message(self.settings[side], SIDES[side], time, clock, self._lists)))
                for side in kind
            ]
            for time, kind in enumerate(kinds, 1)
        ]
        deleted = max(
            (time for time, kind in enumerate(kinds) if any(self._deletes[side] for side in kind)), default=-1
        )
        right: Lost = frozenset()
        orders = self._orders(numbers, deleted)
        for place, (order, final, alone) in enumerate(orders):
            ages = tuple(self._removed(side, order, kinds, clock) for side in SIDES) if self._removes else _NO_AGES
            known = (final, alone, ages, clock, deleted == len(kinds) - 1)
            lost = self._known.get(known)
            if lost is None:
                lost = self._known[known] = self._compare(*known)
            right = right if place else lost
            if not place or lost - right:
                self._note(
                    "out of order" if place else "in order", lost - right if place else lost, kinds, order, clock
                )

    def _note(self, which: str, lost: Lost, kinds: Any, order: Sequence[int], clock: Clock) -> None:
        for name in sorted(lost):
            if name not in self.lost[which]:
                events = " ".join(
                    f"{'AB*'[kinds[each][0] if len(kinds[each]) == 1 else 2]}{each + 1}" for each in order
                )
                self.lost[which][name] = events + (" (equal versions)" if clock == "coarse" else "")

    def _orders(self, numbers: Any, deleted: int) -> Iterable[tuple[list[int], State, tuple[State, State]]]:
        """Return each order of receipt, the item that it leaves and those that each route alone leaves.

        The first is the order of time. What a delete is newer than counts for no route alone.
        """
        after, found = self._tables.after, []

        def extend(order: list[int], left: Sequence[int], state: State, alone: tuple[State, State]) -> None:
            if not left:
                found.append((order, state, alone))
            for each in left:
                item, items = state, alone
                for side, number in numbers[each]:
                    item = after(item, number)
                    if each > deleted:
                        own = after(items[side], number)
                        items = (own, items[1]) if side == 0 else (items[0], own)
                extend([*order, each], [other for other in left if other != each], item, items)

        extend([], range(len(numbers)), "", ("", ""))
        return found

    def _removed(self, side: Side, order: Sequence[int], kinds: Any, clock: Clock) -> tuple[int, int]:
        """Return the time of the event whose message decides what a route alone removes, and of the newest; else 0."""
        times = [each + 1 for each in order if side in kinds[each]]
        if self._kinds[side].get(COMMON) != "unset" or not times:
            return 0, 0
        newest = max((time for time in times if time % 3 == 0), default=0)
        if self.settings[side].version:
            return max(times, key=lambda time: version_at(time, clock)), newest
        return times[-1], newest

    def _compare(self, final: State, alone: tuple[State, State], ages: Any, clock: Clock, is_deleted: bool) -> Lost:
        item, *items = (decoded(state) for state in (final, *alone))
        if any(self._deletes):
            expected = {} if is_deleted else {**items[0], **items[1]}
            return frozenset(name for name in {*item, *expected} if item.get(name) != expected.get(name)) - {"id"}
        lost = set()
        for name in {*self._kinds[0], *self._kinds[1]}:
            ways = [kinds.get(name) for kinds in self._kinds]
            values = [each.get(name) for each in items]
            if None in ways:
                candidates = [values[ways.index(None) - 1]]
            else:
                candidates = self._merged(name, ways, [*values, item.get(name)], ages, clock)
            if item.get(name) not in candidates:
                lost.add(name)
        return frozenset(lost)

    def _merged(self, name: str, ways: Any, values: Any, ages: Any, clock: Clock) -> list[Any]:
        """Return the values that an attribute of both routes may have; the last of `values` is the one that it has."""
        *values, final = values
        if {"add", "append"} & {*ways}:
            there = [value for value in values if value is not None]
            if {*ways} == {"add", "append"} and len(there) == 2:
                return []  # values of different types have no sum
            if not there:
                return [None]
            return [sorted(chain(*there)) if isinstance(there[0], list) else sum(there)]
        if "keep" in ways:
            sets = [value for way, value in zip(ways, values, strict=True) if way != "keep" and value is not None]
            if "unset" in ways:  # after a removal, the next message sets the first value again
                return sets or [final]
            return sets or [value for value in values if value is not None] or [None]
        if name == VERSION:
            return [max(value or 0 for value in values) or None]
        # Each value tells the time of its event. A newer value is none that an older one replaced.
        times = [_time(value) or age for value, (age, _) in zip(values, ages, strict=True)]
        times.append(_time(final) or max(newest for _, newest in ages))
        marks = [version_at(time, clock) if self._by_version else time for time in times]
        newest = max(marks[:2])
        return [value for value, mark in zip((*values, final), marks, strict=True) if mark >= newest]


def _time(value: Any) -> int:
    """Return the time that a value tells; 0 for none."""
    number: int = value[0] if isinstance(value, list) else value or 0
    return number % 100


@cache
def decoded(state: State) -> dict[str, Any]:
    """Return the attributes of an item; lists are in order of their numbers."""
    found: dict[str, Any] = {}
    for name, value in (json.loads(state) if state else {}).items():
        ((kind, content),) = value.items()
        if kind == "L":
            found[name] = sorted(int(each["N"]) for each in content)
        else:
            found[name] = int(content) if kind == "N" else content
    return found


def reported(found: Iterable[Loss]) -> dict[str, set[str]]:
    """Return the attributes that are lost by what `router check` says, by order."""
    lost: dict[str, set[str]] = {"in order": set(), "out of order": set()}
    for loss in found:
        lost[loss.order] |= {*loss.attributes}
    return lost


def disagreement(pair: Pair, found: Iterable[Loss], *, whole: bool = True) -> str:
    """Return where the losses that were found and those that are said differ; "" if nowhere.

    What is said to be lost in order needs not be said again for other orders. With too few events, not `whole`, no
    order may show what is said.
    """
    known = reported(found)
    for order, lost in pair.lost.items():
        least = known[order] if whole else set()
        most = known[order] | known["in order"]
        if not least <= {*lost} <= (known[order] if order == "in order" else most):
            names = " and ".join(each.name(side) for each, side in zip(pair.settings, SIDES, strict=True))
            return f"{names}, {order}: {lost or 'nothing'} is lost, {sorted(known[order]) or 'nothing'} is said"
    return ""


def pairs_of(tables: Tables, settings: Sequence[Setting]) -> list[Pair]:
    """Return all pairs of settings that are compared."""
    pairs = [Pair(tables, one, other) for one, other in combinations_with_replacement(settings, 2)]
    return [each for each in pairs if not each.is_left_out]


def reported_by(tables: Tables, pair: Pair) -> Sequence[Loss]:
    """Return what `router check` says of a pair."""
    one, other = (tables.writes(setting, side) for setting, side in zip(pair.settings, SIDES, strict=True))
    return losses(one, other)


def row(pair: Pair) -> str:
    """Return a row of the table: two routes, and for each order what is lost, with the first messages that lose it."""
    names = []
    for setting in pair.settings:
        version = {"": "", "shared": " (the common version)", "own": " (its own version)"}[setting.version]
        names.append(f"`{setting.mode}`{version}")
    cells = [", ".join(f"{name}: {events}" for name, events in sorted(lost.items())) for lost in pair.lost.values()]
    return "| " + " | ".join([" + ".join(names), *(cell or "nothing" for cell in cells)]) + " |"


def compare_on_server(steps: Sequence[tuple[State, PlannedMessage, State]], until: float) -> tuple[int, list[str]]:
    """Make steps on a local AWS until a moment; return their number, and those that end otherwise than in memory."""
    wrong, count = [], 0
    with local_aws() as server, connected(server) as aws:
        dynamodb, _ = clients(server)
        create_table(dynamodb, Table("things", (("id", "S"),)))

        def get(table: str, key: Any) -> Any:
            return dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")

        for before, planned, after in steps:
            if monotonic() > until:
                break
            found = run(aws.tables, before, planned, get)
            count += 1
            if decoded(found) != decoded(after) and not _differs_in_aws(planned, before):
                wrong.append(f"{planned.writes[0].route}, from {before}: {found} instead of {after}")
    return count, wrong


def _differs_in_aws(planned: PlannedMessage, before: State) -> bool:
    """Whether DynamoDB does other than a local server: tests/aws/test_memory.py leaves these out, too.

    It creates no item by an update that only removes, and does not append to what is no list.
    """
    expression = str((planned.writes[0].call or {}).get("UpdateExpression", ""))
    appended = "list_append" in expression and isinstance(decoded(before).get(COMMON), int)
    return appended or (not before and expression.startswith("REMOVE "))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return 1 if what `router check` says of a pair is wrong."""
    parser = argparse.ArgumentParser(description="What two routes that write one key lose of each other.")
    parser.add_argument("--events", type=int, default=4, help="the most events of the pairs of the table")
    parser.add_argument("--all-events", type=int, default=3, help="the most events of all other pairs")
    parser.add_argument("--minutes", type=float, default=0, help="how long steps are made on a local AWS, too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        tables = Tables(all_settings(), Path(folder))
    print("| pair | in order | out of order |\n|---|---|---|")
    wrong = []
    for settings, most in ((plain_settings(), options.events), (all_settings(), options.all_events)):
        for pair in pairs_of(tables, settings):
            pair.search(most)
            wrong.append(disagreement(pair, reported_by(tables, pair), whole=most >= ENOUGH_EVENTS))
            if settings == plain_settings():
                print(row(pair), flush=True)
    wrong = [each for each in wrong if each]
    steps = tables.steps
    count = 0
    differing: list[str] = []
    print(f"{len(pairs_of(tables, all_settings()))} pairs, {len(steps)} steps; wrong: {len(wrong)}", *wrong, sep="\n")
    if options.minutes:
        Random(options.seed).shuffle(steps)
        count, differing = compare_on_server(steps, monotonic() + 60 * options.minutes)
        print(f"{count} steps on a local AWS; other than in memory: {len(differing)}", *differing, sep="\n")
    return 1 if wrong or differing else 0


if __name__ == "__main__":
    sys.exit(main())

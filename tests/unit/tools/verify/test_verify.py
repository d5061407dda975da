"""What became of messages, where a test of random cases does not look: metadata, plugins, transactions, redaction."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.model import Record
from router.tools.verify.kept import Decided, KeptSource
from router.tools.verify.verdicts import MessageVerdict
from router.tools.verify.verify import Verifier
from tests.support.aws import Aws
from tests.support.memory import MemoryQueues, MemoryTables
from tests.support.program import Program, load_program
from tests.support.replay import SourceMessage

NOW = 1_800_000_000.0
CONFIG = """
version: 1
queues: {events: {dead_letter: dead, QUEUE}}
tables:
  things: {key: {id: S}, TABLE}
  others: {key: {id: S}}
  effects: {key: {id: S}, ttl: gone_at}
routes: {things: {queue: events, table: things, ROUTE}, MORE}
"""


class Verified:
    """A config, tables in memory, and what is said of messages."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "routes.yaml"
        self.program: Program
        self.tables: MemoryTables
        self.ends: dict[str, str] = {}

    def use(self, route: str, more: str = "", queue: str = "", table: str = "", top: str = "") -> None:
        text = CONFIG.replace("ROUTE", route).replace("MORE", more).replace(", TABLE", f", {table}" if table else "")
        text = text.replace(", QUEUE", f", {queue}" if queue else "") + top
        self._path.write_text(text, encoding="utf-8")
        self.program = load_program(self._path, {})
        self.tables = MemoryTables.of(self.program)

    def store(self, table: str = "things", **item: str | int) -> None:
        values = {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in item.items()}
        self.tables.write("Put", {"TableName": table, "Item": values})

    def read(self, table: Any, keys: Any) -> list[Any]:
        return [self.tables.get(table.name, key) for key in keys]

    def end(self, table: str) -> str | None:
        return self.ends.get(table)

    def message(
        self, body: Any, id_: str = "m1", system: Mapping[str, str] | None = None, *, has_own_id: bool = True
    ) -> SourceMessage:
        given = {"SentTimestamp": "1799000000000", "SenderId": "someone"} if system is None else system
        text = body if isinstance(body, str) else json.dumps(body)
        queue = self.program.queue("events")
        return SourceMessage(Record(id_, "", text, given), None, queue=queue, place="s:1", has_own_id=has_own_id)

    def verify(self, *messages: SourceMessage, complete: bool = False) -> list[Decided]:
        with KeptSource() as kept:
            aws = Aws(self.tables, MemoryQueues())
            verifier = Verifier(self.program, aws, self, kept, lambda: NOW, complete=complete)
            assert verifier.take(messages, lambda done: None) == len(messages)
            verifier.look(lambda done: None)
            return [*verifier.messages()]

    def verdicts(self, *messages: SourceMessage, complete: bool = False) -> list[MessageVerdict]:
        return [each.verdict for each in self.verify(*messages, complete=complete)]

    def fates(self, *messages: SourceMessage, complete: bool = False) -> list[str]:
        return [each.fate for each in self.verdicts(*messages, complete=complete)]


@pytest.fixture
def verified(tmp_path: Path) -> Verified:
    return Verified(tmp_path)


def test_a_message_that_is_not_written(verified: Verified) -> None:
    """It is rejected or dropped by the config at hand, with the code; what a plugin retries is not decided."""
    verified.use("schema: {required: [id]}", queue="unmatched: drop", more="")
    rejected, broken = verified.verdicts(verified.message({}, "m1"), verified.message("{", "m2"))
    assert (rejected.fate, rejected.reason[:5]) == ("rejected", "RT806")
    assert (broken.fate, broken.reason[:5]) == ("rejected", "RT801")
    verified.use("when: id == 'x'", queue="unmatched: drop")
    assert verified.fates(verified.message({"id": "a"})) == ["dropped"]
    verified.use("schema: {required: [id]}, on_invalid: retry")
    (retried,) = verified.verdicts(verified.message({}))
    assert retried.fate == "not decidable"
    assert retried.reason.startswith("it cannot be planned: RT806")


def test_a_message_twice_in_the_source(verified: Verified) -> None:
    """The second is a duplicate; another message with the id is not."""
    verified.use("item: {id: id}")
    verified.store(id="a")
    one, other = {"id": "a"}, {"id": "b"}
    assert verified.fates(*map(verified.message, (one, one, other))) == ["stored", "duplicate", "missing"]


def test_without_the_time_of_sending(verified: Verified) -> None:
    """What a route makes of it cannot be compared, where it differs."""
    verified.use("item: {id: id, at: {meta: sent_at}}")
    verified.store(id="a", at="2026-01-01T00:00:00.000Z")
    body = verified.message({"id": "a"}, system={})
    (verdict,) = verified.verdicts(body, complete=True)
    assert verdict.reason == "the source does not say 'sent_at' of the message, which the route reads"
    verified.use("item: {id: id, at: {meta: sent_at, missing: error}}")
    (verdict,) = verified.verdicts(verified.message({"id": "a"}, system={}))
    assert verdict.reason == "it is rejected without 'sent_at', which the source does not say"


@pytest.mark.parametrize("name", ["message_id", "sender_id"])
def test_without_an_identity(verified: Verified, name: str) -> None:
    """The id of a body is made, and nothing else is known of it."""
    verified.use(f"item: {{id: id, by: {{meta: {name}}}}}")
    sent = {"SentTimestamp": "1799000000000"}
    assert verified.fates(verified.message({"id": "a"}, system=sent, has_own_id=False)) == ["not decidable"]
    assert verified.fates(verified.message({"id": "a"})) == ["missing"]


def test_idempotency_keys(verified: Verified) -> None:
    """Without its key an update was not made, unless the key may have expired, or the id is not known."""
    verified.use("item: {id: id, n: n}, write: {mode: update, add: [n], once: effects}")
    verified.store(id="a", n=3)
    message = verified.message({"id": "a", "n": 3})
    (verdict,) = verified.verdicts(message)
    assert verdict.reason == "its idempotency key is not stored: the update was never made"
    old = verified.message({"id": "a", "n": 3}, system={"SentTimestamp": "1700000000000"})
    assert verified.fates(old) == ["not decidable"]
    assert verified.fates(verified.message({"id": "a", "n": 3}, has_own_id=False)) == ["not decidable"]
    assert verified.fates(verified.message({"id": "a", "n": 3}, system={})) == ["not decidable"]
    verified.store("effects", id="things#m1#0")
    assert verified.fates(message) == ["not decidable"]
    assert verified.fates(message, complete=True) == ["stored"]


def test_equal_idempotency_keys(verified: Verified) -> None:
    """The second message is a duplicate if it has the same content; else it is not known which was applied."""
    verified.use("item: {id: id, n: n}, write: {mode: update, add: [n], once: effects, once_key: k}")
    verified.store(id="a", n=3)
    verified.store("effects", id="things#k#0")
    one, same, other = (
        verified.message({"id": "a", "n": n, "k": "k"}, id_) for n, id_ in ((3, "m1"), (3, "m2"), (4, "m3"))
    )
    assert verified.fates(one, same, complete=True) == ["stored", "duplicate"]
    assert verified.fates(one, other, complete=True) == ["not decidable", "not decidable"]


def test_a_sum_of_an_update_with_a_version(verified: Verified) -> None:
    """A complete source tells it: by the idempotency keys, or by the versions, if those rise in the source."""
    verified.use("item: {id: id, v: v, n: n}, write: {mode: update, version: v, add: [n], once: effects}")
    first, second = (verified.message({"id": "a", "v": v, "n": 3}, f"m{v}") for v in (1, 2))
    verified.store("effects", id="things#m1#0")
    verified.store("effects", id="things#m2#0")
    verified.store(id="a", v=2, n=6)
    assert verified.fates(first, second) == ["not decidable", "not decidable"]
    assert verified.fates(first, second, complete=True) == ["superseded", "stored"]
    assert verified.fates(second, first, complete=True) == ["stored", "superseded"]
    verified.store(id="a", v=2, n=7)
    assert verified.fates(first, second, complete=True) == ["different", "different"]
    # Without its key the first was never made: it was stale, or is lost.
    verified.tables.write("Delete", {"TableName": "effects", "Key": {"id": {"S": "things#m1#0"}}})
    verified.store(id="a", v=2, n=3)
    assert verified.fates(first, second, complete=True) == ["not decidable", "stored"]


def test_a_list_of_an_update_with_a_version(verified: Verified) -> None:
    """What a message that has no idempotency key was to append is of another one; an equal message is a duplicate."""
    verified.use("item: {id: id, v: v, l: l}, write: {mode: update, version: v, append: [l], once: effects}")
    first, again, second = (
        verified.message({"id": "a", "v": v, "l": "x"}, f"m{number}") for number, v in enumerate((1, 1, 2))
    )
    item = {"id": {"S": "a"}, "v": {"N": "2"}, "l": {"L": [{"S": "x"}]}}
    verified.tables.write("Put", {"TableName": "things", "Item": item})
    verified.store("effects", id="things#m2#0")
    assert verified.fates(first, second) == ["not decidable", "stored"]
    assert verified.fates(first, again, second) == ["not decidable", "duplicate", "stored"]
    verified.store("effects", id="things#m0#0")
    assert "different" in verified.fates(first, second)


def test_a_sum_of_an_update_with_a_version_without_keys(verified: Verified) -> None:
    """What was stale in the order of the source may have been made in that of receipt."""
    verified.use("item: {id: id, v: v, n: n}, write: {mode: update, version: v, add: [n]}")
    first, again, second = (
        verified.message({"id": "a", "v": v, "n": 3}, f"m{number}") for number, v in enumerate((1, 1, 2))
    )
    verified.store(id="a", v=2, n=6)
    assert verified.fates(first, again, second, complete=True) == ["superseded", "superseded", "stored"]
    assert verified.fates(first, second, again, complete=True) == ["not decidable"] * 3
    verified.store(id="a", v=2, n=3)
    assert verified.fates(first, second, complete=True) == ["not decidable", "not decidable"]


def test_a_version_does_not_explain_a_missing_idempotency_key(verified: Verified) -> None:
    """What has expired or was deleted meanwhile was made, or was stale, or is lost: without its key nothing tells."""
    more = "ends: {queue: events, table: things, when: kind == 'end', item: {id: id}, write: {mode: delete}}"
    item = "item: {id: id, v: v, n: n, end: end}"
    route = f"when: kind == 'add', {item}, write: {{mode: update, version: v, add: [n], once: effects}}"
    verified.use(route, more, table="ttl: end")
    made = verified.message({"kind": "add", "id": "a", "v": 1, "n": 3, "end": 1_700_000_000})
    deleted = verified.message({"kind": "end", "id": "b"}, "m2")
    before = verified.message({"kind": "add", "id": "b", "v": 1, "n": 3, "end": 1_900_000_000}, "m3")
    assert verified.fates(made, before, deleted, complete=True) == ["not decidable", "not decidable", "stored"]
    verified.store("effects", id="things#m1#0")
    verified.store("effects", id="things#m3#0")
    assert verified.fates(made, before, deleted, complete=True) == ["expired", "deleted", "stored"]


def test_an_older_item_with_an_attribute_of_another_route(verified: Verified) -> None:
    """Another order of receipt explains it: the older put came last, and then the update of the newer message."""
    more = (
        "others: {queue: events, table: things, item: {id: id, c: {from: c, missing: remove}}, write: {mode: update}}"
    )
    verified.use("item: {id: id, a: a, c: c}", more)
    verified.store(id="k", c="new")
    older, newer = verified.message({"id": "k", "c": "old"}), verified.message({"id": "k", "a": "x", "c": "new"}, "m2")
    assert verified.fates(older, newer, complete=True) == ["superseded", "not decidable"]
    assert verified.fates(newer, complete=True) == ["different"]


def test_a_transaction(verified: Verified) -> None:
    """If one of its writes has no trace, it may have been refused as a whole."""
    more = "others: {queue: events, table: others, item: {id: other}}"
    verified.use("item: {id: id, n: n}, write: {mode: insert}", more=more, queue="atomic: true")
    verified.store(id="a", n=1)
    message = verified.message({"id": "a", "n": 2, "other": "o"})
    (decided,) = verified.verify(message)
    assert [each.verdict.fate for each in decided.verdicts] == ["not decidable", "not decidable"]
    equal = verified.message({"id": "a", "n": 1, "other": "o"})
    assert verified.fates(equal) == ["not decidable"]
    assert verified.fates(equal, complete=True) == ["missing"]
    verified.use("item: {id: id, n: n}, write: {mode: insert}", more=more)
    verified.store(id="a", n=1)
    assert verified.fates(message) == ["missing"]


def test_an_attribute_that_a_route_adds_to_and_removes(verified: Verified) -> None:
    """Each order of receipt leaves another sum, list or first value; without a removal it is decided."""
    for way, value in (("add", 3), ("append", "x"), ("keep_first", "x")):
        for version in ("", "version: v, "):
            once = "" if way == "keep_first" else ", once: effects"
            item = f"id: id, {'v: v, ' if version else ''}n: {{from: n, missing: remove}}"
            verified.use(f"item: {{{item}}}, write: {{mode: update, {version}{way}: [n]{once}}}")
            adds, removes, again = (
                verified.message({"id": "a", "v": v, **more}, f"m{v}")
                for v, more in ((1, {"n": value}), (2, {}), (3, {"n": value}))
            )
            for number in (1, 2, 3):
                verified.store("effects", id=f"things#m{number}#0")
            verified.store(id="a", v=2)
            assert "different" not in verified.fates(adds, removes, complete=True)
            there = {"L": [{"S": "x"}]} if way == "append" else {"N": "3"} if way == "add" else {"S": "x"}
            verified.tables.write(
                "Put", {"TableName": "things", "Item": {"id": {"S": "a"}, "v": {"N": "3"}, "n": there}}
            )
            assert "different" not in verified.fates(adds, removes, again, complete=True)
            assert "different" not in verified.fates(adds, removes)
            verified.store(id="a", v=3)
            if once or not version:
                assert "different" in verified.fates(again, complete=True)


def test_the_same_item_in_two_transactions(verified: Verified) -> None:
    """What is stored is no proof of the first: the second may have been received before it, which refused the first."""
    more = "others: {queue: events, table: others, when: other, item: {id: other}}"
    for write in ("mode: insert", "mode: newest, version: n", "mode: update, version: n"):
        verified.use(f"item: {{id: id, n: n}}, write: {{{write}}}", more=more, queue="atomic: true")
        verified.store(id="a", n=1)
        verified.store("others", id="o2")
        first, second = (verified.message({"id": "a", "n": 1, "other": f"o{each}"}, f"m{each}") for each in (1, 2))
        assert verified.fates(first, second, complete=True) == ["not decidable", "stored"]
        assert verified.fates(first, complete=True) == ["missing"]


def test_a_delete_in_a_transaction(verified: Verified) -> None:
    """That there is no item does not prove it, with a version: a newer item may have refused it, and be deleted."""
    item = "item: {id: id, v: v}, write: {mode: newest, version: v}"
    newest = f"stores: {{queue: events, table: things, when: v == `2`, {item}}}"
    others = "others: {queue: events, table: others, when: other, item: {id: other}}"
    route = "when: v != `2`, item: {id: id, v: v}, write: {mode: delete, version: v}"
    verified.use(route, more=f"{newest}, {others}", queue="atomic: true")
    verified.store("others", id="o3")
    first, second, third = (
        verified.message({"id": "a", "v": v, **({} if v == 2 else {"other": f"o{v}"})}, f"m{v}") for v in (1, 2, 3)
    )
    assert verified.fates(first, second, third, complete=True) == ["not decidable", "deleted", "stored"]


def test_a_list_of_messages_with_and_without_idempotency_keys(verified: Verified) -> None:
    """What a message appended whose key is stored is there for it, not for one that may have been stale."""
    item = "item: {id: id, v: v, l: l}, write: {mode: update, version: v, append: [l]"
    more = f"others: {{queue: events, table: things, when: kind == 'other', {item}}}}}"
    verified.use(f"when: kind == 'once', {item}, once: effects}}", more)
    stale = verified.message({"kind": "other", "id": "a", "v": 1, "l": "x"}, "m1")
    made = verified.message({"kind": "once", "id": "a", "v": 2, "l": "x"}, "m2")
    stored = {"id": {"S": "a"}, "v": {"N": "2"}, "l": {"L": [{"S": "x"}]}}
    verified.tables.write("Put", {"TableName": "things", "Item": stored})
    verified.store("effects", id="things#m2#0")
    assert verified.fates(stale, made, complete=True) == ["not decidable", "stored"]
    verified.store(id="a", v=2)
    assert verified.fates(stale, made, complete=True) == ["not decidable", "different"]


def test_what_dynamodb_refuses(verified: Verified) -> None:
    """It neither counts in a sum, unless its idempotency key is stored, nor replaces what others store."""
    index = "indexes: {by_g: {key: {g: S}}}"
    verified.use("item: {id: id, n: n, g: g}, write: {mode: update, add: [n], once: effects}", table=index)
    verified.store(id="a", n=3, g="x")
    old = {"SentTimestamp": "1700000000000"}
    made = verified.message({"id": "a", "n": 3, "g": "x"}, system=old)
    refused = verified.message({"id": "a", "n": 4, "g": 5}, "m2", system=old)
    assert verified.fates(made, refused, complete=True) == ["not decidable", "not decidable"]
    verified.use("item: {id: id, g: g}", table=index)
    assert verified.fates(made, refused, complete=True) == ["missing", "not decidable"]
    verified.use("item: {id: id, n: n, g: g}, write: {mode: update}", table=index)
    verified.store(id="a", n=7, g="x")
    assert verified.fates(made, refused, complete=True) == ["different", "not decidable"]


def test_what_an_older_item_left_below_updates(verified: Verified) -> None:
    """A newer update keeps what it does not set: an older item is there as a whole, or not at all."""
    update = "item: {id: id, v: v, a: a}, write: {mode: update, version: v}"
    more = f"others: {{queue: events, table: things, when: kind == 'update', {update}}}"
    verified.use("when: kind == 'item', item: {id: id, v: v, b: b, c: c}, write: {mode: newest, version: v}", more)
    item = verified.message({"kind": "item", "id": "k", "v": 1, "b": "x", "c": "x"}, "m1")
    newer = verified.message({"kind": "update", "id": "k", "v": 2, "a": "y"}, "m2")
    verified.store(id="k", v=2, a="y", b="x", c="x")
    assert verified.fates(item, newer, complete=True) == ["superseded", "stored"]
    verified.store(id="k", v=2, a="y")
    assert verified.fates(item, newer, complete=True) == ["superseded", "stored"]
    verified.store(id="k", v=2, a="y", b="x")
    assert verified.fates(item, newer, complete=True) == ["not decidable", "stored"]
    assert verified.fates(item, newer) == ["superseded", "stored"]


def test_an_item_that_each_of_two_messages_may_have_from_the_other(verified: Verified) -> None:
    """The insert finds the item of the update, so that it does not explain that this is not there."""
    more = "others: {queue: events, table: things, when: kind == 'insert', item: {id: id, b: b}, write: {mode: insert}}"
    update = "item: {id: id, c: {from: c, missing: remove}}, write: {mode: update}"
    verified.use(f"when: kind == 'update', {update}", more)
    sets, inserts, removes = (
        verified.message({"id": "k", **more}, f"m{number}")
        for number, more in enumerate(({"kind": "update", "c": "x"}, {"kind": "insert", "b": "x"}, {"kind": "update"}))
    )
    assert verified.fates(sets, inserts, removes, complete=True) == ["missing", "duplicate", "stored"]


def test_a_first_value_of_a_later_version(verified: Verified) -> None:
    """An update whose idempotency key is stored was made before those with greater versions."""
    verified.use(
        "item: {id: id, v: v, n: n, c: c}, write: {mode: update, version: v, add: [n], keep_first: [c], once: effects}"
    )
    first, second = (
        verified.message({"id": "k", "v": v, "n": 1, "c": c}, f"m{v}") for v, c in ((1, "one"), (2, "two"))
    )
    verified.store("effects", id="things#m2#0")
    verified.store(id="k", v=2, n=2, c="two")
    assert verified.fates(first, second)[1] == "not decidable"
    verified.store("effects", id="things#m1#0")
    assert verified.fates(first, second, complete=True) == ["not decidable", "stored"]
    verified.store(id="k", v=2, n=2, c="one")
    assert verified.fates(first, second, complete=True) == ["superseded", "stored"]


def test_an_update_that_was_never_made_explains_no_content(verified: Verified) -> None:
    """Its version is stored, but not its idempotency key: the other one of that version must be there."""
    more = "others: {queue: events, table: things, when: kind == 'add', item: {id: id, v: v, n: n}, ADD}"
    more = more.replace("ADD", "write: {mode: update, version: v, add: [n], once: effects}")
    verified.use("when: kind == 'set', item: {id: id, v: v, a: a}, write: {mode: update, version: v}", more)
    sets = verified.message({"kind": "set", "id": "k", "v": 1, "a": "x"}, "m1")
    adds = verified.message({"kind": "add", "id": "k", "v": 1, "n": 3}, "m2")
    verified.store(id="k", v=1, a="changed")
    assert verified.fates(sets, adds, complete=True)[0] == "different"
    verified.store(id="k", v=1, a="x")
    assert "different" not in verified.fates(sets, adds, complete=True)
    verified.store(id="k", v=1, n=3)
    verified.store("effects", id="others#m2#0")
    assert "different" not in verified.fates(sets, adds, complete=True)


def test_a_list_of_two_messages_with_one_idempotency_key(verified: Verified) -> None:
    """Only one of them was made: the elements of the other are those of a third, whose key has expired."""
    verified.use("item: {id: id, l: l, c: c}, write: {mode: update, append: [l], once: effects, once_key: k}")
    old = {"SentTimestamp": "1700000000000"}
    one, third, other = (
        verified.message({"id": "a", "l": "x", "c": c, "k": k}, f"m{c}{k}", system)
        for c, k, system in ((1, "same", None), (1, "third", old), (2, "same", None))
    )
    item = {"id": {"S": "a"}, "c": {"N": "2"}, "l": {"L": [{"S": "x"}, {"S": "x"}]}}
    verified.tables.write("Put", {"TableName": "things", "Item": item})
    verified.store("effects", id="things#same#0")
    assert "different" not in verified.fates(one, third, other, complete=True)


def test_a_duplicate_of_a_transaction_that_may_have_been_refused(verified: Verified) -> None:
    """It does not explain that there is no item: without the transaction, the message would have stored it."""
    verified.use("for_each: items, item: {id: element}, write: {mode: insert}", queue="atomic: true")
    verified.store(id="b")
    both, lost, stored = (
        verified.message({"items": items}, f"m{number}") for number, items in enumerate((["a", "b"], ["a"], ["b"]))
    )
    assert verified.fates(both, lost, stored, complete=True) == ["not decidable", "not decidable", "duplicate"]


def test_an_update_that_another_one_with_its_key_prevents(verified: Verified) -> None:
    """It explains nothing that is not there."""
    verified.use(
        "item: {id: id, v: v, l: l}, write: {mode: update, version: v, append: [l], once: effects, once_key: k}"
    )
    lost, prevented, made = (
        verified.message({"id": id_, "v": v, "l": "x", "k": key}, f"m{v}")
        for id_, v, key in (("a", 1, "lost"), ("a", 2, "same"), ("b", 3, "same"))
    )
    verified.store("effects", id="things#same#0")
    assert verified.fates(prevented, lost, made, complete=True)[1] in ("superseded", "missing")
    assert verified.fates(lost, prevented, made, complete=True) == ["missing", "not decidable", "not decidable"]


@pytest.mark.parametrize("write", ["mode: insert", "mode: newest, version: v"])
def test_two_writes_of_one_message(verified: Verified, write: str) -> None:
    """They are made in the order of the routes: the second alone does not explain that the first is not there."""
    more = f"others: {{queue: events, table: things, item: {{id: id, v: v}}, write: {{{write}}}}}"
    verified.use(f"item: {{id: id, v: v, a: a}}, write: {{{write}}}", more)
    message = verified.message({"id": "k", "v": 1, "a": "x"})
    verified.store(id="k", v=1)
    assert verified.fates(message, complete=True) == ["not decidable"]
    assert verified.fates(message, verified.message({"id": "k", "v": 1}, "m2"), complete=True)[0] == "stored"
    verified.store(id="k", v=1, a="x")
    assert verified.fates(message, complete=True) == ["stored"]


def test_a_plugin_that_makes_another_item_each_time(verified: Verified, tmp_path: Path) -> None:
    """Nothing is compared with what it makes."""
    plugin = """
import itertools
import router
count = itertools.count()

@router.hookimpl
def router_transform_item(item, message, route):
    return {**item, "n": next(count) if item["id"] == "random" else 1}
"""
    (tmp_path / "plugin.py").write_text(plugin, encoding="utf-8")
    verified.use("item: {id: id}", top="plugins: [plugin.py]\n")
    verified.store(id="a", n=1)
    assert verified.fates(verified.message({"id": "a"}), verified.message({"id": "random"}, "m2")) == [
        "stored",
        "not decidable",
    ]


@pytest.mark.parametrize(
    ("ends", "fate"), [({}, "missing"), ({"things": "at"}, "expired"), ({"things": ""}, "missing")]
)
def test_a_table_whose_items_expire(verified: Verified, ends: dict[str, str], fate: str) -> None:
    """What AWS says of the table counts, whatever the config says."""
    verified.use("item: {id: id, at: at}")
    verified.ends = ends
    assert verified.fates(verified.message({"id": "a", "at": 1_700_000_000})) == [fate]


def test_a_route_of_another_queue(verified: Verified) -> None:
    """A source that has nothing of it is not complete."""
    route = "item: {id: id, n: n}"
    verified.use(route)
    verified.store(id="a", n=1)
    assert verified.fates(verified.message({"id": "a", "n": 2}), complete=True) == ["different"]
    verified.use(route, more="others: {queue: elsewhere, table: things, item: {id: id, n: n}}")
    verified.store(id="a", n=1)
    assert verified.fates(verified.message({"id": "a", "n": 2}), complete=True) == ["not decidable"]


def test_a_key_with_many_messages(verified: Verified) -> None:
    """They are read some at a time, in the order of the source."""
    verified.use("item: {id: id, n: n}, write: {mode: newest, version: n}")
    verified.store(id="a", n=1200)
    messages = [verified.message({"id": "a", "n": n}, f"m{n}") for n in range(1201)]
    assert verified.fates(*messages) == ["superseded"] * 1200 + ["stored"]


def test_values_of_all_types(verified: Verified) -> None:
    """They are compared as DynamoDB compares them, in lists too."""
    verified.use("item: {id: id, list: list}, write: {mode: update, append: [list]}")
    values = [{"a": [1, "x"]}, 1.50, True, None, "x"]
    stored = [
        {"S": "before"},
        {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}]}}},
        {"N": "1.5"},
        {"BOOL": True},
        {"NULL": True},
    ]
    item = {"id": {"S": "a"}, "list": {"L": [*stored, {"S": "x"}]}}
    verified.tables.write("Put", {"TableName": "things", "Item": item})
    assert verified.fates(verified.message({"id": "a", "list": values})) == ["stored"]
    assert verified.fates(verified.message({"id": "a", "list": [1.5, 1.5]})) == ["different"]


def test_the_progress(verified: Verified) -> None:
    """It counts the items that are read."""
    verified.use("item: {id: id}")
    done: list[int] = []
    with KeptSource() as kept:
        aws = Aws(verified.tables, MemoryQueues())
        verifier = Verifier(verified.program, aws, verified, kept, lambda: NOW, complete=False)
        verifier.take([verified.message({"id": str(number)}, f"m{number}") for number in range(250)], lambda _: None)
        assert kept.reads() == 250
        verifier.look(done.append)
    assert done == [100, 200, 250]

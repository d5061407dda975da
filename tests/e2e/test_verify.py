"""`router verify` on a local AWS, as an auditor uses it: which messages are not where they should be?"""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.support.dev import LocalAws, create_table

CONFIG = """
version: 1
queues:
  events: {name: PREFIX-events, dead_letter: PREFIX-dlq}
tables:
  orders: {name: PREFIX-orders, key: {id: S}}
  users: {name: PREFIX-users, key: {email: S}}
  totals: {name: PREFIX-totals, key: {id: S}}
  effects: {name: PREFIX-effects, key: {id: S}}
routes:
  orders:
    queue: events
    table: orders
    when: kind == 'order'
    schema: {type: object, required: [revision], properties: {revision: {type: integer}}}
    item: {id: id, status: status, revision: revision}
    write: {mode: newest, version: revision}
  users: {queue: events, table: users, when: kind == 'user', item: {email: email, name: name}, write: {mode: insert}}
  totals:
    queue: events
    table: totals
    when: kind == 'order'
    item: {id: shop, spent: revision}
    write: {mode: update, add: [spent], once: effects, once_key: "join('/', [id, to_string(revision)])"}
"""
SECONDS = 300
TABLES = {"orders": "id", "users": "email", "totals": "id", "effects": "id"}


class Auditor:
    """Tables that were filled from a source, and the commands."""

    def __init__(self, server: LocalAws, dynamodb: Any, folder: Path) -> None:
        self.prefix = f"verify-{uuid.uuid4().hex[:8]}"
        self.environment = server.environment()
        self.folder = folder
        self.dynamodb = dynamodb
        for name, key in TABLES.items():
            create_table(dynamodb, Table(self.name(name), ((key, "S"),)))
        self.use(CONFIG)

    def name(self, table: str) -> str:
        return f"{self.prefix}-{table}"

    def use(self, config: str) -> None:
        (self.folder / "routes.yaml").write_text(config.replace("PREFIX", self.prefix), encoding="utf-8")

    def source(self, messages: Iterable[Any], name: str = "source.jsonl") -> str:
        (self.folder / name).write_text("".join(f"{json.dumps(each)}\n" for each in messages), encoding="utf-8")
        return name

    def run(self, *words: str, code: int = 0) -> str:
        """Run `router …`; what it prints."""
        command = [sys.executable, "-m", "router", *words]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if "--json" in words else done.stdout + done.stderr

    def verify(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run("verify", *words, "--json", code=code))

    def item(self, table: str, key: str) -> Any:
        return self.dynamodb.get_item(TableName=self.name(table), Key=self._key(table, key)).get("Item")

    def delete(self, table: str, key: str) -> None:
        self.dynamodb.delete_item(TableName=self.name(table), Key=self._key(table, key))

    def put(self, table: str, item: Any) -> None:
        self.dynamodb.put_item(TableName=self.name(table), Item=item)

    def _key(self, table: str, key: str) -> Any:
        return {TABLES[table]: {"S": key}}


@pytest.fixture
def auditor(server: LocalAws, dynamodb: Any, tmp_path: Path) -> Auditor:
    return Auditor(server, dynamodb, tmp_path)


def events(count: int) -> list[dict[str, Any]]:
    """Three revisions of each order, and a user for each."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        order, revision = f"order-{number // 3}", number % 3 + 1
        found.append({"kind": "order", "id": order, "status": f"status-{number}", "revision": revision, "shop": "s-1"})
        found.append({"kind": "user", "email": f"user-{number}@example.com", "name": f"Ada {number}"})
    return found


def places(report: Any, *fates: str) -> dict[str, str]:
    """The fates of the messages that a report shows, by their lines."""
    return {
        example["place"].rpartition(":")[2]: finding["fate"]
        for finding in report["findings"]
        if finding["fate"] in fates
        for example in finding["examples"]
    }


def test_messages_that_are_rejected(auditor: Auditor) -> None:
    """They are in no table, which is said in the summary; a source that has no others proves nothing."""
    source = auditor.source([*events(1), "not an object", {"kind": "order", "id": "o"}])
    auditor.run("replay", source, "--yes", code=1)
    text = auditor.run("verify", source, "--complete")
    assert (
        "4 messages: 2 where they should be, 2 rejected (RT805, RT806) and in no table, 0 not decidable, 0 lost" in text
    )
    assert "proves nothing" not in text
    assert auditor.verify(source, "--complete")["rejected"] == 2

    wrapped = auditor.source([{"Message": json.dumps(each)} for each in events(1)], "wrapped.jsonl")
    nothing = auditor.run("verify", wrapped, code=1)
    assert "2 messages: 0 where they should be, 2 rejected (RT805) and in no table" in nothing
    assert "The config rejects every message, so no table was read: this proves nothing." in nothing


def test_tables_that_cannot_be_read(auditor: Auditor) -> None:
    """It is said within seconds, and before a long source is read."""
    source = auditor.source(events(60))
    (auditor.folder / source).write_bytes((auditor.folder / source).read_bytes() + b"\xff")
    auditor.use(CONFIG.replace("name: PREFIX-totals", "name: PREFIX-absent"))
    assert "-absent' cannot be read in us-east-1 at http" in auditor.run("verify", source, code=2)
    for more, text in (
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "Could not connect to the endpoint URL"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_EC2_METADATA_DISABLED": "true"}, "there are no AWS credentials"),
    ):
        auditor.environment |= more
        assert text in auditor.run("verify", source, code=2)


def test_five_messages_are_not_where_they_should_be(auditor: Auditor) -> None:
    """After a replay nothing is lost; then five faults are planted, and each is found, by route and line."""
    source = auditor.source(events(30))
    auditor.run("replay", source, "--yes")
    report = auditor.verify(source)
    assert (report["messages"], report["lost"]) == (60, 0)
    assert report["routes"][0] == {"route": "orders", "fates": {"stored": 10, "superseded": 20}}
    # Only a source that is complete tells what a sum should be.
    assert report["routes"][1] == {"route": "totals", "fates": {"not decidable": 30}}
    complete = auditor.verify(source, "--complete")
    assert complete["fates"] == {"stored": 60}
    auditor.delete("orders", "order-0")
    changed = auditor.item("orders", "order-1")
    auditor.put("orders", {**changed, "status": {"S": "other"}})
    older = auditor.item("orders", "order-2")
    auditor.put("orders", {**older, "status": {"S": "status-7"}, "revision": {"N": "2"}})
    auditor.delete("users", "user-5@example.com")
    auditor.delete("effects", "totals#order-9/3#0")
    expected = {"5": "missing", "11": "different", "17": "missing", "12": "missing", "59": "missing"}
    report = auditor.verify(source, code=1)
    assert places(report, "missing", "different") == expected
    assert report["lost"] == 5
    text = auditor.run("verify", source, code=1)
    assert "5 lost" in text
    assert "source.jsonl:5" in text
    assert "order-0" not in text
    assert "user-5@" not in text
    assert "expected" not in text
    assert "--complete may decide 2" in text
    shown = auditor.run("verify", source, "--show-values", code=1)
    assert '{"id":"order-0"}' in shown
    assert "expected" in shown


def test_a_dropped_message(auditor: Auditor) -> None:
    """The newest revision of an order, a user and an addition never arrived."""
    messages = events(6)
    auditor.run("replay", auditor.source(messages[:-2], "delivered.jsonl"), "--yes")
    source = auditor.source(messages)
    report = auditor.verify(source, code=1)
    assert places(report, "missing", "different") == {"11": "missing", "12": "missing"}
    assert {finding["route"] for finding in report["findings"] if finding["fate"] == "missing"} == {
        "orders",
        "totals",
        "users",
    }


def test_a_sum_that_was_changed(auditor: Auditor) -> None:
    """Only a complete source tells."""
    source = auditor.source(events(3))
    auditor.run("replay", source, "--yes")
    spent = Decimal(auditor.item("totals", "s-1")["spent"]["N"])
    assert spent == 6
    auditor.put("totals", {"id": {"S": "s-1"}, "spent": {"N": "7"}})
    assert auditor.verify(source)["lost"] == 0
    report = auditor.verify(source, "--complete", code=1)
    assert report["lost"] == 3
    assert {each["route"] for each in report["findings"]} == {"totals"}


def test_what_the_tables_should_hold(auditor: Auditor) -> None:
    """With values: what is stored and what should be, and what an update without its idempotency key adds."""
    source = auditor.source(events(3))
    auditor.run("replay", source, "--yes")
    auditor.put("orders", {"id": {"S": "order-0"}, "status": {"S": "status-1"}, "revision": {"N": "2"}})
    auditor.delete("users", "user-0@example.com")
    auditor.delete("effects", "totals#order-0/3#0")
    auditor.put("totals", {"id": {"S": "s-1"}, "spent": {"N": "3"}})
    words = ("verify", source, "--complete", "--show-values")
    text = auditor.run(*words, code=1)
    assert '    stored: {"status":"status-1","revision":2}\n    expected: {"status":"status-2","revision":3}\n' in text
    assert '    stored: no item\n    expected: {"email":"user-0@example.com","name":"Ada 0"}\n' in text
    key = f'{{"table":"{auditor.name("effects")}","key":"totals#order-0/3#0"}}'
    added = f'    expected: {{"spent":6}}\n    adds: {{"spent":3}}\n    idempotency key: {key}\n'
    assert f'    stored: {{"spent":3}}\n{added}' in text
    assert "--complete may" not in text
    found = json.loads(auditor.run(*words, "--json", code=1))["findings"]
    (total,) = (each["examples"][0] for each in found if each["route"] == "totals")
    assert (total["stored"], total["expected"], total["adds"]) == ({"spent": 3}, {"spent": 6}, {"spent": 3})
    assert total["idempotency_key"]["key"] == "totals#order-0/3#0"
    # Other messages may have added: only what this one adds is known.
    assert '    stored: {"spent":3}\n    adds: {"spent":3}\n' in auditor.run("verify", source, "--show-values", code=1)


def test_a_version_that_the_stored_items_lack(auditor: Auditor) -> None:
    """A table that was filled without a version gets it by a replay of its messages; a late one is stale then."""
    without = CONFIG.replace("write: {mode: newest, version: revision}", "").replace(", revision: revision}", "}")
    auditor.use(without)
    messages = [each for each in events(6) if each["kind"] == "order"]
    source = auditor.source(messages)
    auditor.run("replay", source, "--route", "orders", "--allow", "overwrite", "--yes")
    assert "revision" not in auditor.item("orders", "order-0")
    auditor.use(CONFIG)
    late = auditor.source(messages[:1], "late.jsonl")
    report = auditor.verify(source, code=1)
    assert set(places(report, "missing")) >= {"3", "6"}
    auditor.run("replay", source, "--yes", "--journal", "again.journal")
    auditor.run("replay", late, "--yes", "--journal", "late.journal")
    assert auditor.item("orders", "order-0")["status"] == {"S": "status-2"}
    assert auditor.verify(source)["lost"] == 0


def test_what_cannot_run(auditor: Auditor) -> None:
    """A sentence, and exit code 2."""
    assert "there is no message in" in auditor.run("verify", auditor.source([]), code=2)
    source = auditor.source(events(1))
    auditor.dynamodb.delete_table(TableName=auditor.name("users"))
    text = auditor.run("verify", source, code=2)
    assert f"the table '{auditor.name('users')}' cannot be read" in text
    assert "No such file" in auditor.run("verify", "nothing.jsonl", code=2).replace("no such", "No such")


def test_help_and_completion(router: Callable[..., Any], tmp_path: Path) -> None:
    """The help has examples; names of queues are completed."""
    text = router("verify", "--help").stdout
    assert "router verify all.jsonl --complete" in text
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    environment = {"_ROUTER_COMPLETE": "bash_complete", "COMP_WORDS": "router verify x --queue e", "COMP_CWORD": "4"}
    completed = subprocess.run(
        [sys.executable, "-m", "router"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "events" in completed.stdout

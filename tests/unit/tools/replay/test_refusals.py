"""What is refused of routes, by their modes and settings, and what is not."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.errors import UsageError
from router.model import Record
from router.testing import MemoryQueues, MemoryTables
from router.tools.replay.refusals import Refusals
from router.tools.replay.source import SourceMessage
from tests.support.aws import Aws
from tests.support.dlq import Planner
from tests.support.program import load_program

CONFIG = """
version: 1
queues: {{orders: {{dead_letter: dead}}}}
tables: {{table: {{key: {{id: S}}}}, keys: {{key: {{id: S}}, ttl: gone}}, other: {{key: {{id: S}}}}}}
routes:
  r: {{queue: orders, table: table, {route}}}
  others: {{queue: orders, table: other, when: "never", write: {{mode: insert}}}}
"""
SET = "item: {id: id, a: a, n: {from: n, type: N}}"
ADD = "item: {id: id, n: {from: n, type: N}}"
NOW = datetime(2026, 1, 20, tzinfo=UTC)
RECENT, OLD = "1768780800000", "1767225600000"
"""19 days apart: the idempotency key of the older message is expired."""


def found(
    folder: Path, route: str, *, sent: str = RECENT, own: bool = True, items: str = "table keys", allowed: str = ""
) -> set[str]:
    """The names by which a message is refused; `items` are the tables that have items."""
    (folder / "routes.yaml").write_text(CONFIG.format(route=route), encoding="utf-8")
    program = load_program(folder / "routes.yaml", {})
    full = items.split()
    refusals = Refusals(program, frozenset(allowed.split()), lambda table: table not in full, NOW)
    queue = program.engine.queues["orders"]
    attributes = {"SentTimestamp": sent} if sent else {}
    record = Record("m", "", json.dumps({"id": "x", "a": 1, "n": 1}), attributes)
    message = SourceMessage(record, None, queue=queue, place="f:1", has_own_id=own)
    planner = Planner(Aws(MemoryTables.of(program), MemoryQueues()))
    for planned in planner.plan_all(queue, [record]):
        refusals.note(message, planned)
        if refusals.found:
            with pytest.raises(UsageError, match=r"f:1: route 'r' .*, or type --allow "):
                refusals.check(message, planned)
    assert set(refusals.found.values()) <= {"f:1"}
    return {each.name for each in refusals.found}


@pytest.mark.parametrize(
    ("route", "names"),
    [
        ("write: {mode: put}", {"overwrite"}),
        ("write: {mode: insert}", set()),
        ("write: {mode: newest, version: n}", set()),
        ("write: {mode: update}", {"overwrite"}),
        (f"{SET}, write: {{mode: update}}", {"overwrite"}),
        (f"{SET}, write: {{mode: update, version: n}}", set()),
        (f"{SET}, write: {{mode: update, keep_first: [a, n]}}", set()),
        (f"{SET}, write: {{mode: update, keep_first: [a], add: [n]}}", {"repeat"}),
        (f"{ADD}, write: {{mode: update, append: [n]}}", {"repeat"}),
        (f"{SET}, write: {{mode: update, keep_first: [a], add: [n], once: keys}}", set()),
        (f"{SET}, write: {{mode: update, add: [n], once: keys}}", {"overwrite"}),
        ("item: {id: id}, write: {mode: delete}", {"delete"}),
        ("item: {id: id, n: n}, write: {mode: delete, version: n}", {"delete"}),
    ],
)
def test_modes(tmp_path: Path, route: str, names: set[str]) -> None:
    """On a table that has items."""
    assert found(tmp_path, route) == names
    assert found(tmp_path, route, allowed=" ".join(names)) == set()


def test_idempotency_keys(tmp_path: Path) -> None:
    """They are of use while they are there, and if they are those of the messages."""
    once = f"{ADD}, write: {{mode: update, add: [n], once: keys}}"
    assert found(tmp_path, once, sent=OLD) == {"repeat"}
    assert found(tmp_path, once, sent=OLD, items="") == {"repeat"}
    assert found(tmp_path, once, own=False) == {"repeat"}
    assert found(tmp_path, once, own=False, items="") == set()
    assert found(tmp_path, once, items="keys") == {"keys"}
    assert found(tmp_path, once.replace("once: keys", "once: keys, once_key: id"), own=False) == set()
    assert found(tmp_path, once.replace("once: keys", "once: other"), sent=OLD, items="table other") == set()


def test_a_time_that_is_not_known(tmp_path: Path) -> None:
    """A route that stores it, or an age that is counted from it, needs it."""
    for attribute in ("{meta: sent_at}", "{meta: first_received_at}", "{ttl: 90d}"):
        with pytest.raises(UsageError, match="f:1 has no time of sending, which the route 'r' stores; --sent-at"):
            found(tmp_path, f"item: {{id: id, n: {attribute}}}, write: {{mode: insert}}", sent="")
    with pytest.raises(UsageError, match="f:1 has no time of sending"):
        found(tmp_path, "item: {id: id, n: {meta: sent_at}}, write: {mode: newest, version: n}", sent="")
    assert found(tmp_path, "item: {id: id, n: {ttl: {from: n, after: 1d}}}, write: {mode: insert}", sent="") == set()
    invalid = "schema: {required: [b]}, item: {id: id, n: {meta: sent_at}}"
    assert found(tmp_path, invalid, sent="") == set()

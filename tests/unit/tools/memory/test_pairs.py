"""Two messages in both orders, on tables in memory."""

from pathlib import Path

import pytest

from router.tools.memory.pairs import PairMessage, run_alone, run_pair
from tests.support.program import Program, load_program

CONFIG = """\
version: 1
queues:
  plain: {dead_letter: d}
  wrapped: {dead_letter: d, envelope: [sns], atomic: true}
tables:
  orders: {name: real-orders, key: {id: S}}
routes:
  placed:
    queue: plain
    table: orders
    when: type == 'placed'
    item: {id: id, lines: lines, at: at}
    write: {mode: newest, version: at}
  seen:
    queue: plain
    table: orders
    when: type == 'placed'
    item: {id: {template: "seen#{id}"}, by: {meta: sender_id}, from: {meta: attribute.source}}
  paid:
    queue: wrapped
    table: orders
    item: {id: id, paid: paid, at: at}
    write: {mode: newest, version: at}
"""
PLACED = '{"type": "placed", "id": "a", "lines": "x", "at": 1}'
PAID = '{"id": "a", "paid": true, "at": 2}'


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return a config in which two routes store an item of one key, one of them of a wrapped queue."""
    file = tmp_path / "routes.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return load_program(file, {})


def test_the_item_before_and_after_is_shown_in_both_orders(program: Program) -> None:
    """The later event erases the first one's lines; received late, the first is stale and never stored."""
    run = run_pair(program, PairMessage("plain", PLACED, "placed"), PairMessage("wrapped", PAID))
    [item] = run.shared
    assert item == ("real-orders", "a")
    placed = {"id": {"S": "a"}, "lines": {"S": "x"}, "at": {"N": "1"}}
    paid = {"id": {"S": "a"}, "paid": {"BOOL": True}, "at": {"N": "2"}}
    assert run.first_then_second.before == {item: placed}
    assert run.first_then_second.after == {item: paid}
    assert run.second_then_first.before == run.second_then_first.after == {item: paid}
    assert [each.kind for each in run.second_then_first.outcomes] == ["written", "stale"]


def test_without_a_route_all_routes_of_the_queue_take_a_message(program: Program) -> None:
    """The messages share no item, and each is stored."""
    source = {"source": {"DataType": "String", "StringValue": "shop"}}
    first = PairMessage("plain", PLACED, "", "one", {"SenderId": "me"}, source)
    run = run_pair(program, first, PairMessage("wrapped", PAID.replace('"a"', '"b"')))
    assert run.shared == ()
    seen = {"id": {"S": "seen#a"}, "by": {"S": "me"}, "from": {"S": "shop"}}
    assert run.first_then_second.before["real-orders", "seen#a"] == seen
    assert len(run.first_then_second.after) == 3


def test_a_message_that_is_rejected_writes_nothing(program: Program) -> None:
    """It has its outcome, and the other message is written."""
    run = run_pair(program, PairMessage("plain", '{"type": "placed"}'), PairMessage("wrapped", PAID))
    kinds = [each.kind for each in run.first_then_second.outcomes]
    assert (kinds, run.shared) == (["rejected", "written"], ())


def test_a_message_alone(program: Program) -> None:
    """It has its outcome, and the items that it stores."""
    outcome, items = run_alone(program, PairMessage("wrapped", PAID))
    assert (outcome.kind, items) == (
        "written",
        {("real-orders", "a"): {"id": {"S": "a"}, "paid": {"BOOL": True}, "at": {"N": "2"}}},
    )
    outcome, items = run_alone(program, PairMessage("plain", '{"type": "placed"}'))
    assert (outcome.kind, items) == ("rejected", {})

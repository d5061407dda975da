"""What a rehearsal counts is what the redrive counts that follows it, whatever messages meet on one item."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.model import Record
from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.journal import Journal
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.redrive import Redriver
from router.tools.dlq.rehearse import Rehearser
from router.tools.dlq.spool import Spool, WrittenItems
from tests.support.aws import Aws
from tests.support.modes import WRITES
from tests.support.program import Program, load_program
from tests.unit.tools.dlq.test_redrive import Source

ROUTES = {
    **{name: f"write: {write}" for name, write in WRITES.items()},
    "add": "item: {id: id, n: n}, write: {mode: update, add: [n]}",
    "once": "item: {id: id, n: n}, write: {mode: update, add: [n], once: markers}",
}
QUEUES = ("orders", "atomic", "groups.fifo")
KEYS = ("a", "b")
GROUPS = ("g", "h")


def config() -> str:
    routes = "".join(
        f"  {queue.partition('.')[0]}-{name}: {{queue: {queue}, table: items, when: \"mode == '{name}'\", "
        f"schema: {{type: object, properties: {{n: {{type: integer}}}}}}, {route}}}\n"
        for queue in QUEUES
        for name, route in ROUTES.items()
    )
    # A second write of each message of one queue, which is one transaction with the first.
    routes += "  more: {queue: atomic, table: others, item: {id: id, v: v}, write: {mode: newest, version: v}}\n"
    queues = (
        "orders: {dead_letter: dead}, atomic: {dead_letter: dead, atomic: true}, groups.fifo: {dead_letter: d.fifo}"
    )
    tables = ", ".join(f"{name}: {{key: {{id: S}}}}" for name in ("items", "others", "markers"))
    return f"version: 1\nqueues: {{{queues}}}\ntables: {{{tables}}}\nroutes:\n{routes}"


class Letter(NamedTuple):
    """A message of a queue: its body, the id that it had, and its group."""

    queue: str
    body: Mapping[str, Any]
    original: int
    group: str

    def message(self, number: int) -> DlqMessage:
        failure = {"code": "RT806", "reason": "", "route": "", "pointer": "", "receive_count": 1, "queue": self.queue}
        failure |= {"message_id": f"original-{self.original}", "failed_at": None}
        failure |= {"sent_at": f"2026-01-01T00:00:00.{number:03}Z"}
        attributes = {"router": {"DataType": "String", "StringValue": json.dumps(failure)}}
        system = {"SentTimestamp": "1800000000000", "MessageGroupId": self.group, "SequenceNumber": str(number)}
        return DlqMessage.of(Record(f"m{number}", f"h{number}", json.dumps(self.body), system, attributes))


VERSIONS = st.one_of(st.integers(0, 3), st.just("x"))
BODIES = st.fixed_dictionaries(
    {
        "id": st.sampled_from(KEYS),
        "mode": st.sampled_from(list(ROUTES)),
        "v": VERSIONS,
        "n": st.one_of(st.integers(0, 2), st.just("bad")),
    }
)
STORED = st.dictionaries(
    st.sampled_from(KEYS), st.fixed_dictionaries({"v": st.integers(0, 3), "n": st.integers(0, 2)}), max_size=len(KEYS)
)


def letters(*queues: str) -> st.SearchStrategy[list[Letter]]:
    letter = st.builds(Letter, st.sampled_from(queues), BODIES, st.integers(0, 3), st.sampled_from(GROUPS))
    return st.lists(letter, max_size=12)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Program]:
    """A function, since hypothesis prints the arguments of an example that fails."""
    path = tmp_path_factory.mktemp("rehearsed") / "routes.yaml"
    path.write_text(config(), encoding="utf-8")
    program = load_program(path, {})
    return lambda: program


@given(
    sent=letters(*QUEUES[:2]) | letters(*QUEUES[2:]),
    stored=st.fixed_dictionaries({"items": STORED, "others": STORED}),
    size=st.integers(1, 6),
    keep_newer=st.booleans(),
)
@settings(deadline=None)
def test_counts(
    loaded: Callable[[], Program],
    sent: Sequence[Letter],
    stored: Mapping[str, Mapping[str, Mapping[str, int]]],
    size: int,
    keep_newer: bool,
) -> None:
    """By outcome, with nothing else running: also with few messages in a batch, and with messages that are to stay."""
    program = loaded()
    tables, source = MemoryTables.of(program), Source()
    fifo = source.fifo = any(letter.queue == "groups.fifo" for letter in sent)
    for name, items in stored.items():
        for key, item in items.items():
            encoded = {"id": {"S": key}, **{each: {"N": str(value)} for each, value in item.items()}}
            tables.write("Put", {"TableName": name, "Item": encoded})
    aws = Aws(tables, MemoryQueues())

    with Spool(fifo) as spool, WrittenItems() as written:
        for number, letter in enumerate(sent):
            spool.add(letter.message(number), selected=True)
        rehearser = Rehearser(
            program,
            "dead",
            aws,
            lambda table, key: tables.get(table.name, dict(key)),
            written,
            batch_size=size,
            ordered=fifo,
            keep_newer=keep_newer,
        )
        rehearsed = list(rehearser.rehearse_all(spool.selected()))
        for each in rehearsed:
            if each.batch:
                spool.assign(each.message.id, each.batch)
        results = []
        with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal") as journal:
            redriver = Redriver(program, aws, source, journal, clock=lambda: 0.0)
            for batch in sorted({each.batch for each in rehearsed if each.batch}):
                messages = spool.take(batch)
                queue = messages[0].find_queue(program, "dead")
                assert queue
                results += redriver.deliver(queue, messages)

    expected = Counter(each.outcome.kind for each in rehearsed if each.batch and each.outcome)
    assert Counter(each.result for each in results) == expected
    assert all(each.deleted for each in results)

"""In which batches and in which order messages are rehearsed: as they are redriven."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.rehearse import Rehearsal, Rehearser
from router.tools.dlq.spool import WrittenItems
from tests.support.aws import Aws, AwsFault
from tests.support.deliver import TOO_COSTLY
from tests.support.program import Program, load_program
from tests.unit.tools.dlq.conftest import Make
from tests.unit.tools.dlq.test_rehearse import StoredItems, rehearse, rehearse_all

Load = Callable[..., Program]


def as_fifo(program: Program) -> Program:
    """Make a FIFO queue of the queue `orders`."""
    queues: Any = program.engine.queues
    queues["orders"] = structs.replace(queues["orders"], fifo=True)
    return program


def batches(found: list[Rehearsal]) -> list[tuple[str, int, bool]]:
    return [(each.message.id, each.batch, each.behind) for each in found]


@pytest.mark.parametrize("way", ["FIFO queue", "ordered"])
@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_what_follows_in_a_group_stays(load: Load, failed: Make, way: str, batch_size: int) -> None:
    """Of a FIFO queue also where its messages come from a file, whose order nothing else keeps."""
    program = as_fifo(load()) if way == "FIFO queue" else load()
    bodies = {"a1": {"id": "a"}, "a2": {"no": "id"}, "b1": {"id": "b"}, "a3": {"id": "a"}, "b2": {"id": "b"}}
    messages = [failed(body, id_, {"MessageGroupId": id_[0]}) for id_, body in bodies.items()]

    found = rehearse_all(program, messages, StoredItems(), ordered=way == "ordered", batch_size=batch_size)

    assert {each.message.id: (each.batch > 0, each.behind) for each in found} == {
        "a1": (True, False),
        "a2": (False, False),
        "b1": (True, False),
        "a3": (False, True),
        "b2": (True, False),
    }


def test_groups_of_earlier_messages(load: Load, failed: Make) -> None:
    """What stays behind them, and the groups that the next rehearsal gets."""
    program = load()
    aws = Aws(MemoryTables.of(program), MemoryQueues())
    ids = {"a1": "a", "b1": None, "c1": "c"}
    messages = [failed({"id": group} if group else {}, id_, {"MessageGroupId": id_[0]}) for id_, group in ids.items()]
    with WrittenItems() as written:
        rehearser = Rehearser(program, "dead", aws, StoredItems(), written, ordered=True, blocked=["a"])

        found = list(rehearser.rehearse_all(messages))

    assert batches(found) == [("a1", 0, True), ("b1", 0, False), ("c1", 1, False)]
    assert rehearser.blocked == {"a", "b"}


def test_messages_without_order_stay_alone(load: Load, failed: Make) -> None:
    """The rest of the group of a message of a standard queue is redriven."""
    messages = [failed(body, id_, {"MessageGroupId": "a"}) for id_, body in (("1", {}), ("2", {"id": "a"}))]

    found = rehearse_all(load(), messages, StoredItems())

    assert batches(found) == [("1", 0, False), ("2", 1, False)]


def test_batches_of_one_queue_each(load: Load, failed: Make) -> None:
    """Without order, messages of other queues do not end a batch."""
    queues = ("orders", "other", "orders", "other", "orders")
    messages = [failed({"id": str(number)}, str(number), queue=queue) for number, queue in enumerate(queues)]

    found = rehearse_all(load(), messages, StoredItems(), batch_size=2)

    assert batches(found) == [("0", 1, False), ("2", 1, False), ("1", 2, False), ("3", 2, False), ("4", 3, False)]


def test_batches_where_order_counts(load: Load, failed: Make) -> None:
    """A message follows all that were before it, of whatever queue they are."""
    queues = ("orders", "orders", "other", "other", "orders")
    messages = [failed({"id": str(number)}, str(number), queue=queue) for number, queue in enumerate(queues)]

    found = rehearse_all(load(), messages, StoredItems(), ordered=True)

    assert batches(found) == [("0", 1, False), ("1", 1, False), ("2", 2, False), ("3", 2, False), ("4", 3, False)]


@pytest.mark.parametrize(
    ("groups", "outcomes", "effects"),
    [("ab", ["stale", "written"], ["nothing", "new"]), ("aa", ["written", "written"], ["new", "replaced"])],
)
def test_groups_of_a_batch(load: Load, failed: Make, groups: str, outcomes: list[str], effects: list[str]) -> None:
    """Messages of two groups are delivered together, those of one group one after the other."""
    program = as_fifo(load("write: {mode: newest, version: v}"))
    messages = [
        failed({"id": "o", "v": number}, str(number), {"MessageGroupId": group}) for number, group in enumerate(groups)
    ]

    found = rehearse_all(program, messages, StoredItems())

    assert [each.outcome and each.outcome.kind for each in found] == outcomes
    assert [each.changes[0].effect for each in found] == effects


CONFIG = """
version: 1
queues:
  orders: {dead_letter: dead, envelope: [s3_pointer], s3_pointer: {buckets: [payloads]}}
  others: {dead_letter: elsewhere}
  both: {dead_letter: third, ATOMIC}
tables: {orders: {key: {id: S}}, versions: {key: {id: S}}}
routes:
  orders: {queue: orders, table: orders}
  others: {queue: others, table: orders}
  put: {queue: both, table: orders}
  newest: {queue: both, table: versions, write: {mode: newest, version: v}}
"""


@pytest.fixture
def load_queues(tmp_path: Path) -> Load:
    """Load a config whose queues have dead-letter queues of their own; one writes two items for each message."""

    def load_config(settings: str = "") -> Program:
        path = tmp_path / "routes.yaml"
        path.write_text(CONFIG.replace("ATOMIC", settings), encoding="utf-8")
        return load_program(path, {})

    return load_config


@pytest.fixture
def program(load_queues: Load) -> Program:
    """The program; payloads of one of its queues are in S3."""
    return load_queues()


def test_the_queue_of_a_message_that_sqs_moved(program: Program, moved: Make) -> None:
    """It is the only one with this dead-letter queue."""
    found = rehearse(program, moved({"id": "o"}), StoredItems())

    assert (found.queue, found.outcome.kind, found.batch) == ("orders", "written", 1)


def test_a_message_that_failed_on_another_queue(program: Program, failed: Make) -> None:
    """It stays, although one queue only has this dead-letter queue now: it would be written as what it is not."""
    found = rehearse(program, failed({"id": "o"}, queue="gone"), StoredItems())

    assert (found.queue, found.outcome, found.batch) == ("gone", None, 0)


def test_a_message_of_no_queue(load: Load, moved: Make) -> None:
    """Two queues have the dead-letter queue: it is not known of which the message is, and it stays."""
    found = rehearse(load(), moved({"id": "o"}), StoredItems())

    assert (found.queue, found.outcome, found.batch, found.passes) == ("", None, 0, False)


def test_payloads_are_fetched(program: Program, moved: Make) -> None:
    """More of them than at a time; one that cannot be read now keeps its message."""
    asked: list[str] = []

    def fetch(bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        asked.append(key)
        return AwsFault("refused", "AccessDenied", 403) if key == "3" else json.dumps({"id": f"in S3 {key}"}).encode()

    objects: Any = SimpleNamespace(fetch=fetch)
    aws = Aws(MemoryTables.of(program), MemoryQueues(), objects)
    kind = "software.amazon.payloadoffloading.PayloadS3Pointer"
    ids = [str(number) for number in range(20)]
    messages = [moved([kind, {"s3BucketName": "payloads", "s3Key": id_}], id_) for id_ in ids]
    with WrittenItems() as written:
        found = list(Rehearser(program, "dead", aws, StoredItems(), written).rehearse_all(messages))

    assert sorted(asked) == sorted(ids)
    assert [each.message.id for each in found if not each.passes] == ["3"]
    assert [each.changes[0].key["id"] for each in found if each.passes] == [f"in S3 {id_}" for id_ in ids if id_ != "3"]


@pytest.mark.parametrize(
    ("settings", "effects"), [("", ["new", "unchanged"]), ("atomic: true", ["nothing", "unchanged"])]
)
def test_writes_of_one_message(load_queues: Load, failed: Make, settings: str, effects: list[str]) -> None:
    """In one transaction, a stale one keeps the other; else it does not."""
    stored = {"id": {"S": "o"}, "v": {"N": "9"}}

    def read(table: Any, key: Any) -> Any:
        return stored if table.name == "versions" else None

    program = load_queues(settings)
    found = rehearse(program, failed({"id": "o", "v": 1}, queue="both"), read)

    assert found.outcome.kind == ("stale" if settings else "written")
    assert [each.effect for each in found.changes] == effects


def test_a_message_that_takes_too_long(load: Load, failed: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays, as a delivery would leave it; nothing is read for it."""
    monkeypatch.setattr("router.tools.dlq.planning.MAX_PLANNING_SECONDS", -1.0)
    items = StoredItems()
    program = load("for_each: list, item: {id: element}")

    found = rehearse(program, failed({"id": "o", "list": ["a", "b"]}), items)

    assert (found.outcome, found.changes, found.batch, items.read) == (TOO_COSTLY, (), 0, [])

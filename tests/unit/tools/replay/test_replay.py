"""Replays: what is delivered together, in which order, and the file of rejected messages."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from router.errors import UsageError
from router.testing import MemoryQueues, MemoryTables
from router.tools.replay.delivery import OrderedDelivery
from router.tools.replay.journal import ReplayJournal
from router.tools.replay.rejected import RejectedFile
from router.tools.replay.replay import Replay, read_windows, separate_queues
from router.tools.replay.source import Source, SourceOptions, SourceSelection
from tests.support.aws import Aws
from tests.support.dlq import Planner
from tests.support.program import Program, compile_expression, load_program

CONFIG = """
version: 1
queues: {a: {dead_letter: dead, redact: [secret]}, b: {}, c: {}, d: {}}
tables: {one: {key: {id: S}}, two: {key: {id: S}}, three: {key: {id: S}}}
routes:
  a: {queue: a, table: one, schema: {type: object, required: [id]}, item: {id: id, n: n}}
  b: {queue: b, table: two}
  c: {queue: c, table: one}
  c2: {queue: c, table: three}
  d: {queue: d, table: three}
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("ROUTER_REDACT_KEY", "0123456789abcdef")
    (tmp_path / "routes.yaml").write_text(CONFIG, encoding="utf-8")
    return load_program(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": "0123456789abcdef"})


class Run:
    """One run of a replay to tables in memory."""

    def __init__(self, program: Program, folder: Path, tables: MemoryTables, **reading: Any) -> None:
        self.folder = folder
        self.tables = tables
        aws = Aws(tables, MemoryQueues())
        self.journal = ReplayJournal(folder / "journal")
        self.begun = bool(self.journal.what)
        self.source = Source(program, [str(folder / "source")], SourceOptions("a"))
        self.delivery = OrderedDelivery(program, aws, Planner(aws), lambda message, planned: None)
        self.slept: list[float] = []
        self._program = program

    def windows(self, most: int = 2, where: str = "") -> list[Any]:
        selection = SourceSelection(where=compile_expression(where) if where else None)
        return [*read_windows(self.source, selection, self.journal, most)]

    def __call__(self, most: int = 2, stop_after: int = 99, rate: float | None = None) -> None:
        with self.journal as journal:
            rejected = RejectedFile(self.folder / "rejected", journal.rejected, begun=self.begun)
            journal.start({})
            journal.start({"sources": []})
            replay = Replay(
                self._program, self.delivery, journal, rejected, rate, lambda: sum(self.slept), self.slept.append
            )
            for number, window in enumerate(read_windows(self.source, SourceSelection(), journal, most)):
                if number == stop_after:
                    return
                replay.keep_rate(window)
                replay.deliver(window)

    @property
    def rejected(self) -> list[Any]:
        return [json.loads(line) for line in (self.folder / "rejected").read_text().splitlines()]


@pytest.fixture
def run(program: Program, tmp_path: Path) -> Callable[[], Run]:
    tables = MemoryTables.of(program)

    def begin() -> Run:
        return Run(program, tmp_path, tables)

    lines = [{"id": "x", "n": 1}, {"secret": "s"}, {"id": "x", "n": 2}, {"id": "y", "n": 3}, {"no": "id"}]
    (tmp_path / "source").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    return begin


def test_windows(run: Callable[[], Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Some messages each, with the place where the source is then; what is not selected counts as done."""
    assert [([*each.messages], each.position) for each in run().windows()] == [([1, 2], 2), ([3, 4], 4), ([5], 5)]
    chosen = run().windows(where="n == `3`")
    assert [([*each.messages], each.position) for each in chosen] == [([4], 5)]
    monkeypatch.setattr("router.tools.replay.replay._MOST_READ", 2)
    assert [each.position for each in run().windows(99, "n == `9`")] == [2, 4, 5]
    monkeypatch.setattr("router.tools.replay.replay.MOST_CHARACTERS", 1)
    assert [each.position for each in run().windows(99)] == [1, 2, 3, 4, 5]


def test_a_run_that_is_stopped_goes_on(run: Callable[[], Run]) -> None:
    """Also in the middle of what is delivered together."""
    run()(stop_after=1)
    second = run()
    assert (second.journal.position, [each["Body"] for each in second.rejected]) != (0, [])
    with second.journal as journal:
        journal.confirm([3], [("written", "", "")], journal.rejected)
    third = run()
    assert [[*each.messages] for each in third.windows()] == [[4, 5]]
    last = run()
    last()
    assert last.tables.items("one") == [{"id": "x", "n": 1}, {"id": "y", "n": 3}]
    assert last.journal.results.total() == 5


def test_rejected_messages(run: Callable[[], Run]) -> None:
    """As dead letters, without what is redacted; what no line of the journal has is cut off."""
    first = run()
    first(stop_after=1)
    (line,) = first.rejected
    assert "redacted:string:" in line["Body"]
    assert '"s"' not in line["Body"]
    failed = json.loads(line["MessageAttributes"]["router"]["StringValue"])
    assert (failed["code"], failed["queue"], failed["message_id"]) == ("RT806", "a", line["MessageId"])
    assert (first.folder / "rejected").stat().st_mode & 0o777 == 0o600

    with (first.folder / "rejected").open("a") as file:
        file.write('{"torn')
    run()()
    assert [json.loads(each["Body"]).keys() for each in first.rejected] == [{"secret"}, {"no"}]

    (first.folder / "rejected").write_text("")
    with pytest.raises(UsageError, match="rejected has not all messages that were rejected before; put it back"):
        run()()


def test_a_file_of_something_else(run: Callable[[], Run], tmp_path: Path) -> None:
    """Is not written to."""
    (tmp_path / "rejected").write_text("mine")
    with pytest.raises(UsageError, match="rejected exists already; move it, or name another file with --rejected"):
        run()()
    assert (tmp_path / "rejected").read_text() == "mine"


def test_no_room_for_rejected_messages(run: Callable[[], Run], tmp_path: Path) -> None:
    """What was written with them is in the journal all the same."""
    first = run()
    first.journal.__enter__()
    first.journal.start({"sources": []})
    first.journal.reserve(9)
    rejected = RejectedFile(tmp_path / "rejected", 0, begun=False)
    replay = Replay(first._program, first.delivery, first.journal, rejected)
    (window,) = first.windows(99)
    first.journal.make_room = lambda size: None  # type: ignore[method-assign]
    (tmp_path / "rejected").mkdir()
    with pytest.raises(UsageError, match=r"cannot write .*rejected"):
        replay.deliver(window)
    first.journal.__exit__()
    assert (run().journal.position, run().journal.done) == (0, {1, 3, 4})


def test_rate(run: Callable[[], Run]) -> None:
    """So many messages a second at most."""
    limited = run()
    limited(rate=2.0)
    assert limited.slept == [0.0, 1.0, 1.0]


def test_queues_that_write_a_common_table(program: Program) -> None:
    """Directly or by others: their messages are in order; those of other queues are delivered together."""
    parts = separate_queues(program)
    assert parts["a"] == parts["c"] == parts["d"] != parts["b"]


def test_messages_of_several_queues(program: Program, tmp_path: Path) -> None:
    """Those of queues with a common table change places with none of each other."""

    def line(queue: str, number: int) -> str:
        failed = {
            "code": "",
            "reason": "",
            "queue": queue,
            "route": "",
            "pointer": "",
            "message_id": f"m{number}",
            "receive_count": 1,
            "failed_at": None,
        }
        attribute = {"DataType": "String", "StringValue": json.dumps(failed)}
        body = json.dumps({"id": "x", "n": number})
        return json.dumps({"MessageId": f"{number}", "Body": body, "MessageAttributes": {"router": attribute}})

    (tmp_path / "source").write_text("".join(f"{line(each, place)}\n" for place, each in enumerate("abcab", 1)))
    tables = MemoryTables.of(program)
    run = Run(program, tmp_path, tables)
    (window,) = run.windows(99)
    replay = Replay(program, run.delivery, run.journal, RejectedFile(tmp_path / "rejected", 0, begun=False))
    groups = [(queue.name, [*messages]) for queue, messages in replay._in_order(window.messages)]
    assert groups == [("a", [1]), ("c", [3]), ("a", [4]), ("b", [2, 5])]


PLUGIN = """
from pathlib import Path

from router import hookimpl


@hookimpl
def router_transform_message(message, route):
    if message.data.get("fails") and not Path(__file__).with_name("fixed").exists():
        raise KeyError
"""


class Blocked:
    """Runs of a replay of two queues, whose tables a plugin fails on some messages of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "hooks.py").write_text(PLUGIN)
        self.tables = MemoryTables(dict.fromkeys(("one", "two", "three"), (("id", "S"),)))
        self.use("one")

    def use(self, table: str) -> None:
        """Write the config, whose queue `a` writes this table."""
        text = CONFIG.replace("table: one, schema: {type: object, required: [id]}, ", f"table: {table}, ")
        (self.folder / "routes.yaml").write_text(f"{text}plugins: [hooks.py]\n".replace("redact: [secret]", ""))

    def source(self, *messages: Any) -> None:
        lines = []
        for number, (queue, body) in enumerate(messages, 1):
            failed = {"code": "", "reason": "", "queue": queue, "route": "", "pointer": "", "message_id": f"m{number}"}
            value = json.dumps(failed | {"receive_count": 1, "failed_at": None})
            attributes = {"router": {"DataType": "String", "StringValue": value}}
            line = {"MessageId": f"m{number}", "Body": json.dumps(body), "MessageAttributes": attributes}
            lines.append(json.dumps(line))
        (self.folder / "source").write_text("".join(f"{each}\n" for each in lines))

    def fix(self) -> None:
        (self.folder / "fixed").touch()

    def __call__(self, most: int = 2) -> Run:
        run = Run(load_program(self.folder / "routes.yaml", {}), self.folder, self.tables)
        run.delivery._sleep = lambda seconds: None
        run(most)
        return run

    def items(self, table: str) -> dict[str, int]:
        return {each["id"]: int(each["n"]) for each in self.tables.items(table)}


@pytest.fixture
def blocked(tmp_path: Path) -> Blocked:
    found = Blocked(tmp_path)
    found.source(
        ("a", {"id": "x", "n": 1}),
        ("a", {"id": "x", "n": 2, "fails": True}),
        ("b", {"id": "x", "n": 3}),
        ("a", {"id": "x", "n": 4}),
        ("c", {"id": "x", "n": 5}),
        ("b", {"id": "x", "n": 6}),
    )
    return found


def test_what_a_plugin_fails_on_is_left(blocked: Blocked) -> None:
    """With what may follow it; once the plugin is fixed, it is written, and then the others, in order."""
    first = blocked()
    assert (blocked.items("one"), blocked.items("two")) == ({"x": 1}, {"x": 6})
    assert ([*first.journal.left], first.journal.position) == ([2, 4, 5], 6)
    assert first.journal.left[2].tables == ("one",)
    assert first.journal.left[5].tables == ("one", "three")

    again = blocked()
    assert ([*again.journal.left], again.journal.results.total()) == ([2, 4, 5], 3)

    blocked.fix()
    last = blocked(1)
    assert (blocked.items("one"), blocked.items("three"), blocked.items("two")) == ({"x": 5}, {"x": 5}, {"x": 6})
    assert (last.journal.left, last.journal.results.total()) == ({}, 6)


def test_more_lines_after_messages_that_are_left(blocked: Blocked) -> None:
    """They come after those."""
    blocked()
    with (blocked.folder / "source").open("a") as file:
        line = (blocked.folder / "source").read_text().splitlines()[3]
        file.write(line.replace('"m4"', '"m7"').replace('4}"', '7}"') + "\n")
    assert [*blocked().journal.left] == [2, 4, 5, 7]
    blocked.fix()
    blocked(1)
    assert blocked.items("one") == {"x": 7}


def test_another_source_before_messages_that_are_left(blocked: Blocked) -> None:
    """It is refused, before one of its messages is written."""
    blocked()
    blocked.fix()
    path = blocked.folder / "source"
    path.write_text(path.read_text().replace("1}", "9}"))
    with pytest.raises(UsageError, match="the source is not the one that the journal is of"):
        blocked()
    assert blocked.items("one") == {"x": 1}


def test_another_table_for_messages_that_are_left(blocked: Blocked) -> None:
    """Later messages were written there: an older one would replace them."""
    blocked()
    blocked.fix()
    blocked.use("two")
    with pytest.raises(UsageError, match="source:2 waits since an earlier run, and the config writes its queue to"):
        blocked()
    assert blocked.items("two") == {"x": 6}


def test_when_reading_on_is_of_no_use(blocked: Blocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables are held, or more messages wait than the journal keeps."""
    program = load_program(blocked.folder / "routes.yaml", {})
    run = Run(program, blocked.folder, blocked.tables)
    replay = Replay(program, run.delivery, run.journal, RejectedFile(blocked.folder / "rejected", 0, begun=False))
    found = [replay.is_stuck]
    run.delivery.held = {"one", "three"}
    found.append(replay.is_stuck)
    monkeypatch.setattr("router.tools.replay.replay.MOST_LEFT", 0)
    found.append(replay.is_stuck)
    monkeypatch.undo()
    run.delivery.held = {"one", "two", "three"}
    found.append(replay.is_stuck)
    assert found == [False, False, True, True]


@pytest.mark.parametrize("seed", range(12))
def test_any_messages_that_a_plugin_fails_on(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each item, no message is written after a later one; at last all are written."""
    random = Random(seed)
    blocked = Blocked(tmp_path)
    blocked.source(
        *[
            (
                random.choice("abcd"),
                {"id": random.choice("xyz"), "n": number, "fails": number == 30 or random.random() < 0.04},
            )
            for number in range(60)
        ]
    )
    written: dict[tuple[str, str], list[int]] = {}
    write = MemoryTables.batch_write

    def note(tables: MemoryTables, table: str, requests: list[Any], *more: Any) -> Any:
        for request in requests:
            item = request["PutRequest"]["Item"]
            written.setdefault((table, item["id"]["S"]), []).append(int(item["n"]["N"]))
        return write(tables, table, requests, *more)

    monkeypatch.setattr(MemoryTables, "batch_write", note)
    done = [blocked(most).journal.results.total() for most in (7, 3)]
    assert done[0] == done[1] < 60
    blocked.fix()
    last = blocked(5).journal
    assert (last.results.total(), last.left) == (60, {})
    assert all(numbers == sorted(numbers) for numbers in written.values())

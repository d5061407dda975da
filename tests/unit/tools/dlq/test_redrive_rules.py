"""What must not happen to a message that is redriven: twice, nowhere, later than its lease, or as another one."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.journal import Journal
from router.tools.dlq.redrive import Redriven, Redriver, batch_size
from tests.support.aws import Aws, AwsFault
from tests.support.program import Program, load_program
from tests.unit.tools.dlq.conftest import CONFIG, Make

BUSY = AwsFault("retry", "InternalError", 500)
DENIED = AwsFault("configuration", "AccessDenied", 403)
BEHIND = "an earlier message of its group stays"


class Source:
    """A dead-letter queue whose messages are leased until `until`, but for those that are `unknown`."""

    lasting = fifo = False
    until = 700.0

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.faults: dict[str, AwsFault] = {}
        self.unknown: set[str] = set()

    def leased_until(self, ids: Sequence[str]) -> dict[str, float]:
        return {id_: self.until for id_ in ids if id_ not in self.unknown}

    @property
    def deleted(self) -> list[str]:
        return list(chain(*self.calls))

    def delete(self, ids: Sequence[str]) -> dict[str, AwsFault]:
        self.calls.append(list(ids))
        return {id_: self.faults[id_] for id_ in ids if id_ in self.faults}


class Queues(MemoryQueues):
    """Queues in memory that do not send some messages; `timeouts` are those of the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, AwsFault] = {}
        self.timeouts: list[float] = []

    def url(self, reference: str, timeout: float = 0) -> str | AwsFault:
        assert timeout > 0
        return super().url(reference, timeout)

    def send(self, url: str, letters: Sequence[Any], timeout: float = 0) -> dict[str, AwsFault]:
        if letters:
            self.timeouts.append(timeout)
            super().send(url, [each for each in letters if each.id not in self.faults], timeout)
        return {each.id: self.faults[each.id] for each in letters if each.id in self.faults}


class Run:
    """A redriver on everything in memory, at the second 100 of its clock."""

    def __init__(self, program: Program, journal: Journal) -> None:
        self.program = program
        self.tables = MemoryTables.of(program)
        self.queues = Queues()
        self.source = Source()
        self.redriver = Redriver(program, Aws(self.tables, self.queues), self.source, journal, clock=lambda: 100.0)

    def be_fifo(self) -> None:
        queue = structs.replace(self.program.engine.queues["orders"], fifo=True)
        self.program.engine.queues["orders"] = queue  # type: ignore[index]

    def deliver(self, *messages: Any) -> list[Redriven]:
        return self.redriver.deliver(self.program.engine.queues["orders"], messages)

    def send_back(self, *messages: Any) -> list[Redriven]:
        return self.redriver.send_back(self.program.engine.queues["orders"], messages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """A journal that is open."""
    with Journal(path) as found:
        yield found


@pytest.fixture
def run(load: Callable[..., Program], journal: Journal) -> Run:
    """A run with that journal."""
    return Run(load(), journal)


def test_a_deleted_message_is_not_confirmed_any_more(path: Path, journal: Journal) -> None:
    """If it comes again, as SQS may move a message twice, it is to be delivered, and not only deleted."""
    journal.confirm({"1": "written", "2": "written"})
    journal.delete(["1"])

    after = Journal(path)
    assert (after.result("1"), after.result("2")) == (None, "written")


def test_a_new_journal_begins_when_it_is_opened(path: Path) -> None:
    """Until then, as with --dry-run, the one before stays; then nothing of it is left."""
    with Journal(path) as before:
        before.confirm({"1": "written", "2": "written"})
    again = Journal(path, again=True)
    results = [again.result("1"), Journal(path).result("1")]
    with again:
        results.append(again.result("2"))
        again.confirm({"3": "written"})
    after = Journal(path)

    assert results == [None, "written", None]
    assert [after.result(id_) for id_ in "123"] == [None, None, "written"]


def test_a_journal_that_another_command_deletes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the two calls that open and lock it: what is written to a deleted file would be lost."""
    lock = fcntl.flock
    deleted: list[Path] = []

    def delete_and_lock(file: Any, operation: int) -> None:
        if not deleted:
            path.unlink()
            deleted.append(path)
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", delete_and_lock)
    with Journal(path) as journal:
        journal.confirm({"1": "written"})

        assert Journal(path).result("1") == "written"
    assert deleted


def test_a_journal_that_somebody_deletes(path: Path) -> None:
    """A command that is done does not fail for it."""
    with Journal(path) as journal:
        path.unlink()
        journal.confirm({})

    assert not path.exists()


def test_what_follows_a_confirmed_message_is_delivered(run: Run, journal: Journal, failed: Make) -> None:
    """Confirmed messages of a batch are only deleted, wherever they are in it."""
    journal.confirm({"2": "written"})

    results = run.deliver(*(failed({"id": id_}, id_) for id_ in "123"))

    assert {each.id: (each.result, each.deleted) for each in results} == dict.fromkeys("123", ("written", True))
    assert run.tables.items("orders") == [{"id": "1"}, {"id": "3"}]


@pytest.mark.parametrize("way", ["deliver", "send_back"])
def test_a_message_without_a_lease_is_left_out(run: Run, failed: Make, way: str) -> None:
    """Others may have it."""
    run.source.unknown = {"1"}

    (result,) = getattr(run, way)(failed({"id": "a"}, "1"))

    assert result == Redriven("1", "lease over", "", "others may have it; run the command again")
    assert (run.tables.items("orders"), [*run.queues.letters.values()], run.source.deleted) == ([], [], [])


def test_a_message_is_sent_while_it_is_leased(run: Run, failed: Make) -> None:
    """The call ends with the lease."""
    run.source.until = 130.0

    run.send_back(failed({"id": "a"}, "1"))

    assert run.queues.timeouts == [30.0]


def test_messages_of_a_standard_queue_are_deleted_together(run: Run, moved: Make) -> None:
    """Their groups have no order: a message that cannot be deleted keeps no other one."""
    run.source.faults = {"a1": BUSY}

    results = run.deliver(*(moved({"id": id_}, id_, MessageGroupId=id_[0]) for id_ in ("a1", "a2")))

    assert run.source.calls == [["a1", "a2"]]
    assert [each.deleted for each in results] == [False, True]


def test_what_could_not_be_deleted_is_reported(run: Run, failed: Make) -> None:
    """Of all batches."""
    run.source.faults = {"1": BUSY, "2": DENIED}
    for id_ in "123":
        run.deliver(failed({"id": id_}, id_))

    assert run.redriver.undeleted == run.source.faults


@pytest.mark.parametrize(("fault", "configuration"), [(BUSY, False), (DENIED, True)])
def test_a_message_that_is_not_sent(run: Run, moved: Make, fault: AwsFault, configuration: bool) -> None:
    """It is to be tried again, and so are those behind it; a configuration error is that of all further ones."""
    run.be_fifo()
    run.queues.faults = {"a1": fault}

    results = run.send_back(*(moved({"id": id_}, id_, MessageGroupId="a") for id_ in ("a1", "a2")))

    reason = f"cannot be sent: {fault.cause}"
    assert results == [
        Redriven("a1", "retry", "", reason, configuration_error=configuration),
        Redriven("a2", "retry", "", BEHIND),
    ]
    assert run.source.deleted == []


@pytest.mark.parametrize(
    ("fifo", "group", "sent"),
    [
        (True, "g", ("g", "1")),
        (True, "", ("1", "1")),
        (False, "g", ("g", "")),
        (False, "", ("", "")),
    ],
)
def test_a_message_is_sent_back_as_it_was(run: Run, moved: Make, fifo: bool, group: str, sent: tuple[str, str]) -> None:
    """With its group; a FIFO queue needs one, and an id by which a message that is sent twice is one."""
    if fifo:
        run.be_fifo()
    system = {"MessageGroupId": group} if group else {}

    (result,) = run.send_back(moved({"id": "a"}, "1", **system))

    (letter,) = run.queues.letters["orders"]
    assert (result, letter.group_id, letter.deduplication_id) == (Redriven("1", "sent", deleted=True), *sent)
    assert letter.body == '{"id": "a"}'


def test_a_message_without_room_says_what_to_do(run: Run, moved: Make) -> None:
    """It stays."""
    (result,) = run.send_back(moved("x" * (1024 * 1024 - 2), "1"))

    reason = "without room for the attribute it would lose its identity; redrive it without --to-queue"
    assert result == Redriven("1", "no room", "", reason)


def test_the_smallest_batch() -> None:
    """At less than two messages a second it is one message."""
    assert [batch_size(rate) for rate in (0.1, 1.9, 2.0)] == [1, 1, 2]


def test_ctrl_c_while_a_plugin_runs(tmp_path: Path, journal: Journal, failed: Make) -> None:
    """It ends the command, and is no failure of the message, which stays."""
    hook = "from router import hookimpl\n@hookimpl\ndef router_transform_item(item):\n    raise KeyboardInterrupt\n"
    (tmp_path / "own.py").write_text(hook)
    file = tmp_path / "routes.yaml"
    file.write_text(
        CONFIG.replace("version: 1", "version: 1\nplugins: [own.py]").replace("ROUTE", "write: {mode: put}")
    )
    run = Run(load_program(file, {}), journal)

    with pytest.raises(KeyboardInterrupt):
        run.deliver(failed({"id": "a"}, "1"))

    assert run.source.deleted == []

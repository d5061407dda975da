"""Redriving: what is confirmed is deleted, and a run that was stopped goes on."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from router.errors import UsageError
from router.testing import MemoryQueues, MemoryTables
from router.tools.dlq.journal import Journal
from router.tools.dlq.redrive import Redriven, Redriver, batch_size
from tests.support.aws import Aws, AwsFault, WriteResponse
from tests.support.program import Program
from tests.unit.tools.dlq.conftest import Make

FAULT = AwsFault("retry", "InternalError", 500)


class Source:
    """The messages of a dead-letter queue; those in `stuck` cannot be deleted, `ends` are the ends of leases."""

    def __init__(self, *stuck: str) -> None:
        self.fifo = self.lasting = False
        self.deleted: list[str] = []
        self.ends: dict[str, float] = {}
        self.stuck = stuck

    def leased_until(self, ids: Sequence[str]) -> dict[str, float]:
        return dict.fromkeys(ids, 600.0) | self.ends

    def delete(self, ids: Sequence[str]) -> dict[str, AwsFault]:
        self.deleted += [id_ for id_ in ids if id_ not in self.stuck]
        return {id_: FAULT for id_ in ids if id_ in self.stuck}


class Redrive:
    """A redriver with all that it works on."""

    def __init__(self, program: Program, journal: Path, *stuck: str, rate: float | None = None) -> None:
        self.program = program
        self.tables = MemoryTables.of(program)
        self.queues = MemoryQueues()
        self.source = Source(*stuck)
        self._open = ExitStack()
        self.journal = self._open.enter_context(Journal(journal))
        self.now = 0.0
        self.redriver = Redriver(
            program, Aws(self.tables, self.queues), self.source, self.journal, rate, lambda: self.now, self.sleep
        )

    def end(self) -> None:
        """Close the journal, if it is open."""
        self._open.close()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def deliver(self, *messages: Any) -> list[Redriven]:
        return self.redriver.deliver(self.program.engine.queues["orders"], messages)

    def send_back(self, *messages: Any) -> list[Redriven]:
        return self.redriver.send_back(self.program.engine.queues["orders"], messages)


@pytest.fixture
def redrive(load: Callable[..., Program], tmp_path: Path) -> Iterator[Callable[..., Redrive]]:
    """Make redrivers with journals in the test's folder."""
    made: list[Redrive] = []

    def make(journal: str = "journal", *stuck: str, rate: float | None = None) -> Redrive:
        made.append(Redrive(load(), tmp_path / journal, *stuck, rate=rate))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_deliver(redrive: Callable[..., Redrive], failed: Make) -> None:
    """Delivered messages are deleted; one that is rejected stays as it is."""
    run = redrive()

    results = run.deliver(failed({"id": "a"}, "1"), failed({"no": "id"}, "2"))

    assert [(each.id, each.result, each.code, each.deleted) for each in results] == [
        ("1", "written", "", True),
        ("2", "rejected", "RT806", False),
    ]
    assert (run.source.deleted, run.tables.items("orders"), run.queues.letters) == (["1"], [{"id": "a"}], {})


def test_a_configuration_error_is_one(redrive: Callable[..., Redrive], failed: Make) -> None:
    """No message is at fault, and all stay."""
    run = redrive()
    tables: Any = run.tables
    denied = AwsFault("configuration", "AccessDeniedException", 400)
    tables.batch_write = lambda *arguments: WriteResponse(fault=denied)

    (result,) = run.deliver(failed({"id": "a"}, "1"))

    assert (result.result, result.configuration_error, result.deleted) == ("retry", True, False)
    assert "AccessDeniedException" in result.reason


def test_a_stopped_run_goes_on(redrive: Callable[..., Redrive], failed: Make, tmp_path: Path) -> None:
    """What is confirmed is deleted, and not delivered again."""
    path = tmp_path / "journal"
    before = redrive("journal", "1")
    (result,) = before.deliver(failed({"id": "a"}, "1"))
    assert (result.result, result.deleted, before.journal.result("1")) == ("written", False, "written")
    before.end()
    with path.open("a") as file:
        file.write('{"id": "2", "resu')  # the process was killed here

    after = redrive()
    (result,) = after.deliver(failed({"id": "a"}, "1"))

    assert (result.result, result.deleted, after.tables.items("orders")) == ("written", True, [])
    after.end()
    assert not path.exists()


def test_a_journal_is_kept_for_messages_that_are_not_visible_yet(
    redrive: Callable[..., Redrive], failed: Make, tmp_path: Path
) -> None:
    """They were confirmed by a command that was killed, and a run before they are visible again has not seen them."""
    before = redrive("journal", "1")
    before.deliver(failed({"id": "a"}, "1"))
    before.end()
    between = redrive()
    between.deliver(failed({"id": "b"}, "2"))
    between.end()
    after = redrive()
    (result,) = after.deliver(failed({"id": "a"}, "1"))

    assert (result.result, result.deleted, after.tables.items("orders")) == ("written", True, [])


def test_send_back(redrive: Callable[..., Redrive], failed: Make, moved: Make) -> None:
    """Messages keep their identity and their trace; those that SQS moved get the attribute."""
    run = redrive()
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"

    results = run.send_back(
        failed({"id": "a"}, "1"), moved({"id": "b"}, "2", MessageGroupId="tenant", AWSTraceHeader=trace)
    )

    assert [(each.result, each.deleted) for each in results] == [("sent", True)] * 2
    ours, theirs = run.queues.letters["orders"]
    first, second = (json.loads(each.message_attributes["router"]["StringValue"]) for each in (ours, theirs))
    now = second["failed_at"]
    assert (first["message_id"], second) == (
        "original-1",
        {
            "code": "",
            "reason": "the redrive policy of its queue moved it",
            "queue": "orders",
            "route": "",
            "pointer": "",
            "message_id": "2",
            "receive_count": 0,
            "failed_at": now,
            "source": "orders",
            "sent_at": "2026-01-01T00:00:00.000Z",
            "group_id": "tenant",
            "first_failed_at": now,
        },
    )
    assert (ours.group_id, theirs.group_id) == ("", "tenant")
    assert (ours.trace_header, theirs.trace_header) == ("", trace)


@pytest.mark.parametrize("way", ["deliver", "send_back"])
def test_a_message_whose_lease_is_over_stays(redrive: Callable[..., Redrive], failed: Make, way: str) -> None:
    """Others may have it: it is left out and reported, and not deleted."""
    run = redrive()
    run.now = 50.0
    run.source.ends = {"1": 50.0, "2": 59.0}

    results = getattr(run, way)(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"), failed({"id": "c"}, "3"))

    done = "written" if way == "deliver" else "sent"
    assert {each.id: (each.result, each.deleted) for each in results} == {
        "1": ("lease over", False),
        "2": ("lease over", False),
        "3": (done, True),
    }
    assert run.source.deleted == ["3"]
    assert run.tables.items("orders") == ([{"id": "c"}] if way == "deliver" else [])
    assert [letter.id for letter in run.queues.letters.get("orders", [])] == ([] if way == "deliver" else ["3"])


@pytest.mark.parametrize("way", ["deliver", "send_back"])
def test_no_message_is_sent_after_the_end_of_its_lease(redrive: Callable[..., Redrive], failed: Make, way: str) -> None:
    """The time of a batch ends with the first lease of its messages."""
    run = redrive()
    run.source.ends = {"2": 20.0}
    times: list[float] = []

    def deliver(queue: Any, records: Any, deadline: Any) -> list[Any]:
        times.append(deadline.end)
        return []

    def send(url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        times.append(run.now + timeout)
        return {}

    redriver, queues = cast("Any", run.redriver), cast("Any", run.queues)
    redriver._delivery.deliver, queues.send = deliver, send

    getattr(run, way)(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))

    assert times == [20.0]


def test_what_is_not_sent_stays(redrive: Callable[..., Redrive], failed: Make) -> None:
    """With the reason."""
    run = redrive()
    queues: Any = run.queues
    queues.send = lambda url, messages, timeout: {messages[0].id: FAULT}

    results = run.send_back(failed({"id": "a"}, "1"), failed({"id": "b"}, "2"))

    assert [(each.result, each.reason, each.deleted) for each in results] == [
        ("retry", "cannot be sent: InternalError", False),
        ("sent", "", True),
    ]
    queues.url = lambda reference, timeout: AwsFault("configuration", "QueueDoesNotExist", 400)
    with pytest.raises(UsageError, match="cannot send to the queue 'orders': QueueDoesNotExist"):
        run.send_back(failed({"id": "c"}, "3"))


def test_an_identity_without_room_is_not_sent_back(redrive: Callable[..., Redrive], failed: Make, moved: Make) -> None:
    """With ten attributes there is none for the router's: the message would be new, and newer than what is stored."""
    run = redrive()
    full = moved({"id": "a"}, "1")
    for number in range(10):
        full.record.message_attributes[f"a{number}"] = {"DataType": "String", "StringValue": "x"}  # type: ignore[index]
    large = moved("x" * (1024 * 1024 - 2), "2")

    results = run.send_back(full, large, failed({"id": "c"}, "3"))

    assert {each.id: (each.result, each.deleted) for each in results} == {
        "1": ("no room", False),
        "2": ("no room", False),
        "3": ("sent", True),
    }
    assert [letter.id for letter in run.queues.letters["orders"]] == ["3"]


class TestFifo:
    """Where the order of a group counts."""

    @pytest.fixture
    def run(self, redrive: Callable[..., Redrive]) -> Redrive:
        run = redrive()
        run.source.fifo = True
        run.program.engine.queues["orders"] = structs.replace(run.program.engine.queues["orders"], fifo=True)  # type: ignore[index]
        return run

    def messages(self, moved: Make) -> list[Any]:
        """a1, b1, a2, b2, a3."""
        return [moved({"id": id_}, id_, MessageGroupId=id_[0]) for id_ in ("a1", "b1", "a2", "b2", "a3")]

    @pytest.mark.parametrize("way", ["deliver", "send_back"])
    def test_a_lease_that_is_over_keeps_the_rest_of_its_group(self, run: Redrive, moved: Make, way: str) -> None:
        """A later message must not be before it."""
        run.source.ends = {"a2": 5.0}

        results = getattr(run, way)(*self.messages(moved))

        left = {each.id for each in results if each.result == "lease over"}
        assert (left, run.source.deleted) == ({"a2", "a3"}, ["a1", "b1", "b2"])

    def test_a_message_that_is_not_sent_keeps_the_rest_of_its_group(self, run: Redrive, moved: Make) -> None:
        """The others go on."""
        sent = []

        def send(url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
            sent.append([each.id for each in messages])
            return {each.id: FAULT for each in messages if each.id == "a2"}

        queues: Any = run.queues
        queues.send = send

        results = run.send_back(*self.messages(moved))

        assert sent == [["a1", "b1"], ["a2", "b2"]]
        assert [(each.id, each.deleted) for each in results] == [
            ("a1", True),
            ("b1", True),
            ("a2", False),
            ("b2", True),
            ("a3", False),
        ]
        assert {each.id: each.reason for each in results if not each.deleted} == {
            "a2": "cannot be sent: InternalError",
            "a3": "an earlier message of its group stays",
        }

    def test_a_group_is_deleted_in_order(self, run: Redrive, moved: Make) -> None:
        """The message whose delete failed would be received again after later ones."""
        run.source.stuck = ("a2",)

        results = run.deliver(*self.messages(moved))

        assert [each.id for each in results if each.result != "written"] == []
        assert (run.source.deleted, [*run.redriver.undeleted]) == (["a1", "b1", "b2"], ["a2"])
        assert [run.journal.result(id_) for id_ in ("a1", "a2", "a3")] == [None, "written", "written"]

    def test_what_an_earlier_run_confirmed_is_deleted_in_order(self, run: Redrive, moved: Make) -> None:
        """Without a delivery."""
        run.journal.confirm({"a1": "written", "a2": "stale", "a3": "written"})
        run.source.stuck = ("a2",)

        results = run.redriver.finish(["a1", "a2", "a3"])

        assert [(each.id, each.result, each.deleted) for each in results] == [
            ("a1", "written", True),
            ("a2", "stale", False),
            ("a3", "written", False),
        ]
        assert (run.source.deleted, run.tables.items("orders")) == (["a1"], [])


def test_the_journal_of_a_file_keeps_what_is_delivered(
    redrive: Callable[..., Redrive], failed: Make, tmp_path: Path
) -> None:
    """The file has all messages in the next run too."""
    before = redrive()
    before.source.lasting = True
    before.deliver(failed({"id": "a"}, "1"))
    before.end()

    after = redrive()
    (result,) = after.deliver(failed({"id": "a"}, "1"))

    assert (result.result, result.deleted, after.tables.items("orders")) == ("written", True, [])
    after.end()
    again = Journal(tmp_path / "journal", again=True)
    with again:
        assert again.result("1") is None
    assert not (tmp_path / "journal").exists()


def test_rate(redrive: Callable[..., Redrive], failed: Make) -> None:
    """Ten messages at two a second take four seconds before the last batch."""
    run = redrive(rate=2.5)
    assert batch_size(2.5) == 2

    for number in range(5):
        run.redriver.rate_limit.wait(2)
        run.deliver(*(failed({"id": "a"}, f"{number}-{each}") for each in range(2)))

    assert run.now == pytest.approx(8 / 2.5)
    assert batch_size(None) == 100


def test_one_command_at_a_time_has_a_journal(tmp_path: Path) -> None:
    """A second one would delete the file, or cut off what the first one adds."""
    path = tmp_path / "journal"
    second = Journal(path)
    with Journal(path) as first:
        first.confirm({"1": "written"})
        with pytest.raises(UsageError, match="another 'router dlq redrive' writes the journal"):
            second.__enter__()
    with second:
        assert second.result("1") == "written"


@pytest.mark.parametrize("content", ["x\n", "{}\n", "[1]\n"])
def test_a_file_that_is_no_journal(tmp_path: Path, content: str) -> None:
    """It is not overwritten."""
    path = tmp_path / "journal"
    path.write_text(content)

    with pytest.raises(UsageError, match="is not a journal of 'router dlq redrive'"):
        Journal(path)
    with pytest.raises(UsageError, match=r"cannot write the journal .*: no such file or directory"):
        Journal(tmp_path / "nowhere" / "journal").__enter__()
    with pytest.raises(UsageError, match="cannot read the journal"):
        Journal(tmp_path)
    assert path.read_text() == content

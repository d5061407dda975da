"""The dead-letter queues of a command."""

from itertools import count
from pathlib import Path
from threading import Barrier, Event

import pytest
from msgspec import structs

from router.errors import UsageError
from router.model import Record
from router.tools.cli.dlq_session import DlqOptions, DlqSession
from tests.support.aws import Aws
from tests.support.dlq import DeadLetterQueue, OpenQueue, UnknownNames
from tests.support.memory import MemoryQueues, MemoryTables
from tests.support.program import load

CONFIG = """\
version: 1
queues: {a: {dead_letter: a-dlq}, b: {dead_letter: b-dlq}}
tables: {things: {key: {id: S}}}
routes:
  a: {queue: a, table: things, item: {id: id}}
  b: {queue: b, table: things, item: {id: id}}
"""
SECONDS = 60


@pytest.fixture
def session(tmp_path: Path) -> DlqSession:
    """A command on two empty dead-letter queues."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    loaded = load(path, {})
    program = loaded.require()
    selection = DlqOptions(config=path).selection()
    aws = Aws(MemoryTables.of(program), MemoryQueues())
    queues = tuple(DeadLetterQueue(name, name) for name in ("a-dlq", "b-dlq"))
    unknown = UnknownNames(selection, program)
    return DlqSession(
        loaded, program, aws, {}, lambda url: {}, lambda table, key: None, queues, selection, None, unknown
    )


def test_queues_are_received_from_at_a_time(session: DlqSession) -> None:
    """Here each waits until the other is open; the results are in the order of the queues."""
    together = Barrier(2, timeout=SECONDS)

    def work(opened: OpenQueue) -> str:
        together.wait()
        return opened.queue.name

    assert session.map_opened(work) == ["a-dlq", "b-dlq"]


def test_an_error_ends_the_others(session: DlqSession) -> None:
    """They stop to receive, though there are always more messages, and release what they have."""
    failed, numbers = Event(), count()

    class Queues(MemoryQueues):
        """The first queue fails once the second one has received something."""

        def receive(self, url: str, count: int, wait_seconds: int, visibility: int) -> list[Record]:
            if url == "a-dlq":
                failed.wait(SECONDS)
                raise UsageError("no")
            failed.set()
            return [Record(str(next(numbers)), "handle", "{}", {})]

    queues = Queues()
    broken = structs.replace(session, aws=Aws(session.aws.tables, queues))

    with pytest.raises(UsageError, match="no"):
        broken.map_opened(lambda opened: None)

    assert queues.hidden == {str(number): 0 for number in range(next(numbers))}

"""The dead-letter queues of a config, and what a command sees of one."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from router.errors import UsageError
from router.model import Record
from router.tools.dlq.messages import Selection
from router.tools.dlq.queues import VISIBILITY_SECONDS, DeadLetterQueue, find_queues, opened
from tests.support.aws import Aws, AwsFault
from tests.support.program import Program, load_program
from tests.unit.tools.dlq.conftest import Make

CONFIG = """
version: 1
queues:
  orders: {dead_letter: dead}
  more: {dead_letter: dead}
  late: {dead_letter: late-dead.fifo, name: late.fifo}
  own: {}
tables: {orders: {key: {id: S}}}
routes:
  orders: {queue: orders, table: orders}
  more: {queue: more, table: orders}
  late: {queue: late, table: orders}
  own: {queue: own, table: orders}
"""
ARN = "arn:aws:sqs:eu-west-1:123456789012:own-dead"
OWN = {"https://queues/own": {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN, "maxReceiveCount": 5})}}
Found = Mapping[str, Mapping[str, str]]


class Queues:
    """Queues by URL; `visible` are the messages of each, `held` when and how they were made invisible."""

    def __init__(self) -> None:
        self.fault: AwsFault | None = None
        self.visible: dict[str, list[Record]] = {}
        self.held: dict[str, int] = {}

    def url(self, reference: str, timeout: float) -> str | AwsFault:
        assert timeout > 0
        return self.fault or f"https://queues/{reference}"

    def receive(self, url: str, count: int, wait_seconds: int, visibility: int) -> list[Record]:
        given, self.visible[url] = self.visible[url][:count], self.visible[url][count:]
        self.held |= {each.message_id: visibility for each in given}
        return given

    def change_visibility(self, url: str, messages: Sequence[Any], timeout: float) -> dict[str, AwsFault]:
        assert url in self.visible
        self.held |= {id_: seconds for id_, _, seconds in messages}
        return {}

    def delete(self, url: str, messages: Sequence[Any], timeout: float) -> dict[str, AwsFault]:
        assert url in self.visible
        for id_, _ in messages:
            del self.held[id_]
        return {}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Two queues with one dead-letter queue, one with its own, and one without."""
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return load_program(path, {})


@pytest.fixture
def queues() -> Any:
    """Without messages."""
    return Queues()


@pytest.fixture
def find(program: Program, queues: Any) -> Callable[..., list[DeadLetterQueue]]:
    """Find the queues of sources, or one that is given, with what SQS says of queues by URL."""

    def find_(*sources: str, given: str | None = None, found: Found = OWN) -> list[DeadLetterQueue]:
        tables: Any = None
        return find_queues(program, Aws(tables, queues), found.get, frozenset(sources), given, " in eu-west-1")

    return find_


@pytest.mark.parametrize(
    ("sources", "given", "references"),
    [
        ((), None, ["dead", "late-dead.fifo", ARN]),
        (("more",), None, ["dead"]),
        (("late", "own"), None, ["late-dead.fifo", ARN]),
        (("renamed",), None, ["dead", "late-dead.fifo", ARN]),
        (("late",), "other", ["other"]),
    ],
)
def test_the_queues_of_a_command(
    find: Callable[..., list[DeadLetterQueue]], sources: tuple[str, ...], given: str | None, references: list[str]
) -> None:
    """Those of the sources, each once, or only the one that is given; messages of an unknown source may be on any."""
    assert [each.reference for each in find(*sources, given=given)] == references


def test_what_is_known_of_a_queue(find: Callable[..., list[DeadLetterQueue]]) -> None:
    """About how many messages are visible, whether looking at them often moves them, and how long it keeps them."""
    policy = json.dumps({"deadLetterTargetArn": "next", "maxReceiveCount": "3"})
    about = {"ApproximateNumberOfMessages": "7", "RedrivePolicy": policy, "MessageRetentionPeriod": "60"}

    queues = find("orders", "late", found={"https://queues/late-dead.fifo": about})

    assert queues == [
        DeadLetterQueue("dead", "https://queues/dead", 0, 0),
        DeadLetterQueue("late-dead.fifo", "https://queues/late-dead.fifo", 7, 3, 60),
    ]
    assert [(each.name, each.fifo) for each in queues] == [("dead", False), ("late-dead.fifo", True)]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, "the redrive policy of the queue 'own' cannot be read: the command needs sqs:GetQueueAttributes on it"),
        ({"https://queues/own": {}}, "no queue has a dead-letter queue: set 'dead_letter', or name one with"),
    ],
)
def test_no_dead_letter_queue(find: Callable[..., list[DeadLetterQueue]], found: Found, sentence: str) -> None:
    """The sentence says what to do."""
    with pytest.raises(UsageError, match=f"^{sentence}"):
        find("own", found=found)


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        ("AccessDenied", "; the command needs sqs:GetQueueUrl"),
        ("NonExistentQueue", ": there is none of this name in this account and region"),
    ],
)
def test_a_queue_that_cannot_be_opened(
    find: Callable[..., list[DeadLetterQueue]], queues: Any, code: str, needs: str
) -> None:
    """It is named, with the place."""
    queues.fault = AwsFault("configuration", code, 400)

    for source, what in (("orders", "dead-letter queue 'dead'"), ("own", "queue 'own'")):
        with pytest.raises(UsageError) as caught:
            find(source)
        assert str(caught.value) == f"the {what} cannot be opened in eu-west-1: {code}{needs}"


@pytest.mark.parametrize(
    ("name", "limit", "counts", "unseen", "elsewhere", "limited"),
    [
        ("dead", None, ("0", "5"), 2, 2, False),
        ("dead", None, ("1", "1"), 0, 0, False),
        ("dead", None, None, None, 0, False),
        ("dead", 2, ("1", "3"), 1, 0, True),
        ("dead.fifo", None, ("4", "3"), 4, 0, False),
    ],
)
def test_a_queue_while_a_command_works(
    program: Program,
    queues: Any,
    moved: Make,
    name: str,
    limit: int | None,
    counts: tuple[str, str] | None,
    unseen: int | None,
    elsewhere: int,
    limited: bool,
) -> None:
    """What was received, about how many messages were not, and at the end all but deleted messages are visible."""
    url = f"https://queues/{name}"
    queues.visible[url] = [moved({"id": id_}, id_).record for id_ in "abc"]
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    found = {url: dict(zip(names, counts, strict=True))} if counts else {}
    tables: Any = None
    seen: list[str] = []
    done: list[int] = []

    with opened(
        program,
        Aws(tables, queues),
        found.get,
        DeadLetterQueue(name, url, 3),
        Selection(ids=frozenset(("a", "b", "c"))),
        limit,
        done.append,
        lambda message: seen.append(message.id),
    ) as work:
        selected = [message.id for message in work.spool.selected()]
        held = dict(queues.held)
        work.lease.delete(["a"])

    assert selected == [*"abc"][:limit]
    assert (work.unseen, work.elsewhere, work.limited) == (unseen, elsewhere, limited)
    assert held == dict.fromkeys("abc", VISIBILITY_SECONDS)
    assert queues.held == {"b": 0, "c": 0}
    assert (seen, done[-1]) == ([*"abc"], 3)


def test_a_queue_without_selected_messages(program: Program, queues: Any, moved: Make) -> None:
    """Messages are selected by the queue that they failed on, and the others are released too."""
    url = "https://queues/late-dead.fifo"
    queues.visible[url] = [moved({"id": "a"}, "a").record]
    tables: Any = None

    for name, ids in (("late", ["a"]), ("orders", [])):
        queues.visible[url] = [moved({"id": "a"}, "a").record]
        with opened(
            program,
            Aws(tables, queues),
            lambda url: None,
            DeadLetterQueue("late-dead.fifo", url, retention=60),
            Selection(queues=frozenset((name,))),
            None,
            lambda done: None,
        ) as work:
            assert [message.id for message in work.spool.selected()] == ids
        assert work.first_end == "2026-01-01T00:01:00.000Z"
        assert queues.held == {"a": 0}


@pytest.mark.parametrize(
    "found", [{}, {"ApproximateNumberOfMessages": "0"}, {"ApproximateNumberOfMessagesNotVisible": "0"}]
)
def test_a_queue_of_which_sqs_does_not_say_all(program: Program, queues: Any, found: dict[str, str]) -> None:
    """A number that is not there is none."""
    url = "https://queues/dead"
    queues.visible[url] = []
    tables: Any = None

    with opened(
        program,
        Aws(tables, queues),
        lambda url: found,
        DeadLetterQueue("dead", url),
        Selection(),
        None,
        lambda done: None,
    ) as work:
        pass

    assert (work.unseen, work.elsewhere, work.first_end) == (0, 0, "")

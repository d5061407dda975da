"""The receivers of a program: how many there are, and that they start and end together."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.aws.client import Aws
from router.aws.run_lock import Turns
from router.run.leases import Held
from router.run.receiver import HAND_MESSAGES, Polled
from router.run.receiver_pool import RELIEF_SECONDS, Crew

GRACE = 20.0


class Gate:
    """Lets nobody through until it is opened; knows how many wait."""

    def __init__(self) -> None:
        self.waiting = 0
        self._open = threading.Event()
        self._lock = threading.Lock()

    def pass_(self) -> None:
        with self._lock:
            self.waiting += 1
        self._open.wait(GRACE)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def hire(aws: Aws, queues: Any, compile_: Any) -> Iterator[Callable[..., Crew]]:
    """Makes a crew of up to so many receivers of one queue; it is stopped afterwards."""
    crews: list[Crew] = []

    def make(most: int, **config: str) -> Crew:
        program = compile_(**config)
        held = Held(queues)
        crew = Crew(program, [Polled(program.engine.queues["q"], "url", 30, 0)], most, aws, held, lambda summary: None)
        crews.append(crew)
        return crew

    yield make
    for crew in crews:
        crew.stop(GRACE)
        assert crew.join(time.monotonic() + GRACE)


def wait_until(look: Callable[[], Any]) -> None:
    end = time.monotonic() + GRACE
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("program", "taken"),
    [
        ({}, 1),
        ({"more": "@hookimpl\ndef router_batch_done(summary): pass"}, 0),
        ({"queue": "dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [large]}"}, 0),
    ],
    ids=["plain", "plugin", "pointers"],
)
def test_turns(hire: Any, queues: Any, monkeypatch: pytest.MonkeyPatch, program: dict[str, str], taken: int) -> None:
    """Receivers take turns, unless they may have to wait for something else than SQS and DynamoDB."""
    entered = []

    class Noted(Turns):
        def __enter__(self) -> None:
            entered.append(self)

    monkeypatch.setattr("router.run.receiver_pool.Turns", Noted)
    asked = Gate()
    queues.on_receive = asked.pass_

    hire(1, **program).start()
    wait_until(lambda: asked.waiting)

    assert len(entered) == taken
    asked.open()


def test_one_at_first(hire: Any, queues: Any) -> None:
    """While nothing comes there is one receiver of a queue."""
    asked = Gate()
    queues.on_receive = asked.pass_
    crew = hire(8)

    crew.start()
    wait_until(lambda: asked.waiting)

    assert (len(crew.receivers), crew.queues, crew.alive, crew.stopping) == (1, ["q"], True, False)
    asked.open()


def test_more_while_answers_are_full(hire: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While answers are full there are more, up to the most; and what is in hand is bounded, however long the queue."""
    # How long rounds take here, and how busy this process is, is not to matter.
    for bound in ("CROWDED", "OVERCROWDED", "BUSY", "OVERWORKED"):
        monkeypatch.setattr(f"router.run.concurrency.{bound}", float("inf"))
    monkeypatch.setattr("router.run.receiver.HAND_SECONDS", 1e6)
    written, deleted = Gate(), queues.delete
    numbers = iter(range(1_000_000))
    backlog = True

    def receive(url: str, count: int, wait_seconds: int) -> Any:
        if backlog:
            return messages(*[str(next(numbers)) for _ in range(count)])
        time.sleep(0.001)
        return []

    def delete(url: str, pairs: Any) -> Any:
        if len(crew.receivers) == 4 and len(pairs) == HAND_MESSAGES:
            written.pass_()
        return deleted(url, pairs)

    queues.receive, queues.delete = receive, delete
    crew = hire(4)

    crew.start()
    wait_until(lambda: written.waiting == 4)
    in_hand = next(numbers) - sum(map(len, queues.deleted))

    assert (len(crew.receivers), in_hand) == (4, 4 * HAND_MESSAGES)
    backlog = False
    written.open()
    # Once nothing comes any more, one is enough.
    wait_until(lambda: len(crew.receivers) == 1)
    assert crew.alive


def test_relief(hire: Any, queues: Any, messages: Any) -> None:
    """Where the only receiver is at work for long, another one polls meanwhile."""
    written, asked = Gate(), Gate()
    queues.received.append(messages("a"))

    def delete(url: str, pairs: Any) -> dict[str, Any]:
        # Whoever asks from here on waits for what comes.
        queues.on_receive = asked.pass_
        written.pass_()
        return {}

    queues.delete = delete
    crew = hire(2)
    crew.start()
    wait_until(lambda: written.waiting)

    crew.tend()
    before = len(crew.receivers)
    (receiver,) = crew.receivers
    receiver.at_work_since = time.monotonic() - RELIEF_SECONDS
    crew.tend()

    assert (before, len(crew.receivers)) == (1, 2)
    written.open()
    asked.open()


def test_none_after_the_end(hire: Any, queues: Any, messages: Any) -> None:
    """Once it is to stop there are no further receivers, however full the answers."""
    crew = hire(8)
    queues.on_receive = lambda: crew.stop(GRACE)
    queues.received.append(messages(*map(str, range(10))))

    crew.start()

    assert (crew.join(time.monotonic() + GRACE), len(crew.receivers), crew.stopping, crew.alive) == (
        True,
        1,
        True,
        False,
    )

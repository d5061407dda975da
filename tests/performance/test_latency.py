"""Messages that are sent at a rate: who receives which, and how long each takes until it is stored."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import drain
import node
import pytest
from pacing import START_SECONDS, PacedQueue
from serving import serve
from verifying import expected_digest

COUNT = 40
RATE = 200.0


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve() as running:
        yield running


def queue_of(count: int) -> PacedQueue:
    return PacedQueue([b"%d" % number for number in range(count)], RATE)


def test_a_receive_that_waits_has_the_next_message() -> None:
    """Two receives that wait get one message each, as soon as it is sent."""
    queue = queue_of(8)

    first, second = (queue.receive(10.0, 1.0, 0.0) for _ in range(2))

    assert (first[0], second[0]) == ([b"0"], [b"1"])
    assert START_SECONDS < first[1] < second[1] < 1.0


def test_a_receive_has_ten_messages_that_are_sent() -> None:
    """It takes no longer than a call, and leaves others for the next one."""
    queue = queue_of(12)
    queue.receive(10.0, 0.0, 0.0)

    assert [queue.receive(20.0, 1.0, 0.008), queue.receive(20.0, 1.0, 0.008)] == [
        ([b"%d" % number for number in range(10)], 0.0),
        ([b"10", b"11"], 0.0),
    ]


def test_a_receive_without_messages_waits_as_long_as_it_says() -> None:
    """Nothing is sent before the start, nor after the last message."""
    queue = queue_of(1)

    before = queue.receive(10.0, 0.1, 0.0)
    message = queue.receive(20.0, 0.1, 0.0)
    after = queue.receive(30.0, 0.1, 0.0)

    assert (before, message, after) == (([], 0.1), ([b"0"], 0.0), ([], 0.1))


def test_latency_is_from_sent_to_first_stored() -> None:
    """A message that is stored twice counts once; those of the first quarter do not count."""
    queue = queue_of(4)
    _, first = queue.receive(0.0, 9.0, 0.0)
    waits = [first, *(queue.receive(0.0, 9.0, 0.0)[1] for _ in range(3))]
    for number in (0, 1, 2, 3):
        queue.store(waits[number] + number, b"%d" % number)
    queue.store(99.0, b"2")

    latencies = queue.latencies(lambda content: [int(content)])

    assert {round(each, 6) for each in latencies} == {1.0, 2.0, 3.0}


def test_a_worker_has_its_latency(server: Any) -> None:
    """A worker stores all messages that are sent, none before two calls have passed where each is received at once."""
    drained = drain.drain(server, drain.Worker("router"), COUNT, expected_digest(drain.SIZE, COUNT), RATE)

    assert drain.LATENCY_MS / 1000 < drained.latency < 5
    assert drained.cpu > 0


def test_without_node_its_worker_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node.install(tmp_path) == "it needs node and npm"

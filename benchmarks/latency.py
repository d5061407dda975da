"""The suite of latency: how long a message takes from sent to stored at a rate, and the calls that a worker makes.

Messages are sent at random moments, which differ from round to round: a median moves by a few hundredths of a write
with them. The first quarter of the messages does not count.
"""

from collections.abc import Iterable

from drain import LATENCY_MS, SIZE, Worker, drain, idle_calls
from figures import Figures
from floors import CALLS, IDLE, RECEIVER, ROUTER, STORED, WRITE
from pacing import PacedQueue
from serving import Server
from verifying import expected_digest

RATE = 100.0
"""Messages a second."""
COUNT = 1000
CALL_SECONDS = LATENCY_MS / 1000
OWN_SECONDS = 0.0006
"""What a worker takes for a round, besides its calls."""
LONGEST_WAIT = 20.0
IDLE_SECONDS = 3
"""A worker whose receives wait a second each makes one call in a second of an idle queue."""


def measure(server: Server, figures: Figures, rounds: Iterable[int]) -> None:
    """Measure in rounds; raises BenchmarkError if a worker did not write and delete all messages."""
    expected = expected_digest(SIZE, COUNT)
    for seed in rounds:
        drained = drain(server, Worker(ROUTER), COUNT, expected, RATE, seed)
        figures.add(STORED, ROUTER, drained.latency)
        figures.add(STORED, WRITE, CALL_SECONDS)
        figures.add(CALLS, ROUTER, drained.calls / COUNT)
        figures.add(CALLS, RECEIVER, calls_of_one_receiver(seed))
        figures.add(IDLE, ROUTER, idle_calls(server, IDLE_SECONDS))
        figures.add(IDLE, RECEIVER, 1.0)
    server.slow_down(0)


def calls_of_one_receiver(seed: int) -> float:
    """Return the calls of a message, made by one receiver that does nothing else while it writes."""
    queue = PacedQueue([b""] * COUNT, RATE, seed)
    now, left, calls = 0.0, COUNT, 0
    while left:
        messages, seconds = queue.receive(now, LONGEST_WAIT, CALL_SECONDS)
        # The write follows the receive, and the delete takes place beside the next receive.
        now += 2 * CALL_SECONDS + seconds + OWN_SECONDS
        left -= len(messages)
        calls += 3
    return calls / COUNT

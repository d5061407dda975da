"""How a worker is: what `/healthz`, `/readyz` and `/metrics` tell, of one process or of several together."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from router.run.receiver_pool import Crew

STUCK_SECONDS = 300
"""A receiver that has begun no round for so long, besides its polling and its visibility timeout, hangs."""
Totals = Mapping[str, Mapping[str, float]]
"""Of each metric by its name: the total of each queue."""


class State(Struct, frozen=True):
    """`alive`: all runs, and nothing hangs. `ready`: it takes messages of every queue."""

    alive: bool = False
    ready: bool = False
    totals: dict[str, dict[str, float]] = {}


def is_alive(crew: Crew, now: float) -> bool:
    """Whether every receiver runs, and none hangs."""
    return crew.alive and all(
        now - receiver.seen_at < STUCK_SECONDS + receiver.polled.wait + receiver.polled.visibility
        for receiver in crew.receivers
    )


def is_ready(crew: Crew) -> bool:
    """Whether it takes messages of every queue."""
    return crew.alive and not crew.stopping and all(receiver.healthy for receiver in crew.receivers)


def add_up(parts: Iterable[Totals]) -> dict[str, dict[str, float]]:
    """The totals of several processes together."""
    whole: dict[str, dict[str, float]] = {}
    for totals in parts:
        for name, by_queue in totals.items():
            sums = whole.setdefault(name, {})
            for queue, total in by_queue.items():
                sums[queue] = sums.get(queue, 0.0) + total
    return whole

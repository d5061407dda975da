"""The ticket: a message, what remains to be written for it, and how it ended."""

from router.model import Outcome, Record, Write, worst


class Ticket:
    """A message on its way through the engine.

    `outcome` is set once it is decided. `writes` are still to be made; each ends in `results`, and when all have, the
    worst of them is the outcome.
    """

    __slots__ = ("outcome", "record", "results", "writes")

    def __init__(self, record: Record, outcome: Outcome | None = None, writes: list[Write] | None = None) -> None:
        self.record = record
        self.outcome = outcome
        self.writes = writes or []
        self.results: list[Outcome] = []

    def settle(self, outcome: Outcome) -> None:
        """One of its writes has ended so."""
        self.results.append(outcome)
        if len(self.results) == len(self.writes):
            self.outcome = outcome if len(self.writes) == 1 else worst(self.results)

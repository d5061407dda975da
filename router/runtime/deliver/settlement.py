"""From the outcomes of writes to those of messages."""

from collections.abc import Iterable, Sequence
from typing import cast

from router.model import WRITTEN, Outcome, worst
from router.runtime.engine.writes import PlannedMessage

SettledWrite = tuple[PlannedMessage, Outcome]
"""A message, and the outcome of one of its writes."""
Settled = dict[PlannedMessage, Outcome]
"""The outcomes of messages, in the order of receipt."""


class Settlement:
    """The outcomes of the messages of one call of `write`.

    A message is settled once all of its writes are. Its outcome is the worst of theirs.
    """

    __slots__ = ("_outcomes", "_results")

    def __init__(self, messages: Sequence[PlannedMessage]) -> None:
        self._outcomes: dict[PlannedMessage, Outcome | None]
        self._outcomes = {planned: planned.outcome for planned in messages}
        """Of each message that was not taken; None if it is not settled."""
        self._results: dict[PlannedMessage, list[Outcome]] = {}
        """The outcomes of writes."""

    @property
    def unsettled(self) -> list[PlannedMessage]:
        """The messages with a write that has no outcome."""
        return [planned for planned, outcome in self._outcomes.items() if outcome is None]

    def add(self, writes: Iterable[SettledWrite]) -> None:
        """Add the outcomes of writes."""
        for planned, outcome in writes:
            results = self._results.setdefault(planned, [])
            results.append(outcome)
            if len(results) == len(planned.writes):
                self._outcomes[planned] = worst(results)

    def add_written(self, messages: Iterable[PlannedMessage]) -> None:
        """Add messages of one write each, which was written."""
        self._outcomes.update(dict.fromkeys(messages, WRITTEN))

    def outcome_of(self, planned: PlannedMessage) -> Outcome:
        """Return the outcome of a message whose writes were added."""
        return worst(self._results[planned])

    def take(self) -> Settled:
        """Return the messages that were settled since the last call."""
        taken = self._outcomes
        self._outcomes = {}
        if None in taken.values():
            # Only before a wait: nearly always, all are settled at once.
            self._outcomes = {each: None for each, outcome in taken.items() if outcome is None}
            for unsettled in self._outcomes:
                del taken[unsettled]
        return cast("Settled", taken)

"""What may be spent on the analysis of one schema."""

from collections.abc import Callable
from math import inf
from time import perf_counter, process_time
from typing import TypeVar

_T = TypeVar("_T")
Clock = Callable[[], float]
# The places in a schema that searches look at. One takes some 0.1 ms. A recursive schema has no
# end of them.
_MAX_STEPS = 20_000
MAX_SECONDS = 3.0
"""The time for proofs about one schema.

Nearly all take milliseconds; a few published ones take 0.1 s a proof.
"""
SHORT = 0.001
"""A proof of so many seconds is charged by wall-clock time.

That clock is read ten times as fast.
"""


class NotDecided(Exception):
    """Raised by a proof or a search that ends without a result."""


class BudgetSpent(NotDecided):
    """Raised by a search without steps left, and for work that is not affordable."""


class SearchDeadline:
    """The end of a search, after so many seconds of processor time.

    `wall` and `processor` return seconds.
    """

    def __init__(
        self,
        seconds: float,
        wall: Clock = perf_counter,
        processor: Clock = process_time,
    ) -> None:
        self._wall = wall
        self._processor = processor
        # Without an end, no clock is read.
        self._end = self._look = inf
        if seconds < inf:
            self._end = processor() + seconds
            self._look = wall() + seconds

    def check(self) -> None:
        """Raise BudgetSpent after the end."""
        # No more processor time has passed than wall-clock time, which is read faster.
        if self._wall() < self._look:
            return
        left = self._end - self._processor()
        if left <= 0:
            raise BudgetSpent
        self._look = self._wall() + left


class ProofBudget:
    """What all rules together may still spend on one schema.

    Proofs spend seconds, and searches spend steps. Seconds are of processor time, so
    that what is decided does not depend on the load of the machine.
    """

    def __init__(self, seconds: float = MAX_SECONDS, steps: int = _MAX_STEPS) -> None:
        self.seconds = seconds
        self.steps = steps
        self._read: float | None = None

    def attempt(self, prove: Callable[[], _T]) -> _T | None:
        """Return the result of the library; None if it fails, or no time is left."""
        if self.seconds <= 0:
            return None
        # Of most budgets nothing is spent, so that no clock is read for them.
        if self._read is None:
            self._read = process_time()
        start = perf_counter()
        result = attempt(prove)
        passed = perf_counter() - start
        if passed > SHORT:
            # On a busy machine, much of that was the time of other processes.
            now = process_time()
            passed = min(passed, now - self._read)
            self._read = now
        self.seconds -= passed
        return result

    def share(self, part: float) -> "ProofBudget":
        """Return a budget of its own with a part of what is left.

        It is for work that proofs must not wait for.
        """
        share = ProofBudget(self.seconds * part, int(self.steps * part))
        self.seconds -= share.seconds
        self.steps -= share.steps
        return share

    def spend(self, steps: int = 1) -> None:
        """Take steps; raises BudgetSpent if they are more than are left."""
        self.steps -= steps
        if self.steps < 0:
            raise BudgetSpent


def attempt(prove: Callable[[], _T]) -> _T | None:
    """Return a result; None if the library fails or panics, or if it is not decided.

    Other errors are raised.
    """
    try:
        return prove()
    except (NotDecided, RecursionError):
        return None
    # The library panics with an exception that is no Exception.
    except BaseException as error:
        if not _is_of_library(error):
            raise
        return None


def _is_of_library(error: BaseException) -> bool:
    from jsonschema_rs import ReferencingError, ValidationError
    from jsonschema_rs.canonical import CanonicalizationError

    # The library's PanicException cannot be imported.
    known = (CanonicalizationError, ReferencingError, ValidationError)
    return isinstance(error, known) or type(error).__name__ == "PanicException"

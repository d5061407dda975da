"""How long a message may be planned: a costly one must not delay the others of its batch."""

from router.aws.calls import Clock, StartLimit
from router.engine.engine import OutOfBudget

QUICK_PLANNING_SECONDS = 0.2
"""CPU time; a message that takes longer is planned after the others of its batch are written."""
MAX_PLANNING_SECONDS = 5.0
"""CPU time; a message that takes longer is rejected. CPU time, so that a busy machine rejects nothing."""


class PlanningBudget:
    """The time for planning one message after the other, up to the limit of their batch."""

    def __init__(self, limit: StartLimit, clock: Clock, cpu: Clock) -> None:
        self.seconds = QUICK_PLANNING_SECONDS
        """The CPU time that a message may take, counted from `start`."""
        self._limit = limit
        self._clock = clock
        self._cpu = cpu
        self._until = 0.0
        # Asked for each message: the limit itself, which may move, is asked only where it may be reached.
        self._moment = limit.moment

    @property
    def is_late(self) -> bool:
        """Whether the time of the batch is used up."""
        return self._clock() >= self._moment and self._clock() >= self._limit.moment

    def start(self) -> None:
        """Count from now on."""
        self._until = self._cpu() + self.seconds

    def check(self) -> None:
        """Raise OutOfBudget if the message has used up its time, or its batch has."""
        if self._cpu() > self._until or self._clock() >= self._limit.moment:
            raise OutOfBudget

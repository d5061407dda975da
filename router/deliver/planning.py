"""Plans the messages of a batch within a budget of time, so that a costly one delays no other."""

from collections.abc import Iterable

from router import codes
from router.aws.calls import Clock, StartLimit
from router.engine.engine import CompiledQueue, OutOfBudget, plan, short_plan
from router.engine.writes import PlannedMessage
from router.model import Outcome, Record

QUICK_PLANNING_SECONDS = 0.2
"""CPU time; a message that takes longer is planned after the others of its batch are written."""
MAX_PLANNING_SECONDS = 5.0
"""CPU time; a message that takes longer is rejected. CPU time, so that a busy machine rejects nothing."""

_NOT_PLANNED = Outcome("retry", codes.NOT_STARTED.id, "the deadline passed before it was planned", delay=0)
_PLANNED_LATE = Outcome("retry", codes.NOT_STARTED.id, "time was up while it was planned")
TOO_COSTLY = Outcome(
    "rejected", codes.OUT_OF_BOUNDS.id, f"'for_each' takes more than {MAX_PLANNING_SECONDS:.0f} s of CPU time"
)


class PlanningBudget:
    """The time for planning one message after the other, up to the limit of their batch."""

    def __init__(self, limit: StartLimit, clock: Clock, cpu: Clock) -> None:
        self.seconds = QUICK_PLANNING_SECONDS
        """The CPU time that a message may take, counted from `start`."""
        self.limit = limit
        self.clock = clock
        self._cpu = cpu
        self._until = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the time of the batch is used up."""
        return self.clock() >= self.limit.moment

    def start(self) -> None:
        """Count from now on."""
        self._until = self._cpu() + self.seconds

    def check(self) -> None:
        """Raise OutOfBudget if the message has used up its time, or its batch has."""
        if self._cpu() > self._until or self.clock() >= self.limit.moment:
            raise OutOfBudget


def plan_quickly(
    queue: CompiledQueue, found: Iterable[PlannedMessage | Record], budget: PlanningBudget
) -> tuple[list[PlannedMessage], list[Record]]:
    """Plan records; return those that take more than a moment unplanned, with the later ones of their FIFO groups."""
    messages: list[PlannedMessage] = []
    costly: list[Record] = []
    costly_groups: set[str | None] = set()
    short = short_plan(queue)
    # The limit, which may move, is asked only where it may be reached.
    clock, moment = budget.clock, budget.limit.moment
    for each in found:
        if isinstance(each, PlannedMessage):
            messages.append(each)
        elif costly_groups and each.group_id in costly_groups:
            costly.append(each)
        elif clock() >= moment and budget.is_late:
            messages.append(PlannedMessage(each, _NOT_PLANNED))
        elif short is not None and (planned := short(each)) is not None:
            messages.append(planned)
        else:
            try:
                messages.append(plan(queue, each, None, budget))
            except OutOfBudget:
                costly.append(each)
                if queue.fifo:
                    costly_groups.add(each.group_id)
    return messages, costly


def plan_costly(queue: CompiledQueue, record: Record, budget: PlanningBudget) -> PlannedMessage:
    """Plan a record that takes long; reject it if it takes too long, and retry it if the batch has no time left."""
    if budget.is_late:
        return PlannedMessage(record, _NOT_PLANNED)
    budget.seconds = MAX_PLANNING_SECONDS
    try:
        return plan(queue, record, None, budget)
    except OutOfBudget:
        return PlannedMessage(record, _PLANNED_LATE if budget.is_late else TOO_COSTLY)

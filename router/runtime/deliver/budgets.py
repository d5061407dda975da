"""The write capacity that a process may use of a table: `write_units` and `share` of the config."""

from collections import defaultdict
from collections.abc import Sequence
from threading import Lock

from router.model import Table
from router.runtime.aws.calls import Clock, boottime
from router.runtime.aws.protocols import WriteResponse
from router.runtime.deliver.batches import count_units
from router.runtime.engine.writes import Write

MIN_RATE = 0.05
"""Throttling lowers the rate to this share of the budget at least."""
DECREASE = 0.7
"""Throttling multiplies the rate by this: multiplicative decrease."""
DECREASE_SECONDS = 0.5
"""The rate is lowered once in this time: calls under way together meet the same throttling."""
INCREASE = 0.1
"""In each second the rate grows by this share of the budget: additive increase."""
MIN_WAIT = 0.001
"""Seconds; shorter waits would only be rounding errors."""
RATIO_WEIGHT = 0.2
"""The weight of the latest call in the ratio of consumed to estimated units."""
THROTTLED_WEIGHT = 0.1
"""The weight of the latest call in the share of writes that are throttled."""
THROTTLED_SHARE = 0.25
"""If a larger share of the writes is throttled, the table is at its capacity.

Otherwise some keys are.
"""


MAX_CONSUMED = 2 * 400 * (1 + 20 + 5)
"""The most units that a write can consume.

It is of 400 KB, in a transaction, to a table with 20 global and 5 local indexes:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""


class WriteBudget:
    """A token bucket that holds the units of one second; thread-safe.

    Estimates are corrected by what DynamoDB says that calls consumed. That includes secondary
    indexes and replaced items.
    """

    def __init__(self, units: float, clock: Clock = boottime) -> None:
        """`units` are per second."""
        self._budget = units
        self._rate = units
        self._balance = units
        self._clock = clock
        self._filled_at = clock()
        self._lowered_at = float("-inf")
        self._ratio = 1.0
        """Of consumed to estimated units."""
        self._throttled = 0.0
        """The share of the latest writes that were throttled."""
        self._lock = Lock()

    @property
    def most(self) -> float:
        """The units that a call may be estimated to take."""
        return self._rate / self._ratio

    def reserve(self, estimate: float) -> tuple[float, float]:
        """Reserve the units of a call.

        Return the units, or 0.0 and the seconds until there may be enough.

        A call of more than a second's units is made when the bucket is full. Later calls wait for
        the difference.
        """
        with self._lock:
            self._fill()
            units = estimate * self._ratio
            lacking = min(units, self._rate) - self._balance
            if lacking > 0:
                return 0.0, max(MIN_WAIT, lacking / self._rate)
            self._balance -= units
            return units, 0.0

    def cancel(self, reserved: float) -> None:
        """Give back the units of a call that was not made."""
        self._correct(reserved, 0.0)

    def settle(
        self,
        reserved: float,
        estimate: float,
        consumed: float,
        throttled: float,
    ) -> None:
        """Correct the balance after a call that consumed units.

        `throttled` is the share of its writes that were not made.
        """
        self._correct(reserved, consumed)
        written = estimate * (1 - throttled)
        with self._lock:
            if written and consumed:
                self._ratio += RATIO_WEIGHT * (consumed / written - self._ratio)
            self._throttled += THROTTLED_WEIGHT * (throttled - self._throttled)
            if throttled and self._throttled > THROTTLED_SHARE:
                self._lower_rate()

    def _lower_rate(self) -> None:
        if self._filled_at - self._lowered_at >= DECREASE_SECONDS:
            self._lowered_at = self._filled_at
            self._rate = max(self._budget * MIN_RATE, self._rate * DECREASE)

    def _correct(self, reserved: float, consumed: float) -> None:
        with self._lock:
            self._fill()
            self._balance = min(self._rate, self._balance + reserved - consumed)

    def _fill(self) -> None:
        now = self._clock()
        passed = now - self._filled_at
        self._filled_at = now
        self._rate = min(self._budget, self._rate + self._budget * INCREASE * passed)
        self._balance = min(self._rate, self._balance + self._rate * passed)


class Reservation:
    """The units that were reserved for one call, of the budget of each of its tables."""

    def __init__(self) -> None:
        self._parts: list[tuple[WriteBudget, float, float]] = []
        """Of each table: its budget, the reserved units, and the estimated ones."""
        self.wait = 0.0
        """The seconds until the call may be made; 0.0 if its units are reserved."""

    def add(self, budget: WriteBudget, estimate: float) -> None:
        """Reserve units of a further table, or none of any."""
        reserved, wait = budget.reserve(estimate)
        if wait:
            self.cancel()
            self.wait = wait
        else:
            self._parts.append((budget, reserved, estimate))

    def cancel(self) -> None:
        """Give back what is reserved, as the call is not made."""
        for budget, reserved, _ in self._parts:
            budget.cancel(reserved)
        self._parts = []

    def settle(self, response: WriteResponse | None, writes: int) -> None:
        """Correct the budgets after the response to a call of `writes` writes.

        The response is None if the call was not made. A call whose effect is not known counts as
        reserved. DynamoDB does not say what failed conditions consume.
        """
        if response is None:
            self.cancel()
            return
        throttled = 1.0
        if not response.is_throttled:
            throttled = min(1.0, len(response.unprocessed) / writes)
        total = sum([reserved for _, reserved, _ in self._parts])
        consumed = response.consumed
        if consumed is None or not 0 <= consumed <= writes * MAX_CONSUMED:
            consumed = total * (1 - throttled)
        for budget, reserved, estimate in self._parts:
            # The response has one figure for all tables.
            share = consumed * reserved / total
            budget.settle(reserved, estimate, share, throttled)


class WriteBudgets:
    """The budgets of the tables with `write_units`, by their names."""

    def __init__(self, clock: Clock = boottime) -> None:
        self._clock = clock
        self._budgets: dict[str, WriteBudget] = {}

    def reserve(self, writes: Sequence[Write], *, transactional: bool) -> Reservation:
        """Reserve the units of a call."""
        estimates: defaultdict[Table, float] = defaultdict(float)
        units_of_one = 2 if transactional else 1
        for write in writes:
            estimates[write.table] += count_units(write) * units_of_one
            if write.idempotency_key:
                # The key is small, and always a part of a transaction.
                estimates[write.idempotency_key.table] += 2
        reservation = Reservation()
        for table, estimate in estimates.items():
            if table.write_units and not reservation.wait:
                reservation.add(self._of(table), estimate)
        return reservation

    def most_units(self, table: Table) -> float:
        """Return how many units a call may be estimated to take of a table with a budget."""
        return self._of(table).most

    def _of(self, table: Table) -> WriteBudget:
        budget = self._budgets.get(table.name)
        if budget is None:
            # If two threads make one, both use that which is stored first.
            new = WriteBudget(table.write_units, self._clock)
            budget = self._budgets.setdefault(table.name, new)
        return budget

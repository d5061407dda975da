"""The retry budget: calls that went well earn what trying again costs.

As the SDKs have it in their standard mode: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

import threading

CAPACITY = 500
COST = 5
TIMEOUT_COST = 10
"""A call that timed out has cost its service more."""
REFUND = 1


class RetryBudget:
    """What may be spent on trying again, so that a service in trouble is not asked many times over; thread-safe."""

    def __init__(self) -> None:
        self._left = CAPACITY
        self._lock = threading.Lock()

    def spend(self, cost: int = COST) -> bool:
        """Pay for another try; False if there is not enough left for it."""
        with self._lock:
            if self._left < cost:
                return False
            self._left -= cost
            return True

    def earn(self, spent: int = 0) -> None:
        """A call went well: what was spent on it comes back, or a little."""
        with self._lock:
            self._left = min(CAPACITY, self._left + (spent or REFUND))

"""What tests of other rooms use of `router.runtime.run`."""

from router.runtime.run.counters import Counters, Totals, exposition
from router.runtime.run.log_queue import FLUSH_SECONDS, QUEUE_BYTES
from router.runtime.run.monitoring import CONNECTION_SECONDS, MAX_CONNECTIONS, MAX_REQUEST_BYTES, RESERVED_FILES
from router.runtime.run.outages import EXTENSION_SECONDS, MAX_INVISIBLE, MAX_PROBES
from router.runtime.run.polling import MIN_LEASE_SECONDS
from router.runtime.run.receiver import PROBE_SECONDS
from router.runtime.run.run_lock import RunLock
from router.runtime.run.worker import MIN_VISIBILITY_SECONDS

__all__ = [
    "CONNECTION_SECONDS",
    "EXTENSION_SECONDS",
    "FLUSH_SECONDS",
    "MAX_CONNECTIONS",
    "MAX_INVISIBLE",
    "MAX_PROBES",
    "MAX_REQUEST_BYTES",
    "MIN_LEASE_SECONDS",
    "MIN_VISIBILITY_SECONDS",
    "PROBE_SECONDS",
    "QUEUE_BYTES",
    "RESERVED_FILES",
    "Counters",
    "RunLock",
    "begun",
    "exposition",
]


def begun(*queues: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the totals of queues from which nothing was received yet."""
    counters = Counters()
    counters.declare(queues)
    totals: Totals = counters.totals()
    assert {value for by_labels in totals.values() for value in by_labels.values()} <= {0.0}
    return {name: {**by_labels} for name, by_labels in totals.items()}

"""What tests of other rooms use of `router.run`."""

from router.run.counters import QueueCounters, exposition
from router.run.log_queue import FLUSH_SECONDS, QUEUE_BYTES
from router.run.monitoring import CONNECTION_SECONDS, MAX_CONNECTIONS, MAX_REQUEST_BYTES, RESERVED_FILES
from router.run.outages import EXTENSION_SECONDS, MAX_INVISIBLE, MAX_PROBES
from router.run.receiver import MIN_LEASE_SECONDS, PROBE_SECONDS
from router.run.run_lock import RunLock
from router.run.worker import MIN_VISIBILITY_SECONDS

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
    "QueueCounters",
    "RunLock",
    "exposition",
]

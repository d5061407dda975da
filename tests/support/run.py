"""What tests of other rooms use of `router.runtime.run`."""

from router.runtime.run.counters import QueueCounters, exposition
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
    "QueueCounters",
    "RunLock",
    "exposition",
]

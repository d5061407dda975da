"""What tests of other rooms use of `router.run`."""

from router.run.counters import QueueCounters, exposition
from router.run.http_server import CONNECTION_SECONDS, MAX_CONNECTIONS, MAX_REQUEST_BYTES, RESERVED_FILES
from router.run.log_queue import FLUSH_SECONDS, QUEUE_BYTES

__all__ = [
    "CONNECTION_SECONDS",
    "FLUSH_SECONDS",
    "MAX_CONNECTIONS",
    "MAX_REQUEST_BYTES",
    "QUEUE_BYTES",
    "RESERVED_FILES",
    "QueueCounters",
    "exposition",
]

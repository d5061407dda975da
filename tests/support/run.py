"""What tests of other rooms use of `router.run`."""

from router.run.log_queue import FLUSH_SECONDS, QUEUE_BYTES
from router.run.monitoring import QueueCounters, exposition

__all__ = [
    "FLUSH_SECONDS",
    "QUEUE_BYTES",
    "QueueCounters",
    "exposition",
]

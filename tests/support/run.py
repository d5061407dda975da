"""What tests of other rooms use of `router.run`."""

from router.run.monitoring import QueueCounters, exposition

__all__ = [
    "QueueCounters",
    "exposition",
]

"""What tests of other rooms use of `router.testing`."""

from router.dev.memory import MemoryTables, Refused, Store, batch_actions, target

__all__ = [
    "MemoryTables",
    "Refused",
    "Store",
    "batch_actions",
    "target",
]

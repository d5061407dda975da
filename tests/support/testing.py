"""What tests of other rooms use of `router.testing`."""

from router.tools.memory.tables import MemoryTables, Refused, Store, batch_actions, target

__all__ = [
    "MemoryTables",
    "Refused",
    "Store",
    "batch_actions",
    "target",
]

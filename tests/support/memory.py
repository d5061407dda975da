"""What tests of other rooms use of `router.tools.memory`."""

from router.tools.memory.decoding import decode_item
from router.tools.memory.deliveries import write_together
from router.tools.memory.pairs import PairMessage, plan_alone, run_pair
from router.tools.memory.tables import MemoryQueues, MemoryTables

__all__ = ["MemoryQueues", "MemoryTables", "PairMessage", "decode_item", "plan_alone", "run_pair", "write_together"]

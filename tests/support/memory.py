"""What tests of other rooms use of `router.tools.memory`."""

from router.tools.memory.pairs import PairMessage, run_pair

__all__ = ["PairMessage", "run_pair"]

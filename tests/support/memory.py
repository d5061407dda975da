"""What tests of other rooms use of `router.tools.memory`."""

from router.tools.memory.pairs import PairMessage, plan_alone, run_pair

__all__ = ["PairMessage", "plan_alone", "run_pair"]

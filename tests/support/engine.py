"""What tests of other rooms use of `router.engine`."""

from router.engine.attributes import decode_item, identify
from router.engine.engine import plan

__all__ = [
    "decode_item",
    "identify",
    "plan",
]

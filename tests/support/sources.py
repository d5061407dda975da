"""What tests of other rooms use of `router.sources`."""

from router.sources import SOURCES
from router.sources.ttl import TtlAfter

__all__ = [
    "SOURCES",
    "TtlAfter",
]

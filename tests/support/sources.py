"""What tests of other rooms use of `router.runtime.sources`."""

from router.runtime.sources import SOURCES
from router.runtime.sources.ttl import TtlAfter

__all__ = [
    "SOURCES",
    "TtlAfter",
]

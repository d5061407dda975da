"""What tests of other rooms use of `router.runtime.config_types`."""

from router.runtime.config_types import parse_duration

__all__ = [
    "parse_duration",
]

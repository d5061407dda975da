"""What tests of other rooms use of `router.config_types`."""

from router.config_types import parse_duration

__all__ = [
    "parse_duration",
]

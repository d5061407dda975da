"""What tests of other rooms use of `router.check`."""

from router.check.rule import known_codes

__all__ = [
    "known_codes",
]

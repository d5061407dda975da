"""What tests of other rooms use of `router.modes`."""

from router.modes import MODES

__all__ = [
    "MODES",
]

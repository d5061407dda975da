"""What tests of other rooms use of `router.transforms`."""

from router.transforms import TRANSFORMS

__all__ = [
    "TRANSFORMS",
]

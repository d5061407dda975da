"""What tests of other rooms use of `router.transforms`."""

from router.transforms import TRANSFORMS
from router.transforms.values import MAX_COLLISIONS

__all__ = [
    "MAX_COLLISIONS",
    "TRANSFORMS",
]

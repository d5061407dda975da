"""What tests of other rooms use of `router.runtime.transforms`."""

from router.runtime.transforms import TRANSFORMS
from router.runtime.transforms.times import seconds_of
from router.runtime.transforms.values import MAX_COLLISIONS

__all__ = [
    "MAX_COLLISIONS",
    "TRANSFORMS",
    "seconds_of",
]

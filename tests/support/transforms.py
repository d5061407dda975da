"""What tests of other rooms use of `router.transforms`."""

from router.transforms import TEXT_FORMATS, TRANSFORMS
from router.transforms.times import seconds_of
from router.transforms.values import MAX_COLLISIONS

__all__ = [
    "MAX_COLLISIONS",
    "TEXT_FORMATS",
    "TRANSFORMS",
    "seconds_of",
]

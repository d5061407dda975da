"""What tests of other rooms use of `router.runtime.transforms`."""

from router.runtime.conversions import MAX_COLLISIONS, seconds_of
from router.runtime.transforms import FUNCTIONS, TRANSFORMS
from router.runtime.transforms.transform import (
    TEXT,
    EmptyIfMatches,
    TextResult,
    Transform,
    WholeNumber,
    as_before,
)

__all__ = [
    "FUNCTIONS",
    "MAX_COLLISIONS",
    "TEXT",
    "TRANSFORMS",
    "EmptyIfMatches",
    "TextResult",
    "Transform",
    "WholeNumber",
    "as_before",
    "seconds_of",
]

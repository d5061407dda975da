"""The built-in transforms of single values."""

from collections.abc import Mapping

from router.model import Transform
from router.transforms import dynamodb, text, values

TRANSFORMS: Mapping[str, Transform] = {
    transform.__name__: transform for transform in (*text.TRANSFORMS, *values.TRANSFORMS, *dynamodb.TRANSFORMS)
}
"""Every built-in transform by its name. One raises TypeError or ValueError for a value that it cannot take."""

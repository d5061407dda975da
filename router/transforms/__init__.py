"""The built-in transforms of single values."""

from collections.abc import Mapping

from router.model import Transform
from router.transforms import lists, scalars, text

TRANSFORMS: Mapping[str, Transform] = {
    transform.__name__: transform for transform in (*text.TRANSFORMS, *scalars.TRANSFORMS, *lists.TRANSFORMS)
}
"""Every built-in transform by its name. One raises TypeError or ValueError for a value that it cannot take."""

"""The built-in transforms: a plugin like any other."""

from collections.abc import Callable

from router.model import Transform
from router.transforms import lists, scalars, text

TRANSFORMS: tuple[Transform, ...] = (*text.TRANSFORMS, *scalars.TRANSFORMS, *lists.TRANSFORMS)
"""All of them. A value that one cannot take makes it raise TypeError or ValueError, and the message is rejected."""


def router_register_transforms(register: Callable[[str, Transform], None]) -> None:
    """Name each transform as its function is named."""
    for transform in TRANSFORMS:
        register(transform.__name__, transform)

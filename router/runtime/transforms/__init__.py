"""The built-in transforms of single values, in modules by what they transform.

A module of this package defines transforms: values of the type `Transform`, which have all that the
router knows about each. They are found by their presence.
"""

from collections.abc import Mapping

from router.model import TransformFunction
from router.runtime.discovery import import_modules
from router.runtime.transforms.transform import Transform


def _load() -> dict[str, Transform]:
    modules = import_modules(__name__, __path__)
    values = [value for module in modules for value in vars(module).values()]
    found = [value for value in values if isinstance(value, Transform)]
    return {transform.name: transform for transform in sorted(found, key=lambda each: each.name)}


TRANSFORMS: Mapping[str, Transform] = _load()
"""The built-in transforms by name."""
FUNCTIONS: Mapping[str, TransformFunction] = {
    name: transform.apply for name, transform in TRANSFORMS.items()
}
"""Their functions by name, to which plugins add others."""


def is_built_in(name: str, function: TransformFunction | None) -> bool:
    """Whether the function that a config has under a name is that of a built-in transform.

    Otherwise it is a plugin's.
    """
    transform = TRANSFORMS.get(name)
    return transform is not None and transform.apply is function

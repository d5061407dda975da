"""The built-in transforms of single values."""

from collections.abc import Mapping

from router.model import TextFormat, Transform
from router.runtime.transforms import dynamodb, text, times, values

_MODULES = (text, values, times, dynamodb)
TRANSFORMS: Mapping[str, Transform] = {
    transform.__name__: transform for module in _MODULES for transform in module.TRANSFORMS
}
"""Every built-in transform by its name. One raises TypeError or ValueError for a value that it cannot take."""
TEXT_FORMATS: Mapping[str, TextFormat] = {
    name: form for module in (text, values, times) for name, form in module.TEXT_FORMATS.items()
}
"""The texts that built-in transforms of text accept, by the names of the transforms; others accept all."""

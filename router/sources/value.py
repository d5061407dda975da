"""The source `value`: a constant."""

from copy import deepcopy
from typing import Annotated, Any

from msgspec import Meta

from router.sources import AttributeCompiler, AttributeSource, Constant, Lookup, Setting, no_expressions


def _compile(value: Any, compiler: AttributeCompiler) -> Lookup:
    if isinstance(value, list | dict):
        # A copy for each item, because a plugin may change it in place.
        return Lookup(lambda data, message: deepcopy(value), constant=value)
    return Lookup(lambda data, message: value, constant=value)


def _values(value: Any, setting: Setting) -> Constant:
    return Constant(value)


SOURCE = AttributeSource(
    key="value",
    spec=Annotated[Any, Meta(description="A constant.", examples=["mobile"])],
    compile=_compile,
    expressions=no_expressions,
    values=_values,
)

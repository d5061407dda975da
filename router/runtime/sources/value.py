"""The source `value`: a constant."""

from copy import deepcopy
from typing import Annotated, Any

from msgspec import Meta

from router.runtime.sources import AttributeCompiler, AttributeSource, Constant, Lookup


def _compile(value: Any, compiler: AttributeCompiler) -> Lookup:
    if isinstance(value, list | dict):
        # A copy for each item, because a plugin may change it in place.
        return Lookup(lambda data, message: deepcopy(value), constant=value, reads_data=False)
    return Lookup(lambda data, message: value, constant=value, reads_data=False)


SOURCE = AttributeSource(
    key="value",
    spec=Annotated[Any, Meta(description="A constant.", examples=["mobile"])],
    compile=_compile,
    expressions=lambda value: (),
    meta=lambda value: (),
    values=lambda value, fifo, type_: Constant(value),
)

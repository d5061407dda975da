"""The source `from`: a JMESPath expression over the message."""

from typing import Annotated

from msgspec import Meta

from router.runtime.config_types import Expression
from router.runtime.sources import (
    AttributeCompiler,
    AttributeSource,
    Evaluated,
    ExpressionUse,
    Lookup,
)


def _compile(text: str, compiler: AttributeCompiler) -> Lookup | None:
    compiled = compiler.expression(text, ("from",))
    if compiled is None:
        return None
    evaluate = compiled.evaluate
    pointer = compiled.pointer
    return Lookup(lambda data, message: evaluate(data), pointer, tuple(pointer.split("/")[1:]))


SOURCE = AttributeSource(
    key="from",
    spec=Annotated[
        Expression,
        Meta(description="JMESPath over the message.", examples=["device.model"]),
    ],
    compile=_compile,
    expressions=lambda text: [ExpressionUse(("from",), text, None)],
    meta=lambda text: (),
    values=lambda text, fifo, type_: Evaluated(text),
)

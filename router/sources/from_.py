"""The source `from`: a JMESPath expression over the message."""

from collections.abc import Iterable
from typing import Annotated, Any

from msgspec import Meta, UnsetType

from router.config_types import Expression
from router.sources import AttributeCompiler, AttributeSource, Evaluated, ExpressionUse, Lookup, Setting


def _compile(text: str, compiler: AttributeCompiler) -> Lookup | None:
    compiled = compiler.expression(text, ("from",))
    if compiled is None:
        return None
    evaluate, pointer = compiled.evaluate, compiled.pointer
    field = "" if "/" in pointer[1:] else pointer[1:]
    return Lookup(lambda data, message: evaluate(data), pointer, field)


def _expressions(text: Any) -> Iterable[ExpressionUse]:
    return [ExpressionUse(("from",), text)]


def _values(text: str, setting: Setting) -> Evaluated:
    return Evaluated(text)


SOURCE = AttributeSource(
    key="from",
    spec=Annotated[Expression | UnsetType, Meta(description="JMESPath over the message.", examples=["device.model"])],
    compile=_compile,
    expressions=_expressions,
    values=_values,
)

"""The source `hash`: the SHA-256 of the canonical JSON of values of the message."""

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from router.model import Message
from router.runtime.config_types import Expression
from router.runtime.engine.convert import scalar_text
from router.runtime.sources import (
    AttributeCompiler,
    AttributeSource,
    Computed,
    ExpressionUse,
    Lookup,
)


def hash_values(values: Sequence[Any]) -> str:
    """Return the SHA-256, in lower-case hex, of the canonical JSON array of values; raises ValueError."""
    return hashlib.sha256(f"[{','.join(map(canonical_json, values))}]".encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """Return JSON text that is equal exactly when the values are: keys sorted, no spaces, equal numbers written alike.

    It never changes between releases, because hashes are stored in tables as keys.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        members = (
            f"{json.dumps(name, ensure_ascii=False)}:{canonical_json(value[name])}"
            for name in sorted(value)
        )
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical_json, value))}]"
    return scalar_text(value)


def _compile(texts: Sequence[str], compiler: AttributeCompiler) -> Lookup | None:
    compiled = [compiler.expression(text, ("hash", index)) for index, text in enumerate(texts)]
    expressions = [each.evaluate for each in compiled if each is not None]
    if len(expressions) < len(compiled):
        return None

    def get(data: Any, message: Message) -> str:
        values = [evaluate(data) for evaluate in expressions]
        if None in values:
            raise ValueError("cannot be hashed: a value is missing")
        return hash_values(values)

    return Lookup(get)


SOURCE = AttributeSource(
    key="hash",
    spec=Annotated[
        Annotated[tuple[Expression, ...], Meta(min_length=1)],
        Meta(
            description="Expressions; the attribute is the SHA-256 (lower-case hex) of the canonical JSON array of "
            "their values. A missing value is an error.",
            examples=[["user_id", "device"]],
        ),
    ],
    compile=_compile,
    expressions=lambda texts: [
        ExpressionUse(("hash", index), text, None) for index, text in enumerate(texts)
    ],
    meta=lambda texts: (),
    values=lambda texts, fifo, type_: Computed("string", 64, tuple(texts), required=True),
)

"""Decodes JSON that stands inside something else, exactly and with bounds."""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

MAX_DEPTH = 64
"""Nesting over this is refused, as it is for the body of a message."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def decode_json(text: str | bytes) -> Any:
    """The value of a JSON text, with numbers as int or Decimal; raises ValueError, whose text holds no value."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError, InvalidOperation):  # malformed or no UTF-8; too deep; an absurd exponent
        raise ValueError("it is not JSON") from None
    if _deeper_than(value, MAX_DEPTH):
        raise ValueError(f"it is nested over {MAX_DEPTH} deep")
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [node for node in level if isinstance(node, (list, dict))]
        if not level:
            return False
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return True

"""The order that DynamoDB has for values, which decides between versions."""

from decimal import Decimal
from typing import Any

from router.model import AttributeValue, Write


def version_order(write: Write) -> tuple[str, Any]:
    """What orders the versions of writes."""
    return value_order(write.version or {})


def value_order(value: AttributeValue) -> tuple[str, Any]:
    """What orders values as DynamoDB does: by type, then by number, or by the bytes of UTF-8."""
    for kind, content in value.items():
        return kind, Decimal(content) if kind == "N" else content.encode() if kind == "S" else content
    return "", None

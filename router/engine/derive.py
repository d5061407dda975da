"""Values made from others: the canonical hash, and times to live. Each raises ValueError with a value-free reason."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from router.engine.convert import scalar_text

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds of the units of a duration such as `90d`."""
MAX_EPOCH_SECONDS = 99_999_999_999
"""The year 5138; a greater number is milliseconds, which DynamoDB's time to live would take for a far future."""


def hash_values(values: Sequence[Any]) -> str:
    """SHA-256, lower-case hex, of the canonical JSON array: keys sorted, no spaces, equal numbers written alike."""
    return hashlib.sha256(f"[{','.join(map(canonical_json, values))}]".encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text that is equal exactly when the values are; it never changes between releases."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        members = (f"{json.dumps(name, ensure_ascii=False)}:{canonical_json(value[name])}" for name in sorted(value))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(canonical_json, value))}]"
    return scalar_text(value)


def parse_duration(text: str) -> int:
    """Seconds of a duration such as `90d`."""
    return int(text[:-1]) * SECONDS[text[-1]]


def epoch_seconds(value: Any) -> int:
    """Whole seconds since 1970 of ISO 8601 text with an offset, or of a number of seconds."""
    if isinstance(value, str):
        return _parse_time(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is no time")
    if not 0 <= value <= MAX_EPOCH_SECONDS:
        raise ValueError("is no time in seconds since 1970; milliseconds are not taken")
    return int(value)


def _parse_time(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no ISO 8601 time") from None
    if time.tzinfo is None:
        raise ValueError("is a time without offset; add Z or +00:00")
    return int(time.timestamp())

"""Numbers as they are spelled in JSON: 1, 1.0 and 1e0 are equal, and not written alike."""

import json
from decimal import Decimal
from typing import Any


class Spelled(str):
    """A number, as its JSON text."""

    __slots__ = ()


def encoded(value: Any, *, ascii_only: bool = False) -> str:
    """Return a value as JSON text, with its numbers as they are spelled."""
    if isinstance(value, Spelled | Decimal):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=ascii_only)}: {_inside(value[key], ascii_only)}" for key in value)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_inside(each, ascii_only) for each in value)}]"
    return json.dumps(value, ensure_ascii=ascii_only)


def _inside(value: Any, ascii_only: bool) -> str:
    return encoded(value, ascii_only=ascii_only)

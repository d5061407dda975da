"""Values as people and machines read them: JSON, with sets as sorted lists and numbers exact."""

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def to_json(value: Any, indent: int = 0) -> str:
    """A value as JSON text, on one line or indented."""
    text = _ENCODER.encode(_plain(value))
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def to_cell(value: Any) -> str:
    """A value as a table shows it: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else to_json(value)


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value

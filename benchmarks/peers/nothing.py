"""A handler that does nothing: what the runtime itself takes."""

from typing import Any


def handler(event: dict[str, Any], context: object) -> None:
    """Ignore the event."""

"""Puts off what asks for it, the first time, and has transforms that need a package and a data file."""

import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

from dateutil.parser import isoparse

from router import Message, Retry, hookimpl

PLACES = json.loads(Path(__file__).with_name("places.json").read_text(encoding="utf-8"))
SEEN: set[str] = set()


@hookimpl
def router_register_transforms(register: Callable[..., None]) -> None:
    """Make `place` and `utc` known."""
    register("place", lambda text: PLACES.get(text, text))
    register("utc", lambda text: isoparse(text).astimezone(UTC).isoformat())


@hookimpl
def router_transform_message(message: Message) -> None:
    """Raise Retry for a message whose id begins with `late`, the first time that it comes."""
    data: Any = message.data
    if data["id"].startswith("late") and data["id"] not in SEEN:
        SEEN.add(data["id"])
        raise Retry("not yet")

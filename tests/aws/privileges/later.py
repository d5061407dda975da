"""A plugin that wants some messages to come again."""

from typing import Any

from router import Retry, hookimpl


@hookimpl
def router_transform_message(message: Any) -> None:
    if message.data.get("later"):
        raise Retry("not now", 60)

"""A plugin that counts how often it has seen a message."""

from router import Message, Route, hookimpl


@hookimpl
def router_transform_message(message: Message, route: Route) -> Message:
    """Add one."""
    return message.with_data({**message.data, "seen": message.data.get("seen", 0) + 1})

"""A plugin that changes no message: what is left is the cost of its hook."""

from router import Message, Route, hookimpl


@hookimpl
def router_transform_message(message: Message, route: Route) -> Message | None:
    """Leave the message as it is."""
    return None

"""A plugin that changes no item: what is left is the cost of its hook."""

from router import Item, Message, Route, hookimpl


@hookimpl
def router_transform_item(item: Item, message: Message, route: Route) -> Item | None:
    """Leave the item as it is."""
    return None

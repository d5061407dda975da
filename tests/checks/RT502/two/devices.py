"""A plugin without a fault."""

from router import Item, hookimpl


@hookimpl
def router_transform_item(item: Item) -> Item:
    return {**item, "seen": True}

"""A plugin that forgot to mark its hook."""

from router import Item


def router_transform_item(item: Item) -> Item:
    return {**item, "seen": True}

"""A plugin that implements one hook twice."""

from router import Item, hookimpl


@hookimpl
def router_transform_item(item: Item) -> Item:
    return {**item, "seen": True}


@hookimpl(specname="router_transform_item")
def mark_again(item: Item) -> Item:
    return {**item, "again": True}

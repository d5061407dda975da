"""A plugin with a misspelt hook, and an argument that the hook does not have."""

from router import Item, Message, Route, Summary, hookimpl


@hookimpl
def router_transform_itm(item: Item) -> Item:
    return {**item, "seen": True}


@hookimpl
def router_transform_message(message: Message, router: Route) -> Message:
    return message


@hookimpl
def router_batch_done(event: Summary) -> None: ...

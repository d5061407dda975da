"""A plugin with hooks in forms that are not supported."""

from collections.abc import Iterator
from typing import Any

from router import Item, Message, Result, hookimpl


@hookimpl(wrapper=True)
def router_transform_message(message: Message) -> Iterator[Any]:
    return (yield)


@hookimpl(tryfirst=True)
def router_transform_item(item: Item) -> Item:
    return {**item, "seen": True}


@hookimpl
async def router_outcome(outcome: Result) -> None: ...


@hookimpl
def router_start(router: Any = None) -> None: ...

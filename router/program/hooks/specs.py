"""Every hook that a plugin can implement."""

from collections.abc import Callable
from typing import Any

import pluggy

from router.model import Envelope, Item, Message, Remark, Result, Route, Router, Summary, Transform

hookspec = pluggy.HookspecMarker("router")
hookimpl = pluggy.HookimplMarker("router")


@hookspec
def router_register_transforms(register: Callable[[str, Transform], None]) -> None:
    """Name functions for `transform:` — `register("strip", str.strip)`; called once, at load."""


@hookspec
def router_register_envelopes(register: Callable[[str, Envelope], None]) -> None:
    """Name decoders for `envelope:` — `register("acme", decode)`; called once, at load."""


@hookspec
def router_register_checks(register: Callable[[Callable[[Any], list[Remark]]], None]) -> None:
    """Add to `router check` — `register(check)`; each check is given the parsed config and returns remarks."""


@hookspec
def router_transform_message(message: Message, route: Route) -> Message | None:
    """Return the message changed (`message.with_data(…)`), or None to leave it; before the item is mapped."""


@hookspec
def router_transform_item(item: Item, message: Message, route: Route) -> Item | None:
    """Return the item to write, or None to leave it as it is; after the item is mapped."""


@hookspec
def router_outcome(outcome: Result) -> None:
    """See how a message ended; what this raises is logged and ignored."""


@hookspec
def router_batch_done(summary: Summary) -> None:
    """See what a batch came to; what this raises is logged and ignored."""


@hookspec
def router_start(router: Router) -> None:
    """Prepare, once for each process, before the first message."""


@hookspec
def router_stop(router: Router) -> None:
    """Clean up, once for each process, after the last message; Lambda does not promise it."""

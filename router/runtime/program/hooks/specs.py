"""Every hook that a plugin can implement."""

from collections.abc import Callable
from typing import Any, Protocol

import pluggy

from router.model import (
    Envelope,
    Item,
    Message,
    Remark,
    Result,
    Route,
    Router,
    Summary,
    TransformFunction,
    Wrap,
)

hookspec = pluggy.HookspecMarker("router")
hookimpl = pluggy.HookimplMarker("router")


class RegisterEnvelope(Protocol):
    """Registers an envelope by its name, with what unwraps it.

    Optionally also with what wraps a payload in it.
    """

    def __call__(self, name: str, unwrap: Envelope, wrap: Wrap | None = None) -> None:
        """Register the envelope."""


@hookspec
def router_register_transforms(register: Callable[[str, TransformFunction], None]) -> None:
    """Name functions for `transform:` — `register("strip", str.strip)`.

    Called once, at load.
    """


@hookspec
def router_register_envelopes(register: RegisterEnvelope) -> None:
    """Name decoders for `envelope:` — `register("acme", unwrap)`; called once, at load.

    `unwrap(payload, attributes)` returns the payload inside and the attributes. With
    its inverse, `register("acme", unwrap, wrap=wrap)`, the router wraps the messages of
    `router test`, `router explain` and `router demo` in the envelope: `wrap(payload)`
    takes and returns text. Without it, they are sent as they are.
    """


@hookspec
def router_register_checks(
    register: Callable[[Callable[[Any], list[Remark]]], None],
) -> None:
    """Add to `router check` — `register(check)`.

    Each check takes the parsed config and returns remarks.
    """


@hookspec
def router_transform_message(message: Message, route: Route) -> Message | None:
    """Return the message changed (`message.with_data(…)`), or None to leave it.

    Called before the item is mapped.
    """


@hookspec
def router_transform_item(item: Item, message: Message, route: Route) -> Item | None:
    """Return the item to write, or None to leave it as it is.

    Called after the item is mapped.
    """


@hookspec
def router_outcome(outcome: Result) -> None:
    """Observe how a message ended; an exception is logged and ignored."""


@hookspec
def router_batch_done(summary: Summary) -> None:
    """Observe the summary of a batch; an exception is logged and ignored."""


@hookspec
def router_start(router: Router) -> None:
    """Prepare, once for each process, before the first message.

    Commands that run messages on this machine (`router test`, `explain`, `diff`, `dlq`
    …), pytest and `router.testing.deliver` call it, too; `router check` and `build` do
    not.
    """


@hookspec
def router_stop(router: Router) -> None:
    """Clean up, once for each process, after the last message.

    Lambda does not promise it.
    """

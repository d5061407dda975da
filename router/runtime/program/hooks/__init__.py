"""The loaded plugins of a config.

A config without plugins needs nothing else of this package.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct, field

from router.errors import PluginError
from router.model import Item, Message, Remark, Route, Router, TransformFunction
from router.runtime.envelopes import ENVELOPES, EnvelopeFormat

MessageStep = Callable[[Message, Route], Message]
"""A `router_transform_message` hook, ready to run."""
ItemStep = Callable[[Item, Message, Route], Item]
"""A `router_transform_item` hook, ready to run."""
Check = Callable[[Any], list[Remark]]
"""A check that a plugin registers: takes the parsed config and returns remarks."""
ObserverHook = Literal["router_outcome", "router_batch_done", "router_stop"]
"""A hook whose result does not matter."""
Observer = tuple[str, Callable[[Any], Any]]
"""A plugin's name and its implementation of a hook with one argument."""

_Step = TypeVar("_Step")


class Plugins(Struct, frozen=True, weakref=True):
    """The plugins of a config, loaded: their names, what they registered, and their
    hooks as plain callables.

    `names` are in the order of the config. `left_out` are the plugins with a fault: a
    name that seems unknown may be one that they register. `registered_transforms` are
    theirs and the built-in ones; None if no plugin could register one. The defaults are
    those of a config without plugins.
    """

    names: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    envelopes: Mapping[str, EnvelopeFormat] = field(default_factory=lambda: ENVELOPES)
    checks: tuple[Check, ...] = ()
    message_steps: Mapping[str, MessageStep] = {}
    item_steps: Mapping[str, ItemStep] = {}
    observers: Mapping[str, tuple[Observer, ...]] = {}
    registered_transforms: Mapping[str, TransformFunction] | None = None

    @property
    def transforms(self) -> Mapping[str, TransformFunction]:
        """The transforms that a config can name."""
        if self.registered_transforms is not None:
            return self.registered_transforms
        # A start of a config that names none does without them.
        from router.runtime.transforms import FUNCTIONS

        return FUNCTIONS

    def message_pipeline(self, names: Sequence[str] | None = None) -> tuple[MessageStep, ...]:
        """Return the steps that transform messages, of the named plugins in that order.

        Of all for None.
        """
        return _select(self.message_steps, names)

    def item_pipeline(self, names: Sequence[str] | None = None) -> tuple[ItemStep, ...]:
        """Return the steps that transform items, of the named plugins in that order.

        Of all for None.
        """
        return _select(self.item_steps, names)

    def observes(self, hook: ObserverHook) -> bool:
        """Return whether a plugin implements the hook."""
        return bool(self.observers.get(hook))

    def start(self, router: Router) -> None:
        """Call `router_start` of the plugins, in order.

        Raises PluginError for the first that fails.
        """
        for plugin, prepare in self.observers.get("router_start", ()):
            try:
                prepare(router)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                # A plugin may call sys.exit(): the error must name the plugin.
                raise PluginError(plugin, "router_start", error) from error

    def stop(self, router: Router) -> None:
        """Call `router_stop` of the plugins, in reverse order.

        An exception is logged and ignored.
        """
        self.notify("router_stop", router, -1)

    def notify(self, hook: ObserverHook, seen: Any, step: int = 1) -> None:
        """Call observers one after the other.

        An exception is logged on one line and ignored.
        """
        for plugin, observe in self.observers.get(hook, ())[::step]:
            try:
                observe(seen)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                # A plugin that calls sys.exit() must not end the router.
                # A check does without the module, as do most starts of its process.
                import logging

                logging.getLogger("router.plugins").error("%s", PluginError(plugin, hook, error))


def _select(steps: Mapping[str, _Step], names: Sequence[str] | None) -> tuple[_Step, ...]:
    """Return the steps of the names, without those that have none."""
    chosen = steps if names is None else [name for name in names if name in steps]
    return tuple(steps[name] for name in chosen)

"""The plugins of a config, as the rest of the router sees them; who has none of its own needs nothing else."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from router.envelopes.builtin import ENVELOPES
from router.errors import PluginError
from router.model import Envelope, Item, Message, Remark, Result, Route, Router, Summary, Transform
from router.transforms.builtin import TRANSFORMS

MessageStep = Callable[[Message, Route], Message]
"""A `router_transform_message` hook, ready to run."""
ItemStep = Callable[[Item, Message, Route], Item]
"""A `router_transform_item` hook, ready to run."""
Check = Callable[[Any], list[Remark]]
"""A check that a plugin registers: parsed config in, findings out."""
Observer = tuple[str, Callable[[Any], Any]]
"""A plugin's name and its implementation of a hook with one argument."""

OBSERVED = ("router_outcome", "router_batch_done", "router_start", "router_stop")
"""The hooks of observers."""

_LOG = logging.getLogger("router.plugins")
_Step = TypeVar("_Step")


class Plugins(Struct, frozen=True):
    """The plugins of a config, loaded: their names, what they registered, and their hooks as plain callables.

    `names` are the config's own, in its order, without the built-ins. `left_out` are those with a fault: what seems
    unknown elsewhere may be theirs.
    """

    names: tuple[str, ...]
    left_out: tuple[str, ...]
    transforms: Mapping[str, Transform]
    envelopes: Mapping[str, Envelope]
    checks: tuple[Check, ...]
    message_steps: Mapping[str, MessageStep]
    item_steps: Mapping[str, ItemStep]
    observers: Mapping[str, tuple[Observer, ...]]

    def message_pipeline(self, names: Sequence[str] | None = None) -> tuple[MessageStep, ...]:
        """The steps of the named plugins (None: of all) that transform messages, in that order."""
        return _select(self.message_steps, names)

    def item_pipeline(self, names: Sequence[str] | None = None) -> tuple[ItemStep, ...]:
        """The steps of the named plugins (None: of all) that transform items, in that order."""
        return _select(self.item_steps, names)

    @property
    def observes_outcomes(self) -> bool:
        """Whether a plugin wants to see each outcome."""
        return bool(self.observers["router_outcome"])

    def notify_outcome(self, result: Result) -> None:
        """Tell the observers how a message ended."""
        notify(self.observers["router_outcome"], "router_outcome", result)

    def notify_batch(self, summary: Summary) -> None:
        """Tell the observers what a batch came to."""
        notify(self.observers["router_batch_done"], "router_batch_done", summary)

    def start(self, router: Router) -> None:
        """Let plugins prepare, in order; raises PluginError for the first that cannot."""
        for plugin, prepare in self.observers["router_start"]:
            try:
                prepare(router)
            except Exception as error:
                raise PluginError(plugin, "router_start", error) from error

    def stop(self, router: Router) -> None:
        """Let plugins clean up, the last started first; what one raises is logged and ignored."""
        notify(reversed(self.observers["router_stop"]), "router_stop", router)


def built_in() -> Plugins:
    """The plugins of a config that names none: what is built in."""
    none: Mapping[str, Any] = MappingProxyType({})
    return Plugins(
        names=(),
        left_out=(),
        transforms=MappingProxyType({transform.__name__: transform for transform in TRANSFORMS}),
        envelopes=MappingProxyType({envelope.__name__: envelope for envelope in ENVELOPES}),
        checks=(),
        message_steps=none,
        item_steps=none,
        observers=MappingProxyType(dict.fromkeys(OBSERVED, ())),
    )


def notify(observers: Iterable[Observer], hook: str, seen: Any) -> None:
    """Call observers one after the other; what one raises is logged on one line and ignored."""
    for plugin, observe in observers:
        try:
            observe(seen)
        except Exception as error:
            _LOG.error("%s", PluginError(plugin, hook, error))


def _select(steps: Mapping[str, _Step], names: Sequence[str] | None) -> tuple[_Step, ...]:
    """The steps of those of the names that have one."""
    return tuple(steps.values()) if names is None else tuple(steps[name] for name in names if name in steps)

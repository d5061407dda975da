"""Loads the plugins of a config, and holds what they bring in the order of the config."""

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from types import MappingProxyType, ModuleType
from typing import Protocol, TypeVar

from msgspec import Struct
from pluggy import HookImpl, PluginManager

from router.errors import PluginError
from router.hooks import builtin, envelopes, specs
from router.hooks.faults import Fault
from router.hooks.implementations import implementation_faults
from router.hooks.pipeline import (
    Check,
    ItemStep,
    MessageStep,
    Observer,
    compile_call,
    compile_item_step,
    compile_message_step,
    notify,
)
from router.hooks.plugin_files import load_module, plugin_name
from router.hooks.registrations import Registrations
from router.model import Code, Envelope, Path, Result, Router, Summary, Transform

SAME_NAME = Code(
    "RT502",
    "two plugins have one name",
    "Routes name plugins in `plugins` and `options`: with two of one name nobody could say which is meant.",
)

_Step = TypeVar("_Step")
_OBSERVED = ("router_outcome", "router_batch_done", "router_start", "router_stop")
_RENAME = "a plugin's name is its file's name without '.py': rename one, or take it out"

BUILT_IN: tuple[ModuleType, ...] = (builtin, envelopes)
"""The plugins that are always there; each is named after its module, like any installed one."""


class FaultSink(Protocol):
    """Where faults go: the findings of a config."""

    def add(self, code: Code, sentence: str, path: Path = (), *, suggestion: str = "") -> None:
        """Note a fault at a path of the config."""


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


def load_plugins(entries: Sequence[str], folder: File, findings: FaultSink, path: Path = ("plugins",)) -> Plugins:
    """Load the built-ins and then the plugins of a config; entry `i` stands at `path` + `(i,)`.

    All faults of all plugins become findings at their entries; a plugin with a fault is left out.
    """
    manager = PluginManager("router")
    manager.add_hookspecs(specs)
    registrations = Registrations()
    for module in BUILT_IN:
        manager.register(module, module.__name__)
        registrations.gather(module.__name__, _hooks_of(manager, module.__name__), folder, trusted=True)
    first: dict[str, str] = {module.__name__: module.__name__ for module in BUILT_IN}
    left_out: list[str] = []
    for index, entry in enumerate(entries):
        name = plugin_name(entry)
        if name in first:
            faults = [Fault(SAME_NAME, f"two plugins are named {name!r}: {first[name]!r} and {entry!r}", _RENAME)]
        else:
            first[name] = entry
            faults = _load(name, entry, folder, manager, registrations)
            left_out += [name] if faults else []
        for fault in faults:
            findings.add(fault.code, fault.sentence, (*path, index), suggestion=fault.suggestion)
    return _collect(manager, registrations, tuple(left_out))


def _load(name: str, entry: str, folder: File, manager: PluginManager, registrations: Registrations) -> list[Fault]:
    """Load one plugin into the manager, or say all that is wrong with it."""
    module = load_module(entry, folder)
    if isinstance(module, Fault):
        return [module]
    if faults := implementation_faults(module, name, folder):
        return faults
    if same := manager.get_name(module):
        return [Fault(SAME_NAME, f"plugin {name!r} is the module that is plugin {same!r} already", "take one out")]
    manager.register(module, name)
    if faults := registrations.gather(name, _hooks_of(manager, name), folder):
        manager.unregister(name=name)
    return faults


def _hooks_of(manager: PluginManager, name: str) -> dict[str, HookImpl]:
    """The implementations of one plugin by hook: at most one of each."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    return {caller.name: impl for caller in callers for impl in caller.get_hookimpls() if impl.plugin_name == name}


def _collect(manager: PluginManager, registrations: Registrations, left_out: tuple[str, ...]) -> Plugins:
    """What is loaded, in the order of the config; pluggy's own order is the reverse."""
    names = tuple(name for name, _ in manager.list_name_plugin())
    hooks = {name: _hooks_of(manager, name) for name in names}

    def implementations(hook: str) -> dict[str, HookImpl]:
        return {name: hooks[name][hook] for name in names if hook in hooks[name]}

    return Plugins(
        names=names[len(BUILT_IN) :],
        left_out=left_out,
        transforms=MappingProxyType(registrations.transforms),
        envelopes=MappingProxyType(registrations.envelopes),
        checks=tuple(registrations.checks),
        message_steps=MappingProxyType(
            {name: compile_message_step(impl) for name, impl in implementations("router_transform_message").items()}
        ),
        item_steps=MappingProxyType(
            {name: compile_item_step(impl) for name, impl in implementations("router_transform_item").items()}
        ),
        observers=MappingProxyType(
            {
                hook: tuple((name, compile_call(hook, impl)) for name, impl in implementations(hook).items())
                for hook in _OBSERVED
            }
        ),
    )


def _select(steps: Mapping[str, _Step], names: Sequence[str] | None) -> tuple[_Step, ...]:
    """The steps of those of the names that have one."""
    return tuple(steps.values()) if names is None else tuple(steps[name] for name in names if name in steps)

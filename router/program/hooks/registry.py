"""Loads the plugins of a config, and holds what they bring in the order of the config."""

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from types import MappingProxyType, ModuleType
from typing import Protocol

from pluggy import HookImpl, PluginManager

from router.envelopes import builtin as envelopes
from router.model import Code, Path
from router.program.hooks import specs
from router.program.hooks.faults import Fault
from router.program.hooks.implementations import implementation_faults
from router.program.hooks.pipeline import compile_call, compile_item_step, compile_message_step
from router.program.hooks.plugin_files import load_module, plugin_name
from router.program.hooks.plugins import OBSERVED, Plugins
from router.program.hooks.registrations import REGISTERING, Register, Registrations
from router.transforms import builtin

SAME_NAME = Code(
    "RT502",
    "two plugins have one name",
    "Routes name plugins in `plugins` and `options`: with two of one name nobody could say which is meant.",
)

_RENAME = "a plugin's name is its file's name without '.py': rename one, or take it out"

BUILT_IN: tuple[ModuleType, ...] = (builtin, envelopes)
"""What is always there, called as plugins are; each is named after its module, like any installed plugin."""


class FaultSink(Protocol):
    """Where faults go: the findings of a config."""

    def add(self, code: Code, sentence: str, path: Path = (), *, suggestion: str = "") -> None:
        """Note a fault at a path of the config."""


def load_plugins(entries: Sequence[str], folder: File, findings: FaultSink, path: Path = ("plugins",)) -> Plugins:
    """Load the built-ins and then the plugins of a config; entry `i` stands at `path` + `(i,)`.

    All faults of all plugins become findings at their entries; a plugin with a fault is left out.
    """
    manager = PluginManager("router")
    manager.add_hookspecs(specs)
    registrations = Registrations()
    for module in BUILT_IN:
        registers = {name: value for name, value in vars(module).items() if name in REGISTERING}
        registrations.gather(module.__name__, registers, folder, trusted=True)
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
    if faults := registrations.gather(name, _registers(_hooks_of(manager, name)), folder):
        manager.unregister(name=name)
    return faults


def _hooks_of(manager: PluginManager, name: str) -> dict[str, HookImpl]:
    """The implementations of one plugin by hook: at most one of each."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    return {caller.name: impl for caller in callers for impl in caller.get_hookimpls() if impl.plugin_name == name}


def _registers(hooks: Mapping[str, HookImpl]) -> dict[str, Register]:
    """The hooks that register something; each takes its one argument, or none."""

    def compiled(hook: HookImpl) -> Register:
        return hook.function if hook.argnames else lambda register: hook.function()

    return {name: compiled(hook) for name, hook in hooks.items() if name in REGISTERING}


def _collect(manager: PluginManager, registrations: Registrations, left_out: tuple[str, ...]) -> Plugins:
    """What is loaded, in the order of the config; pluggy's own order is the reverse."""
    names = tuple(name for name, _ in manager.list_name_plugin())
    hooks = {name: _hooks_of(manager, name) for name in names}

    def implementations(hook: str) -> dict[str, HookImpl]:
        return {name: hooks[name][hook] for name in names if hook in hooks[name]}

    return Plugins(
        names=names,
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
                for hook in OBSERVED
            }
        ),
    )

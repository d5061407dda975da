"""Loads the plugins of a config, collects what they register, and compiles their hooks to plain callables."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as File
from types import MappingProxyType
from typing import Any, Protocol

from pluggy import HookImpl, PluginManager

from router.codes import declare
from router.config.findings import ConfigFault
from router.envelopes import EnvelopeFormat
from router.errors import Drop, PluginError, Reject, Retry
from router.model import Code, Envelope, Item, Message, Path, Remark, Route, Transform, Unwrapped, Wrap
from router.program.hooks import OBSERVED, Check, ItemStep, MessageStep, Plugins, built_in, specs
from router.program.hooks.modules import HOOKS, describe, implementation_faults, load_module, odd_form, plugin_name

SAME_NAME = declare(
    "RT502",
    "two plugins have one name",
    "Routes name plugins in `plugins` and `options`: two of one name would be ambiguous.",
)
BAD_REGISTRATION = declare(
    "RT507",
    "a plugin's registration fails",
    "A name in the config must mean one function. It is ambiguous which one a route would use if a name is taken, "
    "an object cannot be called, or a register hook raises an exception.",
)

_RENAME = "a plugin's name is its file's name without '.py': rename one, or take it out"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


class FaultSink(Protocol):
    """Where faults are added: the findings of a config."""

    def add(self, code: Code, sentence: str, path: Path = (), *, suggestion: str = "") -> None:
        """Add a fault at a path of the config."""


def load_plugins(entries: Sequence[str], folder: File, findings: FaultSink, path: Path = ("plugins",)) -> Plugins:
    """Load the plugins of a config, in its order; entry `i` stands at `path` + `(i,)`.

    All faults of all plugins become findings at their entries; a plugin with a fault is left out.
    """
    manager = PluginManager("router")
    manager.add_hookspecs(specs)
    registered = _Registered()
    first: dict[str, str] = {}
    left_out: list[str] = []
    for index, entry in enumerate(entries):
        name = plugin_name(entry)
        if name in first:
            faults = [ConfigFault(SAME_NAME, f"two plugins are named {name!r}: {first[name]!r} and {entry!r}", _RENAME)]
        else:
            first[name] = entry
            faults = _load(name, entry, folder, manager, registered)
            left_out += [name] if faults else []
        for fault in faults:
            findings.add(fault.code, fault.sentence, (*path, index), suggestion=fault.suggestion)
    return _collect(manager, registered, tuple(left_out))


def _load(name: str, entry: str, folder: File, manager: PluginManager, registered: "_Registered") -> list[ConfigFault]:
    """Load one plugin into the manager, or return its faults."""
    module = load_module(entry, folder)
    if isinstance(module, ConfigFault):
        return [module]
    if faults := implementation_faults(module, name, folder):
        return faults
    if same := manager.get_name(module):
        return [
            ConfigFault(SAME_NAME, f"plugin {name!r} is the module that is plugin {same!r} already", "take one out")
        ]
    manager.register(module, name)
    if faults := registered.add_plugin(name, _hooks_of(manager, name), folder):
        manager.unregister(name=name)
    return faults


def _hooks_of(manager: PluginManager, name: str) -> dict[str, HookImpl]:
    """Return the implementations of one plugin by hook: at most one of each."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    return {caller.name: impl for caller in callers for impl in caller.get_hookimpls() if impl.plugin_name == name}


def _collect(manager: PluginManager, registered: "_Registered", left_out: tuple[str, ...]) -> Plugins:
    """Return what is loaded, in the order of the config; pluggy's own order is the reverse."""
    names = tuple(name for name, _ in manager.list_name_plugin())
    hooks = {name: _hooks_of(manager, name) for name in names}

    def implementations(hook: str) -> dict[str, HookImpl]:
        return {name: hooks[name][hook] for name in names if hook in hooks[name]}

    return Plugins(
        names=names,
        left_out=left_out,
        transforms=MappingProxyType(registered.transforms),
        envelopes=MappingProxyType(registered.envelopes),
        checks=tuple(registered.checks),
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


class _Registered:
    """What the router and the plugins so far have registered; a plugin with a fault registers nothing."""

    def __init__(self) -> None:
        built = built_in()
        self.transforms: dict[str, Transform] = dict(built.transforms)
        self.envelopes: dict[str, EnvelopeFormat] = dict(built.envelopes)
        self.checks: list[Check] = []
        self.owners: dict[tuple[str, str], str] = {}

    def add_plugin(self, plugin: str, hooks: Mapping[str, HookImpl], folder: File) -> list[ConfigFault]:
        """Call the register hooks of a plugin and keep what they register, or return all faults."""
        own = _Registration(plugin, self)
        takes: dict[str, Callable[..., None]] = {
            "router_register_transforms": own.register_transform,
            "router_register_envelopes": own.register_envelope,
            "router_register_checks": own.register_check,
        }
        for hook, register in takes.items():
            if hook in hooks:
                try:
                    hooks[hook].function(*([register] if hooks[hook].argnames else []))
                except Exception as error:
                    own.fault(f"{hook} raised {describe(error, folder)}")
        if not own.faults:
            self.transforms |= own.transforms
            self.envelopes |= {name: guard_envelope(plugin, envelope) for name, envelope in own.envelopes.items()}
            self.checks += [guard_check(plugin, check) for check in own.checks]
            self.owners |= dict.fromkeys((("transform", name) for name in own.transforms), plugin)
            self.owners |= dict.fromkeys((("envelope", name) for name in own.envelopes), plugin)
        return own.faults


class _Registration:
    """What one plugin registers."""

    def __init__(self, plugin: str, before: _Registered) -> None:
        self.transforms: dict[str, Transform] = {}
        self.envelopes: dict[str, EnvelopeFormat] = {}
        self.checks: list[Check] = []
        self.faults: list[ConfigFault] = []
        self._plugin = plugin
        self._before = before

    def fault(self, what: str, suggestion: str = "") -> None:
        self.faults.append(ConfigFault(BAD_REGISTRATION, f"plugin {self._plugin!r}: {what}", suggestion))

    def register_transform(self, name: str, function: Transform) -> None:
        before = self._before.transforms
        if self._is_free("transform", name, self.transforms, before) and self._is_plain(
            f"the transform {name!r}", function
        ):
            self.transforms[name] = function

    def register_envelope(self, name: str, unwrap: Envelope, wrap: Wrap | None = None) -> None:
        if (
            self._is_free("envelope", name, self.envelopes, self._before.envelopes)
            and self._is_plain(f"the envelope {name!r}", unwrap)
            and (wrap is None or self._is_plain(f"'wrap' of the envelope {name!r}", wrap))
        ):
            self.envelopes[name] = EnvelopeFormat(name, unwrap, wrap)

    def register_check(self, function: Check) -> None:
        if function in self.checks:
            self.fault("a check is registered twice", "register it once")
        elif self._is_plain(f"a check of type {type(function).__name__}", function):
            self.checks.append(function)

    def _is_free(self, kind: str, name: Any, own: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fault(
                f"{name!r} is no name for {'an' if kind == 'envelope' else 'a'} {kind}",
                "start with a letter; letters, digits, '_', '-' and '.' may follow",
            )
        elif name in own or name in before:
            owner = self._plugin if name in own else self._before.owners.get((kind, name))
            by = f"registered already, by plugin {owner!r}" if owner else "built in"
            self.fault(f"the {kind} {name!r} is {by}", "choose another name")
        else:
            return True
        return False

    def _is_plain(self, what: str, function: Any) -> bool:
        if not callable(function):
            self.fault(f"{what} cannot be called, it is of type {type(function).__name__}", "register a function")
        elif form := odd_form(function):
            self.fault(f"{what} {form}", "register a plain function")
        else:
            return True
        return False


def compile_call(hook: str, implementation: HookImpl) -> Callable[..., Any]:
    """Return a callable that takes all arguments of the hook in order, and passes those that the function has."""
    function, wanted, given = implementation.function, implementation.argnames, HOOKS[hook]
    if wanted == given:
        return function
    positions = tuple(given.index(name) for name in wanted)

    def call(*values: Any) -> Any:
        return function(*[values[position] for position in positions])

    return call


def compile_message_step(implementation: HookImpl) -> MessageStep:
    """Return a step from message to message; it raises Drop, Reject and Retry of the plugin, else PluginError."""
    hook, plugin = "router_transform_message", implementation.plugin_name
    transform = compile_call(hook, implementation)

    def step(message: Message, route: Route) -> Message:
        try:
            changed = transform(message, route)
        except (Drop, Reject, Retry):
            raise
        except Exception as error:
            raise PluginError(plugin, hook, error) from error
        if changed is None:
            return message
        if not isinstance(changed, Message):
            raise _wrong_return(plugin, hook, changed, "returned", "a Message or None")
        return changed

    return step


def compile_item_step(implementation: HookImpl) -> ItemStep:
    """Return a step from item to item; it raises Drop, Reject and Retry of the plugin, else PluginError."""
    hook, plugin = "router_transform_item", implementation.plugin_name
    transform = compile_call(hook, implementation)

    def step(item: Item, message: Message, route: Route) -> Item:
        try:
            changed = transform(item, message, route)
        except (Drop, Reject, Retry):
            raise
        except Exception as error:
            raise PluginError(plugin, hook, error) from error
        if changed is None:
            return item
        if not isinstance(changed, dict):
            raise _wrong_return(plugin, hook, changed, "returned", "a dict or None")
        return changed

    return step


def guard_check(plugin: str, check: Check) -> Check:
    """Return the check, with PluginError for exceptions, and for a return value that is no list of remarks."""
    hook = "router_register_checks"

    def guarded(config: Any) -> list[Remark]:
        try:
            found = check(config)
        except Exception as error:
            raise PluginError(plugin, hook, error, f"registered a check that raised {type(error).__name__}") from error
        if not isinstance(found, list) or not all(isinstance(finding, Remark) for finding in found):
            raise _wrong_return(plugin, hook, found, "registered a check that returned", "a list of Remark")
        return found

    return guarded


def guard_envelope(plugin: str, envelope: EnvelopeFormat) -> EnvelopeFormat:
    """Return the envelope, with PluginError for exceptions that are no signals, and for wrong return values."""
    wrap = envelope.wrap
    return EnvelopeFormat(
        envelope.name,
        _guard_unwrap(plugin, envelope.name, envelope.unwrap),
        None if wrap is None else _guard_wrap(plugin, envelope.name, wrap),
    )


def _guard_unwrap(plugin: str, name: str, unwrap: Envelope) -> Envelope:
    what = f"envelope {name!r}"

    def guarded(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
        try:
            unwrapped = unwrap(payload, attributes)
        except (Drop, Reject, Retry):
            raise
        except Exception as error:
            raise PluginError(plugin, what, error) from error
        match unwrapped:
            case (_, Mapping()):
                return unwrapped
        raise _wrong_return(plugin, what, unwrapped, "returned", "a payload and a map of attributes")

    return guarded


def _guard_wrap(plugin: str, name: str, wrap: Wrap) -> Wrap:
    what = f"wrap of envelope {name!r}"

    def guarded(payload: str) -> str:
        try:
            wrapped = wrap(payload)
        except Exception as error:
            raise PluginError(plugin, what, error) from error
        if not isinstance(wrapped, str):
            raise _wrong_return(plugin, what, wrapped, "returned", "text")
        return wrapped

    return guarded


def _wrong_return(plugin: str, hook: str, value: Any, returned: str, expected: str) -> PluginError:
    did = f"{returned} a value of type {type(value).__name__}, not {expected}"
    return PluginError(plugin, hook, TypeError(did), did)

"""Loads the plugins of a config, collects what they register, and compiles their hooks
to plain callables.
"""

import re
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from msgspec import Struct, field, structs
from pluggy import HookImpl, PluginManager

from router.codes import declare
from router.errors import Drop, PluginError, Reject, Retry, with_line
from router.model import (
    Envelope,
    Item,
    Message,
    Remark,
    Route,
    TransformFunction,
    Unwrapped,
    Wrap,
    names_file,
    plugin_name,
)
from router.model import Path as ConfigPath
from router.runtime.config.findings import ConfigFault, Findings
from router.runtime.envelopes import ENVELOPES, EnvelopeFormat
from router.runtime.program.hooks import (
    Check,
    ItemStep,
    MessageStep,
    Plugins,
    specs,
)
from router.runtime.program.hooks.modules import (
    HOOKS,
    describe,
    implementation_faults,
    load_module,
    no_hook,
    odd_form,
)
from router.runtime.transforms import FUNCTIONS

SAME_NAME = declare(
    "RT502",
    "two plugins have one name",
    "Routes name plugins in `plugins` and `options`: two of one name would be ambiguous.",
)
BAD_REGISTRATION = declare(
    "RT507",
    "a plugin's registration fails",
    "A name in the config must mean one function. It is ambiguous which one a route "
    "would use if a name is taken, "
    "an object cannot be called, or a register hook raises an exception.",
)

_RENAME = "a plugin's name is its file's name without '.py': rename one, or take it out"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_OBSERVED = (
    "router_outcome",
    "router_batch_done",
    "router_start",
    "router_stop",
)


def load_plugins(entries: Sequence[str], folder: Path, findings: Findings) -> Plugins:
    """Load the plugins of a config, in its order.

    All faults of all plugins become findings at their entries; a plugin with a fault is
    left out. The modules of files are in `sys.modules` as long as the returned object
    exists.
    """
    manager = PluginManager("router")
    manager.add_hookspecs(specs)
    registered = _Registered()
    first: dict[str, str] = {}
    left_out: list[str] = []
    from_files: list[str] = []
    for index, entry in enumerate(entries):
        path: ConfigPath = ("plugins", index)
        name = plugin_name(entry)
        if name in first:
            sentence = f"two plugins are named {name!r}: {first[name]!r} and {entry!r}"
            findings.add(SAME_NAME, sentence, path, suggestion=_RENAME)
            continue
        first[name] = entry
        module = load_module(entry, folder)
        registration = _Registration(name, registered)
        if isinstance(module, ConfigFault):
            faults = [module]
        else:
            if names_file(entry):
                from_files.append(module.__name__)
            faults = _add(module, registration, folder, manager)
            if not faults and not names_file(entry) and not _hooks_of(manager, name):
                manager.unregister(name=name)
                faults = [no_hook(name)]
        if faults:
            findings.add_faults(path, faults)
            left_out.append(name)
        else:
            registered = registration.registered
    plugins = _collect(manager, registered, tuple(left_out))
    weakref.finalize(plugins, _remove_modules, from_files).atexit = False
    return plugins


def _remove_modules(names: Sequence[str]) -> None:
    """Remove modules from `sys.modules`: nothing else keeps those of a config that a
    reload has replaced.
    """
    for name in names:
        sys.modules.pop(name, None)


def _add(
    module: ModuleType, registration: "_Registration", folder: Path, manager: PluginManager
) -> list[ConfigFault]:
    """Add one plugin to the manager, call its register hooks, and return its faults.

    With a fault, it is not in the manager.
    """
    name = registration.plugin
    faults = implementation_faults(module, name, folder)
    if faults:
        return faults
    same = manager.get_name(module)
    if same:
        sentence = f"plugin {name!r} is the module that is plugin {same!r} already"
        return [ConfigFault(SAME_NAME, sentence, "take one out")]
    manager.register(module, name)
    registration.call(_hooks_of(manager, name), folder)
    if registration.faults:
        manager.unregister(name=name)
    return registration.faults


def _hooks_of(manager: PluginManager, name: str) -> dict[str, HookImpl]:
    """Return the implementations of one plugin by hook: at most one of each."""
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    return {
        caller.name: impl
        for caller in callers
        for impl in caller.get_hookimpls()
        if impl.plugin_name == name
    }


def _collect(
    manager: PluginManager, registered: "_Registered", left_out: tuple[str, ...]
) -> Plugins:
    """Return what is loaded, in the order of the config.

    Pluggy's own order is the reverse.
    """
    names = tuple(name for name, _ in manager.list_name_plugin())
    hooks = {name: _hooks_of(manager, name) for name in names}

    def compiled(hook: str, compile_one: Callable[[str, HookImpl], Any]) -> dict[str, Any]:
        return {name: compile_one(hook, hooks[name][hook]) for name in names if hook in hooks[name]}

    return Plugins(
        names=names,
        left_out=left_out,
        registered_transforms=MappingProxyType(registered.transforms),
        envelopes=MappingProxyType(registered.envelopes),
        checks=registered.checks,
        message_steps=compiled("router_transform_message", _compile_message_step),
        item_steps=compiled("router_transform_item", _compile_item_step),
        observers={hook: tuple(compiled(hook, _compile_call).items()) for hook in _OBSERVED},
    )


class _Registered(Struct, frozen=True):
    """What the router and the plugins so far register.

    `owners` are the plugins that registered something, by its kind and name.
    """

    transforms: Mapping[str, TransformFunction] = field(default_factory=lambda: FUNCTIONS)
    envelopes: Mapping[str, EnvelopeFormat] = field(default_factory=lambda: ENVELOPES)
    checks: tuple[Check, ...] = ()
    owners: Mapping[tuple[str, str], str] = {}


class _Registration:
    """Adds what one plugin registers to what is `registered` before.

    With one of its `faults`, nothing of it counts.
    """

    def __init__(self, plugin: str, registered: _Registered) -> None:
        self.plugin = plugin
        self.registered = registered
        self.faults: list[ConfigFault] = []
        self._own_checks: list[Check] = []

    def call(self, hooks: Mapping[str, HookImpl], folder: Path) -> None:
        """Call the register hooks of the plugin."""
        takes: dict[str, Callable[..., None]] = {
            "router_register_transforms": self.register_transform,
            "router_register_envelopes": self.register_envelope,
            "router_register_checks": self.register_check,
        }
        for hook, register in takes.items():
            if hook in hooks:
                try:
                    hooks[hook].function(*([register] if hooks[hook].argnames else []))
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    # A plugin may call sys.exit(): that is a fault of it, too.
                    self._fault(f"{hook} raised {describe(error, folder)}")

    def register_transform(self, name: str, function: TransformFunction) -> None:
        known = self.registered.transforms
        if self._is_free("transform", name, known) and self._is_plain(
            f"the transform {name!r}", function
        ):
            self._take("transform", name, transforms={**known, name: function})

    def register_envelope(self, name: str, unwrap: Envelope, wrap: Wrap | None = None) -> None:
        known = self.registered.envelopes
        if (
            self._is_free("envelope", name, known)
            and self._is_plain(f"the envelope {name!r}", unwrap)
            and (wrap is None or self._is_plain(f"'wrap' of the envelope {name!r}", wrap))
        ):
            guarded = _guard_envelope(self.plugin, name, unwrap, wrap)
            self._take("envelope", name, envelopes={**known, name: guarded})

    def register_check(self, function: Check) -> None:
        if function in self._own_checks:
            self._fault("a check is registered twice", "register it once")
        elif self._is_plain(f"a check of type {type(function).__name__}", function):
            self._own_checks.append(function)
            checks = (*self.registered.checks, _guard_check(self.plugin, function))
            self.registered = structs.replace(self.registered, checks=checks)

    def _take(self, kind: str, name: str, **changed: Any) -> None:
        owners = {**self.registered.owners, (kind, name): self.plugin}
        self.registered = structs.replace(self.registered, owners=owners, **changed)

    def _fault(self, what: str, suggestion: str = "") -> None:
        sentence = f"plugin {self.plugin!r}: {what}"
        self.faults.append(ConfigFault(BAD_REGISTRATION, sentence, suggestion))

    def _is_free(self, kind: str, name: Any, known: Mapping[str, Any]) -> bool:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            advice = "start with a letter; letters, digits, '_', '-' and '.' may follow"
            self._fault(f"{name!r} is not a valid {kind} name", advice)
            return False
        if name not in known:
            return True
        owner = self.registered.owners.get((kind, name))
        by = f"registered already, by plugin {owner!r}" if owner else "built in"
        self._fault(f"the {kind} {name!r} is {by}", "choose another name")
        return False

    def _is_plain(self, what: str, function: Any) -> bool:
        if callable(function):
            form = odd_form(function)
            advice = "register a plain function"
        else:
            form = f"cannot be called, it is of type {type(function).__name__}"
            advice = "register a function"
        if form:
            self._fault(f"{what} {form}", advice)
        return not form


def _compile_call(hook: str, implementation: HookImpl) -> Callable[..., Any]:
    """Return a callable that takes all arguments of the hook in order, and passes those
    that the function has.
    """
    function = implementation.function
    wanted = implementation.argnames
    given = HOOKS[hook]
    if wanted == given:
        return function
    positions = tuple(given.index(name) for name in wanted)

    def call(*values: Any) -> Any:
        return function(*[values[position] for position in positions])

    return call


# Steps and `unwrap` run for each message: their arguments are written out, which is
# faster than `*args`.


def _compile_message_step(hook: str, implementation: HookImpl) -> MessageStep:
    """Return a step to the next message.

    It raises Drop, Reject and Retry of the plugin, else PluginError.
    """
    plugin = implementation.plugin_name
    transform = _compile_call(hook, implementation)

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
            raise _wrong_return(plugin, hook, changed, "a Message or None")
        return changed

    return step


def _compile_item_step(hook: str, implementation: HookImpl) -> ItemStep:
    """Return a step to the next item; it raises as a step of messages does."""
    plugin = implementation.plugin_name
    transform = _compile_call(hook, implementation)

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
            raise _wrong_return(plugin, hook, changed, "a dict or None")
        return changed

    return step


def _guard_envelope(plugin: str, name: str, unwrap: Envelope, wrap: Wrap | None) -> EnvelopeFormat:
    """Return the envelope, with PluginError for exceptions that are no signals, and for
    wrong return values.
    """
    what = f"envelope {name!r}"

    def guarded(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
        try:
            unwrapped = unwrap(payload, attributes)
        except (Drop, Reject, Retry, KeyboardInterrupt):
            raise
        except BaseException as error:
            # One that ends the program: the next receive would end it again.
            raise PluginError(plugin, what, error) from error
        match unwrapped:
            case (_, Mapping()):
                return unwrapped
        raise _wrong_return(plugin, what, unwrapped, "a payload and a map of attributes")

    if wrap is not None:
        wrap = _guard(wrap, plugin, f"wrap of {what}", lambda text: isinstance(text, str), "text")
    return EnvelopeFormat(name, guarded, wrap, None, lambda value: False)


def _guard_check(plugin: str, check: Check) -> Check:
    def fits(found: Any) -> bool:
        return isinstance(found, list) and all(isinstance(each, Remark) for each in found)

    did = "registered a check that "
    return _guard(check, plugin, "router_register_checks", fits, "a list of Remark", did)


def _guard(
    function: Callable[[Any], Any],
    plugin: str,
    what: str,
    fits: Callable[[Any], bool],
    expected: str,
    registered: str = "",
) -> Callable[[Any], Any]:
    """Return the function, with PluginError for each exception, and for a value that
    does not fit.
    """

    def guarded(given: Any) -> Any:
        try:
            value = function(given)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # One that ends the program would hide what the others find.
            did = f"{registered}raised {with_line(error)}"
            raise PluginError(plugin, what, error, did) from error
        if not fits(value):
            raise _wrong_return(plugin, what, value, expected, registered)
        return value

    return guarded


def _wrong_return(
    plugin: str, hook: str, value: Any, expected: str, registered: str = ""
) -> PluginError:
    did = f"{registered}returned a value of type {type(value).__name__}, not {expected}"
    return PluginError(plugin, hook, TypeError(did), did)

"""Compiles implementations of hooks into plain callables that name their plugin when they fail."""

from collections.abc import Callable, Mapping
from typing import Any

from pluggy import HookImpl

from router.envelopes import EnvelopeFormat
from router.errors import Drop, PluginError, Reject, Retry
from router.model import Envelope, Item, Message, Remark, Route, Unwrapped, Wrap
from router.program.hooks.implementations import HOOKS
from router.program.hooks.plugins import Check, ItemStep, MessageStep


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

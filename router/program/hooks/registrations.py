"""Collects the transforms, envelopes and checks that plugins register, each by its own name."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from router.model import Code, Envelope, Transform
from router.program.hooks.faults import Fault, describe
from router.program.hooks.implementations import odd_form
from router.program.hooks.pipeline import guard_check, guard_envelope
from router.program.hooks.plugins import Check

BAD_REGISTRATION = Code(
    "RT507",
    "a plugin's registration fails",
    "A name in the config must mean one function: one that is taken, a thing that cannot be called or an exception in "
    "a register hook leaves it open which one a route would get.",
)

Register = Callable[[Callable[..., None]], Any]
"""A hook that registers: it is given what takes a name and a function, or a check."""
REGISTERING = ("router_register_transforms", "router_register_envelopes", "router_register_checks")
"""Those hooks."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


class Registrations:
    """What the plugins have registered so far; a plugin with a fault registers nothing."""

    def __init__(self) -> None:
        self.transforms: dict[str, Transform] = {}
        self.envelopes: dict[str, Envelope] = {}
        self.checks: list[Check] = []
        self._owners: dict[tuple[str, str], str] = {}

    def gather(self, plugin: str, hooks: Mapping[str, Register], folder: Path, trusted: bool = False) -> list[Fault]:
        """Call the register hooks of a plugin and keep what they name, or say all that is wrong with it.

        The envelopes of one that is `trusted` raise what the engine expects, and are kept as they are.
        """
        desk = _Desk(plugin, self._owners)
        takes: tuple[Callable[..., None], ...] = (
            desk.register_transform,
            desk.register_envelope,
            desk.register_check,
        )
        for hook, register in zip(REGISTERING, takes, strict=True):
            if hook in hooks:
                try:
                    hooks[hook](register)
                except Exception as error:
                    desk.fault(f"{hook} raised {describe(error, folder)}")
        if not desk.faults:
            self.transforms |= desk.transforms
            for name, envelope in desk.envelopes.items():
                self.envelopes[name] = envelope if trusted else guard_envelope(plugin, name, envelope)
            self.checks += [guard_check(plugin, check) for check in desk.checks]
            self._owners |= dict.fromkeys((("transform", name) for name in desk.transforms), plugin)
            self._owners |= dict.fromkeys((("envelope", name) for name in desk.envelopes), plugin)
        return desk.faults


class _Desk:
    """Where one plugin registers."""

    def __init__(self, plugin: str, owners: Mapping[tuple[str, str], str]) -> None:
        self.transforms: dict[str, Transform] = {}
        self.envelopes: dict[str, Envelope] = {}
        self.checks: list[Check] = []
        self.faults: list[Fault] = []
        self._plugin = plugin
        self._owners = owners

    def fault(self, what: str, suggestion: str = "") -> None:
        self.faults.append(Fault(BAD_REGISTRATION, f"plugin {self._plugin!r}: {what}", suggestion))

    def register_transform(self, name: str, function: Transform) -> None:
        self._register("transform", self.transforms, name, function)

    def register_envelope(self, name: str, function: Envelope) -> None:
        self._register("envelope", self.envelopes, name, function)

    def register_check(self, function: Check) -> None:
        if function in self.checks:
            self.fault("a check is registered twice", "register it once")
        elif self._callable(f"a check of type {type(function).__name__}", function):
            self.checks.append(function)

    def _register(self, kind: str, into: dict[str, Any], name: Any, function: Callable[..., Any]) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.fault(
                f"{name!r} is no name for {'an' if kind == 'envelope' else 'a'} {kind}",
                "start with a letter; letters, digits, '_', '-' and '.' may follow",
            )
        elif owner := self._plugin if name in into else self._owners.get((kind, name)):
            self.fault(f"the {kind} {name!r} is registered already, by plugin {owner!r}", "choose another name")
        elif self._callable(f"the {kind} {name!r}", function):
            into[name] = function

    def _callable(self, what: str, function: Any) -> bool:
        if not callable(function):
            self.fault(f"{what} cannot be called, it is of type {type(function).__name__}", "register a function")
        elif form := odd_form(function):
            self.fault(f"{what} {form}", "register a plain function")
        else:
            return True
        return False

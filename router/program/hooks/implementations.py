"""Proves that what a plugin marks as hooks are hooks.

pluggy alone lets nearly all of it through in silence: unmarked functions, wrappers, `tryfirst`, async functions,
second implementations by `specname`, and arguments with a default, which it never passes.
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from router.model import Code
from router.program.hooks import specs
from router.program.hooks.faults import Fault, did_you_mean, shown

NO_SUCH_HOOK = Code(
    "RT503",
    "a plugin implements no hook of the router",
    "A misspelt hook, or one that asks for an argument the hook does not have, would never be called.",
)
UNMARKED = Code(
    "RT504",
    "a function is named like a hook but not marked as one",
    "Only functions marked with @hookimpl are hooks: this one would never be called.",
)
WRONG_FORM = Code(
    "RT505",
    "a hook is written in a form that has no place here",
    "Hooks are compiled into one plain call after the other, in the order of the config: wrappers, orderings, async "
    "functions and generators would not do what they say.",
)
SECOND = Code(
    "RT506",
    "a plugin implements one hook twice",
    "Which of the two runs first is not defined.",
)

HOOKS: Mapping[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(value).parameters)
    for name, value in vars(specs).items()
    if hasattr(value, "router_spec")
}
"""Every hook and the arguments it has."""

_OPTIONS = ("wrapper", "hookwrapper", "tryfirst", "trylast", "optionalhook")
_PLAIN = "make it a plain function under a plain @hookimpl, with arguments of the hook only"


def odd_form(function: Any) -> str:
    """How a function is called otherwise than plainly: `is async`, `is a generator`, or nothing."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is async"
    return "is a generator" if inspect.isgeneratorfunction(function) else ""


def implementation_faults(module: ModuleType, plugin: str, folder: Path) -> list[Fault]:
    """All that is wrong with the hooks of a plugin, in the order of its file."""
    found: list[Fault] = []
    implemented: dict[str, str] = {}
    for name, value in vars(module).items():
        mark = _mark(value)
        at = f"plugin {plugin!r}: {name!r}{_line(value, folder)}"
        if mark is None:
            if name.startswith("router_") and callable(value) and not inspect.isclass(value):
                found.append(Fault(UNMARKED, f"{at} is not marked", "put @hookimpl over it, or give it another name"))
            continue
        hook = mark.get("specname") or name
        if forms := " and ".join(_forms(value, mark)):
            found.append(Fault(WRONG_FORM, f"{at} {forms}, which has no place here", _PLAIN))
        if hook not in HOOKS:
            found.append(Fault(NO_SUCH_HOOK, f"{at} is no hook of the router", did_you_mean(hook, HOOKS)))
            continue
        found += _argument_faults(value, hook, at)
        if hook in implemented:
            said = f"{at} implements {hook!r} again, after {implemented[hook]!r}"
            found.append(Fault(SECOND, said, "make one function of the two"))
        implemented.setdefault(hook, name)
    return found


def _mark(value: Any) -> Mapping[str, Any] | None:
    """What @hookimpl left on a value; looked up without running code of the value."""
    holder = value.__func__ if inspect.ismethod(value) else value
    mark = inspect.getattr_static(holder, "router_impl", None)
    return mark if isinstance(mark, dict) else None


def _line(value: Any, folder: Path) -> str:
    function = inspect.unwrap(value.__func__ if inspect.ismethod(value) else value) if callable(value) else None
    code = getattr(function, "__code__", None)
    return f" ({shown(code.co_filename, folder)}:{code.co_firstlineno})" if code else ""


def _forms(value: Any, mark: Mapping[str, Any]) -> Iterator[str]:
    """Each way in which an implementation is more than a plain function, as a part of a sentence."""
    for option in _OPTIONS:
        if mark.get(option):
            yield f"is marked {option}"
    if not inspect.isfunction(value) and not inspect.ismethod(value):
        yield f"is a {type(value).__name__}"
        return
    if form := odd_form(value):
        yield form
    for name, parameter in inspect.signature(value).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            yield f"takes {name!r} by star or by keyword"
        elif parameter.default is not parameter.empty:
            yield f"gives {name!r} a default"


def _argument_faults(value: Any, hook: str, at: str) -> Iterator[Fault]:
    if not inspect.isfunction(value) and not inspect.ismethod(value):
        return
    for name, parameter in inspect.signature(value).parameters.items():
        plain = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if plain and parameter.default is parameter.empty and name not in HOOKS[hook]:
            has = f"{hook} has {', '.join(HOOKS[hook])}"
            said = f"{at} takes {name!r}, which {hook} does not have"
            yield Fault(NO_SUCH_HOOK, said, did_you_mean(name, HOOKS[hook], has))

"""Compiles `transform` of an attribute to callables of one value."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from types import FunctionType
from typing import Any

from router.codes import UNMAPPABLE, declare
from router.config.findings import Findings, did_you_mean
from router.errors import Refusal, Signal, TransformError
from router.model import Path, Transform

UNKNOWN_TRANSFORM = declare(
    "RT403",
    "unknown transform",
    "No loaded plugin registers a transform of that name; the built-in ones are in docs/transforms.md.",
)
TRANSFORM_ARGUMENTS = declare(
    "RT404",
    "arguments that the transform does not take",
    "A transform takes the value, then the arguments of its signature; wrong ones would fail on each message.",
)

Step = Callable[[Any], Any]
"""Takes a value and returns the next; raises Refusal for a value that it cannot take."""


def compile_transforms(
    given: str | Sequence[str | Mapping[str, Any]],
    transforms: Mapping[str, Transform],
    findings: Findings,
    path: Path,
) -> tuple[Step, ...] | None:
    """Return the steps in their order, or None if one has a fault."""
    if isinstance(given, str):
        steps = [_compile_step(given, {}, transforms, findings, path)]
    else:
        steps = []
        for index, entry in enumerate(given):
            for name, argument in [(entry, None)] if isinstance(entry, str) else entry.items():
                call = {} if isinstance(entry, str) else {"argument": argument}
                steps.append(_compile_step(name, call, transforms, findings, (*path, index)))
    return None if None in steps else tuple(step for step in steps if step is not None)


def _compile_step(
    name: str, call: Mapping[str, Any], transforms: Mapping[str, Transform], findings: Findings, path: Path
) -> Step | None:
    function = transforms.get(name)
    if function is None:
        hint = did_you_mean(name, transforms, f"there are {', '.join(sorted(transforms))}")
        findings.add(UNKNOWN_TRANSFORM, f"unknown transform '{name}'", path, suggestion=hint)
        return None
    arguments, keywords = _split_arguments(call)
    if not _takes(function, len(arguments), keywords):
        fault = _argument_fault(name, function, arguments, keywords)
        if fault:
            findings.add(TRANSFORM_ARGUMENTS, f"transform '{name}': {fault[0]}", path, suggestion=fault[1])
            return None
    return _bind(name, function, arguments, keywords)


def _takes(function: Transform, count: int, keywords: Mapping[str, Any]) -> bool:
    """Return whether a function is known to take the value, `count` more arguments, and the keywords."""
    if type(function) is not FunctionType:
        return False
    code = function.__code__
    names = code.co_varnames[code.co_posonlyargcount : code.co_argcount]
    given = {*code.co_varnames[: count + 1], *keywords}
    needed = code.co_varnames[: code.co_argcount - len(function.__defaults__ or ())]
    # A keyword must not name an argument that is given by position.
    fits = code.co_argcount > count and given.issuperset(needed) and len(given) == count + 1 + len(keywords)
    return fits and code.co_kwonlyargcount == 0 and set(names).issuperset(keywords)


def _argument_fault(
    name: str, function: Transform, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return why a function does not take the arguments, and its signature; None if it takes them."""
    import inspect  # most transforms are plain functions with the right arguments: start-up does without it

    try:
        signature = inspect.signature(function)
        signature.bind(None, *arguments, **keywords)
    except TypeError as error:
        return str(error), f"it takes {name}{signature}"
    except ValueError:
        # Some functions written in C have no signature; their arguments are not checked.
        pass
    return None


def _split_arguments(call: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments by position and by name: a list is several, a map is by name, any other value is one."""
    if not call:
        return [], {}
    argument = call["argument"]
    if isinstance(argument, dict):
        return [], argument
    return (argument, {}) if isinstance(argument, list) else ([argument], {})


def _bind(name: str, function: Transform, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Step:
    # A transform may return an argument, which a plugin may then change in place.
    lends = any(isinstance(argument, list | dict) for argument in (*arguments, *keywords.values()))

    def step(value: Any) -> Any:
        try:
            changed = function(value, *arguments, **keywords)
            return deepcopy(changed) if lends and isinstance(changed, list | dict) else changed
        except (ValueError, TypeError):
            raise Refusal(UNMAPPABLE, f"transform '{name}' does not take the value") from None
        except Signal:
            raise
        except Exception as error:  # a plugin may raise anything
            raise TransformError(name, error) from error

    return step

"""Imports the module of a plugin, a file beside the config or an installed module, and
verifies its hooks.

pluggy alone accepts unmarked functions, wrappers, `tryfirst`, async functions, second
implementations by `specname`, and arguments with a default, which it never passes,
without any message.
"""

import importlib
import importlib.util
import inspect
import sys
import traceback
import uuid
from collections.abc import Iterator, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from router.codes import declare
from router.model import names_file, plugin_name
from router.runtime.config.findings import ConfigFault, did_you_mean
from router.runtime.config.merge import resolve_inside
from router.runtime.config.secret_values import WRITTEN
from router.runtime.filesystem import NOT_REGULAR, read_regular
from router.runtime.program.hooks import specs

CANNOT_LOAD = declare(
    "RT501",
    "a plugin cannot be loaded",
    "The file or module is missing, is no Python, or raised an exception when it was "
    "imported; none of its hooks, "
    "transforms and envelopes exist.",
)


NO_SUCH_HOOK = declare(
    "RT503",
    "a plugin implements no hook of the router",
    "A function with a misspelt name, or with an argument that the hook does not have, "
    "would never be called.",
)
UNMARKED = declare(
    "RT504",
    "a function is named like a hook but not marked as one",
    "Only functions marked with @hookimpl are hooks: this one would never be called.",
)
WRONG_FORM = declare(
    "RT505",
    "a hook is written in a form that is not supported",
    "Hooks are compiled into one plain call after the other, in the order of the "
    "config: wrappers, orderings, async "
    "functions and generators would not do what they say.",
)
SECOND = declare(
    "RT506",
    "a plugin implements one hook twice",
    "Which of the two runs first is not defined.",
)

HOOKS: Mapping[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(value).parameters)
    for name, value in vars(specs).items()
    if hasattr(value, "router_spec")
}
"""Every hook and its arguments."""

_TEXT_LENGTH = 200
_POSITIONAL = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
)
_OPTIONS = ("wrapper", "hookwrapper", "tryfirst", "trylast", "optionalhook")
_PLAIN = "make it a plain function under a plain @hookimpl, with arguments of the hook only"


class _FreshLoader(SourceFileLoader):
    """Compiles the source each time.

    A cached file is valid by size and time in whole seconds, so that one which was just
    edited could load in its old version; and the folder of a config should not get
    cache files.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(read_regular(self.path), self.path)


def load_module(entry: str, folder: Path) -> ModuleType | ConfigFault:
    """Return the module of an entry of `plugins:`, or why there is none.

    A file is loaded each time, under a unique name, so that two configs in one process
    do not share state. An installed module is imported once, as everywhere in Python.
    """
    try:
        return _load_file(entry, folder) if names_file(entry) else _import_module(entry)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # A script as a plugin may end itself.
        return _fault(entry, describe(error, folder))


def _load_file(entry: str, folder: Path) -> ModuleType | ConfigFault:
    file = (folder / entry).absolute()
    if not file.is_file():
        return _no_file(entry, file)
    if resolve_inside(folder, entry) is None:
        why = f"{entry!r} is outside of the folder of the config"
        return _fault(entry, why, "copy it into that folder, or install it as a module")
    name = f"_router_plugin_{uuid.uuid4().hex}_{file.stem}"
    loader = _FreshLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, typing and pickle look a class's module up there.
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        # Whatever ends the import: nobody else removes the half of a module.
        del sys.modules[name]
        raise
    return module


def _no_file(entry: str, file: Path) -> ConfigFault:
    if file.exists() and not file.is_dir():
        why = f"cannot read {entry!r}: {NOT_REGULAR}"
        return _fault(entry, why, "write it as a file")
    folder = Path(entry).parent
    beside = [(folder / path.name).as_posix() for path in file.parent.glob("*.py")]
    return _fault(
        entry,
        f"there is no file {entry!r}",
        did_you_mean(entry, beside, "a path is relative to the folder of this file"),
    )


def _import_module(entry: str) -> ModuleType | ConfigFault:
    advice = "write a file as a path that ends in '.py'"
    if not all(map(str.isidentifier, entry.split("."))):
        return _fault(entry, f"{entry!r} is not a valid module name", advice)
    if _has_no_hook(entry):
        return no_hook(plugin_name(entry))
    try:
        return importlib.import_module(entry)
    except ModuleNotFoundError as error:
        # Another module that it imports may be missing: that is an exception of it.
        if not error.name or not f"{entry}.".startswith(f"{error.name}."):
            raise
        why = f"no module {entry!r} is installed"
        return _fault(entry, why, f"install it, or {advice}")


def no_hook(plugin: str) -> ConfigFault:
    """Return the fault of an installed module that is no plugin."""
    return ConfigFault(
        NO_SUCH_HOOK,
        f"plugin {plugin!r} is a module without a hook of the router",
        "take it out, or write the name of a plugin",
    )


def _has_no_hook(entry: str) -> bool:
    """Return whether a module is known to have no hook before it is imported.

    It is one of Python, or never names the router and imports only such modules: what it
    imports from others could be hooks.
    """
    if entry.partition(".")[0] in sys.stdlib_module_names:
        return True
    if "." in entry:
        # To find it would import its package.
        return False
    try:
        found = importlib.util.find_spec(entry)
        if found is None or found.origin is None:
            return False
        source = read_regular(found.origin)
        return b"router" not in source and _imports_only_python(source)
    except (OSError, ValueError, SyntaxError):
        # Its import says what is wrong.
        return False


def _imports_only_python(source: bytes) -> bool:
    # Nearly each plugin names the router, and is loaded without the parser.
    import ast

    imported: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported.append("" if node.level else node.module or "")
    return all(name.partition(".")[0] in sys.stdlib_module_names for name in imported)


def _fault(entry: str, why: str, suggestion: str = "") -> ConfigFault:
    return ConfigFault(
        CANNOT_LOAD,
        f"plugin {plugin_name(entry)!r} cannot be loaded: {why}",
        suggestion,
    )


def odd_form(function: Any) -> str:
    """Return `is async`, `is a generator`, or empty text for a plain function."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "is async"
    return "is a generator" if inspect.isgeneratorfunction(function) else ""


def implementation_faults(module: ModuleType, plugin: str, folder: Path) -> list[ConfigFault]:
    """Return the faults in the hooks of a plugin, in the order of its file."""
    found: list[ConfigFault] = []
    implemented: dict[str, str] = {}
    for name, value in vars(module).items():
        mark = _mark(value)
        at = f"plugin {plugin!r}: {name!r}{_line(value, folder)}"
        if mark is not None:
            hook = mark.get("specname") or name
            found += _hook_faults(value, mark, hook, at)
            if hook in implemented:
                first = implemented[hook]
                again = f"{at} implements {hook!r} again, after {first!r}"
                found.append(ConfigFault(SECOND, again, "make one function of the two"))
            if hook in HOOKS:
                implemented.setdefault(hook, name)
        elif name.startswith("router_") and callable(value) and not inspect.isclass(value):
            advice = "put @hookimpl over it, or give it another name"
            found.append(ConfigFault(UNMARKED, f"{at} is not marked", advice))
    return found


def _hook_faults(value: Any, mark: Mapping[str, Any], hook: str, at: str) -> Iterator[ConfigFault]:
    """Yield the faults of one implementation of a hook."""
    is_function = inspect.isfunction(value) or inspect.ismethod(value)
    parameters = inspect.signature(value).parameters if is_function else {}
    forms = [f"is marked {option}" for option in _OPTIONS if mark.get(option)]
    if is_function:
        forms += filter(None, [odd_form(value), *map(_odd_parameter, parameters.values())])
    else:
        forms.append(f"is a {type(value).__name__}")
    if forms:
        sentence = f"{at} {' and '.join(forms)}, which hooks do not support"
        yield ConfigFault(WRONG_FORM, sentence, _PLAIN)
    if hook not in HOOKS:
        yield ConfigFault(NO_SUCH_HOOK, f"{at} is no hook of the router", did_you_mean(hook, HOOKS))
        return
    for name, parameter in parameters.items():
        if name not in HOOKS[hook] and not _odd_parameter(parameter):
            sentence = f"{at} takes {name!r}, which {hook} does not have"
            known = f"{hook} has {', '.join(HOOKS[hook])}"
            yield ConfigFault(NO_SUCH_HOOK, sentence, did_you_mean(name, HOOKS[hook], known))


def _odd_parameter(parameter: inspect.Parameter) -> str:
    """Return how a parameter is none of a plain function, as a part of a sentence; or ""."""
    if parameter.kind not in _POSITIONAL:
        return f"takes {parameter.name!r} by star or by keyword"
    return "" if parameter.default is parameter.empty else f"gives {parameter.name!r} a default"


def _mark(value: Any) -> Mapping[str, Any] | None:
    """Return the mark that @hookimpl sets, without running code of the value."""
    mark = inspect.getattr_static(_unbound(value), "router_impl", None)
    return mark if isinstance(mark, dict) else None


def _unbound(value: Any) -> Any:
    """Return the function of a method; any other value as it is."""
    return value.__func__ if inspect.ismethod(value) else value


def _line(value: Any, folder: Path) -> str:
    function = inspect.unwrap(_unbound(value)) if callable(value) else None
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    return _place(code.co_filename, code.co_firstlineno, folder)


def _place(file: str, line: int, folder: Path) -> str:
    """Return a line in parentheses; a config in `folder` names the file so."""
    path = Path(file)
    base = folder.absolute()
    shown = path.relative_to(base).as_posix() if path.is_relative_to(base) else file
    return f" ({shown}:{line})"


def describe(error: BaseException, folder: Path) -> str:
    """Return an exception of a plugin on one line.

    It has its type, its text, and the plugin's file and line. Only for exceptions at
    load: at run time the text may hold a value of a message.
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    # Before it is cut: a part of a secret is not found any more.
    first = next(iter(WRITTEN.mask(text).splitlines()), "")[:_TEXT_LENGTH]
    where = _line_of(error)
    at = _place(*where, folder) if where else ""
    text = f": {first}" if first else ""
    return f"{type(error).__name__}{text}{at}"


def _line_of(error: BaseException) -> tuple[str, int] | None:
    """Return the deepest line in the plugin's first file.

    Frames of the router and of import are passed over.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return error.filename, error.lineno
    stack = traceback.extract_tb(error.__traceback__)
    passed = {stack[0].filename, importlib.__file__}
    found: tuple[str, int] | None = None
    for frame in stack:
        file = frame.filename
        if file in passed or file.startswith("<frozen "):
            continue
        if found is None or file == found[0]:
            found = file, frame.lineno or 0
    return found

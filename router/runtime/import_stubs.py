"""Imports libraries without modules that they import and a start does not use: a fifth of a cold start.

An import stub is a module that stands in `sys.modules` for another one while a library is imported. Whoever imports the
other one later gets it. Three functions are replaced for the same time: `re.compile`, so that patterns are compiled
when they are used, `typing.ForwardRef`, and what makes enumerations. They are themselves again once the library is
imported.

If another thread runs, which could get a stub, libraries are imported as they are. A stub that a new version of a
library has no use for has no effect.
"""

import enum
import os
import re
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

_compile = re.compile
_make_enum: Callable[..., Callable[[type], Any]] | None = getattr(enum, "_simple_enum", None)
"""What `ssl` makes enumerations with. It is private: a new version of Python may be without it."""


def import_libraries(*, serves: bool = True) -> None:
    """Import the libraries of a start that import more than it uses, unless they are imported already.

    A process that only reads files and prints, and does not `serve` messages, needs no sockets and no logging.
    """
    # It asks for the system's name, which `platform` finds by regular expressions, among others.
    import_with("uuid", make_module("platform", system=lambda: os.uname().sysname))
    import_without_patterns("urllib.parse", postpone("ipaddress"))
    import_with("pathlib", postpone("ntpath"), postpone("fnmatch"))
    schema = {
        name: postpone_function("msgspec._json_schema", name)
        for name in ("schema", "schema_components")
    }
    # It makes one to see whether Python knows `is_class`, as it has for long. A real one would be compiled, for which
    # Python makes a hundred types of its syntax trees.
    with _replace(typing, "ForwardRef", lambda *values, **named: None):
        unused = [postpone(f"msgspec.{name}") for name in ("inspect", "toml", "yaml")]
        # The real one would keep what stands in for ForwardRef. `typing` has all that msgspec takes from it.
        types = {
            name: getattr(typing, name) for name in ("get_type_hints", "NotRequired", "Required")
        }
        unused.append(make_module("typing_extensions", **types))
        import_with("msgspec", *unused, make_module("msgspec._json_schema", **schema))
    # Only a traceback needs them, or formats of log lines that nobody uses.
    import_with("linecache", postpone("tokenize"))
    import_with("traceback", postpone("textwrap"), postpone("tokenize"))
    if serves:
        # Only Base85 needs it.
        import_with("base64", postpone("struct"))
        # It asks for a module of Jython, which would be looked for in all folders.
        import_with("copy", make_module("org"))
        import_with("socket", postpone("selectors"))
        if _make_enum:
            with _replace(enum, "_simple_enum", _postpone_private_enum):
                import_with("ssl")
        import_without_patterns(
            "logging", make_module("string", Template=_Template(), Formatter=_Formatter)
        )


def import_validator() -> None:
    """Import jsonschema-rs, which to compute its build date parses a date: three times the work of its own import."""
    date = make_module("email.utils", parsedate_to_datetime=str)
    import_with("jsonschema_rs", make_module("email"), date, postpone("jsonschema_rs.canonical"))


class _Template:
    """Stands in for the class `string.Template`, which compiles a regular expression when it is imported."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("string").Template, name)

    def __call__(self, text: str) -> Any:
        return import_module("string").Template(text)


class _Formatter:
    """Stands in for `string.Formatter`, of which `logging` makes one when it is imported."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("string").Formatter(), name)


class _Pattern:
    """Stands in for a compiled regular expression, which is compiled when it is used."""

    # For isinstance, by which `re` recognizes patterns too.
    __class__ = property(lambda self: re.Pattern)

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self._given = (pattern, flags)

    def __reduce__(self) -> tuple[Any, ...]:
        return _compile, self._given

    def __getattr__(self, name: str) -> Any:
        value = getattr(_compile(*self._given), name)
        # The next time, it is found without a call.
        vars(self)[name] = value
        return value


class _PrivateEnum:
    """Stands in for a private enumeration of `ssl`: only a callback that is set to debug TLS has values of it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    def __call__(self, value: int) -> Any:
        return self._made(value)


def _postpone_private_enum(*given: Any, **named: Any) -> Callable[[type], Any]:
    """Return what decorates the members of an enumeration, as that of `enum`."""
    assert _make_enum
    decorate = _make_enum(*given, **named)

    def postpone_private(members: type) -> Any:
        if members.__name__.startswith("_TLS"):
            return _PrivateEnum(lambda: decorate(members))
        return decorate(members)

    return postpone_private


def _runs_alone() -> bool:
    """Whether this is the only thread, also of those that `threading` has not started."""
    return len(sys._current_frames()) == 1


@contextmanager
def _replace(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Replace a value of a module for a while, unless another thread could get it."""
    if not _runs_alone():
        yield
        return
    kept = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, kept)


def import_with(name: str, *import_stubs: ModuleType) -> None:
    """Import a module, unless it is imported already, while others stand in for those of their names."""
    if name in sys.modules:
        return
    if not _runs_alone():
        import_module(name)
        return
    given = {
        module.__name__: module for module in import_stubs if module.__name__ not in sys.modules
    }
    sys.modules.update(given)
    try:
        import_module(name)
    finally:
        for module in given.values():
            _remove(module)


def import_without_patterns(name: str, *import_stubs: ModuleType) -> None:
    """Import a module, as `import_with`, whose regular expressions are compiled when they are used: most never are."""
    with _replace(re, "compile", _Pattern):
        import_with(name, *import_stubs)


def make_module(name: str, **values: object) -> ModuleType:
    """Return a module with these values."""
    module = ModuleType(name)
    vars(module).update(values)
    return module


def _remove(module: ModuleType) -> None:
    """Let no module stand in for another any longer, unless that is imported by now."""
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


def postpone(name: str) -> ModuleType:
    """Return what stands in for a module for ever: it imports the module when a value of it is requested."""

    def get(attribute: str) -> Any:
        _remove(module)
        return getattr(import_module(name), attribute)

    module = make_module(name, __getattr__=get)
    return module


def postpone_function(module: str, name: str) -> Callable[..., Any]:
    """Return what stands in for a function for ever: it imports the module when it is called."""

    def call(*values: Any, **named: Any) -> Any:
        return getattr(import_module(module), name)(*values, **named)

    return call

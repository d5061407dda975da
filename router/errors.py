"""The exceptions of the router.

::

    RouterError
    ├── ConfigError       the config has faults; `findings` holds every one of them
    ├── UsageError        a command cannot run as it was called
    │   └── MissingExtra  … because an optional part of the distribution is not installed
    ├── ExpressionError   a JMESPath expression failed on a message
    ├── PluginError       a plugin raised what is no Signal; the message is retried
    │   └── TransformError    … in a named transform
    ├── Rejection         a message can never succeed (inside the engine; it becomes an outcome)
    └── Signal            what a plugin raises to decide about a message
        ├── Drop          acknowledge it without this route's write
        ├── Reject        dead-letter it
        └── Retry         leave it on the queue
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.model import Code, Finding


class RouterError(Exception):
    """The root of what the router raises."""


class ConfigError(RouterError):
    """The config has faults; `findings` holds them all, in the order of the file."""

    def __init__(self, findings: "Sequence[Finding]") -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = tuple(findings)


class UsageError(RouterError):
    """A command cannot run as it was called; the text says why and what to do."""


def reason_of(error: OSError) -> str:
    """Return why the system refuses a file: `no space left on device`."""
    return (error.strerror or type(error).__name__).lower()


@contextmanager
def refusing_file(action: str) -> Iterator[None]:
    """Raise UsageError for a file that cannot be used inside: `cannot write FILE: no space left on device`."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        if isinstance(error, FileNotFoundError) and action.startswith("write"):
            reason = f"there is no folder {Path(error.filename).parent}; create it"
        raise UsageError(f"cannot {action}: {reason}") from None


class MissingExtra(UsageError):
    """An optional part of the distribution is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs more packages: pip install 'message-router[{extra}]'")
        self.extra = extra


class ExpressionError(RouterError):
    """A JMESPath expression failed on a message; the text holds no value of it."""


def is_of_the_router(trace: TracebackType) -> bool:
    """Return whether the first frame of a traceback is in a module of the router."""
    return trace.tb_frame.f_code.co_filename.startswith(_PACKAGE)


_PACKAGE = is_of_the_router.__code__.co_filename.removesuffix("errors.py")
"""The folder of the router's modules, in which no plugin is, as code names it."""


def with_line(error: BaseException) -> str:
    """Return the type of an exception, with the deepest line in the first file that is none of the router's."""
    name = type(error).__name__
    found: tuple[str, int] | None = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == found[0] if found else not is_of_the_router(trace):
            found = file, trace.tb_lineno
        trace = trace.tb_next
    return f"{name} ({Path(found[0]).name}:{found[1]})" if found else name


class PluginError(RouterError):
    """A plugin raised what is no Signal, or answered what no hook answers; the message is retried.

    The text names the plugin, the hook, the type of what went wrong and the plugin's line, and never repeats the text
    of `original`, which may hold a value of the message.
    """

    def __init__(self, plugin: str, hook: str, original: BaseException, did: str = "") -> None:
        what = did or f"raised {with_line(original)}"
        super().__init__(f"plugin {plugin!r}: {hook} {what}")
        self.plugin = plugin
        self.hook = hook
        self.original = original


class TransformError(PluginError):
    """A named transform raised what is neither a Signal nor a ValueError or TypeError about its value."""

    def __init__(self, name: str, error: BaseException, attribute: str = "") -> None:
        where = f"attribute '{attribute}': " if attribute else ""
        RouterError.__init__(self, f"{where}transform '{name}' failed with {with_line(error)}")
        self.plugin = name
        self.hook = "transform"
        self.original = error


class Rejection(RouterError):
    """A message can never succeed: `code`, a `reason` without any value, a JSON `pointer` into the message."""

    def __init__(self, code: "Code", reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.pointer = pointer


class Signal(RouterError):
    """What a plugin raises to decide about a message."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Drop(Signal):
    """Raised by a plugin: this route does not want the message, and that is no fault."""


class Reject(Signal):
    """Raised by a plugin: the message can never succeed; `reason` goes into the dead letter."""


class Retry(Signal):
    """Raised by a plugin: the message may succeed later, after `delay` seconds if given."""

    def __init__(self, reason: str = "", delay: float | None = None) -> None:
        super().__init__(reason)
        self.delay = delay

"""JSON Pointers (RFC 6901): their text, and the values that they lead to."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from router.model import Path

NOWHERE: Final = object()
"""What steps lead to at which there is no value."""


def pointer(path: Path | list[str | int]) -> str:
    """Return a JSON Pointer (RFC 6901) for messages, in which the root has a name."""
    return escape(path) or "the root"


def escape(path: Path | list[str | int]) -> str:
    """Return a JSON Pointer (RFC 6901)."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return "".join(f"/{step}" for step in steps)


def steps_of(json_pointer: str) -> list[str]:
    """Return the steps of a JSON Pointer (RFC 6901)."""
    _, *steps = json_pointer.split("/")
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def walk_steps(content: Any, steps: Iterable[str | int]) -> Iterator[tuple[Any, str | int, Any]]:
    """Yield what each step leads to, with what it is in and the step itself.

    It ends before a step that leads to nothing. A number that is text is an index in a
    list.
    """
    for given in steps:
        is_index = isinstance(content, list) and str(given).isdecimal()
        step = int(given) if is_index else given
        try:
            below = content[step]
        except (LookupError, TypeError):
            return
        yield content, step, below
        content = below


def value_at(content: Any, steps: Sequence[str | int]) -> Any:
    """Return the value that steps lead to, or NOWHERE."""
    values = [content, *(below for _, _, below in walk_steps(content, steps))]
    return values[-1] if len(values) > len(steps) else NOWHERE

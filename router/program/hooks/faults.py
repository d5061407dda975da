"""What is wrong with a plugin, in words that lead to the line to edit."""

import importlib
import traceback
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from router.model import Code

_TEXT_LENGTH = 200


class Fault(Struct, frozen=True):
    """A finding about a plugin, before it has a place in the config."""

    code: Code
    sentence: str
    suggestion: str = ""


def did_you_mean(word: str, words: Iterable[str], otherwise: str = "") -> str:
    """A suggestion of the nearest of `words`, or what to say otherwise."""
    import difflib  # only where there is a fault: start-up does without it

    near = difflib.get_close_matches(word, list(words), n=1)
    return f"did you mean {near[0]!r}?" if near else otherwise


def shown(file: str, folder: Path) -> str:
    """A file's path as a person would write it in the config in `folder`."""
    path, base = Path(file), folder.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else file


def describe(error: BaseException, folder: Path) -> str:
    """An exception of a plugin's code on one line: its type, its text, and the plugin's file and line.

    Only for what is raised at load, before there is any message: at run time the text may hold a value.
    """
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    first = next(iter(text.splitlines()), "")[:_TEXT_LENGTH]
    where = _line_of(error)
    at = f" ({shown(where[0], folder)}:{where[1]})" if where else ""
    return f"{type(error).__name__}{f': {first}' if first else ''}{at}"


def _line_of(error: BaseException) -> tuple[str, int] | None:
    """The deepest line in the file that the plugin starts in, behind the router's own frames and those of import."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return error.filename, error.lineno
    stack = traceback.extract_tb(error.__traceback__)
    own = {stack[0].filename, importlib.__file__}
    frames = [
        (frame.filename, frame.lineno or 0)
        for frame in stack
        if frame.filename not in own and not frame.filename.startswith("<frozen ")
    ]
    return next(((file, line) for file, line in reversed(frames) if file == frames[0][0]), None)

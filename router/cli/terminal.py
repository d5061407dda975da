"""The consoles and prompts of the commands."""

import sys

import click
from rich.console import Console

from router.errors import UsageError

WIDE = 200
"""Characters of a line where the output is not a terminal, so that tables are not cut at 80."""


def output(soft_wrap: bool = False) -> Console:
    """Returns the console of standard output, for results."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(width=width, highlight=False, soft_wrap=soft_wrap)


def diagnostics() -> Console:
    """Returns the console of standard error, for progress and events."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=WIDE)


def confirm(question: str) -> bool:
    """Returns whether the user answers yes; raises UsageError if standard input is not a terminal."""
    _require_terminal()
    return click.confirm(question, err=True)


def confirm_by_typing(word: str, sentence: str) -> bool:
    """Returns whether the user types the word; raises UsageError if standard input is not a terminal."""
    _require_terminal()
    return bool(click.prompt(f"{sentence} Type '{word}' to continue", err=True) == word)


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "cannot ask for confirmation: standard input is not a terminal; --yes continues without asking"
        )

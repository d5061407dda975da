"""The consoles and prompts of the commands."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

from router.errors import UsageError
from router.runtime.config.secret_values import WRITTEN
from router.runtime.printable import printable

WIDE = 200
"""Characters of a line where the output is not a terminal, so that tables are not cut at 80."""


def output(stderr: bool = False) -> Console:
    """Return the console of standard output, for results, or of standard error, for progress and events."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, width=width, highlight=False)


def literal(text: str) -> str:
    """Return any text as Rich's markup of itself, on one line, safe for a terminal, and without secrets."""
    # Before Rich wraps a cell, so that no part of a value is on each of two lines.
    return escape(printable(WRITTEN.mask(text)))


def print_table(
    columns: Iterable[str | Column], rows: Iterable[Iterable[str]], title: str = ""
) -> None:
    """Print a table to standard output; titles, columns and cells are Rich's markup: see `literal`."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    # Rich wraps the title of a table at the width of the table.
    output().print(*([title, table] if title else [table]), sep="\n")


@contextmanager
def progress_bar(
    description: str, total: int | None, *, of_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error if that is a terminal; the function gets the number done so far.

    One of bytes has an estimate of the time that is left.
    """
    number = (DownloadColumn(), TimeRemainingColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *number, TimeElapsedColumn())
    console = output(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(literal(description), total=total)
        yield lambda done: progress.update(
            task, completed=done, total=None if total is None else max(total, done)
        )


def confirm(question: str, options: str = "--yes") -> bool:
    """Return whether the user answers yes; raises UsageError if standard input is not a terminal.

    `options` are the options with which the command does not ask.
    """
    _require_terminal(options)
    return click.confirm(question, err=True)


def confirm_by_typing(word: str, sentence: str, options: str = "--yes") -> bool:
    """Return whether the user types the word; raises UsageError if standard input is not a terminal.

    `options` are the options with which the command does not ask.
    """
    _require_terminal(options)
    return bool(click.prompt(f"{sentence} Type '{word}' to continue", err=True) == word)


def _require_terminal(options: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask for confirmation: standard input is not a terminal; {options} continues without asking"
        )

"""The consoles and prompts of the commands."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click
from msgspec import Struct
from rich.cells import cell_len
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
from router.tools.cli.masked_output import tell
from router.tools.cli.options import Repeated

WIDE = 200
"""Characters of a line where the output is not a terminal, so that tables are not cut at 80."""
LINE_SECONDS = 30
"""Between two lines about the progress where the output is not a terminal."""
_MEGABYTE = 1_000_000


def output(stderr: bool = False) -> Console:
    """Return the console of standard output, for results, or of standard error, for progress and events."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDE
    return Console(stderr=stderr, width=width, highlight=False)


def literal(text: str) -> str:
    """Return any text as Rich's markup of itself, on one line, safe for a terminal, and without secrets."""
    return escape(_one_line(text))


def _one_line(text: str) -> str:
    # Before Rich wraps a cell, so that no part of a value is on each of two lines.
    return printable(WRITTEN.mask(text))


def print_line(text: str, *, soft_wrap: bool = False) -> None:
    """Print any text to standard output; a long one is wrapped between its words, unless the terminal is to wrap it."""
    output().print(literal(text), soft_wrap=soft_wrap)


def print_table(
    columns: Iterable[str | Column], rows: Iterable[Iterable[str]], title: str = ""
) -> None:
    """Print a table to standard output; titles, columns and cells are Rich's markup: see `literal`."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*row)
    # Rich wraps the title of a table at the width of the table.
    output().print(*([title, table] if title else [table]), sep="\n")


def print_items(title: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print items as a table, or one below another where the names of their attributes are wider than a line."""
    heads = list(map(_one_line, names))
    items = [list(map(_one_line, row)) for row in rows]
    if sum(map(cell_len, heads)) <= _room(len(heads)):
        _print_fitted(title, heads, items)
        return
    for number, item in enumerate(items, 1):
        of = f", item {number} of {len(items)}" if len(items) > 1 else ""
        lines = [pair for pair in zip(heads, item, strict=True) if pair[1]]
        _print_fitted(title + of, ("attribute", "value"), lines)


def _print_fitted(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table in which long values are cut, but no name of a column that is shorter than the line."""
    rows = list(rows)
    room = _room(len(heads))
    least = list(map(cell_len, heads))
    widths = [min(max(map(cell_len, column)), room) for column in zip(heads, *rows, strict=True)]
    while sum(widths) > room:
        widest = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
        widths[widest] -= 1
    columns = [
        Column(escape(head), max_width=width, no_wrap=True)
        for head, width in zip(heads, widths, strict=True)
    ]
    print_table(columns, (map(escape, row) for row in rows), literal(title))


def _room(columns: int) -> int:
    """Return the characters of a line for the cells of so many columns: beside each are a border and two spaces."""
    return max(columns, output().width - 1 - 3 * columns)


@contextmanager
def progress_bar(
    description: str, total: int | None, *, of_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on standard error; the function gets the number done so far.

    One of bytes has an estimate of the time that is left. Without a terminal, there is a line now and then.
    """
    console = output(stderr=True)
    if not console.is_terminal:
        # A command without progress does not load the clients of AWS.
        from router.runtime.aws.calls import boottime

        yield _print_progress(description, total, boottime, of_bytes=of_bytes)
        return
    number = (DownloadColumn(), TimeRemainingColumn()) if of_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *number, TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(literal(description), total=total)
        yield lambda done: progress.update(
            task, completed=done, total=None if total is None else max(total, done)
        )


def _print_progress(
    description: str, total: int | None, clock: Callable[[], float], *, of_bytes: bool
) -> Callable[[int], None]:
    """Return what prints the number done so far on standard error, once in LINE_SECONDS."""
    name = _one_line(description)
    started = last = clock()

    def number(count: int) -> str:
        return f"{count / _MEGABYTE:.1f} MB" if of_bytes else str(count)

    def report(done: int) -> None:
        nonlocal last
        now = clock()
        if now - last < LINE_SECONDS:
            return
        last = now
        of = f" of {number(max(total, done))}" if total else ""
        tell(f"{name}: {number(done)}{of}, {now - started:.0f} s")

    return report


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


class Answers(Struct, frozen=True):
    """What the options answer: whether there is a question at all, and the words that need not be typed."""

    yes: bool
    confirmed: Repeated

    def are_yes(self, question: str, words: Mapping[str, str], warning: str = "") -> bool:
        """Ask, unless the options say yes; each word has to be typed, since something is lost that it names.

        A question that begins with a warning is asked also where words are to be typed.
        """
        missing = [word for word in words if word not in self.confirmed]
        more = ["--allow-breaking"] if warning else []
        instead = " ".join(["--yes", *more, *(f"--confirm {word}" for word in words)])
        is_asked = not self.yes and (warning or not missing)
        if is_asked and not confirm(f"{warning}{question}", instead):
            return False
        return all(confirm_by_typing(word, words[word], instead) for word in missing)


def _require_terminal(options: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask for confirmation: standard input is not a terminal; {options} continues without asking"
        )
